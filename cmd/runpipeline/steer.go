package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/persona-transfer/runpipeline/pipelines"
)

// steering registers the flags that name a vector; file is the name of the flag for its file.
func steering(f *flag.FlagSet, s *pipelines.Steering, file string) {
	f.StringVar(&s.File, file, "", "vector `file`: safetensors, GGUF control vector or JSON, as export writes them")
	f.IntVar(&s.Layer, "layer", -1, "block after which the vector is added (default: the one that the file names)")
	f.Float64Var(&s.Alpha, "alpha", 1, "steering strength")
	f.StringVar(&s.Unit, "alpha_unit", "", "unit of alpha: absolute (h + alpha·v), residual, spread or native (default: the experiment's that the vector was exported from, else absolute)")
}

// resolve fills in the unit of alpha if no flag names it, and says which it is.
func (a *app) resolve(s *pipelines.Steering) error {
	why, err := s.Resolve()
	if why != "" {
		fmt.Fprintf(a.stderr, "alpha %g is in unit %s: %s\n", s.Alpha, s.Unit, why)
	}
	return err
}

func steerCommand(ctx context.Context, a *app, args []string) error {
	s := pipelines.Session{}
	f := newFlags("steer", a.stderr)
	model := f.String("model", "", "model: a folder, a .gguf file, a hub id or tiny:…")
	steering(f, &s.Steer, "vector")
	prompt := f.String("prompt", "", "prompt to continue; without one, interactive")
	f.IntVar(&s.Sampling.MaxNewTokens, "tokens", 40, "length of the continuation")
	f.Float64Var(&s.Sampling.Temperature, "temperature", 0.8, "0 is greedy")
	f.Float64Var(&s.Sampling.TopP, "top_p", 0.95, "")
	f.IntVar(&s.Sampling.TopK, "top_k", 50, "")
	f.Uint64Var(&s.Seed, "seed", 42, "")
	f.BoolVar(&s.Template, "chat", false, "put the prompt into the model's chat template")
	if err := parse(f, args, 0); err != nil {
		return err
	}
	s.Sampling.StopAtEOS = true
	var problems pipelines.Problems
	if *model == "" {
		problems = append(problems, "-model: missing")
	}
	if s.Steer.File == "" {
		problems = append(problems, "-vector: missing")
	}
	if s.Sampling.MaxNewTokens < 1 {
		problems = append(problems, "-tokens: want 1 or more")
	}
	if len(problems) > 0 {
		return problems
	}
	m, err := pipelines.OpenModel(ctx, *model, "cpu")
	if err != nil {
		return err
	}
	defer m.Close()
	a.notes(m.Notes())
	s.Model = m
	if err := a.resolve(&s.Steer); err != nil {
		return err
	}
	if err := s.Check(); err != nil {
		return err
	}
	if *prompt != "" {
		return a.both(ctx, &s, *prompt)
	}
	return a.converse(ctx, &s)
}

// both prints the unsteered and the steered continuation, each as it comes.
func (a *app) both(ctx context.Context, s *pipelines.Session, prompt string) error {
	for _, steered := range []bool{false, true} {
		label := "plain  "
		if steered {
			label = "steered"
		}
		fmt.Fprintf(a.stdout, "%s | %s", label, prompt)
		_, err := s.Speak(ctx, prompt, steered, func(piece string) { fmt.Fprint(a.stdout, strings.ReplaceAll(piece, "\n", "\n        | ")) })
		fmt.Fprintln(a.stdout)
		if err != nil {
			return err
		}
	}
	return nil
}

const steerHelp = "a prompt is continued without and with the vector; /alpha X, /layer N, /tokens N, /seed N change the settings, /help, /quit"

// converse reads prompts and settings line by line.
func (a *app) converse(ctx context.Context, s *pipelines.Session) error {
	fmt.Fprintln(a.stderr, steerHelp)
	lines, failed := readLines(ctx, a.stdin)
	for {
		fmt.Fprintf(a.stderr, "alpha %g %s> ", s.Steer.Alpha, s.Steer.Unit)
		var line string
		select {
		case <-ctx.Done():
			return ctx.Err()
		case text, more := <-lines:
			if !more {
				fmt.Fprintln(a.stderr)
				return <-failed
			}
			line = strings.TrimSpace(text)
		}
		switch {
		case line == "":
		case line == "/quit" || line == "/exit":
			return nil
		case strings.HasPrefix(line, "/"):
			if err := change(s, line); err != nil {
				fmt.Fprintln(a.stderr, err)
			}
		default:
			if err := a.both(ctx, s, line); err != nil {
				if ctx.Err() != nil {
					return err
				}
				fmt.Fprintln(a.stderr, err)
			}
		}
	}
}

// readLines reads beside what waits for the lines, so that an interrupt need not wait for one.
func readLines(ctx context.Context, r io.Reader) (<-chan string, <-chan error) {
	lines, failed := make(chan string), make(chan error, 1)
	go func() {
		defer close(lines)
		scanner := bufio.NewScanner(r)
		scanner.Buffer(nil, maxLine)
		for scanner.Scan() {
			select {
			case lines <- scanner.Text():
			case <-ctx.Done():
				return
			}
		}
		failed <- scanner.Err()
	}()
	return lines, failed
}

// maxLine is more than anybody types.
const maxLine = 1 << 20

// change changes a setting of a conversation.
func change(s *pipelines.Session, line string) error {
	name, value, _ := strings.Cut(line, " ")
	value = strings.TrimSpace(value)
	number, err := strconv.ParseFloat(value, 64)
	whole := int(number)
	switch name {
	case "/help":
		return fmt.Errorf("%s", steerHelp)
	case "/alpha":
		if err == nil && number-number != 0 {
			return fmt.Errorf("/alpha: want a finite number")
		}
		if err == nil {
			s.Steer.Alpha = number
		}
	case "/layer":
		if err == nil {
			s.Steer.Layer = whole
		}
	case "/tokens":
		if err == nil && whole < 1 {
			return fmt.Errorf("/tokens: want 1 or more")
		}
		if err == nil {
			s.Sampling.MaxNewTokens = whole
		}
	case "/seed":
		if err == nil {
			s.Seed = uint64(whole)
		}
	default:
		return fmt.Errorf("unknown setting %s; %s", name, steerHelp)
	}
	if err != nil {
		return fmt.Errorf("%s: want a number, got %q", name, value)
	}
	return nil
}
