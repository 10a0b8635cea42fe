package pipelines

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"slices"
	"sort"
	"strconv"
	"sync"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/artifacts/export"
	"github.com/persona-transfer/runpipeline/gpu"
	"github.com/persona-transfer/runpipeline/gpu/checkpoint"
	"github.com/persona-transfer/runpipeline/transforms"
	"github.com/persona-transfer/runpipeline/transforms/linear"
)

// A Model is one model opened outside of an experiment: for probe, steer and export's checks.
type Model struct {
	Name    string
	digest  func() (string, error) // of the model's files, computed when it is first asked for
	decoder *gpu.Decoder
}

// OpenModel opens a model by reference.
func OpenModel(ctx context.Context, ref, device string) (*Model, error) {
	c, err := transforms.OpenFiles(ctx, ref, false)
	if err != nil {
		return nil, missingModel(err)
	}
	defer c.Close()
	d, err := gpu.Open(c, nil, device)
	if err != nil {
		return nil, missingModel(err)
	}
	digest := sync.OnceValues(func() (string, error) {
		c, err := transforms.OpenFiles(ctx, ref, false)
		if err != nil {
			return "", missingModel(err)
		}
		defer c.Close()
		return c.Digest()
	})
	return &Model{Name: modelName(ref), digest: digest, decoder: d}, nil
}

// Notes tell what was odd about the model's files and passed over, one line each.
func (m *Model) Notes() []string { return m.decoder.Notes() }

// belongs reports a vector that was taken from another model, if its file says from which.
func (m *Model) belongs(file string, v artifacts.Meta) error {
	if v.ModelDigest == "" {
		return nil
	}
	digest, err := m.digest()
	if err != nil {
		return err
	}
	here := artifacts.Meta{Model: m.Name, ModelDigest: digest, Layer: v.Layer}
	if err := v.Match(here); err != nil {
		return Problems{fmt.Sprintf("-vector %s: %v", file, err)}
	}
	return nil
}

// missingModel marks a model that is not there as ErrMissing, and one that cannot be used as a
// problem of the configuration.
func missingModel(err error) error {
	if errors.Is(err, checkpoint.ErrNotFound) {
		return fmt.Errorf("%w: %w", ErrMissing, err)
	}
	return Problems{err.Error()}
}

// Warning is a line for the user when the model's texts may have other tokens than it knows, else "".
func (m *Model) Warning() string { return m.decoder.Tokenizer().Warning() }

// Close frees the model.
func (m *Model) Close() error { return m.decoder.Close() }

// A Steering is a vector to add, as a user names it.
type Steering struct {
	File  string // safetensors, GGUF control vector or JSON; empty: none
	Layer int    // −1: the layer that the file names
	Alpha float64
	Unit  string // "absolute": alpha times the values as they are; else the vector's direction times alpha and the unit; empty: the file's
}

// vector reads a steering's file and finds the vector of its layer.
func (s Steering) vector() (v export.Vector, layer int, err error) {
	content, err := readFile(s.File, maxVectorFile)
	var vectors []export.Vector
	if err == nil {
		vectors, err = export.ReadVectors(bytes.NewReader(content))
	}
	if errors.Is(err, fs.ErrNotExist) {
		return v, 0, fmt.Errorf("%w: vector %s: no such file", ErrMissing, s.File)
	}
	if err != nil {
		return v, 0, Problems{fmt.Sprintf("-vector %s: %v", s.File, reason(err))}
	}
	layer = s.Layer
	if layer < 0 {
		if len(vectors) != 1 {
			return v, 0, Problems{fmt.Sprintf("-vector %s holds %d layers: name one with -layer", s.File, len(vectors))}
		}
		layer = vectors[0].Meta.Layer
	}
	v, err = export.At(vectors, layer)
	if err != nil {
		return v, 0, Problems{fmt.Sprintf("-vector %s: %v", s.File, err)}
	}
	return v, layer, nil
}

// unitOf is the unit that alpha has where none is named: that of the experiment that the vector was
// exported from, or absolute if the file does not say, or says that its values have their dose already.
func unitOf(v export.Vector) (unit, why string) {
	switch named := v.Notes[noteAlphaUnit]; {
	case v.Unit != "":
		return "absolute", "the file's values have the length of a dose already"
	case named == "residual" || named == "spread" || named == "native":
		return named, "the unit of the experiment that the vector comes from"
	}
	return "absolute", "the file names no unit"
}

// Resolve fills in the unit if none is named and says why it is that one.
func (s *Steering) Resolve() (why string, err error) {
	if s.Unit != "" {
		return "", nil
	}
	v, _, err := s.vector()
	if err == nil {
		s.Unit, why = unitOf(v)
	}
	return why, err
}

