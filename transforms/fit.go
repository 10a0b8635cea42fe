package transforms

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/transforms/linear"
)

// Fit is the stage that merges the Grams, chooses lambda by cross-validation and fits the maps.
type Fit struct {
	Method   string    `json:"method"`
	Centre   bool      `json:"centre"`
	Rank     int       `json:"rank"`
	Lambdas  []float64 `json:"lambda_values"`
	Unit     string    `json:"lambda_unit"`
	Folds    int       `json:"folds"`
	Shuffles int       `json:"shuffles"`
	Self     bool      `json:"self"`
	Widths   Widths    `json:"widths" key:"-"`
}

const fitVersion = 4 // 4: artifacts of format 2; 2: cross-validates the method that is fitted, not ridge in its place; 3: learning curve

func init() { register("fit", fitVersion, whole, fitWork, fit) }

// fitWork is the cross-validation, the learning curve and the maps; see linear.CrossValidate for what
// these cost. The memory was measured: as much again as the sums for each fold's own, and as much as both for
// what the collector has not seen yet.
func fitWork(s Fit, _ int) Work {
	d, e := float64(s.Widths.Source), float64(s.Widths.Target)
	solve := d*d*d/3 + d*d*e
	folds := float64(s.Folds) * (5*d*d*d + float64(len(s.Lambdas))*d*d*e)
	maps := float64(1+s.Shuffles) * solve
	if s.Self {
		maps += 4 * e * e * e / 3
	}
	const curve = 5 // points of the learning curve
	return Work{Pace: Algebra, Elements: folds + maps + curve*solve, Bytes: 4 * s.Widths.bytes(s.Folds, s.Shuffles)}
}

// A FitReport is everything that is known about a map besides its matrix.
type FitReport struct {
	CV               *linear.CV `json:"cross_validation"`
	Method           string     `json:"method"`
	Lambda           float64    `json:"lambda"`          // as configured; 0 where the method has none
	LambdaAbsolute   float64    `json:"lambda_absolute"` // as added to the diagonal
	DegreesOfFreedom float64    `json:"degrees_of_freedom"`
	Condition        float64    `json:"condition"`
	Spectrum         []float64  `json:"spectrum"` // singular values of the map, largest first, at most 32
	// LearningCurve scores maps of fewer pairs on the first fold, which none of them was fitted on.
	LearningCurve []linear.CurvePoint `json:"learning_curve"`
	// LargestVariance are the target dimensions that vary most: see VectorReport.CosineWithout.
	LargestVariance []int    `json:"largest_variance"`
	Pairs           int      `json:"pairs"`
	Warnings        []string `json:"warnings,omitempty"`
}

// fitReport reads the report of the fit.
func (u *Unit) fitReport(ctx context.Context) (r FitReport, err error) {
	o, err := u.Need("fit", "report")
	if err != nil {
		return r, err
	}
	b, err := u.Store.Read(ctx, o.Digest)
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(b, &r); err != nil {
		return r, fmt.Errorf("read the report of the fit: %w", err)
	}
	return r, nil
}

// fit makes "map", "shuffled.j", "self" and "report". It reads gram.
func fit(ctx context.Context, u *Unit, s Fit) (cache.ActionKey, error) {
	r := u.Recipe().Struct(s).Input("gram", u.Input("gram").Digest())
	return u.Do(ctx, r, func(ctx context.Context) ([]Product, error) {
		m, err := mergeGrams(ctx, u.Store, u.Input("gram"), s)
		if err != nil {
			return nil, err
		}
		if err := m.everyFold(); err != nil {
			return nil, err
		}
		spec := linear.Spec{Method: linear.Method(s.Method), Centre: s.Centre, Unit: linear.LambdaUnit(s.Unit), Rank: s.Rank}
		cv, err := linear.CrossValidateMethod(m.folds, s.Lambdas, spec)
		if err != nil {
			return nil, err
		}
		spec.Lambda = cv.Best
		whole, err := linear.Sum(m.folds)
		if err != nil {
			return nil, err
		}
		curve, err := s.curve(ctx, u.Store, u.Input("gram"), m.folds[0], spec)
		if err != nil {
			return nil, err
		}
		return s.products(m, whole, spec, cv, curve)
	})
}

// products fits the map and its controls, all with the lambda that was chosen on the true pairs.
func (s Fit) products(m *merged, whole *linear.Gram, spec linear.Spec, cv *linear.CV, curve []linear.CurvePoint) ([]Product, error) {
	var products []Product
	add := func(name string, g *linear.Gram, source artifacts.Meta) (*linear.Map, error) {
		w, err := linear.Fit(g, spec)
		if err != nil {
			return nil, fmt.Errorf("fit %s of block %d to block %d: %w", name, m.source.Layer, m.target.Layer, err)
		}
		kept, err := stored(w, source, m.target)
		if err != nil {
			return nil, err
		}
		products = append(products, Product{Name: name, Kind: artifacts.KindMap, Rows: int64(w.Rows), Write: kept.Encode})
		return w, nil
	}
	w, err := add("map", whole, m.source)
	if err != nil {
		return nil, err
	}
	for j, cross := range m.shuffled {
		g, err := whole.WithCross(cross)
		if err != nil {
			return nil, err
		}
		if _, err := add(shuffledName(j), g, m.source); err != nil {
			return nil, err
		}
	}
	if s.Self {
		g, err := linear.Sum(m.self)
		if err != nil {
			return nil, err
		}
		if _, err := add("self", g, m.target); err != nil {
			return nil, err
		}
	}
	r := describe(w, spec, cv)
	r.LearningCurve, r.LargestVariance = curve, whole.LargestVariance(largestDimensions)
	report, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("report of the fit: %w", err)
	}
	return append(products, Product{Name: "report", Kind: KindJSON, Write: writeBytes(report)}), nil
}

