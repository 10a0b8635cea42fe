package transforms

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/transforms/linear"
)

// Fit is the stage that chooses lambda by cross-validation over the folds and fits the map of all of them.
type Fit struct {
	Method  string    `json:"method"`
	Centre  bool      `json:"centre"`
	Rank    int       `json:"rank"`
	Lambdas []float64 `json:"lambda_values"`
	Unit    string    `json:"lambda_unit"`
	Self    bool      `json:"self"` // also the map of the target to itself, for the condition self
	Folds   int       `json:"folds" key:"-"`
	Widths  Widths    `json:"widths" key:"-"`
}

const fitVersion = 6 // 6: held-out rows are solved for, constant target dimensions count as predicted; 5: sums by fold, a curve of folds, no maps of shuffled pairs; 4: artifacts of format 2; 2: cross-validates the method that is fitted, not ridge in its place; 3: learning curve

func init() { register("fit", fitVersion, whole, fitWork, fit) }

// fitWork is the cross-validation, the learning curve and the maps, which linear counts, and reading the sums of each
// fold twice and of most once more.
func fitWork(s Fit, _ int) Work {
	size := s.Widths.size(s.Widths.Pairs)
	size.Folds, size.Lambdas = s.Folds, len(s.Lambdas)
	work := Work{Pace: Algebra, Operations: size.Operations(), Elements: 3*float64(s.Folds)*reads*s.Widths.stored()/8 + reads*s.Widths.values(),
		Bytes: fitGrams * s.Widths.gram(), Stored: s.Widths.mapped() / 2}
	if s.Self {
		self := Widths{Source: s.Widths.Target, Target: s.Widths.Target, Pairs: s.Widths.Pairs}
		work.Operations += self.size(self.Pairs).Sums() + self.size(self.Pairs).Map()
		work.Bytes = max(work.Bytes, s.Widths.mapped()+self.gram()+self.mapped()+self.reading())
		work.Stored += self.mapped() / 2
	}
	return work
}

// fitGrams is how many Grams are in memory where the fit takes most, or as much as they take: those of all rows,
// of a fold and of the others, and what is made of them.
const fitGrams = 7

// A FitReport is everything that is known about a map besides its matrix.
type FitReport struct {
	CV               *linear.CV `json:"cross_validation"`
	Method           string     `json:"method"`
	Lambda           float64    `json:"lambda"`          // as configured; 0 where the method has none
	LambdaAbsolute   float64    `json:"lambda_absolute"` // as added to the diagonal
	DegreesOfFreedom float64    `json:"degrees_of_freedom"`
	Condition        float64    `json:"condition"`
	Spectrum         []float64  `json:"spectrum"` // singular values of the map, largest first, at most 32
	// LearningCurve scores maps of fewer folds on the first fold, which none of them was fitted on.
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

// fit makes "map", "report" and, if asked for, "self". It reads gram, capture.source and capture.target.
func fit(ctx context.Context, u *Unit, s Fit) (cache.ActionKey, error) {
	r := u.Recipe().Struct(s).Input("gram", u.Input("gram").Digest()).
		Input("source", u.Input("capture.source").Digest()).Input("target", u.Input("capture.target").Digest())
	return u.Do(ctx, r, func(ctx context.Context) ([]Product, error) {
		folds, err := u.folds(ctx)
		if err != nil {
			return nil, err
		}
		if err := folds.everyFold(); err != nil {
			return nil, err
		}
		spec := linear.Spec{Method: linear.Method(s.Method), Centre: s.Centre, Unit: linear.LambdaUnit(s.Unit), Rank: s.Rank}
		study, err := linear.FitBest(folds, s.Lambdas, spec)
		if err != nil {
			return nil, fmt.Errorf("fit the map of block %d to block %d: %w", folds.source.Layer, folds.target.Layer, err)
		}
		products, err := add(nil, "map", study.Map, folds.source, folds.target)
		if err != nil {
			return nil, err
		}
		if s.Self {
			spec.Lambda = study.CV.Best
			w, err := u.fitSelf(ctx, spec)
			if err != nil {
				return nil, fmt.Errorf("fit the map of block %d to itself: %w", folds.target.Layer, err)
			}
			if products, err = add(products, "self", w, folds.target, folds.target); err != nil {
				return nil, err
			}
		}
		report, err := json.Marshal(describe(study))
		if err != nil {
			return nil, fmt.Errorf("report of the fit: %w", err)
		}
		return append(products, Product{Name: "report", Kind: KindJSON, Write: writeBytes(report)}), nil
	})
}

func add(products []Product, name string, w *linear.Map, source, target artifacts.Meta) ([]Product, error) {
	kept, err := stored(w, source, target)
	if err != nil {
		return nil, err
	}
	return append(products, Product{Name: name, Kind: artifacts.KindMap, Rows: int64(w.Rows), Write: kept.Encode}), nil
}

// fitSelf fits the map of the target to itself, with the lambda that was chosen on the true pairs.
func (u *Unit) fitSelf(ctx context.Context, spec linear.Spec) (*linear.Map, error) {
	var g *linear.Gram
	err := u.eachShard(ctx, "capture.target", func(a *artifacts.Activations) error {
		if g == nil {
			g = linear.NewGram(a.Dim, a.Dim)
		}
		return g.Add(a.Residual, a.Residual)
	})
	if err != nil {
		return nil, err
	}
	return linear.FitInPlace(g, spec)
}

func describe(s *linear.Study) FitReport {
	w := s.Map
	return FitReport{CV: s.CV, Method: string(w.Spec.Method), Lambda: w.Spec.Lambda, LambdaAbsolute: w.Lambda, DegreesOfFreedom: w.DegreesOfFreedom, Condition: w.Condition,
		Spectrum: s.Spectrum, LearningCurve: s.Curve, LargestVariance: s.LargestVariance, Pairs: w.N, Warnings: s.CV.Warnings}
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
