package transforms

import (
	"context"
	"fmt"
	"slices"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/transforms/linear"
)

// VectorSettings is the stage that makes what each condition steers with.
type VectorSettings struct {
	Conditions []string `json:"conditions"` // those that steer with a vector
	Personas   []string `json:"personas"`
	Draws      int      `json:"draws"` // of random directions and projections
	Seed       uint64   `json:"seed"`
	Shuffled   Shuffled `json:"shuffled"`
	Widths     Widths   `json:"widths" key:"-"`
}

// Shuffled says what the maps of the condition shuffled_pairs are: as many as there are permutations, of the method
// of the fit. Without the condition it is empty.
type Shuffled struct {
	Permutations int    `json:"permutations"`
	Method       string `json:"method"`
	Centre       bool   `json:"centre"`
	Rank         int    `json:"rank"`
	Unit         string `json:"lambda_unit"`
}

const vectorsVersion = 4 // 4: vectors are carried by products of matrices; 3: mismatched pairs carry vectors without a map; 2: artifacts of format 2

func init() { register("vectors", vectorsVersion, whole, vectorsWork, vectors) }

// vectorsWork is reading both models' activations, the target's twice, a random direction and a random projection for
// each draw, and for mismatched pairs one solution and the rows' products with it and with each permutation's weights.
func vectorsWork(s VectorSettings, _ int) Work {
	w, personas := s.Widths, len(s.Personas)
	const normal = 9 // elements, to draw a number
	draws := float64(s.Draws * personas)
	work := Work{Pace: Algebra, Elements: reads*1.5*w.values() + draws*float64(w.Target)*(float64(w.Pairs)+normal*float64(w.Source)),
		Bytes: w.reading() + float64(2+personas)*w.mapped()/2}
	if s.Shuffled.Permutations > 0 {
		work.Operations = w.size(w.Pairs).Map() + 2*float64(personas*(w.Source+s.Shuffled.Permutations*w.Target))*float64(w.Pairs)
		work.Elements += reads * (w.values() + 5*w.stored()/8)
		work.Bytes += shuffledGrams * w.gram()
	}
	return work
}

// shuffledGrams is how many Grams are in memory where mismatched pairs take most, or as much as they take: that of
// all rows, and a fold's as it is read or what a solution is made from.
const shuffledGrams = 3

// A toolbox is what the condition vectors are made from.
type toolbox struct {
	settings       VectorSettings
	source, native map[string]artifacts.Vector // persona vectors of the two models
	sourceMeta     artifacts.Meta
	targetMeta     artifacts.Meta
	maps           map[string]*artifacts.Map
	dim            int                    // of the target
	directions     map[string][][]float32 // random directions, by persona
	shuffled       map[string][][]float32 // what maps of mismatched pairs make of the source's vectors, by persona
	residual       float64                // mean ‖h‖ of the target
	spread         float64                // mean ‖h − mean h‖ of the target
	sourceResidual float64                // mean ‖h‖ of the source
}

// vectors makes one output "condition/persona" for each. It reads fit, personas.source,
// personas.target, capture.source, capture.target, and fit.held_out and gram if a condition needs them.
func vectors(ctx context.Context, u *Unit, s VectorSettings) (cache.ActionKey, error) {
	r := u.Recipe().Struct(s)
	for _, name := range u.Stage.Inputs {
		r.Input(name, u.Input(name).Digest())
	}
	return u.Do(ctx, r, func(ctx context.Context) ([]Product, error) {
		t, err := u.toolbox(ctx, s)
		if err != nil {
			return nil, err
		}
		var products []Product
		for _, condition := range s.Conditions {
			for _, persona := range s.Personas {
				list, err := t.make(condition, persona)
				if err != nil {
					return nil, fmt.Errorf("vector of %s for persona %s: %w", condition, persona, err)
				}
				out := &artifacts.Vectors{Meta: t.targetMeta, Scales: t.scales(persona)}
				for k, v := range list {
					if err := finite(v, condition); err != nil {
						return nil, fmt.Errorf("vector of %s for persona %s: %w", condition, persona, err)
					}
					out.Rows = append(out.Rows, artifacts.Vector{Persona: persona, Condition: condition, Draw: int32(k), Norm: linear.Norm(v), Values: v})
				}
				products = append(products, Product{Name: condition + "/" + persona, Kind: artifacts.KindVectors, Rows: int64(len(list)), Write: out.Encode})
			}
		}
		return products, nil
	})
}

