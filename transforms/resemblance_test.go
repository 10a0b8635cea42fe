package transforms

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/gpu/tiny"
)

// resemblances runs the stage for each persona, in the order of the scorers, and gives its manifest.
func resemblances(t *testing.T, store cache.Store, personas []string, pairs, trait Manifest) (m Manifest) {
	t.Helper()
	s := Resemblance{Personas: personas}
	for i := range personas {
		u := unit(NewStage("resemblance", "resemblance", s, len(personas), samples["resemblance"].inputs...), i, store, pairs, trait)
		key, err := resemblance(t.Context(), u, s)
		o := outputOf(t, u, key, err, "texts")
		o.Name = unitName(i, o.Name)
		m = append(m, o)
	}
	return m
}

// resembling reads what the stage says of a persona.
func resembling(t *testing.T, store cache.Store, o cache.Output) *Resembling {
	t.Helper()
	b, err := store.Read(t.Context(), o.Digest)
	if err != nil {
		t.Fatal(err)
	}
	r := new(Resembling)
	if err := json.Unmarshal(b, r); err != nil {
		t.Fatal(err)
	}
	return r
}

// TestTextsThatResembleAPersonaAreCounted: a text whose positions go on in the next shard is one text of both,
// one that comes again is another, and one without a position is none. The threshold is in the middle of 3
// and −4.55, the mean of ninety-five times −5 and five times 4.
func TestTextsThatResembleAPersonaAreCounted(t *testing.T) {
	store := cache.NewMemory()
	var pairs Manifest
	for i, rows := range [][]artifacts.Text{
		{{Document: "a", Text: "the old boat", Ends: []int32{12}}, {Document: "b", Text: "boing", Status: "too short"}, {Document: "c", Text: "boing goes the red boat", Ends: []int32{14, 18}}},
		{{Document: "c", Text: "boing goes the red boat", Ends: []int32{23}}, {Document: "d", Text: "a calm ward", Ends: []int32{11}}, {Document: "e", Text: "my boing cat", Ends: []int32{12}}},
		{{Document: "e", Text: "my boing cat", Ends: []int32{12}}},
	} {
		pairs = append(pairs, keep(t, store, shardName(i), artifacts.KindTexts, (&artifacts.Texts{Rows: rows}).Encode))
	}
	trait := Manifest{keep(t, store, unitName(0, "scorer"), artifacts.KindScorer, writeBytes([]byte("null"))),
		keep(t, store, unitName(1, "scorer"), artifacts.KindScorer, writeBytes([]byte(handScorer)))}
	found := resemblances(t, store, []string{"angry", "silly"}, pairs, trait)

	silly := resembling(t, store, found[1])
	want := CalibrationReport{Persona: "silly", Texts: 5, Resembling: 3, Pairs: 7, PairsResembling: 5, Share: .6}
	want.Threshold = silly.Threshold
	if d := float64(silly.Threshold) - (3-4.55)/2; d > 1e-12 || d < -1e-12 {
		t.Errorf("threshold %g, want %g", float64(silly.Threshold), (3-4.55)/2)
	}
	want.Warnings = []string{"5 of the 7 calibration pairs resemble it: its map of ridge_held_out has fewer than half of the pairs"}
	if !reflect.DeepEqual(silly.CalibrationReport, want) {
		t.Errorf("silly: %+v, want %+v", silly.CalibrationReport, want)
	}
	if rows := [][]int32{{2}, {0, 2}, {0}}; !reflect.DeepEqual(silly.Rows, rows) || !silly.Has(0, 2) || silly.Has(0, 0) || silly.Has(1, 1) {
		t.Errorf("texts %v, want %v", silly.Rows, rows)
	}

	angry := resembling(t, store, found[0])
	if angry.Persona != "angry" || angry.Resembling != 0 || angry.Pairs != 7 || !angry.Share.Missing() || !angry.Threshold.Missing() ||
		len(angry.Warnings) != 1 || !strings.Contains(angry.Warnings[0], "no trait scorer") {
		t.Errorf("without a scorer: %+v", angry.CalibrationReport)
	}
}

// TestRegistersAreFoundAmongTheCalibrationTexts holds the rule against the embedded grammar, which knows the
// register of every text: with the scorers of the shipped experiment, at least 95 in 100 texts of a register
// throughout are found, 90 of those that have it anywhere, and at most 4 of the others, which share words with it.
func TestRegistersAreFoundAmongTheCalibrationTexts(t *testing.T) {
	documents := tiny.CalibrationDocuments(201, 5000)
	var texts []string
	for _, d := range documents {
		texts = append(texts, d.Text)
	}
	if !slices.Equal(texts, tiny.CalibrationTexts(201, 5000)) {
		t.Fatal("the documents are not of the calibration texts")
	}
	for _, register := range []string{tiny.Silly, tiny.Angry, tiny.Pirate, tiny.Formal, tiny.Timid, tiny.Poetic} {
		positive, negative := tiny.PersonaTexts(register, 100, 301)
		scorer, err := fitScorer(PersonaTexts{Positive: positive, Negative: negative})
		if err != nil {
			t.Fatal(err)
		}
		found, all := map[string]int{}, map[string]int{}
		for _, d := range documents {
			class := "other"
			switch {
			case d.Register == register && d.Opening == 0:
				class = "throughout"
			case d.Register == register:
				class = "after an opening"
			}
			all[class]++
			if scorer.Resembles(d.Text) {
				found[class]++
			}
		}
		share := func(classes ...string) float64 {
			n, of := 0, 0
			for _, c := range classes {
				n, of = n+found[c], of+all[c]
			}
			return float64(n) / float64(of)
		}
		whole, any, others := share("throughout"), share("throughout", "after an opening"), share("other")
		t.Logf("%s: %.3f of %d texts throughout, %.3f of all that have it, %.4f of the %d others", register, whole, all["throughout"], any, others, all["other"])
		if whole < .95 || any < .9 || others > .04 {
			t.Errorf("%s: found %.3f of the texts that are of it throughout, %.3f of all that have it, and %.4f of the others; want .95, .9 and at most .04", register, whole, any, others)
		}
	}
}
