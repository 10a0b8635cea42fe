package trial

import (
	"crypto/sha256"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// An Estimate is a number with its interval. N is the number of texts it rests on.
type Estimate struct {
	Value Number `json:"value"`
	Low   Number `json:"low"`
	High  Number `json:"high"`
	N     int    `json:"n"`
}

// noEstimate is the estimate of what could not be computed.
var noEstimate = Estimate{missing, missing, missing, 0}

// ExcludesZero reports whether the interval exists and lies on one side of 0.
func (e Estimate) ExcludesZero() bool { return e.Low > 0 || e.High < 0 }

// A Bootstrap is a set of resamples of prompts: resample r holds prompt p weight[r][p] times. All
// conditions are looked at in the same resamples, which is what makes differences paired. The two halves
// between which alphas are crossed are resampled apart, so that neither is ever empty. (Efron & Tibshirani
// 1993, chapters 13 and 16: clusters as units, strata.)
type Bootstrap struct {
	seed    [32]byte
	level   float64
	freedom float64 // degrees of freedom, prompts − halves
	student float64 // the two-sided quantile of Student's t at the level
	widen   float64 // √(m/(m−1)), m the prompts of the smaller half; 0 if that is less than two
	weights [][]uint16
	tail    float64 // the quantile of draws at which an interval begins
}

// NewBootstrap draws resamples of prompts from the ChaCha8 stream of seed. prompts are their numbers, whose
// parity says which half they are in; level is the coverage of intervals, such as 0.95.
func NewBootstrap(prompts []int, resamples int, level float64, seed [32]byte) *Bootstrap {
	b := &Bootstrap{seed: seed, level: level, weights: make([][]uint16, resamples)}
	var halves [][]int
	smaller := len(prompts)
	for _, h := range places(prompts) {
		if len(h) > 0 {
			halves, smaller = append(halves, h), min(smaller, len(h))
		}
	}
	if smaller > 1 {
		b.widen = math.Sqrt(float64(smaller) / float64(smaller-1))
		b.freedom = float64(len(prompts) - len(halves))
		b.student = distuv.StudentsT{Sigma: 1, Nu: b.freedom}.Quantile((1 + level) / 2)
		b.tail = b.tailAt(level)
	}
	r := newRand(seed)
	all := make([]uint16, len(prompts)*resamples)
	for i := range b.weights {
		b.weights[i] = all[i*len(prompts) : (i+1)*len(prompts)]
		for _, half := range halves {
			for range half {
				b.weights[i][half[r.IntN(len(half))]]++
			}
		}
	}
	return b
}

// tailAt is the quantile of draws at which an interval of that level begins; 0 if there is none.
func (b *Bootstrap) tailAt(level float64) float64 {
	if b.widen == 0 {
		return 0
	}
	return distuv.UnitNormal.CDF(-b.widen * distuv.StudentsT{Sigma: 1, Nu: b.freedom}.Quantile((1+level)/2))
}

// places gives the indices of even and of odd numbers.
func places(prompts []int) (halves [2][]int) {
	for i, p := range prompts {
		halves[p%2] = append(halves[p%2], i)
	}
	return halves
}

// A statistic is its value on all prompts and on each resample.
type statistic struct {
	point float64
	draws []float64
}

// combine returns f of two statistics, resample by resample.
func combine(a, b statistic, f func(a, b float64) float64) statistic {
	out := statistic{point: f(a.point, b.point), draws: make([]float64, len(a.draws))}
	for r := range out.draws {
		out.draws[r] = f(a.draws[r], b.draws[r])
	}
	return out
}

func minus(a, b float64) float64 { return a - b }

// mean returns the mean of statistics, resample by resample; what is missing is left out.
func mean(of []statistic) statistic {
	out := statistic{draws: make([]float64, len(of[0].draws))}
	values := make([]float64, len(of))
	at := func(get func(s statistic) float64) float64 {
		for k, s := range of {
			values[k] = get(s)
		}
		return Mean(values)
	}
	out.point = at(func(s statistic) float64 { return s.point })
	for r := range out.draws {
		out.draws[r] = at(func(s statistic) float64 { return s.draws[r] })
	}
	return out
}

// highest returns the highest of statistics, resample by resample; what is missing is left out.
func highest(of []statistic) statistic {
	out := statistic{point: math.NaN(), draws: slices.Repeat([]float64{math.NaN()}, len(of[0].draws))}
	higher := func(a, b float64) float64 {
		if isMissing(a) || b > a {
			return b
		}
		return a
	}
	for _, s := range of {
		out = combine(out, s, higher)
	}
	return out
}

// noisy adds to each draw of s a normal deviate of the given variance, from a stream of its own: what the
// resamples cannot know. The value stays.
func (b *Bootstrap) noisy(s statistic, variance float64, stream string) statistic {
	if !(variance > 0) {
		return s
	}
	r := newRand(sha256.Sum256(append(b.seed[:], stream...)))
	out := statistic{point: s.point, draws: make([]float64, len(s.draws))}
	for i, v := range s.draws {
		out.draws[i] = v + math.Sqrt(variance)*r.NormFloat64()
	}
	return out
}

// estimate returns the statistic with its expanded percentile interval (Hesterberg 2015): resamples of few
// units vary by a factor of (m−1)/m too little and have a normal's tails, not Student's, so the quantiles are
// taken further out, at Φ(−t·√(m/(m−1))). Resamples in which it is missing are left out; if that is more than
// half of them, or a half has fewer than two prompts, there is no interval.
func (b *Bootstrap) estimate(s statistic, n int) Estimate { return b.estimateFrom(s, n, b.tail) }

// estimateFrom is estimate with an interval that begins at another quantile.
func (b *Bootstrap) estimateFrom(s statistic, n int, tail float64) Estimate {
	e := Estimate{Value: Number(s.point), Low: missing, High: missing, N: n}
	v := present(s.draws)
	if e.Value.Missing() || 2*len(v) < len(s.draws) || len(v) == 0 || b.widen == 0 {
		return e
	}
	slices.Sort(v)
	e.Low, e.High = Number(quantile(v, tail)), Number(quantile(v, 1-tail))
	return e
}

// chance returns the two-sided p-value of a statistic being 0, by the same quantiles: it is below 1−level
// where the interval of [Bootstrap.estimate] excludes 0. It is missing where that is.
func (b *Bootstrap) chance(s statistic) Number {
	v := present(s.draws)
	if isMissing(s.point) || 2*len(v) < len(s.draws) || len(v) == 0 || b.widen == 0 {
		return missing
	}
	below, above := 0, 0
	for _, x := range v {
		if x <= 0 {
			below++
		}
		if x >= 0 {
			above++
		}
	}
	share := (float64(min(below, above)) + 1) / (float64(len(v)) + 1)
	t := distuv.UnitNormal.Quantile(min(share, .5)) / b.widen
	return Number(min(1, 2*distuv.StudentsT{Sigma: 1, Nu: b.freedom}.CDF(t)))
}

// deviation returns the standard error that the draws of s say, for as few prompts as there are.
func (b *Bootstrap) deviation(s statistic) float64 {
	v := present(s.draws)
	if len(v) < 2 {
		return math.NaN()
	}
	m, squares := Mean(v), 0.0
	for _, x := range v {
		squares += (x - m) * (x - m)
	}
	return b.widen * math.Sqrt(squares/float64(len(v)-1))
}

// quantile interpolates linearly between order statistics of sorted values (Hyndman & Fan's type
// 7, numpy's default).
func quantile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	i := int(math.Floor(at))
	j := min(i+1, len(sorted)-1)
	return sorted[i] + (at-float64(i))*(sorted[j]-sorted[i])
}

// newRand returns the stream of a seed.
func newRand(seed [32]byte) *rand.Rand { return rand.New(rand.NewChaCha8(seed)) }
