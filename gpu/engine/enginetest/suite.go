// Package enginetest holds what every engine must pass: parity with transformers, the numbers of a reference
// in float64, and what [engine.Engine] promises of batches, sequences, edits and errors.
package enginetest

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/persona-transfer/runpipeline/gpu/arch"
	"github.com/persona-transfer/runpipeline/gpu/engine"
	"github.com/persona-transfer/runpipeline/gpu/gputest"
)

// An Opener loads a model onto an engine.
type Opener func(t testing.TB, c *arch.Config, src arch.Source) engine.Engine

// Options are what an engine promises beyond the interface, and where fixtures are.
type Options struct {
	// Exact: what an item becomes depends on the item alone to the last bit, and so on none of the ways in
	// which it can be computed. Otherwise these may differ by the tolerance of the reference.
	Exact bool

	// Twin, if not nil, opens another engine with the same bits.
	Twin Opener

	// Parity is the folder of the fixtures that gpu/testdata/make_parity.py wrote, of families with names of theirs.
	Parity string

	// Families are those that are tested; nil: all, or few with -short.
	Families []string

	// Compiled leaves out what needs programs for many shapes and asks the same of the host: texts in pieces of all
	// lengths, prompts of several, passes that are interrupted, and games.
	Compiled bool
}

// tolerance bounds relative differences from the reference, and from an engine's own results where bits are
// not promised: a float32 forward of a few blocks loses about three of its seven digits at most. Users are
// promised 1e-4.
const tolerance = 1e-5

