package pipelines

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/transforms"
)

// forward is how far two float32 forward passes that sum in different orders may end apart, as a share
// of the length of what they compute. A sum of n products is off by about √n·u of the lengths of its
// factors, u = 2⁻²⁴: 1.1e-6 for the widest layer here (352). A block has some six such steps one after
// the other, and three blocks are before the farthest site: √18 times as much, 5e-6.
const forward = 5e-6

// comparePairs compares which positions of which texts are read, in which order and fold.
func (r *referenceRun) comparePairs(t *testing.T) {
	var got []artifacts.Text
	for _, o := range r.outputs(t, "pairs", artifacts.KindTexts) {
		for _, row := range fetch(t, r.store, o, artifacts.DecodeTexts).Rows {
			if n := len(got); n > 0 && got[n-1].Text == row.Text { // a text across the border of two shards
				got[n-1].Ends = append(got[n-1].Ends, row.Ends...)
				continue
			}
			got = append(got, row)
		}
	}
	if len(got) != len(r.want.Pairs) {
		t.Fatalf("%d texts, want %d", len(got), len(r.want.Pairs))
	}
	for i, want := range r.want.Pairs {
		text := r.CalibrationTexts.List[want.Text].Text
		ends := make([]int32, len(want.Ends))
		for k, end := range want.Ends { // characters to bytes
			ends[k] = int32(len(string([]rune(text)[:end])))
		}
		if got[i].Text != text || !slices.Equal(got[i].Ends, ends) || int(got[i].Fold)%r.Folds != want.Fold {
			t.Fatalf("text %d: %q ending at %v in fold %d, want %q, %v, %d", i, got[i].Text, got[i].Ends, int(got[i].Fold)%r.Folds, text, ends, want.Fold)
		}
	}
}

// residuals reads every residual of a model, in order.
func (r *referenceRun) residuals(t *testing.T, side string) (rows [][]float32) {
	for _, o := range r.outputs(t, "capture."+side, artifacts.KindActivations) {
		a := fetch(t, r.store, o, artifacts.DecodeActivations)
		for i := range a.Rows() {
			rows = append(rows, a.Row(i))
		}
	}
	return rows
}

// compareResiduals compares the residuals of both models after their blocks: some of them one by one,
// all of them by their mean.
func (r *referenceRun) compareResiduals(t *testing.T) {
	for _, side := range []string{"source", "target"} {
		got, want := r.residuals(t, side), r.want.tensor(t, side+".residual")
		if len(got) != r.NTraining {
			t.Fatalf("%s: %d residuals, want %d", side, len(got), r.NTraining)
		}
		dim := len(got[0])
		every := len(got) * dim / len(want)
		for i := 0; i*dim < len(want); i++ {
			row := want[i*dim : (i+1)*dim]
			nearVector(t, fmt.Sprintf("%s, residual %d", side, i*every), got[i*every], row, forward*length(row))
		}
		mean := make([]float32, dim)
		for j := range mean {
			sum := 0.0
			for _, row := range got {
				sum += float64(row[j])
			}
			mean[j] = float32(sum / float64(len(got)))
		}
		nearVector(t, side+", mean residual", mean, r.want.tensor(t, side+".mean"), forward*length(mean))
	}
}

func (r *referenceRun) fitReport(t *testing.T) (f transforms.FitReport) {
	o := r.outputs(t, "fit", transforms.KindJSON)
	if len(o) != 1 {
		t.Fatalf("%d reports of the fit", len(o))
	}
	fetchJSON(t, r.store, o[0], &f)
	return f
}

// compareCrossValidation compares R² and its companions for each lambda, the lambda chosen and the learning
// curve. If residuals are off by the share ε of their length, SSE = Σ(y − ŷ)² is off by at most
// 2ε·√(SSE·Σ‖y‖²), and Σ‖y‖² is 1.2·SST here: R² = 1 − SSE/SST moves by at most 2ε. Predictions come from
// residuals as well, which is as much again. Single dimensions, of which the median and the standardised R²
// are made, vary less than the whole does, and may be off by a few times that.
func (r *referenceRun) compareCrossValidation(t *testing.T) {
	f := r.fitReport(t)
	const whole, single = 4 * forward, 10 * forward
	if len(f.CV.Penalties) != len(r.want.CV) {
		t.Fatalf("%d lambdas, want %d", len(f.CV.Penalties), len(r.want.CV))
	}
	for i, s := range f.CV.Penalties {
		want, name := r.want.CV[i], fmt.Sprintf("lambda %g: ", s.Lambda)
		near(t, name+"lambda", s.Lambda, want["lambda"], 0)
		near(t, name+"absolute penalty", s.Absolute, want["absolute"], whole*want["absolute"])
		near(t, name+"R²", s.R2, want["r2"], whole)
		near(t, name+"standard error of R²", s.StandardError, want["standard_error"], whole)
		near(t, name+"R² pooled", s.R2Pooled, want["r2_pooled"], whole)
		near(t, name+"R² standardised", s.R2Standardised, want["r2_standardised"], single)
		near(t, name+"R² median", s.R2Median, want["r2_median"], single)
		near(t, name+"mean squared error", s.MeanSquaredError, want["mean_squared_error"], whole*want["mean_squared_error"])
		near(t, name+"degrees of freedom", s.DegreesOfFreedom, want["degrees_of_freedom"], whole*want["degrees_of_freedom"])
	}
	near(t, "lambda chosen", f.Lambda, r.want.Lambda, 0)
	near(t, "best lambda", f.CV.Best, r.want.Lambda, 0)
	near(t, "lambda by one standard error", f.CV.OneStandardError, r.want.OneStandardError, 0)
	if len(f.LearningCurve) != len(r.want.LearningCurve) {
		t.Fatalf("learning curve: %d points, want %d", len(f.LearningCurve), len(r.want.LearningCurve))
	}
	for i, p := range f.LearningCurve {
		want, name := r.want.LearningCurve[i], fmt.Sprintf("learning curve, %d pairs: ", p.N)
		near(t, name+"pairs", float64(p.N), want["n"], 0)
		near(t, name+"R²", p.Held.R2, want["r2"], whole)
		near(t, name+"R² standardised", p.Held.R2Standardised, want["r2_standardised"], single)
		near(t, name+"R² median", p.Held.R2Median, want["r2_median"], single)
	}
}

