package xla

import (
	"testing"

	"github.com/persona-transfer/runpipeline/gpu/arch"
	"github.com/persona-transfer/runpipeline/gpu/engine"
	"github.com/persona-transfer/runpipeline/gpu/engine/enginetest"
	"github.com/persona-transfer/runpipeline/gpu/gputest"
)

// model loads a random model of a family onto the backend in Go.
func model(t testing.TB, family string) (*Model, *gputest.Reference) {
	return modelOn(t, goDevice(t), family, Options{})
}

func modelOn(t testing.TB, dev *Device, family string, o Options) (*Model, *gputest.Reference) {
	t.Helper()
	c, err := arch.ParseConfig([]byte(gputest.Configs[family]))
	if err != nil {
		t.Fatal(err)
	}
	r := gputest.Model(c, 1)
	m := opener(dev, o)(t, c, r).(*Model)
	t.Cleanup(func() { m.Close() })
	return m, r
}

// TestBlocksThatAreNotNeededDoNotRun frees their weights, the last norm's and the output matrix: a program
// that takes them fails.
func TestBlocksThatAreNotNeededDoNotRun(t *testing.T) {
	m, r := model(t, "qwen2")
	tokens := r.Text(9, 1)
	_, needed := m.body(0)
	for _, w := range m.values {
		used := false
		for _, n := range needed {
			used = used || n == w
		}
		if !used {
			if err := w.FinalizeAll(); err != nil {
				t.Fatal(err)
			}
		}
	}
	got := enginetest.Forward(t, m, engine.Item{Tokens: tokens, Residuals: []engine.Place{{Token: 8, Layer: 0}}}, engine.Item{Tokens: tokens})[0]
	if e := enginetest.Relative(got.Residuals[0], r.Forward(tokens, 0).Residual[0][8]); !(e < 1e-5) {
		t.Errorf("relative difference %.1e", e)
	}
	if len(needed) >= len(m.values)/2 {
		t.Errorf("%d of %d weights for one block of %d", len(needed), len(m.values), m.config.Layers)
	}
}

// TestKeysAndValuesAreFreedWithTheirLastText follows a text's, which a fork has too.
func TestKeysAndValuesAreFreedWithTheirLastText(t *testing.T) {
	m, r := model(t, "llama")
	first := m.NewSequence(5).(*sequence)
	enginetest.Forward(t, m, engine.Item{Sequence: first, Tokens: r.Text(5, 1)})
	old := first.kept.tensors[0]
	fork := first.Fork().(*sequence)
	enginetest.Forward(t, m, engine.Item{Sequence: first, Tokens: r.Text(3, 2)})
	if !old.Ok() {
		t.Fatal("freed while a fork has them")
	}
	fork.Free()
	if old.Ok() {
		t.Error("kept after the fork was freed and the text went on")
	}
	last := first.kept.tensors[0]
	first.Free()
	if last.Ok() {
		t.Error("kept after the text was freed")
	}
}

// TestTextsHaveFewShapes counts those of texts that are read in pieces of any length and continued token by
// token: a program is compiled for each.
func TestTextsHaveFewShapes(t *testing.T) {
	m, _ := model(t, "llama")
	seen := map[shape]bool{}
	slots := 0
	for past := range 1500 {
		for _, n := range []int{1, 5, 77} {
			s := shape{new: bucket(n, m.sizes.leastNew), past: slots, all: bucket(max(2, past+n), leastAll)}
			seen[s] = true
			if it := (engine.Item{Tokens: make([]int32, n)}); m.shapeOf(&it).all != s.new {
				t.Fatalf("a text of %d tokens that is not kept looks at %d", n, m.shapeOf(&it).all)
			}
		}
		slots = bucket(max(2, past+1), leastAll)
	}
	// Six sizes, three lengths of pieces, and each size is also the next one's past.
	if len(seen) > 3*(7+7) {
		t.Errorf("%d shapes", len(seen))
	}
}

// TestLongTextsAttendInBlocks reads a text whose tokens attend in blocks as one, and in pieces that do not.
func TestLongTextsAttendInBlocks(t *testing.T) {
	for _, family := range []string{"llama", "gemma3"} {
		m, r := model(t, family)
		text := r.Text(queryBlock+90, 1)
		last := engine.Place{Token: len(text) - 1, Layer: m.config.Layers - 1}
		whole := enginetest.Forward(t, m, engine.Item{Tokens: text, Residuals: []engine.Place{last, {Token: queryBlock + 1, Layer: 1}}})[0]
		q := m.NewSequence(len(text))
		enginetest.Forward(t, m, engine.Item{Sequence: q, Tokens: text[:400]})
		parts := enginetest.Forward(t, m, engine.Item{Sequence: q, Tokens: text[400:],
			Residuals: []engine.Place{{Token: last.Token - 400, Layer: last.Layer}, {Token: queryBlock + 1 - 400, Layer: 1}}})[0]
		for i := range whole.Residuals {
			want := make([]float64, len(whole.Residuals[i]))
			for j, v := range parts.Residuals[i] {
				want[j] = float64(v)
			}
			if e := enginetest.Relative(whole.Residuals[i], want); !(e < 1e-5) {
				t.Errorf("%s, residual %d: relative difference %.1e", family, i, e)
			}
		}
		q.Free()
	}
}
