package trial

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/persona-transfer/runpipeline/format/strictjson"
)

// A Probe tells a persona's positive texts from its negative ones by the activations of a model that reads
// them: logistic regression on the text's mean activation. It knows nothing of words, and shares no mistake
// with a [Scorer] but those of the texts that both are fitted on.
//
// A weight belongs to a dimension as the model has it; what the fit sees is set out at [FitProbe].
type Probe struct {
	// HeldOutPositive and HeldOutNegative are the logits of the texts it was fitted on, each by a probe that
	// was fitted without it.
	HeldOutPositive, HeldOutNegative []float64

	weights []float64
	bias    float64
}

// FitProbe fits a probe to activations, one [d] for each text of a side, and cross-validates it in the folds of
// [FitScorer]. A dimension is taken less its mean and divided by its standard deviation over the texts and by
// √d, so that none counts for its width and a text has a length of about 1, for which the penalty of
// [fitLogistic] was chosen; dimensions that are the same in all texts are left out. The scaling is fitted again
// in every fold. It returns an error if a side has fewer than [MinTexts] texts.
func FitProbe(positive, negative [][]float64) (*Probe, error) {
	if len(positive) < MinTexts || len(negative) < MinTexts {
		return nil, fmt.Errorf("probe: %d positive and %d negative texts, want at least %d each", len(positive), len(negative), MinTexts)
	}
	for _, h := range slices.Concat(positive, negative) {
		if len(h) != len(positive[0]) {
			return nil, fmt.Errorf("probe: activations of %d and of %d dimensions", len(positive[0]), len(h))
		}
	}
	p, err := probeOnce(positive, negative)
	if err != nil {
		return nil, err
	}
	folds := min(5, len(positive), len(negative))
	for k := range folds {
		inP, outP := split(positive, k, folds)
		inN, outN := split(negative, k, folds)
		f, err := probeOnce(inP, inN)
		if err != nil {
			return nil, err
		}
		for _, h := range outP {
			p.HeldOutPositive = append(p.HeldOutPositive, f.Logit(h))
		}
		for _, h := range outN {
			p.HeldOutNegative = append(p.HeldOutNegative, f.Logit(h))
		}
	}
	return p, nil
}

func probeOnce(positive, negative [][]float64) (*Probe, error) {
	all := slices.Concat(positive, negative)
	d := len(all[0])
	centre, scale := make([]float64, d), make([]float64, d)
	for j := range d {
		column := make([]float64, len(all))
		for i, h := range all {
			column[i] = h[j]
		}
		centre[j] = Mean(column)
		for _, v := range column {
			scale[j] += (v - centre[j]) * (v - centre[j])
		}
		if scale[j] > 0 {
			scale[j] = 1 / (math.Sqrt(scale[j]/float64(len(all))) * math.Sqrt(float64(d)))
		}
	}
	samples := make([]sample, len(all))
	for i, h := range all {
		samples[i].positive = i < len(positive)
		for j, v := range h {
			samples[i].features = append(samples[i].features, feature{j, scale[j] * (v - centre[j])})
		}
	}
	w, bias, err := fitLogistic(samples, d)
	if err != nil {
		return nil, fmt.Errorf("probe: %w", err)
	}
	for j := range w {
		w[j] *= scale[j]
		bias -= w[j] * centre[j]
	}
	return &Probe{weights: w, bias: bias}, nil
}

// Dim is the number of dimensions of the activations that it reads.
func (p *Probe) Dim() int { return len(p.weights) }

// Logit returns the logit that a text with this mean activation is positive. It panics unless there are
// [Probe.Dim] values.
func (p *Probe) Logit(activation []float64) float64 {
	if len(activation) != len(p.weights) {
		panic(fmt.Sprintf("trial: probe of %d dimensions reads %d", len(p.weights), len(activation)))
	}
	return p.bias + inner(p.weights, activation)
}

// probeVersion is the format and the meaning of a stored probe.
const probeVersion = 1

type storedProbe struct {
	Version         int       `json:"version"`
	HeldOutPositive []float64 `json:"held_out_positive"` // logits
	HeldOutNegative []float64 `json:"held_out_negative"`
	Weights         []float64 `json:"weights"`
	Bias            float64   `json:"bias"`
}

// MarshalJSON writes p; see [Probe.UnmarshalJSON].
func (p *Probe) MarshalJSON() ([]byte, error) {
	if p.weights == nil {
		return nil, errors.New("probe: not fitted")
	}
	return json.Marshal(storedProbe{probeVersion, p.HeldOutPositive, p.HeldOutNegative, p.weights, p.bias})
}

// UnmarshalJSON reads what MarshalJSON wrote. Unknown fields, another version and values out of range are
// errors, and leave p as it was.
func (p *Probe) UnmarshalJSON(data []byte) error {
	var s storedProbe
	if err := strictjson.Unmarshal(data, &s); err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	switch {
	case s.Version != probeVersion:
		return fmt.Errorf("probe: version %d, want %d", s.Version, probeVersion)
	case len(s.Weights) == 0:
		return errors.New("probe: no weights")
	}
	for _, v := range slices.Concat(s.Weights, []float64{s.Bias}, s.HeldOutPositive, s.HeldOutNegative) {
		if math.Abs(v) > 1e100 {
			return fmt.Errorf("probe: value %g is out of range", v)
		}
	}
	*p = Probe{s.HeldOutPositive, s.HeldOutNegative, s.Weights, s.Bias}
	return nil
}