func (u *Unit) toolbox(ctx context.Context, s VectorSettings) (*toolbox, error) {
	t, err := u.carriers(ctx, s)
	if err != nil {
		return nil, err
	}
	if s.Shuffled.Permutations > 0 {
		if t.shuffled, err = u.carryShuffled(ctx, s, t.source); err != nil {
			return nil, err
		}
	}
	return t, t.measure(ctx, u)
}

// carriers is a toolbox of the persona vectors and of the maps that the conditions ask for: what it takes to carry
// a vector across.
func (u *Unit) carriers(ctx context.Context, s VectorSettings) (*toolbox, error) {
	t := &toolbox{settings: s, source: map[string]artifacts.Vector{}, native: map[string]artifacts.Vector{}, maps: map[string]*artifacts.Map{}}
	for _, o := range u.Input("fit") {
		if o.Kind == artifacts.KindMap {
			m, err := load(ctx, u.Store, o, artifacts.KindMap, artifacts.DecodeMap)
			if err != nil {
				return nil, err
			}
			t.maps[o.Name] = m
		}
	}
	if slices.ContainsFunc(s.Conditions, needsHeldOut) {
		if err := u.heldOutMaps(ctx, s.Personas, t.maps); err != nil {
			return nil, err
		}
	}
	var err error
	if t.sourceMeta, err = u.personaVectors(ctx, "personas.source", t.source); err != nil {
		return nil, err
	}
	if t.targetMeta, err = u.personaVectors(ctx, "personas.target", t.native); err != nil {
		return nil, err
	}
	if err := t.maps["map"].Accepts(t.sourceMeta); err != nil {
		return nil, fmt.Errorf("apply the map to the source's vectors: %w", err)
	}
	if err := t.maps["map"].Delivers(t.targetMeta); err != nil {
		return nil, fmt.Errorf("compare the map's vectors with the target's: %w", err)
	}
	t.dim = t.targetMeta.Hidden
	return t, nil
}

func needsHeldOut(condition string) bool {
	c, _ := FindCondition(condition)
	return c.HeldOut
}

func heldOutName(persona string) string { return "held_out." + persona }

// heldOutMaps reads the map of each persona that was fitted without the texts that resemble it.
func (u *Unit) heldOutMaps(ctx context.Context, personas []string, into map[string]*artifacts.Map) (err error) {
	for i, persona := range personas {
		o, err := u.InputAt("fit.held_out", i, "map")
		if err != nil {
			return err
		}
		if into[heldOutName(persona)], err = load(ctx, u.Store, o, artifacts.KindMap, artifacts.DecodeMap); err != nil {
			return err
		}
	}
	return nil
}

func (u *Unit) personaVectors(ctx context.Context, input string, into map[string]artifacts.Vector) (meta artifacts.Meta, err error) {
	for _, o := range u.Input(input) {
		if o.Kind != artifacts.KindVectors {
			continue
		}
		v, err := load(ctx, u.Store, o, artifacts.KindVectors, artifacts.DecodeVectors)
		if err != nil {
			return meta, err
		}
		into[v.Rows[0].Persona], meta = v.Rows[0], v.Meta
	}
	return meta, nil
}

// measure reads both models' activations once or twice, shard by shard, for the scales and the
// random directions.
func (t *toolbox) measure(ctx context.Context, u *Unit) error {
	var seeds [][32]byte
	for _, p := range t.settings.Personas {
		for k := range t.settings.Draws {
			seeds = append(seeds, t.seed("random_direction", p, k))
		}
	}
	var target, source *linear.Stream
	err := u.eachShard(ctx, "capture.target", func(a *artifacts.Activations) error {
		if target == nil {
			target = linear.NewStream(a.Dim, seeds...)
		}
		return target.Add(a.Residual)
	})
	if err != nil {
		return err
	}
	spread := linear.NewSpread(target.Mean())
	if err := u.eachShard(ctx, "capture.target", func(a *artifacts.Activations) error { return spread.Add(a.Residual) }); err != nil {
		return err
	}
	err = u.eachShard(ctx, "capture.source", func(a *artifacts.Activations) error {
		if source == nil {
			source = linear.NewStream(a.Dim)
		}
		return source.Add(a.Residual)
	})
	if err != nil {
		return err
	}
	t.residual, t.spread, t.sourceResidual = target.MeanNorm(), spread.Value(), source.MeanNorm()
	t.directions = map[string][][]float32{}
	for i, p := range t.settings.Personas {
		for k := range t.settings.Draws {
			t.directions[p] = append(t.directions[p], target.Direction(i*t.settings.Draws+k))
		}
	}
	return nil
}

