package transforms

import (
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"testing"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/transforms/linear"
)

// A pairOfReaders is the input of the stage of the cosines: for each persona one row a text of either model, the
// positive ones first, and maps by name (row-major).
type pairOfReaders struct {
	source, target map[string][][]float32
	positive       int
	maps, heldOut  map[string][]float32
	largest        []int
}

// contrastOf is that of texts of one row each.
func contrastOf(rows [][]float32, positive int) *linear.Contrast {
	c := linear.NewContrast(len(rows[0]), positive, len(rows)-positive)
	for i, row := range rows {
		if row[0] == row[0] { // NaN: a text that was not read
			c.Add(i, row)
		}
	}
	return c
}

// worth runs the stage and gives what it stored, by persona.
func (p pairOfReaders) worth(t *testing.T, s Cosines) map[string]CosineReport {
	t.Helper()
	store := cache.NewMemory()
	key, err := p.run(t, store, s)
	if err != nil {
		t.Fatal(err)
	}
	outputs, _, err := store.Lookup(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	u := unit(NewStage("evaluate", "evaluate", Evaluate{}, 1, "cosines"), 0, store, outputs)
	found, err := u.cosineReports(t.Context())
	if err != nil || len(found) != len(s.Personas) {
		t.Fatalf("%d reports (%v), want %d", len(found), err, len(s.Personas))
	}
	return found
}

func (p pairOfReaders) run(t *testing.T, store cache.Store, s Cosines) (cache.ActionKey, error) {
	t.Helper()
	d, e := len(p.source[s.Personas[0]][0]), len(p.target[s.Personas[0]][0])
	from, to := place("s", 1, d), place("t", 2, e)
	report, err := json.Marshal(map[string]any{"method": "ridge", "lambda": 1, "largest_variance": p.largest})
	if err != nil {
		t.Fatal(err)
	}
	fitted := Manifest{keep(t, store, "report", KindJSON, writeBytes(report))}
	for name, w := range p.maps {
		m := &artifacts.Map{Source: from, Target: to, Method: "ridge", Lambda: 1, Rows: d, Cols: e, W: w}
		fitted = append(fitted, keep(t, store, name, artifacts.KindMap, m.Encode))
	}
	var heldOut Manifest
	texts := func(at artifacts.Meta, of map[string][][]float32) (m Manifest) {
		for i, name := range s.Personas {
			c := contrastOf(of[name], p.positive)
			up, down := split(c)
			v := c.Vector(up, down)
			own := &artifacts.Vectors{Meta: at, Rows: []artifacts.Vector{{Persona: name, Condition: "native", Norm: linear.Norm(v), Values: v}}}
			m = append(m, keep(t, store, unitName(i, "vector"), artifacts.KindVectors, own.Encode), keep(t, store, unitName(i, "texts"), artifacts.KindMatrices, contrastBlocks(c, at).Encode))
		}
		return m
	}
	for i, name := range s.Personas {
		if w, ok := p.heldOut[name]; ok {
			m := &artifacts.Map{Source: from, Target: to, Method: "ridge", Lambda: 1, Rows: d, Cols: e, W: w}
			heldOut = append(heldOut, keep(t, store, unitName(i, "map"), artifacts.KindMap, m.Encode))
		}
	}
	u := unit(NewStage("cosines", "cosines", s, 1, samples["cosines"].inputs...), 0, store, fitted, texts(from, p.source), texts(to, p.target), heldOut)
	return cosines(t.Context(), u, s)
}

// split lists the texts of either label that have rows.
func split(c *linear.Contrast) (up, down []int) {
	texts, p := c.Texts()
	return texts[:p], texts[p:]
}

// normalRows are rows of standard normal numbers.
func normalRows(rows, dim int, seed uint64) (out [][]float32) {
	r := rand.New(rand.NewPCG(seed, 0))
	for range rows {
		row := make([]float32, dim)
		for j := range row {
			row[j] = float32(r.NormFloat64())
		}
		out = append(out, row)
	}
	return out
}

// through carries rows across a map.
func through(rows [][]float32, w []float32) (out [][]float32) {
	e := len(w) / len(rows[0])
	for _, row := range rows {
		y := make([]float32, e)
		for i, x := range row {
			for j := range y {
				y[j] += x * w[i*e+j]
			}
		}
		out = append(out, y)
	}
	return out
}

// TestFloorsOfMaps holds the floor against maps whose cosines are known whatever the labels are. It is 1 for a map
// that predicts the target's activations, of one rank above all: such a cosine says nothing of the persona. It
// would not be if the two models' labels were permuted apart.
func TestFloorsOfMaps(t *testing.T) {
	oneRank := []float32{1, 2, 3, 6, -2, -4} // every row is a multiple of (1, 2)
	silly, angry := normalRows(12, 3, 1), normalRows(12, 3, 2)
	p := pairOfReaders{positive: 5, source: map[string][][]float32{"silly": silly, "angry": angry},
		target: map[string][][]float32{"silly": through(silly, oneRank), "angry": through(angry, oneRank)},
		maps:   map[string][]float32{"map": oneRank},
		// Backwards for one persona, at a right angle for the other.
		heldOut: map[string][]float32{"angry": {-1, -2, -3, -6, 2, 4}, "silly": {2, -1, 6, -3, -4, 2}}, largest: []int{0}}
	s := Cosines{Conditions: []string{"zero_pad", "ridge", "ridge_held_out"}, Personas: []string{"angry", "silly"}, Seed: 1}
	found := p.worth(t, s)
	for persona, heldOut := range map[string]float64{"angry": -1, "silly": 0} {
		r := found[persona]
		if len(r.Conditions) != 3 {
			t.Errorf("%s: floors of %d conditions, want 3", persona, len(r.Conditions))
		}
		for condition, want := range map[string]float64{"ridge": 1, "ridge_held_out": heldOut} {
			f := r.Conditions[condition].Whole
			for _, got := range []float64{float64(f.Mean), float64(f.Low), float64(f.High)} {
				if math.Abs(got-want) > 1e-5 {
					t.Errorf("%s for %s: floor %+v, want %g", condition, persona, f, want)
				}
			}
			if f.Permutations != permutations {
				t.Errorf("%s for %s: %d permutations, want %d", condition, persona, f.Permutations, permutations)
			}
		}
		// Two of the source's dimensions say little of the target's.
		if f := r.Conditions["zero_pad"].Whole; !(f.Low < f.Mean && f.Mean < f.High && f.High <= 1) {
			t.Errorf("zero_pad for %s: floor %+v", persona, f)
		}
	}
	// All that is left without dimension 0 is one more, backwards and at a right angle too.
	for condition, want := range map[string]float64{"ridge": 1, "ridge_held_out": -1} {
		if f := found["angry"].Conditions[condition].Without; math.Abs(float64(f.Mean)-want) > 1e-5 {
			t.Errorf("%s without the largest dimension: floor %+v, want %g", condition, f, want)
		}
	}
}

// TestFloorByItsDefinition draws permutations and halves again, by the recipes of their keys, and takes cosines in float64.
// A text that one of the models has not read is in no group of either. Another persona or seed draws others.
func TestFloorByItsDefinition(t *testing.T) {
	const d, e, n, positive = 4, 3, 14, 6
	source, target, w := normalRows(n, d, 3), normalRows(n, e, 4), slices.Concat(normalRows(d, e, 5)...)
	source[2][0], target[9][0] = float32(math.NaN()), float32(math.NaN())
	p := pairOfReaders{positive: positive, source: map[string][][]float32{"silly": source, "angry": source}, target: map[string][][]float32{"silly": target, "angry": target}, maps: map[string][]float32{"map": w}, largest: []int{1}}
	s := Cosines{Conditions: []string{"ridge"}, Personas: []string{"angry", "silly"}, Seed: 7}
	found := p.worth(t, s)

	var texts []int
	for i := range n {
		if i != 2 && i != 9 {
			texts = append(texts, i)
		}
	}
	var whole, without []float64
	for k := range permutations {
		key := cache.NewRecipe("permuted_labels draw", 1).Uint("seed", 7).Text("persona", "silly").Int("draw", int64(k)).Key()
		a, b := make([]float64, d), make([]float64, e)
		for place, i := range rand.New(rand.NewChaCha8(key)).Perm(len(texts)) {
			weight := 1. / (positive - 1) // text 2 is not read
			if place >= positive-1 {
				weight = -1. / float64(len(texts)-positive+1)
			}
			for j := range a {
				a[j] += weight * float64(source[texts[i]][j])
			}
			for j := range b {
				b[j] += weight * float64(target[texts[i]][j])
			}
		}
		var dot, aa, bb, dot1, aa1, bb1 float64
		for j := range b {
			x := 0.0
			for i := range a {
				x += a[i] * float64(w[i*e+j])
			}
			dot, aa, bb = dot+x*b[j], aa+x*x, bb+b[j]*b[j]
			if j != 1 {
				dot1, aa1, bb1 = dot1+x*b[j], aa1+x*x, bb1+b[j]*b[j]
			}
		}
		whole, without = append(whole, dot/math.Sqrt(aa*bb)), append(without, dot1/math.Sqrt(aa1*bb1))
	}
	for what, c := range map[string]struct {
		got, want float64
	}{
		"mean": {float64(found["silly"].Conditions["ridge"].Whole.Mean), meanOf(whole)}, "95 %": {float64(found["silly"].Conditions["ridge"].Whole.High), quantileOf(whole, .95)},
		"mean without": {float64(found["silly"].Conditions["ridge"].Without.Mean), meanOf(without)}, "5 % without": {float64(found["silly"].Conditions["ridge"].Without.Low), quantileOf(without, .05)},
	} {
		if math.Abs(c.got-c.want) > 1e-5 {
			t.Errorf("%s: %g, want %g", what, c.got, c.want)
		}
	}
	halves := 0.0
	for k := range splits {
		key := func(side string) [32]byte {
			return cache.NewRecipe("split_half."+side+" draw", 1).Uint("seed", 7).Text("persona", "silly").Int("draw", int64(k)).Key()
		}
		halves += contrastOf(source, positive).SplitHalf(key("positive"), key("negative")) / splits
	}
	if got := float64(found["silly"].Source.Halves); math.Abs(got-halves) > 1e-9 {
		t.Errorf("halves have a mean cosine of %g, want %g", got, halves)
	}
	if found["angry"].Conditions["ridge"] == found["silly"].Conditions["ridge"] || found["angry"].Source == found["silly"].Source {
		t.Errorf("two personas of the same texts have one draw")
	}
	s.Seed = 8
	if again := p.worth(t, s); again["silly"].Conditions["ridge"] == found["silly"].Conditions["ridge"] || again["silly"].Source == found["silly"].Source {
		t.Errorf("another seed draws the same")
	}
}

func meanOf(v []float64) (mean float64) {
	for _, x := range v {
		mean += x / float64(len(v))
	}
	return mean
}

// quantileOf is a quantile, between order statistics.
func quantileOf(v []float64, q float64) float64 {
	sort.Float64s(v)
	i := int(q * float64(len(v)-1))
	rest := q*float64(len(v)-1) - float64(i)
	return v[i] + rest*(v[i+1]-v[i])
}

// TestReliabilityIsOfEachModel: positive texts that are all alike in the source have a reliability of 1 there;
// in the target each is in a dimension of its own, and halves of it have nothing in common.
func TestReliabilityIsOfEachModel(t *testing.T) {
	source := [][]float32{{2, 1}, {2, 1}, {2, 1}, {0, 0}, {0, 0}, {0, 0}}
	var target [][]float32
	for i := range source {
		row := make([]float32, len(source))
		row[i] = 1
		target = append(target, row)
	}
	p := pairOfReaders{positive: 3, source: map[string][][]float32{"silly": source}, target: map[string][][]float32{"silly": target}, maps: map[string][]float32{"map": make([]float32, 12)}}
	r := p.worth(t, Cosines{Conditions: []string{"ridge"}, Personas: []string{"silly"}, Seed: 1})["silly"]
	if math.Abs(float64(r.Source.Whole)-1) > 1e-6 || r.Target.Whole != 0 || r.Source.Splits != splits || r.Target.Splits != splits {
		t.Errorf("reliability of the source %+v, of the target %+v; want 1 and 0 from %d splits", r.Source, r.Target, splits)
	}
	// A map to nothing has no direction, so no cosine.
	if f := r.Conditions["ridge"].Whole; f.Permutations != 0 || !f.High.Missing() {
		t.Errorf("a map to nothing has the floor %+v", f)
	}
}

// TestTextsOfOtherModelsAreRefused: the same texts are read by both models, or they cannot be permuted alike.
func TestTextsOfOtherModelsAreRefused(t *testing.T) {
	p := pairOfReaders{positive: 3, source: map[string][][]float32{"silly": normalRows(6, 2, 1)}, target: map[string][][]float32{"silly": normalRows(7, 2, 2)}, maps: map[string][]float32{"map": {1, 0, 0, 1}}}
	if _, err := p.run(t, cache.NewMemory(), Cosines{Conditions: []string{"ridge"}, Personas: []string{"silly"}}); !errors.Is(err, artifacts.ErrMismatch) {
		t.Errorf("six and seven texts: %v", err)
	}
}

// TestStoredTextsAreChecked gives the stage sums that no stage has written.
func TestStoredTextsAreChecked(t *testing.T) {
	good := func() *artifacts.Matrices {
		return contrastBlocks(contrastOf(normalRows(4, 2, 1), 2), place("s", 1, 2))
	}
	for name, change := range map[string]func(*artifacts.Matrices){
		"a side is missing":      func(m *artifacts.Matrices) { m.Blocks = m.Blocks[:2] },
		"positions are missing":  func(m *artifacts.Matrices) { m.Blocks = m.Blocks[:3] },
		"another width":          func(m *artifacts.Matrices) { m.Source.Hidden = 3 },
		"no width":               func(m *artifacts.Matrices) { m.Source.Hidden = 0 },
		"half a position":        func(m *artifacts.Matrices) { m.Block("negative.positions").Data[0] = .5 },
		"less than none":         func(m *artifacts.Matrices) { m.Block("positive.positions").Data[1] = -1 },
		"more than any text has": func(m *artifacts.Matrices) { m.Block("positive.positions").Data[1] = 1e300 },
		"another number of texts": func(m *artifacts.Matrices) {
			m.Blocks[3] = artifacts.Matrix{Name: "negative.positions", Rows: 1, Cols: 1, Data: []float64{1}}
		},
		"": func(*artifacts.Matrices) {},
	} {
		m, store := good(), cache.NewMemory()
		change(m)
		in := Manifest{keep(t, store, unitName(0, "texts"), artifacts.KindMatrices, m.Encode)}
		c, err := unit(NewStage("cosines", "cosines", Cosines{}, 1, "personas.source"), 0, store, in).contrast(t.Context(), "personas.source", 0)
		if name == "" && (err != nil || c.Positive != 2 || len(c.Rows) != 4) || name != "" && !errors.Is(err, artifacts.ErrFormat) {
			t.Errorf("%q: %+v, %v", name, c, err)
		}
	}
}