// Run tests an engine.
func Run(t *testing.T, open Opener, o Options) {
	s := &suite{open: open, Options: o, models: map[string]*model{}}
	t.Run("Parity", s.parity)
	for _, test := range []struct {
		name string
		run  func(t *testing.T, m *model)
		many bool // shapes
	}{
		{"Reference", s.reference, false},
		{"Batches", s.batches, false},
		{"Pieces", s.pieces, true},
		{"Wanted", s.wanted, false},
		{"Forks", s.forks, false},
		{"Prompts", s.prompts, true},
		{"Edits", s.edits, false},
		{"Interrupted", s.interrupted, true},
		{"Played", s.played, true},
	} {
		if test.many && s.Compiled {
			continue
		}
		t.Run(test.name, func(t *testing.T) {
			for _, family := range s.families() {
				t.Run(family, func(t *testing.T) { test.run(t, s.model(t, family)) })
			}
		})
	}
	t.Run("Refused", func(t *testing.T) { s.refused(t, s.model(t, "llama")) })
	for _, m := range s.models {
		if err := m.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
}

// A suite is one run of the tests.
type suite struct {
	Options
	open   Opener
	models map[string]*model // by family
}

// A model is a random one of a family on the engine, with its reference.
type model struct {
	engine.Engine
	r    *gputest.Reference
	c    *arch.Config
	twin engine.Engine // computes what the engine must equal to the last bit if that is promised; may be the engine
}

func (s *suite) model(t testing.TB, family string) *model {
	t.Helper()
	if m := s.models[family]; m != nil {
		return m
	}
	r := reference(t, family)
	m := &model{Engine: s.open(t, r.Config, r), r: r, c: r.Config}
	if m.twin = m.Engine; s.Twin != nil {
		m.twin = s.Twin(t, r.Config, r)
	}
	s.models[family] = m
	return m
}

func reference(t testing.TB, family string) *gputest.Reference {
	t.Helper()
	c, err := arch.ParseConfig([]byte(gputest.Configs[family]))
	if err != nil {
		t.Fatal(err)
	}
	return gputest.Model(c, 1)
}

// families are those that are tested: few with -short, which together have nearly all that families differ in.
func (s *suite) families() []string {
	if s.Families != nil {
		return s.Families
	}
	if testing.Short() {
		return []string{"gemma2", "gemma3", "llama", "phi3", "qwen"}
	}
	var out []string
	for name := range gputest.Configs {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// Forward runs a batch that must succeed.
func Forward(t testing.TB, e engine.Engine, items ...engine.Item) []engine.Result {
	t.Helper()
	out, err := e.Forward(context.Background(), items)
	if err != nil {
		t.Fatal(err)
	}
	if len(out) != len(items) {
		t.Fatalf("%d results of %d items", len(out), len(items))
	}
	return out
}

// Everything asks for all that can be wanted of a text.
func Everything(c *arch.Config, tokens []int32, edits ...engine.Edit) engine.Item {
	it := engine.Item{Tokens: tokens, Edits: edits}
	for i := range tokens {
		it.Logits = append(it.Logits, i)
		it.Next = append(it.Next, tokens[(i+1)%len(tokens)])
		for l := range c.Layers {
			it.Residuals = append(it.Residuals, engine.Place{Token: i, Layer: l})
		}
	}
	return it
}

// part is what everything became for the tokens [from, to).
func part(c *arch.Config, r engine.Result, from, to int) engine.Result {
	return engine.Result{Residuals: r.Residuals[from*c.Layers : to*c.Layers], Logits: r.Logits[from:to], NLL: r.NLL[from:to]}
}

// same compares results as closely as the engine promises.
func (s *suite) same(got, want engine.Result) error {
	if s.Exact {
		return Same(got, want)
	}
	if err := alike(got, want); err != nil {
		return err
	}
	for what, pair := range lists(got, want) {
		for i := range pair[0] {
			w := make([]float64, len(pair[1][i]))
			for j, v := range pair[1][i] {
				w[j] = float64(v)
			}
			if e := Relative(pair[0][i], w); !(e < tolerance) {
				return fmt.Errorf("%s %d: relative difference %.1e", what, i, e)
			}
		}
	}
	for i, v := range got.NLL {
		if e := math.Abs(float64(v - want.NLL[i])); !(e < tolerance*max(1, float64(want.NLL[i]))) {
			return fmt.Errorf("likelihood %d is %g, want %g", i, v, want.NLL[i])
		}
	}
	return nil
}

// Same reports the first difference of bits between results; any NaN is like any other.
func Same(got, want engine.Result) error {
	if err := alike(got, want); err != nil {
		return err
	}
	for what, pair := range lists(got, want) {
		for i := range pair[0] {
			if j := differ(pair[0][i], pair[1][i]); j >= 0 {
				return fmt.Errorf("%s %d: element %d is %x, want %x", what, i, j, pair[0][i][j], pair[1][i][j])
			}
		}
	}
	if j := differ(got.NLL, want.NLL); j >= 0 {
		return fmt.Errorf("likelihood %d is %x, want %x", j, got.NLL[j], want.NLL[j])
	}
	return nil
}

func lists(a, b engine.Result) map[string][2][][]float32 {
	return map[string][2][][]float32{"residual": {a.Residuals, b.Residuals}, "logits": {a.Logits, b.Logits}}
}

// alike reports lists of different lengths.
func alike(a, b engine.Result) error {
	if len(a.NLL) != len(b.NLL) {
		return fmt.Errorf("%d likelihoods, want %d", len(a.NLL), len(b.NLL))
	}
	for what, pair := range lists(a, b) {
		if len(pair[0]) != len(pair[1]) {
			return fmt.Errorf("%s: %d, want %d", what, len(pair[0]), len(pair[1]))
		}
		for i := range pair[0] {
			if len(pair[0][i]) != len(pair[1][i]) {
				return fmt.Errorf("%s %d has %d values, want %d", what, i, len(pair[0][i]), len(pair[1][i]))
			}
		}
	}
	return nil
}

func differ(a, b []float32) int {
	for i := range a {
		if math.Float32bits(a[i]) != math.Float32bits(b[i]) && (a[i] == a[i] || b[i] == b[i]) {
			return i
		}
	}
	return -1
}

// Relative is the length of a difference in terms of the length of what is wanted.
func Relative(got []float32, want []float64) float64 {
	var diff, size float64
	for i, w := range want {
		diff += (float64(got[i]) - w) * (float64(got[i]) - w)
		size += w * w
	}
	return math.Sqrt(diff / size)
}

// LogSum is log Σ exp of some logits.
func LogSum(x []float64) float64 {
	var sum float64
	for _, v := range x {
		sum += math.Exp(v)
	}
	return math.Log(sum)
}
