package transforms

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/cache"
)

// A refitting is a fit and the maps of ridge_held_out beside it.
type refitting struct {
	store cache.Store
	calibration
	whole  *artifacts.Map
	fitted Manifest // the report
}

// fittedOn fits shards of pairs (document, source, target) of one dimension, each its own text.
func fittedOn(t *testing.T, folds int, s Fit, shards ...[][3]float32) *refitting {
	t.Helper()
	r := &refitting{store: cache.NewMemory()}
	r.calibration = pairsOf(t, r.store, folds, shards...)
	u := unit(NewStage("fit", "fit", s, 1, samples["fit"].inputs...), 0, r.store, r.inputs()...)
	key, err := fit(t.Context(), u, s)
	r.fitted = Manifest{outputOf(t, u, key, err, "report")}
	if r.whole, err = load(t.Context(), r.store, outputOf(t, u, key, err, "map"), artifacts.KindMap, artifacts.DecodeMap); err != nil {
		t.Fatal(err)
	}
	return r
}

// without fits the map for the persona of that index again. alike says for each persona which texts of each
// shard resemble it.
func (r *refitting) without(t *testing.T, s Refit, index int, alike ...*Resembling) (*artifacts.Map, error) {
	t.Helper()
	var found Manifest
	for i, a := range alike {
		found = append(found, keep(t, r.store, unitName(i, "texts"), KindJSON, writeBytes(EncodeJSON(a))))
	}
	u := unit(NewStage("fit.held_out", "refit", s, len(alike), samples["refit"].inputs...), index, r.store, r.source, r.target, found, r.fitted, r.grams)
	key, err := refit(t.Context(), u, s)
	if err != nil {
		return nil, err
	}
	return load(t.Context(), r.store, outputOf(t, u, key, err, "map"), artifacts.KindMap, artifacts.DecodeMap)
}

// TestHeldOutMapsHaveNotSeenTheirPersona: where the texts of silly are y = 5x, those of angry y = −x and the
// others y = 2x + 3, with an absolute penalty of 8. Without silly: Sxx = 2·1 + 2·1, and so on by hand.
func TestHeldOutMapsHaveNotSeenTheirPersona(t *testing.T) {
	shards := [][][3]float32{
		{{0, -1, 1}, {1, 1, 5}, {2, -1, -5}, {3, 1, 5}}, // two of the others, two of silly
		{{4, -1, 1}, {5, 1, 5}, {6, -1, 1}, {7, 1, -1}}, // two of the others, two of angry
	}
	r := fittedOn(t, 2, Fit{Method: "ridge", Centre: true, Lambdas: []float64{8}, Unit: "absolute"}, shards...)
	silly := &Resembling{CalibrationReport: CalibrationReport{Persona: "silly", Pairs: 8, PairsResembling: 2}, Rows: [][]int32{{2, 3}, {}}}
	angry := &Resembling{CalibrationReport: CalibrationReport{Persona: "angry", Pairs: 8, PairsResembling: 2}, Rows: [][]int32{{}, {2, 3}}}
	most := &Resembling{CalibrationReport: CalibrationReport{Persona: "most", Pairs: 8, PairsResembling: 4}, Rows: [][]int32{{2, 3}, {2, 3}}}
	s := Refit{Method: "ridge", Centre: true, Unit: "absolute"}
	for i, c := range []struct {
		persona      string
		w, intercept float64
		left         string
	}{
		{"angry", (8. + 10) / (6 + 8), (3*4. + 0) / 6, "6 of 8"}, // y of the six: 1, 5, −5, 5, 1, 5
		{"silly", (8. - 2) / (6 + 8), 3 * 4. / 6, "6 of 8"},      // y: 1, 5, 1, 5, 1, −1
		{"most", 8. / (4 + 8), 3, "4 of 8"},                      // half of them: what is left is summed itself
	} {
		m, err := r.without(t, s, i, angry, silly, most)
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(float64(m.W[0])-c.w) > 1e-6 || math.Abs(float64(m.Intercept[0])-c.intercept) > 1e-6 || m.Lambda != 8 {
			t.Errorf("without %s: y = %g·x + %g with λ=%g, want %g and %g with 8", c.persona, m.W[0], m.Intercept[0], m.Lambda, c.w, c.intercept)
		}
		if m.Source != place("s", 1, 1) || m.Target != place("t", 1, 1) || !strings.Contains(m.Notes["fitted"], c.left) || !strings.Contains(m.Notes["fitted"], c.persona) {
			t.Errorf("without %s: from %+v to %+v, %v", c.persona, m.Source, m.Target, m.Notes)
		}
	}
}