// carryShuffled carries the source's vectors by maps of pairs that are mismatched within their shards, with the
// penalty of the fit: for each persona a vector for each permutation.
func (u *Unit) carryShuffled(ctx context.Context, s VectorSettings, source map[string]artifacts.Vector) (map[string][][]float32, error) {
	report, err := u.fitReport(ctx)
	if err != nil {
		return nil, err
	}
	folds, err := u.folds(ctx)
	if err != nil {
		return nil, err
	}
	total, err := linear.Total(folds)
	if err != nil {
		return nil, err
	}
	m := s.Shuffled
	spec := linear.Spec{Method: linear.Method(m.Method), Centre: m.Centre, Rank: m.Rank, Unit: linear.LambdaUnit(m.Unit), Lambda: report.Lambda}
	var list [][]float32
	for _, persona := range s.Personas {
		list = append(list, source[persona].Values)
	}
	carried, err := linear.CarryShuffled(total, spec, list, linear.Shuffling{
		Count: m.Permutations,
		Blocks: func(yield func(linear.Pairs, error) bool) {
			for p, err := range u.pairShards(ctx) {
				pairs := linear.Pairs{}
				if err == nil {
					pairs = linear.Pairs{X: p.x.Residual, Y: p.y.Residual}
				}
				if !yield(pairs, err) {
					return
				}
			}
		},
		Permutation: func(shard, j, n int) []int { return linear.Permutation(n, shuffleSeed(s.Seed, shard, j)) },
	})
	if err != nil {
		return nil, err
	}
	out := map[string][][]float32{}
	for _, vectors := range carried {
		for k, persona := range s.Personas {
			out[persona] = append(out[persona], vectors[k])
		}
	}
	return out, nil
}

// shuffleSeed keys a permutation of the pairs of a shard.
func shuffleSeed(seed uint64, shard, permutation int) [32]byte {
	return cache.NewRecipe("shuffled pairs", 1).Uint("seed", seed).Int("shard", int64(shard)).Int("permutation", int64(permutation)).Key()
}

// eachShard reads an input's shards one at a time.
func (u *Unit) eachShard(ctx context.Context, input string, f func(*artifacts.Activations) error) error {
	for _, o := range u.Input(input) {
		a, err := load(ctx, u.Store, o, artifacts.KindActivations, artifacts.DecodeActivations)
		if err != nil {
			return err
		}
		if err := f(a); err != nil {
			return err
		}
	}
	return nil
}

func (t *toolbox) seed(condition, persona string, draw int) [32]byte {
	return drawSeed(condition, t.settings.Seed, persona, draw)
}

// drawSeed keys a draw by what it is for, so that changing lambda, say, leaves the random draws alone.
func drawSeed(purpose string, seed uint64, persona string, draw int) [32]byte {
	return cache.NewRecipe(purpose+" draw", 1).Uint("seed", seed).Text("persona", persona).Int("draw", int64(draw)).Key()
}

// scales are the units in which alpha may be given for one persona.
func (t *toolbox) scales(persona string) artifacts.Scales {
	return artifacts.Scales{Residual: t.residual, Spread: t.spread, Native: t.residual * t.source[persona].Norm / t.sourceResidual}
}

// make gives a condition's vectors for a persona, one for each draw.
func (t *toolbox) make(condition, persona string) ([][]float32, error) {
	c, ok := FindCondition(condition)
	if !ok || !c.Steers() {
		return nil, fmt.Errorf("no such condition")
	}
	if c.draw != nil {
		return c.draw(t, persona)
	}
	return c.carry(t, persona, [][]float32{t.source[persona].Values}, [][]float32{t.native[persona].Values})
}

// apply carries difference vectors across: the matrix only, without the means.
func (t *toolbox) apply(name string, vectors [][]float32) ([][]float32, error) {
	m := t.maps[name]
	return linear.Carry(m.Rows, m.Cols, m.W, vectors)
}
