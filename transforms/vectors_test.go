package transforms

import (
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/transforms/linear"
)

// A bench is the input of the stage of the vectors, small enough to be worked out by hand: persona
// vectors of both models, maps by name (row-major, source × target, self target × target) and
// residuals of both models.
type bench struct {
	source, target   map[string][]float32
	maps             map[string][]float32
	heldOut          map[string][]float32 // by persona
	sourceRows, rows [][]float32
}

// vectorsOf runs the stage and gives what it stored, by "condition/persona".
func (b bench) vectorsOf(t *testing.T, s VectorSettings) map[string]*artifacts.Vectors {
	t.Helper()
	store := cache.NewMemory()
	d, e := len(b.sourceRows[0]), len(b.rows[0])
	from, to := place("s", 1, d), place("t", 2, e)
	var fitted Manifest
	for _, name := range slices.Sorted(maps.Keys(b.maps)) {
		m := &artifacts.Map{Source: from, Target: to, Method: "ridge", Lambda: 1, Rows: d, Cols: e, W: b.maps[name], Intercept: slices.Repeat([]float32{1000}, e)}
		if name == "self" {
			m.Source, m.Rows = to, e
		}
		fitted = append(fitted, keep(t, store, name, artifacts.KindMap, m.Encode))
	}
	var heldOut Manifest // of the personas in their order; the map's own name does not matter
	for i, persona := range s.Personas {
		if w, ok := b.heldOut[persona]; ok {
			m := &artifacts.Map{Source: from, Target: to, Method: "ridge", Lambda: 1, Rows: d, Cols: e, W: w}
			heldOut = append(heldOut, keep(t, store, unitName(i, "map"), artifacts.KindMap, m.Encode))
		}
	}
	inputs := []Manifest{fitted, nativesOf(t, store, from, b.source), nativesOf(t, store, to, b.target), residuals(t, store, from, b.sourceRows), residuals(t, store, to, b.rows), heldOut, nil}
	key, err := vectors(t.Context(), unit(NewStage("vectors", "vectors", s, 1, samples["vectors"].inputs...), 0, store, inputs...), s)
	if err != nil {
		t.Fatal(err)
	}
	outputs, _, err := store.Lookup(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]*artifacts.Vectors{}
	for _, o := range outputs {
		v, err := load(t.Context(), store, o, artifacts.KindVectors, artifacts.DecodeVectors)
		if err != nil {
			t.Fatal(err)
		}
		out[o.Name] = v
	}
	return out
}

// nativesOf stores persona vectors, in the order of their names.
func nativesOf(t *testing.T, store cache.Store, at artifacts.Meta, of map[string][]float32) (m Manifest) {
	t.Helper()
	for i, name := range slices.Sorted(maps.Keys(of)) {
		v := &artifacts.Vectors{Meta: at, Rows: []artifacts.Vector{{Persona: name, Condition: "native", Norm: length(of[name]), Values: of[name]}}}
		m = append(m, keep(t, store, unitName(i, "vector"), artifacts.KindVectors, v.Encode))
	}
	return m
}

// residuals stores rows as two shards of activations, the first of one row.
func residuals(t *testing.T, store cache.Store, at artifacts.Meta, rows [][]float32) (m Manifest) {
	t.Helper()
	for i, part := range [][][]float32{rows[:1], rows[1:]} {
		a := &artifacts.Activations{Meta: at, Dim: at.Hidden}
		for j, row := range part {
			a.Document, a.Text, a.End = append(a.Document, "d"), append(a.Text, int32(j)), append(a.End, 1)
			a.Token, a.Fold = append(a.Token, "x"), append(a.Fold, 0)
			a.Residual = append(a.Residual, row...)
		}
		m = append(m, keep(t, store, unitName(i, "activations"), artifacts.KindActivations, a.Encode))
	}
	return m
}

func length(v []float32) float64 {
	sum := 0.0
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	return math.Sqrt(sum)
}