// mapError is how far a map may be off, by the length of the difference of its values. In the first order
// errors E of the targets change W by A⁻¹XᵀE, A = XᵀX + λI. Rows err independently, each by forward of its
// length, so this is forward·‖h‖·‖A⁻¹Xᵀ‖, and ‖A⁻¹Xᵀ‖² = Σ s/(s+λ)² is at most the degrees of freedom over
// λ. Errors of the sources do as much again.
func (r *referenceRun) mapError() float64 { return r.mapErrorAt(r.want.LambdaAbsolute) }

// mapErrorAt is that of a map with another penalty. Fewer rows have no more degrees of freedom.
func (r *referenceRun) mapErrorAt(penalty float64) float64 {
	residual := r.want.Scales[r.PersonaDatasets.Names()[0]]["residual"]
	return 2 * forward * residual * math.Sqrt(r.want.DegreesOfFreedom/penalty)
}

// compareResemblance compares how much of the calibration resembles each persona.
func (r *referenceRun) compareResemblance(t *testing.T) {
	outputs := r.outputs(t, "resemblance", transforms.KindJSON)
	if len(outputs) != len(r.want.Calibration) {
		t.Fatalf("%d personas, want %d", len(outputs), len(r.want.Calibration))
	}
	for i, persona := range r.PersonaDatasets.Names() {
		var got transforms.CalibrationReport
		fetchJSON(t, r.store, outputs[i], &got)
		want := r.want.Calibration[persona]
		if got.Persona != persona || got.Texts != want.Texts || got.Resembling != want.Resembling || got.Pairs != want.Pairs || got.PairsResembling != want.PairsResembling {
			t.Errorf("%s: %+v, want %+v", persona, got, want)
		}
		if want.Resembling == 0 || want.Resembling == want.Texts {
			t.Errorf("%s: the texts that resemble it are %d of %d, which shows nothing", persona, want.Resembling, want.Texts)
		}
		near(t, persona+", share", float64(got.Share), float64(want.Share), digits)
		near(t, persona+", threshold", float64(got.Threshold), float64(want.Threshold), digits)
	}
}

// heldOutMap reads the map that has not seen a persona.
func (r *referenceRun) heldOutMap(t *testing.T, persona string) *artifacts.Map {
	t.Helper()
	return fetch(t, r.store, r.outputs(t, "fit.held_out", artifacts.KindMap)[slices.Index(r.PersonaDatasets.Names(), persona)], artifacts.DecodeMap)
}

// compareHeldOutMaps compares the maps that were fitted without the texts that resemble a persona.
func (r *referenceRun) compareHeldOutMaps(t *testing.T) {
	for _, persona := range r.PersonaDatasets.Names() {
		m := r.heldOutMap(t, persona)
		nearVector(t, "W without "+persona, m.W, r.want.tensor(t, "held_out."+persona), r.mapErrorAt(m.Lambda))
		if apart(m.W, r.want.tensor(t, "map")) < 100*r.mapErrorAt(m.Lambda) {
			t.Errorf("without %s the map is the whole one, which shows nothing", persona)
		}
	}
}

// compareMap compares the map and what is reported of it.
func (r *referenceRun) compareMap(t *testing.T) {
	f := r.fitReport(t)
	near(t, "penalty", f.LambdaAbsolute, r.want.LambdaAbsolute, 4*forward*r.want.LambdaAbsolute)
	near(t, "degrees of freedom", f.DegreesOfFreedom, r.want.DegreesOfFreedom, 4*forward*r.want.DegreesOfFreedom)
	if !slices.Equal(f.LargestVariance, r.want.LargestVariance) {
		t.Errorf("dimensions of largest variance: %v, want %v", f.LargestVariance, r.want.LargestVariance)
	}
	var m *artifacts.Map
	for _, o := range r.outputs(t, "fit", artifacts.KindMap) {
		if o.Name == "map" {
			m = fetch(t, r.store, o, artifacts.DecodeMap)
		}
	}
	w := r.want.tensor(t, "map")
	if m.Rows*m.Cols != len(w) {
		t.Fatalf("map of %d × %d, want %d values", m.Rows, m.Cols, len(w))
	}
	nearVector(t, "W", m.W, w, r.mapError())
	for i, s := range r.want.Spectrum {
		near(t, fmt.Sprintf("singular value %d of W", i), f.Spectrum[i], s, r.mapError())
	}
	// The offset is what makes mean source residuals into mean target residuals.
	source, target := r.want.tensor(t, "source.mean"), r.want.tensor(t, "target.mean")
	offset := slices.Clone(target)
	for j := range offset {
		for i, x := range source {
			offset[j] -= x * w[i*m.Cols+j]
		}
	}
	nearVector(t, "offset", m.Intercept, offset, r.mapError()*length(source)+forward*length(target))
}
