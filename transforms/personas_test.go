package transforms

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/gpu/tiny"
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
// texts have the mean of once. Batches differ, so float32 residuals may differ in their last bits:
// 10⁻⁵ of the largest is generous.
func TestManyTextsAreReadInParts(t *testing.T) {
	s := Personas{Capture: Capture{Model: modelOf(t, "tiny:llama"), Layer: 1, Positions: "last"}}
	texts := tiny.CalibrationTexts(7, ShardRows/2+1)
	u := unit(NewStage("personas", "personas", s, 1), 0, cache.NewMemory())
	once, err := u.mean(t.Context(), s, texts, "once")
	if err != nil {
		t.Fatal(err)
	}
	twice, err := u.mean(t.Context(), s, slices.Concat(texts, texts), "twice")
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
}