// wider carries vectors of two dimensions to three, narrower of three to two. Every number of theirs
// is small and whole, so products are exact.
var (
	wider = bench{
		source: map[string][]float32{"silly": {3, 4}, "angry": {0, 2}},
		target: map[string][]float32{"silly": {1, 0, 2}, "angry": {0, -1, 1}},
		maps: map[string][]float32{
			"map":  {1, 0, 2, 0, 1, -1}, // (a, b) → (a, b, 2a − b)
			"self": {1, 0, 0, 0, 2, 0, 0, 0, 3},
		},
		heldOut:    map[string][]float32{"angry": {0, 0, 0, 0, 0, 5}, "silly": {7, 0, 0, 0, 7, 0}}, // (a, b) → (0, 0, 5b) and (7a, 7b, 0)
		sourceRows: [][]float32{{3, 4}, {6, 8}},
		// Mean (1, 2, 2); less the mean: ±(1, 2, 0) and ±(2, 4, 0).
		rows: [][]float32{{2, 4, 2}, {0, 0, 2}, {3, 6, 2}, {-1, -2, 2}},
	}
	narrower = bench{
		source:     map[string][]float32{"silly": {2, 5, 8}},
		target:     map[string][]float32{"silly": {7, -7}},
		maps:       map[string][]float32{"map": {1, 0, 0, 1, 1, 1}, "self": {0, 1, 1, 0}},
		heldOut:    map[string][]float32{"silly": {1, 0, 0, 0, 0, 0}},
		sourceRows: [][]float32{{0, 0, 1}, {1, 0, 0}},
		rows:       [][]float32{{1, 1}, {3, 1}},
	}
)

// TestVectorsAreTheirDefinitions works out every condition's vector by hand.
func TestVectorsAreTheirDefinitions(t *testing.T) {
	conditions := []string{"zero_pad", "interpolation", "ridge", "ridge_held_out", "oracle", "self"}
	for _, c := range []struct {
		name  string
		bench bench
		want  map[string][][]float32
	}{
		{"wider", wider, map[string][][]float32{
			"zero_pad/silly": {{3, 4, 0}}, "zero_pad/angry": {{0, 2, 0}},
			"interpolation/silly": {{3, 3.5, 4}}, "interpolation/angry": {{0, 1, 2}},
			"ridge/silly": {{3, 4, 2}}, "ridge/angry": {{0, 2, -2}},
			"ridge_held_out/silly": {{21, 28, 0}}, "ridge_held_out/angry": {{0, 0, 10}},
			"oracle/silly": {{1, 0, 2}}, "oracle/angry": {{0, -1, 1}},
			"self/silly": {{1, 0, 6}}, "self/angry": {{0, -2, 3}},
		}},
		{"narrower", narrower, map[string][][]float32{
			"zero_pad/silly": {{2, 5}}, "interpolation/silly": {{2, 8}}, "ridge/silly": {{10, 13}}, "ridge_held_out/silly": {{2, 0}}, "oracle/silly": {{7, -7}},
			"self/silly": {{-7, 7}},
		}},
	} {
		s := VectorSettings{Conditions: conditions, Personas: slices.Sorted(maps.Keys(c.bench.source)), Draws: 1, Seed: 1}
		got := c.bench.vectorsOf(t, s)
		if len(got) != len(c.want) {
			t.Errorf("%s: %d outputs, want %d", c.name, len(got), len(c.want))
		}
		for name, want := range c.want {
			v := got[name]
			if v == nil || len(v.Rows) != len(want) {
				t.Errorf("%s, %s: %+v, want %d vectors", c.name, name, v, len(want))
				continue
			}
			for k, row := range v.Rows {
				if !slices.Equal(row.Values, want[k]) || row.Norm != length(want[k]) || int(row.Draw) != k || row.Condition+"/"+row.Persona != name {
					t.Errorf("%s, %s: %+v, want draw %d: %v of length %g", c.name, name, row, k, want[k], length(want[k]))
				}
			}
			if v.Meta != place("t", 2, len(c.bench.rows[0])) {
				t.Errorf("%s, %s: is to be used at %+v", c.name, name, v.Meta)
			}
		}
	}
}

