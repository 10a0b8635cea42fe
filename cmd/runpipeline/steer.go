package main

import (
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
	f.IntVar(&s.Layer, "layer", -1, "block after which its vector is added (default: every one that the file holds)")
	f.Float64Var(&s.Alpha, "alpha", 1, "steering strength")
	f.StringVar(&s.Unit, "alpha_unit", "", "unit of alpha: absolute (h + alpha·v), residual, spread or native (default: the experiment's that the vector was exported from, else absolute)")
	f.StringVar(&s.Positions, "positions", "response", "tokens that it is added at: response (the last of the prompt and every new one), all (the prompt's too, as llama.cpp does) or last_prompt")
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
	var device deviceFlags
	device.register(f, "cpu")
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
	v, err := device.open()
	if err != nil {
		return err
	}
	m, err := pipelines.OpenModel(ctx, *model, v)
	if err != nil {
		return err
	}
	defer m.Close()
	a.deviceLine(v.Line())
	a.notes(m.Notes())
	a.warn(m.Warning())
	s.Model = m
	notes, err := s.Resolve()
	a.notes(notes)
	if err != nil {
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

const steerHelp = "a prompt is continued without and with the vector; /alpha X, /unit U, /vector FILE, /layer N (−1: all of the file), /positions P, /tokens N, /temperature X, /seed N change the settings, /help, /quit"

// converse reads prompts and settings line by line. An interrupt while a text is generated ends that
// text; one while a line is awaited ends the conversation.
func (a *app) converse(ctx context.Context, s *pipelines.Session) error {
	fmt.Fprintln(a.stderr, steerHelp)
	lines := a.lines()
	for {
		line, err := lines.read(ctx, fmt.Sprintf("alpha %g %s> ", s.Steer.Alpha, s.Steer.Unit))
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		line = strings.TrimSpace(line)
		switch {
		case line == "":
		case line == "/quit" || line == "/exit":
			return nil
		case strings.HasPrefix(line, "/"):
			if err := a.change(s, line); err != nil {
				fmt.Fprintln(a.stderr, err)
			}
		default:
			if err := a.answer(ctx, s, line); err != nil {
				return err
			}
		}
	}
}

// answer prints both continuations of a prompt, until an interrupt. What goes wrong with one prompt is
// said, and the conversation goes on.
func (a *app) answer(ctx context.Context, s *pipelines.Session, prompt string) error {
	text, end := a.stoppable(ctx)
	defer end()
	err := a.both(text, s, prompt)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case text.Err() != nil:
		fmt.Fprintln(a.stderr, "stopped")
	case err != nil:
		fmt.Fprintln(a.stderr, err)
	}
	return nil
}

// change changes a setting of a conversation. What cannot be used is refused and changes nothing.
func (a *app) change(s *pipelines.Session, line string) error {
	name, value, _ := strings.Cut(line, " ")
	value = strings.TrimSpace(value)
	changed := *s
	var err error
	switch name {
	case "/help":
		return fmt.Errorf("%s", steerHelp)
	case "/vector":
		changed.Steer.File, changed.Steer.Unit = value, "" // the unit is the new file's
	case "/unit":
		if value == "" {
			return fmt.Errorf("/unit: want absolute, residual, spread or native")
		}
		changed.Steer.Unit = value
	case "/positions":
		changed.Steer.Positions = value
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
	notes, err := changed.Resolve()
	if err != nil {
		return err
	}
	a.notes(notes)
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
