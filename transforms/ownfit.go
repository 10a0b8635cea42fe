package transforms

import (
	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/gpu"
	"github.com/persona-transfer/runpipeline/transforms/linear"
)

// FitFolds fits a map to pairs that are not an experiment's, as the stage fit does to those that are: the
// penalty is chosen by cross-validation for the method of spec, whose Lambda is not looked at.
func FitFolds(f linear.Folds, lambdas []float64, spec linear.Spec, source, target artifacts.Meta) (*artifacts.Map, FitReport, error) {
	d, e := f.Shape()
	defer gpu.Hold(FitBytes(d, e))()
	s, err := linear.FitBest(f, lambdas, spec)
	if err != nil {
		return nil, FitReport{}, err
	}
	m, err := stored(s.Map, source, target)
	return m, describe(s), err
}

// FitBytes is about what [FitFolds] takes of memory, however many pairs there are.
func FitBytes(source, target int) int {
	w := Widths{Source: source, Target: target, Pairs: ShardRows}
	return int(fitGrams*w.gram() + w.reading())
}
