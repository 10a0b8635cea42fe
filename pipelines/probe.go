package pipelines

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sort"
	"strconv"

	"github.com/persona-transfer/runpipeline/format/safetensors"
	"github.com/persona-transfer/runpipeline/gpu"
	"github.com/persona-transfer/runpipeline/transforms"
	"github.com/persona-transfer/runpipeline/transforms/linear"
)

// ProbeOptions say what to look at.
type ProbeOptions struct {
	Texts     []string
	Layers    []int // nil: all
	Tokens    int   // length of the greedy continuation
	IgnoreEOS bool  // it goes on to its full length and never chooses the end of the text
	Steer     Steering
}

// A Probe is what was found for one text.
type Probe struct {
	Text      string    `json:"text"`
	Tokens    []int32   `json:"tokens"`
	Pieces    []string  `json:"pieces"` // the tokens as the vocabulary writes them
	Layers    []int     `json:"layers"`
	Norms     []float64 `json:"residual_norms"` // at the last token, after each of Layers
	Plain     Reading   `json:"plain"`
	Steered   *Reading  `json:"steered,omitempty"`
	residuals []float32
	steered   []float32
}

// A Reading is what a model would say next.
type Reading struct {
	Top     []NextToken `json:"top"`
	Greedy  []int32     `json:"greedy"`         // without the end of the text
	Margins []float32   `json:"greedy_margins"` // best minus second logit
	Text    string      `json:"text"`
	logits  []float32
}

// A NextToken is a candidate with its logit.
type NextToken struct {
	Token int32   `json:"token"`
	Piece string  `json:"piece"`
	Logit float32 `json:"logit"`
}

// Probe reads texts.
func (m *Model) Probe(ctx context.Context, o ProbeOptions) ([]Probe, error) {
	layers := o.Layers
	if layers == nil {
		for l := range m.decoder.Config().Layers {
			layers = append(layers, l)
		}
	}
	probes, tokens, last, err := m.read(o.Texts)
	if err != nil {
		return nil, err
	}
	var sites []gpu.Site
	for _, l := range layers {
		if l < 0 || l >= m.decoder.Config().Layers {
			return nil, Problems{fmt.Sprintf("-layers %d: model %s has layers 0 to %d", l, m.Name, m.decoder.Config().Layers-1)}
		}
		sites = append(sites, gpu.Site{Layer: l})
	}
	for _, t := range tokens {
		if err := m.hasRoom(len(t), o.Tokens); err != nil {
			return nil, err
		}
	}
	plain, err := m.decoder.Capture(ctx, tokens, last, sites)
	if err != nil {
		return nil, err
	}
	if err := m.finite(plain, "residuals"); err != nil {
		return nil, err
	}
	width := m.decoder.Config().Hidden
	for i := range probes {
		probes[i].Layers, probes[i].residuals = layers, plain[i]
		for j := range layers {
			probes[i].Norms = append(probes[i].Norms, linear.Norm(plain[i][j*width:(j+1)*width]))
		}
	}
	set := func(i int, r Reading) { probes[i].Plain = r }
	if err := m.readings(ctx, tokens, nil, o, set); err != nil {
		return nil, err
	}
	if o.Steer.File == "" {
		return probes, nil
	}
	return probes, m.probeSteered(ctx, o, probes, tokens, last, sites)
}

// probeSteered adds what the same texts give under steering.
func (m *Model) probeSteered(ctx context.Context, o ProbeOptions, probes []Probe, tokens [][]int32, last [][]int, sites []gpu.Site) error {
	push, err := m.pushes(o.Steer, func(layer int) (float64, error) { return m.meanNorm(ctx, tokens, last, layer) })
	if err != nil {
		return err
	}
	pushes := slices.Repeat([][]gpu.Push{push}, len(tokens))
	steered, err := m.decoder.CaptureSteered(ctx, tokens, last, sites, pushes)
	if err == nil {
		err = m.finite(steered, "steered residuals")
	}
	if err != nil {
		return err
	}
	for i := range probes {
		probes[i].steered = steered[i]
	}
	return m.readings(ctx, tokens, pushes, o, func(i int, r Reading) { probes[i].Steered = &r })
}

