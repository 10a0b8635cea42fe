package trial

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// clippedMean is the mean of a normal variable cut off at 1 and 5; centred finds whose mean that is.
func clippedMean(centre, sd float64) float64 {
	cdf := func(x float64) float64 { return math.Erfc(-x/math.Sqrt2) / 2 }
	pdf := func(x float64) float64 { return math.Exp(-x*x/2) / math.Sqrt(2*math.Pi) }
	a, b := (1-centre)/sd, (5-centre)/sd
	return cdf(a) + 5*(1-cdf(b)) + centre*(cdf(b)-cdf(a)) + sd*(pdf(a)-pdf(b))
}

func centred(mean, sd float64) float64 {
	low, high := -20.0, 26.0
	for range 60 {
		if middle := (low + high) / 2; clippedMean(middle, sd) < mean {
			low = middle
		} else {
			high = middle
		}
	}
	return low
}

// A covered is how many of a number of intervals hold the truth: of a condition's mean, and of its difference to
// unsteered texts.
type covered struct {
	mean, difference float64 // shares
	width            float64 // of the mean's, on average
}

// cover simulates experiments in which texts' traits are normal with a deviation of 1.2 around a centre that a
// third of the variance belongs to the prompt of, cut off at both ends of the scale.
func cover(t testing.TB, experiments, prompts, seeds int, mean float64, seed byte) covered {
	const sd, ofPrompt = 1.2, 1. / 3
	r := rand.New(rand.NewChaCha8([32]byte{seed}))
	o := options(1, "p")
	o.Resamples = 400
	base := 1.4
	centre, zero := centred(mean, sd), centred(base, sd)
	var c covered
	for range experiments {
		var rows []Row
		for p := range prompts {
			shared := sd * math.Sqrt(ofPrompt) * r.NormFloat64()
			for s := range seeds {
				own := func() float64 { return shared + sd*math.Sqrt(1-ofPrompt)*r.NormFloat64() }
				add := func(condition string, alpha, latent float64) {
					rows = append(rows, Row{Condition: condition, Persona: "p", Alpha: alpha, Prompt: p, Seed: s, Trait: max(1, min(5, latent)), Coherence: 4, Tokens: 20, Perplexity: 5})
				}
				add("none", 0, zero+own())
				add("ridge", 1, centre+own())
			}
		}
		x := condition(t, evaluate(t, rows, o).Pooled, "ridge")
		hold := func(e Estimate, truth float64) float64 {
			if float64(e.Low) <= truth && truth <= float64(e.High) {
				return 1 / float64(experiments)
			}
			return 0
		}
		c.mean += hold(x.Trait, mean)
		c.difference += hold(*x.Effect, mean-base)
		c.width += float64(x.Trait.High-x.Trait.Low) / float64(experiments)
	}
	return c
}

// TestSimulatedIntervals: nominal 95 % intervals cover 93 to 97 %, from 10 prompts on; where a mean is near an end
// of the scale and prompts are few they cover more, since so few scores that differ cannot say how far others
// would. What is allowed on either side is three standard errors of the share of so many experiments.
func TestSimulatedIntervals(t *testing.T) {
	n := simulated(t, 60, 60)
	error := 3 * math.Sqrt(.05*.95/float64(n))
	for i, mean := range []float64{1.2, 1.4, 2, 3, 4, 4.8} {
		for _, prompts := range []int{10, 30, 100} {
			for _, seeds := range []int{1, 3} {
				c := cover(t, n, prompts, seeds, mean, byte(i))
				line := fmt.Sprintf("mean %.1f, %3d prompts, %d seeds: mean %.3f (width %.2f), difference %.3f", mean, prompts, seeds, c.mean, c.width, c.difference)
				t.Log(line)
				most := .97
				if near := math.Min(mean-1, 5-mean); near < .5 || near <= 1 && prompts < 30 {
					most = 1 // conservative
				}
				for _, share := range []float64{c.mean, c.difference} {
					if share < .93-error || share > most+error && share == c.mean {
						t.Errorf("%s; want .93 to %g, give or take %.3f", line, most, error)
					}
				}
			}
		}
	}
}