// push resolves a steering for a model. residual is the mean residual norm at the layer, measured
// on the texts at hand, for vectors that come without scales.
func (m *Model) push(s Steering, residual func(layer int) (float64, error)) (gpu.Push, error) {
	if math.IsNaN(s.Alpha) || math.IsInf(s.Alpha, 0) {
		return gpu.Push{}, Problems{fmt.Sprintf("-alpha %g: want a finite number", s.Alpha)}
	}
	v, layer, err := s.vector()
	if err != nil {
		return gpu.Push{}, err
	}
	if s.Unit == "" {
		s.Unit, _ = unitOf(v)
	}
	if n := m.decoder.Config().Layers; layer >= n {
		return gpu.Push{}, Problems{fmt.Sprintf("-layer %d: model %s has layers 0 to %d", layer, m.Name, n-1)}
	}
	if width := m.decoder.Config().Hidden; len(v.Row.Values) != width {
		return gpu.Push{}, Problems{fmt.Sprintf("-vector %s has %d values, model %s is %d wide", s.File, len(v.Row.Values), m.Name, width)}
	}
	if err := m.belongs(s.File, v.Meta); err != nil {
		return gpu.Push{}, err
	}
	factor := s.Alpha
	if s.Unit != "absolute" {
		scale, err := unitScale(v, s.Unit, func() (float64, error) { return residual(layer) })
		if err != nil {
			return gpu.Push{}, err
		}
		norm := linear.Norm(v.Row.Values)
		if norm == 0 {
			return gpu.Push{}, Problems{fmt.Sprintf("-vector %s is zero: it has no direction", s.File)}
		}
		factor *= scale / norm
	}
	push := gpu.Push{Site: gpu.Site{Layer: layer}, Vector: make([]float32, len(v.Row.Values))}
	for i, x := range v.Row.Values {
		push.Vector[i] = float32(factor * float64(x))
	}
	if _, x, bad := notFinite([][]float32{push.Vector}); bad {
		return gpu.Push{}, Problems{fmt.Sprintf("-alpha %g: the vector times it holds %g", s.Alpha, x)}
	}
	return push, nil
}

// unitScale is the length that alpha 1 stands for: what the vector's manifest says, else, for
// "residual", what was measured.
func unitScale(v export.Vector, unit string, residual func() (float64, error)) (float64, error) {
	if text, ok := v.Notes["scale."+unit]; ok {
		if x, err := strconv.ParseFloat(text, 64); err == nil && x > 0 {
			return x, nil
		}
	}
	switch unit {
	case "residual":
		return residual()
	case "spread", "native":
		return 0, Problems{fmt.Sprintf("-alpha_unit %s: the vector's file does not say what it is; use residual or absolute", unit)}
	}
	return 0, Problems{fmt.Sprintf("-alpha_unit %q: want residual, spread, native or absolute", unit)}
}

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
	push, err := m.push(o.Steer, func(layer int) (float64, error) { return m.meanNorm(ctx, tokens, last, layer) })
	if err != nil {
		return err
	}
	pushes := make([][]gpu.Push, len(tokens))
	for i := range pushes {
		pushes[i] = []gpu.Push{push}
	}
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

// meanNorm is the mean residual norm of texts at their last tokens.
func (m *Model) meanNorm(ctx context.Context, tokens [][]int32, last [][]int, layer int) (float64, error) {
	h, err := m.decoder.Capture(ctx, tokens, last, []gpu.Site{{Layer: layer}})
	if err == nil {
		err = m.finite(h, "residuals")
	}
	if err != nil {
		return 0, err
	}
	sum := 0.0
	for _, x := range h {
		sum += linear.Norm(x)
	}
	return sum / float64(len(h)), nil
}

// hasRoom reports a continuation that, with its prompt, is longer than the model can read.
func (m *Model) hasRoom(prompt, tokens int) error {
	if longest := m.decoder.Config().Longest(); tokens > 0 && tokens > longest-prompt {
		return Problems{fmt.Sprintf("-tokens %d: model %s reads up to %d tokens, and the prompt has %d", tokens, m.Name, longest, prompt)}
	}
	return nil
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

// finite refuses what a damaged model or an immense vector makes of a text: what is computed from it
// means nothing.
func (m *Model) finite(rows [][]float32, what string) error {
	if i, x, bad := notFinite(rows); bad {
		return fmt.Errorf("model %s: the %s of text %d hold %g", m.Name, what, i+1, x)
	}
	return nil
}

// notFinite finds the first number that is none. −∞ is a logit of a token that cannot come.
func notFinite(rows [][]float32) (row int, x float32, found bool) {
	for i, values := range rows {
		for _, x := range values {
			if x-x != 0 && !math.IsInf(float64(x), -1) {
				return i, x, true
			}
		}
	}
	return 0, 0, false
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
	var list []checkpoint.Tensor
	floats := func(name string, v []float32, shape ...int) {
		list = append(list, checkpoint.Tensor{Name: name, DType: "F32", Shape: shape, Data: slices.Concat([]float32{}, v)})
	}
	ints := func(name string, v []int32) {
		list = append(list, checkpoint.Tensor{Name: name, DType: "I32", Shape: []int{len(v)}, Data: slices.Concat([]int32{}, v)})
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
	return checkpoint.WriteSafetensors(w, list, meta)
}
