package trial

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// A Design is the size of an experiment, as far as its power depends on it.
type Design struct{ Prompts, Seeds, Personas int }

// What texts vary by, in points of trait, as a guess before any is written. In the experiments that this program was
// developed with, the difference between two steered conditions on one prompt had a standard deviation of 1.0 to 1.3
// with three seeds and of 1.4 to 2.1 with one.
const (
	textDeviation   = 1.3 // of a text, under one condition and prompt
	mannerDeviation = 0.3 // of what a condition makes of a prompt, beside its mean
)

// StandardError is that of a difference in trait between two conditions that are each other's pairs, pooled over
// personas: √(2(s_manner² + s_text²/seeds)/(prompts·personas)).
func (d Design) StandardError() float64 {
	return math.Sqrt(2 * (mannerDeviation*mannerDeviation + textDeviation*textDeviation/float64(d.Seeds)) / float64(d.Prompts*d.Personas))
}

// HalfWidth is half the width of such a difference's interval at the level.
func (d Design) HalfWidth(level float64) float64 {
	freedom := math.Max(1, float64(d.Prompts-2))
	return d.StandardError() * distuv.StudentsT{Sigma: 1, Nu: freedom}.Quantile((1+level)/2)
}

// NonInferior is the chance that a map is found not to fall short of the oracle by the margin, if it truly recovers
// the given share of an effect of so many points: Φ((margin − (1−recovery)·effect − half-width)/standard error).
func (d Design) NonInferior(recovery, effect, margin, level float64) float64 {
	return distuv.UnitNormal.CDF((margin - (1-recovery)*effect - d.HalfWidth(level)) / d.StandardError())
}

// PromptsFor is the least number of prompts, in steps of ten, from which [Design.NonInferior] is at least power; 0 if
// ten thousand are not enough.
func (d Design) PromptsFor(power, recovery, effect, margin, level float64) int {
	for d.Prompts = 10; d.Prompts <= 10_000; d.Prompts += 10 {
		if d.NonInferior(recovery, effect, margin, level) >= power {
			return d.Prompts
		}
	}
	return 0
}