// read tokenises texts as prompts.
func (m *Model) read(texts []string) ([]Probe, [][]int32, [][]int, error) {
	var probes []Probe
	var tokens [][]int32
	var last [][]int
	t := m.decoder.Tokenizer()
	for _, text := range texts {
		if err := transforms.CheckText(t, false, text); err != nil {
			return nil, nil, nil, Problems{err.Error()}
		}
		ids, err := transforms.PromptTokens(t, false, text)
		if err != nil {
			return nil, nil, nil, err
		}
		p := Probe{Text: text, Tokens: ids}
		for _, id := range ids {
			p.Pieces = append(p.Pieces, t.Token(id))
		}
		probes, tokens, last = append(probes, p), append(tokens, ids), append(last, []int{len(ids) - 1})
	}
	return probes, tokens, last, nil
}

// readings gives the next tokens and the greedy continuation of each text.
func (m *Model) readings(ctx context.Context, tokens [][]int32, push [][]gpu.Push, o ProbeOptions, set func(int, Reading)) error {
	logits, err := m.decoder.Logits(ctx, tokens, push)
	if err == nil {
		err = m.finite(logits, "logits")
	}
	if err != nil {
		return err
	}
	out := make([]gpu.Output, len(tokens))
	if o.Tokens > 0 {
		rows := make([]gpu.Row, len(tokens))
		for i := range rows {
			rows[i].Prompt = tokens[i]
			if push != nil {
				rows[i].Push = push[i]
			}
		}
		if out, err = m.decoder.Generate(ctx, rows, gpu.Sampling{MaxNewTokens: o.Tokens, StopAtEOS: !o.IgnoreEOS}); err != nil {
			return err
		}
	}
	t := m.decoder.Tokenizer()
	for i := range tokens {
		set(i, Reading{Top: m.top(logits[i], 5), Greedy: append([]int32{}, out[i].Tokens...), Margins: append([]float32{}, out[i].Margins...), Text: t.Continuation(tokens[i], out[i].Tokens), logits: logits[i]})
	}
	return nil
}

// top lists the k largest logits, ties by token.
func (m *Model) top(logits []float32, k int) []NextToken {
	order := make([]int32, len(logits))
	for i := range order {
		order[i] = int32(i)
	}
	sort.SliceStable(order, func(a, b int) bool { return logits[order[a]] > logits[order[b]] })
	var out []NextToken
	for _, id := range order[:min(k, len(order))] {
		out = append(out, NextToken{id, m.decoder.Tokenizer().Token(id), logits[id]})
	}
	return out
}

// WriteProbes writes probes as safetensors: for text i tokens.i [n] I32, resid.i [layers, d] F32,
// logits.i [V] F32, greedy.i [k] I32, greedy_margin.i [k] F32, and under steering the same as
// steered_resid.i, steered_logits.i, steered.i, steered_margin.i.
func WriteProbes(w io.Writer, model string, probes []Probe) error {
	var list []safetensors.Tensor
	floats := func(name string, v []float32, shape ...int) {
		list = append(list, safetensors.Tensor{Name: name, DType: "F32", Shape: shape, Data: slices.Concat([]float32{}, v)})
	}
	ints := func(name string, v []int32) {
		list = append(list, safetensors.Tensor{Name: name, DType: "I32", Shape: []int{len(v)}, Data: slices.Concat([]int32{}, v)})
	}
	for i, p := range probes {
		id := "." + strconv.Itoa(i)
		width := len(p.residuals) / max(len(p.Layers), 1)
		ints("tokens"+id, p.Tokens)
		floats("resid"+id, p.residuals, len(p.Layers), width)
		floats("logits"+id, p.Plain.logits, len(p.Plain.logits))
		ints("greedy"+id, p.Plain.Greedy)
		floats("greedy_margin"+id, p.Plain.Margins, len(p.Plain.Margins))
		if p.Steered != nil {
			floats("steered_resid"+id, p.steered, len(p.Layers), width)
			floats("steered_logits"+id, p.Steered.logits, len(p.Steered.logits))
			ints("steered"+id, p.Steered.Greedy)
			floats("steered_margin"+id, p.Steered.Margins, len(p.Steered.Margins))
		}
	}
	meta := map[string]string{"model": model}
	if len(probes) > 0 {
		meta["layers"] = fmt.Sprint(probes[0].Layers)
	}
	return safetensors.Write(w, list, meta)
}