// TestShuffledPairsAreShuffledWithinShards fits, for each permutation, the map of pairs that are really mismatched,
// shard by shard in the order that the recipe "shuffled pairs" draws, with the penalty that the fit chose; and
// carries each persona's vector by it. The two ways end apart by the roundings of float64 and one of float32.
func TestShuffledPairsAreShuffledWithinShards(t *testing.T) {
	const d, e, rows, folds, seed = 4, 3, 20, 5, 7
	personas := map[string][]float32{"angry": {1, 0, -1, 2}, "silly": {3, 4, 0, 0}}
	for _, method := range []string{"ridge", "standardised", "procrustes", "low_rank"} {
		store := cache.NewMemory()
		source, target := randomPairs(t, store, 50, 25, rows)
		grams := gramsOf(t, store, folds, source, target)
		f := Fit{Method: method, Centre: true, Lambdas: []float64{.3, 1}, Unit: "relative", Rank: 2}
		u := unit(NewStage("fit", "fit", f, 1, samples["fit"].inputs...), 0, store, grams, source, target)
		key, err := fit(t.Context(), u, f)
		fitted := Manifest{outputOf(t, u, key, err, "map"), outputOf(t, u, key, err, "report")}

		s := VectorSettings{Conditions: []string{"shuffled_pairs"}, Personas: slices.Sorted(maps.Keys(personas)), Seed: seed,
			Shuffled: Shuffled{Permutations: 3, Method: method, Centre: true, Rank: 2, Unit: "relative"}}
		v := unit(NewStage("vectors", "vectors", s, 1, samples["vectors"].inputs...), 0, store, fitted, nativesOf(t, store, place("s", 1, d), personas),
			nativesOf(t, store, place("t", 1, e), map[string][]float32{"angry": {1, 0, 0}, "silly": {0, 1, 0}}), source, target, nil, grams)
		made, madeErr := vectors(t.Context(), v, s)

		m, err := load(t.Context(), store, fitted[0], artifacts.KindMap, artifacts.DecodeMap)
		if err != nil {
			t.Fatal(err)
		}
		for j := range s.Shuffled.Permutations {
			g := linear.NewGram(d, e)
			for shard := range source {
				x, y, err := v.shardPair(t.Context(), shard)
				if err != nil {
					t.Fatal(err)
				}
				order := cache.NewRecipe("shuffled pairs", 1).Uint("seed", seed).Int("shard", int64(shard)).Int("permutation", int64(j)).Key()
				var mismatched []float32
				for _, p := range rand.New(rand.NewChaCha8(order)).Perm(y.Rows()) {
					mismatched = append(mismatched, y.Row(p)...)
				}
				if err := g.Add(x.Residual, mismatched); err != nil {
					t.Fatal(err)
				}
			}
			w, err := linear.Fit(g, linear.Spec{Method: linear.Method(method), Centre: true, Rank: 2, Unit: "absolute", Lambda: m.Lambda})
			if err != nil {
				t.Fatal(err)
			}
			for persona, of := range personas {
				got, err := load(t.Context(), store, outputOf(t, v, made, madeErr, "shuffled_pairs/"+persona), artifacts.KindVectors, artifacts.DecodeVectors)
				if err != nil {
					t.Fatal(err)
				}
				want, err := w.Apply(of)
				if err != nil {
					t.Fatal(err)
				}
				if e := far(got.Rows[j].Values, want); len(got.Rows) != 3 || e > 0x1p-22 || int(got.Rows[j].Draw) != j {
					t.Errorf("%s, permutation %d of %s: %v, want %v, %.1e away", method, j, persona, got.Rows[j], want, e)
				}
			}
		}
	}
}

