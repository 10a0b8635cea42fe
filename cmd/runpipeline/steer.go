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
	a.warn(m.Warning())
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

const steerHelp = "a prompt is continued without and with the vector; /alpha X, /unit U, /vector FILE, /layer N, /tokens N, /temperature X, /seed N change the settings, /help, /quit"

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

// change changes a setting of a conversation. What cannot be used is refused and changes nothing.
func change(s *pipelines.Session, line string) error {
	name, value, _ := strings.Cut(line, " ")
	value = strings.TrimSpace(value)
	changed := *s
	var err error
	switch name {
	case "/help":
		return fmt.Errorf("%s", steerHelp)
	case "/vector":
		changed.Steer.File = value
	case "/unit":
		if value == "" {
			return fmt.Errorf("/unit: want absolute, residual, spread or native")
		}
		changed.Steer.Unit = value
	case "/alpha":
		changed.Steer.Alpha, err = finite(value)
	case "/temperature":
		if changed.Sampling.Temperature, err = finite(value); err == nil && changed.Sampling.Temperature < 0 {
			err = fmt.Errorf("want 0 (greedy) or more")
		}
	case "/layer":
		changed.Steer.Layer, err = whole(value)
	case "/tokens":
		if changed.Sampling.MaxNewTokens, err = whole(value); err == nil && changed.Sampling.MaxNewTokens < 1 {
			err = fmt.Errorf("want 1 or more")
		}
	case "/seed":
		var seed int
		seed, err = whole(value)
		changed.Seed = uint64(seed)
	default:
		return fmt.Errorf("unknown setting %s; %s", name, steerHelp)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if err := changed.Check(); err != nil {
		return err
	}
	*s = changed
	return nil
}

// finite reads a number.
func finite(text string) (float64, error) {
	x, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, fmt.Errorf("want a number, got %q", text)
	}
	if x-x != 0 {
		return 0, fmt.Errorf("want a finite number")
	}
	return x, nil
}

// whole reads a whole number.
func whole(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, fmt.Errorf("want a whole number, got %q", text)
	}
	return n, nil
}
