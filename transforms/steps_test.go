package transforms

import (
	"encoding/json"
	"math"
	"slices"
	"testing"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/gpu"
	"github.com/persona-transfer/runpipeline/transforms/linear"
	"github.com/persona-transfer/runpipeline/transforms/trial"
)

// outputOf gives the output of that name of a unit that has just run.
func outputOf(t *testing.T, u *Unit, key cache.ActionKey, err error, name string) cache.Output {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	outputs, _, err := u.Store.Lookup(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	o, ok := Manifest(outputs).Find(name)
	if !ok {
		t.Fatalf("no output %q among %v", name, outputs)
	}
	return o
}

// decoderOf opens a model of the embedded pair as units do.
func decoderOf(t *testing.T, m Model) *gpu.Decoder {
	t.Helper()
	u := unit(toyStage("a", 1, toy{}), 0, cache.NewMemory())
	defer u.release()
	d, err := u.decoder(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// lastResidual reads a text alone, after a block, at its last token.
func lastResidual(t *testing.T, d *gpu.Decoder, text string, layer int) []float32 {
	t.Helper()
	ids, err := PromptTokens(d.Tokenizer(), false, text)
	if err != nil {
		t.Fatal(err)
	}
	h, err := d.Capture(t.Context(), [][]int32{ids}, [][]int{{len(ids) - 1}}, []gpu.Site{{Layer: layer}})
	if err != nil {
		t.Fatal(err)
	}
	return h[0]
}

// far is the largest difference of two vectors relative to the largest value.
func far(got, want []float32) float64 {
	diff, top := 0.0, 0.0
	for i := range want {
		diff = max(diff, math.Abs(float64(got[i])-float64(want[i])))
		top = max(top, math.Abs(float64(want[i])))
	}
	return diff / top
}

// TestPersonaVectorIsPositiveMinusNegative takes a vector of three texts a side: the mean of the
// positive ones with even numbers less that of the negative ones. Texts with odd numbers, which train
// the scorer, are of another subject and must not matter. Texts read together and alone differ by
// rounding: 10⁻⁴ is a thousand roundings of float32.
func TestPersonaVectorIsPositiveMinusNegative(t *testing.T) {
	store := cache.NewMemory()
	texts := PersonaTexts{Positive: []string{"The old boat waits.", "A needle sings.", "The dog sings."}, Negative: []string{"A star is tired.", "Two gulls drift.", "The cook eats soup."}}
	s := Personas{Capture: Capture{Model: modelOf(t, "tiny:llama"), Layer: 2, Positions: "last"}, Personas: []PersonaRef{{"silly", keep(t, store, "texts", KindJSON, writeBytes(EncodeJSON(texts))).Digest}}}
	u := unit(NewStage("personas", "personas", s, 1), 0, store)
	key, err := personas(t.Context(), u, s)
	v, err := load(t.Context(), store, outputOf(t, u, key, err, "vector"), artifacts.KindVectors, artifacts.DecodeVectors)
	if err != nil {
		t.Fatal(err)
	}
	d := decoderOf(t, s.Capture.Model)
	want := make([]float32, d.Config().Hidden)
	for weight, list := range map[float32][]string{.5: {texts.Positive[0], texts.Positive[2]}, -.5: {texts.Negative[0], texts.Negative[2]}} {
		for _, text := range list {
			for i, x := range lastResidual(t, d, text, 2) {
				want[i] += weight * x
			}
		}
	}
	row := v.Rows[0]
	if e := far(row.Values, want); e > 1e-4 || row.Persona != "silly" || row.Norm != linear.Norm(row.Values) {
		t.Errorf("persona %s, norm %g: values differ by %.1e from the difference of means, cosine %.3f", row.Persona, row.Norm, e, linear.Cosine(row.Values, want))
	}
	if v.Layer != 2 || v.ModelDigest != s.Capture.Model.Digest {
		t.Errorf("the vector says it is of %+v", v.Meta)
	}
}

// TestCaptureReadsTheTokenThatEndsThere reads two positions of one text and one of another: the
// residual after the block at the token that ends there, row by row.
func TestCaptureReadsTheTokenThatEndsThere(t *testing.T) {
	s := Capture{Model: modelOf(t, "tiny:llama"), Layer: 1, Positions: "word_ends"}
	texts := &artifacts.Texts{Rows: []artifacts.Text{
		{Document: "a", Text: "The old boat waits.", Ends: []int32{12, 18}, Fold: 4}, {Document: "b", Text: "A dog sings in the ward.", Ends: []int32{11}, Fold: 7}}}
	u := unit(NewStage("capture", "capture", s, 1, "pairs"), 0, cache.NewMemory())
	got, err := u.residuals(t.Context(), s, texts)
	if err != nil {
		t.Fatal(err)
	}
	d := decoderOf(t, s.Model)
	if !slices.Equal(got.Fold, []int32{4, 4, 7}) || !slices.Equal(got.Document, []string{"a", "a", "b"}) || !slices.Equal(got.End, []int32{12, 18, 11}) {
		t.Errorf("rows of documents %v, folds %v, ends %v", got.Document, got.Fold, got.End)
	}
	for i, prefix := range []string{"The old boat", "The old boat waits", "A dog sings"} { // what is read there has seen no more
		if e := far(got.Residual[i*got.Dim:(i+1)*got.Dim], lastResidual(t, d, prefix, 1)); e > 1e-4 {
			t.Errorf("row %d differs by %.1e from the residual at the end of %q", i, e, prefix)
		}
	}
}

// TestTheLastTokenAtAnOffsetIsRead finds it among tokens that stand for no character.
func TestTheLastTokenAtAnOffsetIsRead(t *testing.T) {
	r := reading{tokens: []int32{1, 5, 6, 7, 2}, ends: []int{-1, 3, 8, 8, -1}}
	if got := []int{r.at(3), r.at(8), r.at(4)}; !slices.Equal(got, []int{1, 3, -1}) {
		t.Errorf("tokens at offsets 3, 8, 4: %v, want 1, the last of two, and none", got)
	}
}

// TestTraitScorerSeesOddTextsOnly fits the scorer of texts whose even ones are all alike.
func TestTraitScorerSeesOddTextsOnly(t *testing.T) {
	var texts PersonaTexts
	var odd [2][]string
	for i, word := range []string{"river", "stone", "paper", "window", "garden", "engine"} {
		texts.Positive = append(texts.Positive, "no marker here", "ahoy the "+word)
		texts.Negative = append(texts.Negative, "no marker here", "see the "+word)
		odd[0], odd[1] = append(odd[0], texts.Positive[2*i+1]), append(odd[1], texts.Negative[2*i+1])
	}
	store := cache.NewMemory()
	s := Trait{Personas: []PersonaRef{{"pirate", keep(t, store, "texts", KindJSON, writeBytes(EncodeJSON(texts))).Digest}}}
	u := unit(NewStage("trait", "trait", s, 1), 0, store)
	key, err := trait(t.Context(), u, s)
	got, err := store.Read(t.Context(), outputOf(t, u, key, err, "scorer").Digest)
	if err != nil {
		t.Fatal(err)
	}
	want, err := trial.FitScorer(odd[0], odd[1])
	if err != nil {
		t.Fatal(err)
	}
	if text, _ := json.Marshal(want); string(got) != string(text) {
		t.Error("the scorer is not that of the texts with odd numbers")
	}
}

// A calibration is pairs as the stages capture and gram store them.
type calibration struct{ source, target, grams Manifest }

// inputs are those of the fit.
func (c calibration) inputs() []Manifest { return []Manifest{c.grams, c.source, c.target} }

// pairsOf stores pairs of one dimension on either side, in shards, and sums up their folds.
func pairsOf(t *testing.T, store cache.Store, folds int, shards ...[][3]float32) calibration {
	t.Helper()
	c := calibration{}
	c.source, c.target = activationsOf(t, store, shards...)
	c.grams = gramsOf(t, store, folds, c.source, c.target)
	return c
}

// gramsOf runs the units of the stage gram.
func gramsOf(t *testing.T, store cache.Store, folds int, source, target Manifest) (grams Manifest) {
	t.Helper()
	s := Gram{Folds: folds}
	for k := range folds {
		u := unit(NewStage("gram", "gram", s, folds, "capture.source", "capture.target"), k, store, source, target)
		key, err := gram(t.Context(), u, s)
		o := outputOf(t, u, key, err, "gram")
		o.Name = unitName(k, o.Name)
		grams = append(grams, o)
	}
	return grams
}

// activationsOf stores such pairs as the captures do, each of a text of its own.
func activationsOf(t *testing.T, store cache.Store, shards ...[][3]float32) (source, target Manifest) {
	t.Helper()
	for i, rows := range shards {
		x := &artifacts.Activations{Meta: place("s", 1, 1), Dim: 1}
		y := &artifacts.Activations{Meta: place("t", 1, 1), Dim: 1}
		for j, row := range rows { // document, source, target
			for k, a := range []*artifacts.Activations{x, y} {
				a.Document, a.Fold, a.Residual = append(a.Document, "d"), append(a.Fold, int32(row[0])), append(a.Residual, row[1+k])
				a.Text, a.End, a.Token = append(a.Text, int32(j)), append(a.End, 1), append(a.Token, "x")
			}
		}
		source = append(source, keep(t, store, unitName(i, "activations"), artifacts.KindActivations, x.Encode))
		target = append(target, keep(t, store, unitName(i, "activations"), artifacts.KindActivations, y.Encode))
	}
	return source, target
}

// TestGramSumsByDocument adds five pairs of three documents in two shards by hand: N, d, e, Σx², Σxy, Σy², Σx, Σy.
func TestGramSumsByDocument(t *testing.T) {
	store := cache.NewMemory()
	c := pairsOf(t, store, 2, [][3]float32{{0, 1, 10}, {1, 2, 100}, {0, 3, 1000}}, [][3]float32{{2, 4, 10000}, {1, 5, 1}}) // folds 0, 1, 0; 0, 1
	for k, want := range [][]float64{
		{3, 1, 1, 1 + 9 + 16, 10 + 3000 + 40000, 100 + 1e6 + 1e8, 8, 11010},
		{2, 1, 1, 4 + 25, 200 + 5, 10000 + 1, 7, 101},
	} {
		m, err := load(t.Context(), store, c.grams[k], artifacts.KindMatrices, artifacts.DecodeMatrices)
		if err != nil {
			t.Fatal(err)
		}
		if b := m.Block("gram"); len(m.Blocks) != 1 || b == nil || !slices.Equal(b.Data, want) || c.grams[k].Rows != int64(want[0]) {
			t.Errorf("fold %d of %d rows: %+v, want %v", k, c.grams[k].Rows, m.Blocks, want)
		}
		if m.Source != place("s", 1, 1) || m.Target != place("t", 1, 1) {
			t.Errorf("fold %d is of %+v and %+v", k, m.Source, m.Target)
		}
	}
}

// TestMapsAreSolvedByHand fits y = 2x + 3 on x = ±1, twice in each of two shards, with an absolute
// penalty of 8: Sxy/(Sxx + 8) = 16/16 for the map, and Syy/(Syy + 8) = 32/40 for the target to itself.
// The mean of y is 3 and that of x is 0, so the intercept is 3.
func TestMapsAreSolvedByHand(t *testing.T) {
	store := cache.NewMemory()
	shard := [][3]float32{{0, -1, 1}, {0, 1, 5}, {1, -1, 1}, {1, 1, 5}}
	s := Fit{Method: "ridge", Centre: true, Lambdas: []float64{8}, Unit: "absolute", Self: true}
	u := unit(NewStage("fit", "fit", s, 1, samples["fit"].inputs...), 0, store, pairsOf(t, store, 2, shard, shard).inputs()...)
	key, err := fit(t.Context(), u, s)
	for name, want := range map[string]struct{ w, intercept float64 }{"map": {1, 3}, "self": {.8, 3 - .8*3}} {
		m, err := load(t.Context(), store, outputOf(t, u, key, err, name), artifacts.KindMap, artifacts.DecodeMap)
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(float64(m.W[0])-want.w) > 1e-6 || math.Abs(float64(m.Intercept[0])-want.intercept) > 1e-6 || m.Lambda != 8 {
			t.Errorf("%s: y = %g·x + %g with λ=%g, want %g and %g with 8", name, m.W[0], m.Intercept[0], m.Lambda, want.w, want.intercept)
		}
		from := place("s", 1, 1)
		if name == "self" {
			from = place("t", 1, 1)
		}
		if m.Source != from || m.Target != place("t", 1, 1) {
			t.Errorf("%s leads from %+v to %+v", name, m.Source, m.Target)
		}
	}
	if outputs, _, _ := store.Lookup(t.Context(), key); len(outputs) != 3 {
		t.Errorf("outputs %v, want the two maps and the report", outputs)
	}
}

// TestTheBestLambdaIsUsed: the map is fitted with the penalty of the highest R², not with the
// one-standard-error choice that is reported beside it.
func TestTheBestLambdaIsUsed(t *testing.T) {
	r, err := fitOf(t, 30, 10, 5, Fit{Method: "ridge", Centre: true, Lambdas: []float64{1e-4, 1e-3}, Unit: "relative"})
	if err != nil {
		t.Fatal(err)
	}
	if r.CV.Best == r.CV.OneStandardError {
		t.Fatalf("both choices are λ=%g: the data show nothing", r.CV.Best)
	}
	if r.Lambda != r.CV.Best {
		t.Errorf("the map has λ=%g, the best is %g", r.Lambda, r.CV.Best)
	}
}