// TestScalesAreMeansOfLengths works out what alpha 1 is in each unit.
func TestScalesAreMeansOfLengths(t *testing.T) {
	s := VectorSettings{Conditions: []string{"ridge"}, Personas: []string{"angry", "silly"}, Draws: 1, Seed: 1}
	got := wider.vectorsOf(t, s)
	// Lengths of the target's residuals: √24, 2, 7, 3; of the source's: 5, 10.
	residual := (math.Sqrt(24) + 2 + 7 + 3) / 4
	spread := (1 + 1 + 2 + 2) * math.Sqrt(5) / 4
	for persona, norm := range map[string]float64{"silly": 5, "angry": 2} {
		scales := got["ridge/"+persona].Scales
		want := artifacts.Scales{Residual: residual, Spread: spread, Native: residual * norm / 7.5}
		for _, pair := range [][2]float64{{scales.Residual, want.Residual}, {scales.Spread, want.Spread}, {scales.Native, want.Native}} {
			if math.Abs(pair[0]-pair[1]) > 1e-12 {
				t.Errorf("%s: scales %+v, want %+v", persona, scales, want)
			}
		}
	}
}

// TestRandomDirectionsAreOfTheTargetsResiduals draws directions by their formula, Σ gᵢ(hᵢ − mean h)/√n,
// from the draw's own stream; residuals vary along (1, 2, 0) only, so every direction lies there.
func TestRandomDirectionsAreOfTheTargetsResiduals(t *testing.T) {
	s := VectorSettings{Conditions: []string{"random_direction"}, Personas: []string{"angry", "silly"}, Draws: 3, Seed: 9}
	got := wider.vectorsOf(t, s)
	along := []float64{1, -1, 2, -2} // hᵢ − mean h in units of (1, 2, 0)
	seen := map[float32]bool{}
	for _, persona := range s.Personas {
		rows := got["random_direction/"+persona].Rows
		if len(rows) != s.Draws {
			t.Fatalf("%s: %d draws, want %d", persona, len(rows), s.Draws)
		}
		for k, row := range rows {
			r := rand.New(rand.NewChaCha8((&toolbox{settings: s}).seed("random_direction", persona, k)))
			sum := 0.0
			for _, a := range along {
				sum += r.NormFloat64() * a / 2
			}
			for i, want := range []float64{sum, 2 * sum, 0} {
				if math.Abs(float64(row.Values[i])-want) > 1e-6 {
					t.Errorf("%s, draw %d: %v, want %g·(1, 2, 0)", persona, k, row.Values, sum)
				}
			}
			if int(row.Draw) != k || seen[row.Values[0]] {
				t.Errorf("%s, draw %d: number %d, drawn before: %t", persona, k, row.Draw, seen[row.Values[0]])
			}
			seen[row.Values[0]] = true
		}
	}
}

// TestRandomProjectionsKeepTheExpectedLength takes many draws: the mean of ‖u‖²/‖v‖² over n draws of a
// χ²_e/e variable is 1 with a standard error of √(2/e/n). Another draw, persona or seed is another one.
func TestRandomProjectionsKeepTheExpectedLength(t *testing.T) {
	for name, b := range map[string]bench{"wider": wider, "narrower": narrower} {
		s := VectorSettings{Conditions: []string{"random_projection"}, Personas: []string{"silly"}, Draws: 400, Seed: 1}
		rows := b.vectorsOf(t, s)["random_projection/silly"].Rows
		e, mean := float64(len(b.rows[0])), 0.0
		seen := map[float32]bool{}
		for _, row := range rows {
			mean += math.Pow(row.Norm/length(b.source["silly"]), 2) / float64(s.Draws)
			seen[row.Values[0]] = true
		}
		if tol := 4 * math.Sqrt(2/e/float64(s.Draws)); math.Abs(mean-1) > tol {
			t.Errorf("%s: mean squared length %.3f of the source's, want 1 ± %.3f", name, mean, tol)
		}
		if len(rows) != s.Draws || len(seen) != s.Draws || len(rows[0].Values) != int(e) {
			t.Errorf("%s: %d draws, %d different, of %d dimensions", name, len(rows), len(seen), len(rows[0].Values))
		}
		s.Seed, s.Draws = 2, 1
		if again := b.vectorsOf(t, s)["random_projection/silly"].Rows[0]; seen[again.Values[0]] {
			t.Errorf("%s: another seed drew %v again", name, again.Values)
		}
	}
}
