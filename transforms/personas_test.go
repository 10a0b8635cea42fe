package transforms

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/gpu/tiny"
	"github.com/persona-transfer/runpipeline/transforms/linear"
)

// TestPersonasThatGiveNoVector names the key of the configuration that is to blame.
func TestPersonasThatGiveNoVector(t *testing.T) {
	model := modelOf(t, "tiny:llama")
	texts := []string{"The old boat waits.", "A dog", "The dog sings."}
	for _, c := range []struct {
		positions string
		texts     PersonaTexts
		want      string
	}{
		{"last", PersonaTexts{Positive: texts, Negative: texts}, "persona_datasets.silly: positive and negative texts have the same mean activation"},
		{"word_ends", PersonaTexts{Positive: texts, Negative: []string{"A dog", "The dog sings."}}, "persona_datasets.silly.negative_texts: none of 1 texts has a position to read"},
	} {
		store := cache.NewMemory()
		d := keep(t, store, "texts", KindJSON, writeBytes(EncodeJSON(c.texts))).Digest
		s := Personas{Capture: Capture{Model: model, Layer: 1, Positions: c.positions}, Personas: []PersonaRef{{"silly", d}}}
		_, err := personas(t.Context(), unit(NewStage("personas", "personas", s, 1), 0, store), s)
		if !errors.Is(err, ErrTexts) || !strings.HasPrefix(err.Error(), ErrTexts.Error()+": "+c.want) {
			t.Errorf("positions %s: %v, want %q", c.positions, err, c.want)
		}
	}
}

// TestManyTextsAreReadInParts takes the mean of more texts than are read at once: twice the same
// texts have the mean of once, and every text the row that it has again. Batches differ, so float32 residuals may
// differ in their last bits: 10⁻⁵ of the largest is generous.
func TestManyTextsAreReadInParts(t *testing.T) {
	s := Personas{Capture: Capture{Model: modelOf(t, "tiny:llama"), Layer: 1, Positions: "last"}}
	texts := tiny.CalibrationTexts(7, ShardRows/2+1)
	u := unit(NewStage("personas", "personas", s, 1), 0, cache.NewMemory())
	once, err := u.mean(t.Context(), s, texts, "once", func(int, []float32) {})
	if err != nil {
		t.Fatal(err)
	}
	rows := make([][]float32, 2*len(texts))
	twice, err := u.mean(t.Context(), s, slices.Concat(texts, texts), "twice", func(text int, row []float32) { rows[text] = slices.Clone(row) })
	if err != nil {
		t.Fatal(err)
	}
	largest := 0.0
	for _, v := range once {
		largest = max(largest, math.Abs(v))
	}
	for i := range once {
		if math.Abs(once[i]-twice[i]) > 1e-5*largest {
			t.Errorf("dimension %d: %g of %d texts, %g of twice as many", i, once[i], len(texts), twice[i])
		}
	}
	for i, row := range rows[:len(texts)] {
		if row == nil || rows[len(texts)+i] == nil || far(rows[len(texts)+i], row) > 1e-5 {
			t.Fatalf("text %d has other residuals when it comes again as text %d", i, len(texts)+i)
		}
	}
}

// TestSumsAreOfEachText reads texts of several word ends, and one that has none: the sums that are stored are
// those of each text's residuals, as many as it has positions, and their difference of means is the vector.
func TestSumsAreOfEachText(t *testing.T) {
	store := cache.NewMemory()
	texts := PersonaTexts{Positive: []string{"The old boat waits by the harbour.", "x", "A dog", "x", "The dog sings in the ward."}, Negative: []string{"A star is tired of it all.", "x", "The cook eats soup."}}
	d := keep(t, store, "texts", KindJSON, writeBytes(EncodeJSON(texts))).Digest
	s := Personas{Capture: Capture{Model: modelOf(t, "tiny:llama"), Layer: 1, Positions: "word_ends"}, Personas: []PersonaRef{{"silly", d}}}
	u := unit(NewStage("personas", "personas", s, 1), 0, store)
	key, err := personas(t.Context(), u, s)
	out, vector := outputOf(t, u, key, err, "texts"), outputOf(t, u, key, err, "vector")
	out.Name = unitName(0, "texts")
	c, err := unit(NewStage("cosines", "cosines", Cosines{}, 1, "personas.target"), 0, store, Manifest{out}).contrast(t.Context(), "personas.target", 0)
	if err != nil {
		t.Fatal(err)
	}
	if up, down := split(c); !slices.Equal(up, []int{0, 2}) || !slices.Equal(down, []int{3, 4}) || c.Positive != 3 {
		t.Errorf("texts with positions: %v and %v of %d positive ones", up, down, c.Positive)
	}
	v, err := load(t.Context(), store, vector, artifacts.KindVectors, artifacts.DecodeVectors)
	if err != nil {
		t.Fatal(err)
	}
	if e := far(c.Vector([]int{0, 1, 2}, []int{3, 4}), v.Rows[0].Values); e > 1e-6 {
		t.Errorf("the sums' difference of means is off by %.1e", e)
	}
	for i, text := range []string{texts.Positive[0], texts.Positive[2], texts.Positive[4], texts.Negative[0], texts.Negative[2]} {
		if want := len(wordEnds(text)); c.Rows[i] != want {
			t.Errorf("%q has %d positions, want %d", text, c.Rows[i], want)
		}
	}
	// The one word end of the last text alone.
	last := linear.NewContrast(c.Dim, 1, 0)
	acts, err := u.residuals(t.Context(), s.Capture, &artifacts.Texts{Rows: []artifacts.Text{{Document: "a", Text: texts.Negative[2], Ends: wordEnds(texts.Negative[2])}}})
	if err != nil {
		t.Fatal(err)
	}
	for k := range acts.Rows() {
		last.Add(0, acts.Row(k))
	}
	for j := range c.Dim {
		if got, want := c.Sum[4*c.Dim+j], last.Sum[j]; math.Abs(got-want) > 1e-3*(1+math.Abs(want)) {
			t.Fatalf("dimension %d of the sum of %q: %g, want %g", j, texts.Negative[2], got, want)
		}
	}
}