func describe(w *linear.Map, spec linear.Spec, cv *linear.CV) FitReport {
	r := FitReport{CV: cv, Method: string(spec.Method), Lambda: spec.Lambda, LambdaAbsolute: w.Lambda, DegreesOfFreedom: w.DegreesOfFreedom, Condition: w.Condition, Pairs: w.N, Warnings: cv.Warnings}
	if values, ok := w.Spectrum(); ok {
		r.Spectrum = values[:min(32, len(values))]
	}
	return r
}

// stored is a map in the form in which it is kept.
func stored(w *linear.Map, source, target artifacts.Meta) (*artifacts.Map, error) {
	rows, cols, values := w.Matrix()
	intercept, err := w.Predict(make([]float32, rows))
	if err != nil {
		return nil, err
	}
	return &artifacts.Map{Source: source, Target: target, Method: string(w.Spec.Method), Lambda: w.Lambda, Rows: rows, Cols: cols, W: values, Intercept: intercept}, nil
}

// merged are the Grams of all shards, summed in index order.
type merged struct {
	source, target artifacts.Meta
	folds, self    []*linear.Gram
	shuffled       []*linear.Cross
}

func mergeGrams(ctx context.Context, store cache.Store, shards Manifest, s Fit) (*merged, error) {
	m := &merged{}
	for i, o := range shards {
		part, err := load(ctx, store, o, artifacts.KindMatrices, artifacts.DecodeMatrices)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			m.source, m.target = part.Source, part.Target
		}
		if err := m.add(part, s); err != nil {
			return nil, fmt.Errorf("merge Gram matrices of %s: %w", o.Name, err)
		}
	}
	return m, nil
}

// largestDimensions is how many dimensions are left out of a cosine to see whether they alone make
// it: residual streams have a handful of massive ones.
const largestDimensions = 5

// curve reads the shards again, one at a time, and scores growing sums of all folds but the first
// on that.
func (s Fit) curve(ctx context.Context, store cache.Store, shards Manifest, held *linear.Gram, spec linear.Spec) ([]linear.CurvePoint, error) {
	return linear.LearningCurve(func(yield func(*linear.Gram, error) bool) {
		for _, o := range shards {
			part, err := load(ctx, store, o, artifacts.KindMatrices, artifacts.DecodeMatrices)
			var train *linear.Gram
			if err == nil {
				train, err = othersThanFirst(part, s.Folds)
			}
			if !yield(train, err) {
				return
			}
		}
	}, held, spec)
}

// othersThanFirst is the sum of a shard's folds but the first.
func othersThanFirst(part *artifacts.Matrices, folds int) (*linear.Gram, error) {
	var grams []*linear.Gram
	for k := 1; k < folds; k++ {
		data, err := block(part, foldName(k))
		if err != nil {
			return nil, err
		}
		g, err := linear.FromFlat(data)
		if err != nil {
			return nil, err
		}
		grams = append(grams, g)
	}
	return linear.Sum(grams)
}

// everyFold refuses pairs of so few documents that a fold has none.
func (m *merged) everyFold() error {
	filled, pairs := 0, 0
	for _, g := range m.folds {
		pairs += g.N
		if g.N > 0 {
			filled++
		}
	}
	if filled < len(m.folds) {
		return fmt.Errorf("%w: the %d pairs of calibration_texts come from too few documents: they fill %d of the %d folds; a text gives a pair at each of its word ends, unless positions is \"last\", so a larger n_training_samples takes more of them", ErrTexts, pairs, filled, len(m.folds))
	}
	return nil
}

// add merges one shard.
func (m *merged) add(part *artifacts.Matrices, s Fit) error {
	if err := m.source.Match(part.Source); err != nil {
		return err
	}
	if err := m.target.Match(part.Target); err != nil {
		return err
	}
	rows := 0
	for k := range s.Folds {
		g, err := m.merge(&m.folds, part, k, foldName(k))
		if err != nil {
			return err
		}
		rows += g.N
		if s.Self {
			if _, err := m.merge(&m.self, part, k, selfName(k)); err != nil {
				return err
			}
		}
	}
	for j := range s.Shuffles {
		data, err := block(part, shuffledName(j))
		if err != nil {
			return err
		}
		g := m.folds[0]
		if len(data) != g.D*g.E {
			return fmt.Errorf("block %s has %d values for %d × %d dimensions: %w", shuffledName(j), len(data), g.D, g.E, artifacts.ErrFormat)
		}
		cross := &linear.Cross{D: g.D, E: g.E, N: rows, XtY: data}
		if j == len(m.shuffled) {
			m.shuffled = append(m.shuffled, linear.NewCross(g.D, g.E))
		}
		if err := m.shuffled[j].Merge(cross); err != nil {
			return err
		}
	}
	return nil
}

func block(part *artifacts.Matrices, name string) ([]float64, error) {
	b := part.Block(name)
	if b == nil {
		return nil, fmt.Errorf("block %s is not there: %w", name, artifacts.ErrFormat)
	}
	return b.Data, nil
}

// merge adds the shard's Gram of that name to list[k] and gives the shard's.
func (m *merged) merge(list *[]*linear.Gram, part *artifacts.Matrices, k int, name string) (*linear.Gram, error) {
	data, err := block(part, name)
	if err != nil {
		return nil, err
	}
	g, err := linear.FromFlat(data)
	if err != nil {
		return nil, err
	}
	if k == len(*list) {
		*list = append(*list, linear.NewGram(g.D, g.E))
	}
	return g, (*list)[k].Merge(g)
}