// TestNothingLeftOutIsTheWholeMap: to the bit, whatever the method.
func TestNothingLeftOutIsTheWholeMap(t *testing.T) {
	var shards [][][3]float32
	for i := range 3 {
		var shard [][3]float32
		for j := range 40 {
			x := float32(math.Sin(float64(7*i + j)))
			shard = append(shard, [3]float32{float32(40*i + j), x, x*x + float32(math.Cos(float64(3*j)))})
		}
		shards = append(shards, shard)
	}
	nobody := &Resembling{CalibrationReport: CalibrationReport{Persona: "silly", Pairs: 120}, Rows: [][]int32{{}, {}, {}}}
	for _, method := range []string{"ridge", "ols", "procrustes", "standardised"} {
		r := fittedOn(t, 5, Fit{Method: method, Centre: true, Lambdas: []float64{.1, 1}, Unit: "relative"}, shards...)
		m, err := r.without(t, Refit{Method: method, Centre: true, Unit: "relative"}, 0, nobody)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(m.W, r.whole.W) || !slices.Equal(m.Intercept, r.whole.Intercept) || m.Lambda != r.whole.Lambda || m.Method != method {
			t.Errorf("%s: %v·x + %v with λ=%g, the fit has %v, %v and %g", method, m.W, m.Intercept, m.Lambda, r.whole.W, r.whole.Intercept, r.whole.Lambda)
		}
	}
}

// TestAHandfulOfPairsMakesNoMap: fewer than ten that are fewer than half are refused, and so is an answer
// about other shards.
func TestAHandfulOfPairsMakesNoMap(t *testing.T) {
	for _, c := range []struct {
		pairs, alike int
		ok           bool
	}{{5000, 4990, true}, {5000, 4991, false}, {12, 6, true}, {12, 7, false}, {10, 10, false}} {
		r := &Resembling{CalibrationReport: CalibrationReport{Persona: "silly", Pairs: c.pairs, PairsResembling: c.alike}}
		if err := r.enough(); c.ok != (err == nil) || err != nil && (!errors.Is(err, ErrTexts) || !strings.Contains(err.Error(), fmt.Sprintf("%d of the %d pairs", c.alike, c.pairs))) {
			t.Errorf("%d of %d pairs resemble the persona: %v", c.alike, c.pairs, err)
		}
	}
	shard := [][3]float32{{0, -1, 1}, {1, 1, 5}, {2, -1, 1}, {3, 1, 5}}
	r := fittedOn(t, 2, Fit{Method: "ridge", Centre: true, Lambdas: []float64{8}, Unit: "absolute"}, shard)
	s := Refit{Method: "ridge", Centre: true, Unit: "absolute"}
	if _, err := r.without(t, s, 0, &Resembling{CalibrationReport: CalibrationReport{Pairs: 4}, Rows: [][]int32{{}, {}}}); !errors.Is(err, artifacts.ErrMismatch) {
		t.Errorf("texts of two shards, activations of one: %v", err)
	}
	if _, err := r.without(t, s, 0, &Resembling{CalibrationReport: CalibrationReport{Pairs: 4, PairsResembling: 3}, Rows: [][]int32{{0, 1, 2}}}); !errors.Is(err, ErrTexts) {
		t.Errorf("one pair of four is left: %v", err)
	}
}
