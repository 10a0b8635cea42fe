package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"

	"github.com/persona-transfer/runpipeline/pipelines"
)

func probeCommand(ctx context.Context, a *app, args []string) error {
	var texts list
	var o pipelines.ProbeOptions
	f := newFlags("probe", a.stderr)
	model := f.String("model", "", "model: a folder, a .gguf file, a hub id or tiny:…")
	f.Var(&texts, "text", "text to read; may be repeated")
	file := f.String("texts", "", "JSON `file` with a list of texts")
	layers := f.String("layers", "all", "all, or block numbers separated by commas")
	f.IntVar(&o.Tokens, "tokens", 16, "length of the greedy continuation; it ends where the model ends the text")
	f.BoolVar(&o.IgnoreEOS, "ignore_eos", false, "never choose the end of the text, so that the continuation has its full length")
	steering(f, &o.Steer, "steer")
	out := f.String("out", "", "safetensors `file` for tokens, residuals and logits")
	asJSON := f.Bool("json", false, "print JSON")
	var device deviceFlags
	device.register(f, "cpu")
	if err := parse(f, args, 0); err != nil {
		return err
	}
	var problems pipelines.Problems
	o.Texts = texts
	if *file != "" {
		more, err := pipelines.ReadStrings(*file)
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%w: -texts: %v", pipelines.ErrMissing, err)
		}
		if err != nil {
			problems = append(problems, fmt.Sprintf("-texts: %s: %v", *file, err))
		}
		o.Texts = append(o.Texts, more...)
	}
	var err error
	if o.Layers, err = parseLayers(*layers); err != nil {
		problems = append(problems, err.Error())
	}
	if *model == "" {
		problems = append(problems, "-model: missing")
	}
	if len(o.Texts) == 0 && *file == "" {
		problems = append(problems, "-text: missing; give a text or a file of -texts")
	}
	if o.Tokens < 0 {
		problems = append(problems, "-tokens: want 0 or more")
	}
	if problem := cannotReplace("-out", *out); problem != "" {
		problems = append(problems, problem)
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
	if o.Steer.File != "" {
		notes, err := m.Resolve(&o.Steer)
		a.notes(notes)
		if err != nil {
			return err
		}
	}
	probes, err := m.Probe(ctx, o)
	if err != nil {
		return err
	}
	if *out != "" {
		err := replaceFile(*out, func(w io.Writer) error { return pipelines.WriteProbes(w, m.Name, probes) })
		if err != nil {
			return err
		}
	}
	if *asJSON {
		enc := json.NewEncoder(a.stdout)
		enc.SetIndent("", " ")
		return enc.Encode(probes)
	}
	for _, p := range probes {
		printProbe(a.stdout, p)
	}
	return nil
}

func parseLayers(text string) ([]int, error) {
	if text == "all" {
		return nil, nil
	}
	var layers []int
	for _, part := range strings.Split(text, ",") {
		l, err := strconv.Atoi(strings.TrimSpace(part))
		if err != nil || l < 0 {
			return nil, fmt.Errorf("-layers %s: want all, or block numbers from 0 separated by commas", text)
		}
		layers = append(layers, l)
	}
	return layers, nil
}

func printProbe(w io.Writer, p pipelines.Probe) {
	fmt.Fprintf(w, "text      %q\n", p.Text)
	fmt.Fprintf(w, "tokens    %d:", len(p.Tokens))
	for i, id := range p.Tokens {
		fmt.Fprintf(w, " %d=%q", id, p.Pieces[i])
	}
	last := len(p.Tokens) - 1
	fmt.Fprintf(w, "\nlast      %d=%q\n", p.Tokens[last], p.Pieces[last])
	fmt.Fprint(w, "‖residual‖")
	for i, l := range p.Layers {
		fmt.Fprintf(w, " %d:%.4g", l, p.Norms[i])
	}
	fmt.Fprintln(w)
	printReading(w, "", p.Plain)
	if p.Steered != nil {
		printReading(w, "steered ", *p.Steered)
	}
	fmt.Fprintln(w)
}

func printReading(w io.Writer, prefix string, r pipelines.Reading) {
	fmt.Fprintf(w, "%snext  ", prefix)
	for _, t := range r.Top {
		fmt.Fprintf(w, " %q %.3f", t.Piece, t.Logit)
	}
	fmt.Fprintf(w, "\n%sgreedy %q\n", prefix, r.Text)
}
