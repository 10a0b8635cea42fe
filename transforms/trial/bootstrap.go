package trial

import (
	"math"
	"math/rand/v2"
	"slices"
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

// Equivalent reports whether the interval exists and lies inside ±margin: two one-sided tests
// (Schuirmann 1987). With a 95 % interval each test is at 2.5 %, stricter than the usual 5 %.
func (e Estimate) Equivalent(margin float64) bool {
	return float64(e.Low) > -margin && float64(e.High) < margin
}

// A Bootstrap is a set of resamples of prompts: resample r holds prompt p weight[r][p] times. All
// conditions are looked at in the same resamples, which is what makes differences paired.
// (Efron & Tibshirani 1993, chapters 13 and 16: percentile intervals, clusters as units.)
type Bootstrap struct {
	prompts int
	level   float64
	weights [][]uint16
}

// NewBootstrap draws resamples of the given number of prompts from the ChaCha8 stream of seed.
// level is the coverage of intervals, such as 0.95.
func NewBootstrap(prompts, resamples int, level float64, seed [32]byte) *Bootstrap {
	b := &Bootstrap{prompts: prompts, level: level, weights: make([][]uint16, resamples)}
	r := newRand(seed)
	all := make([]uint16, prompts*resamples)
	for i := range b.weights {
		b.weights[i] = all[i*prompts : (i+1)*prompts]
		for range prompts {
			b.weights[i][r.IntN(prompts)]++
		}
	}
	return b
}

// A statistic is its value on all prompts and on each resample.
type statistic struct {
	point float64
	draws []float64
}

// sample evaluates a statistic on all prompts (weights nil) and on each resample.
func (b *Bootstrap) sample(of func(weights []uint16) float64) statistic {
	s := statistic{point: of(nil), draws: make([]float64, len(b.weights))}
	for r, w := range b.weights {
		s.draws[r] = of(w)
	}
	return s
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

// estimate returns the statistic with its percentile interval. Resamples in which it is missing are
// left out; if that is more than half of them there is no interval.
func (s statistic) estimate(level float64, n int) Estimate {
	e := Estimate{Value: Number(s.point), Low: missing, High: missing, N: n}
	v := present(s.draws)
	if e.Value.Missing() || 2*len(v) < len(s.draws) || len(v) == 0 {
		return e
	}
	slices.Sort(v)
	e.Low, e.High = Number(quantile(v, (1-level)/2)), Number(quantile(v, (1+level)/2))
	return e
}

// quantile interpolates linearly between order statistics of sorted values (Hyndman & Fan's type
// 7, numpy's default).
func quantile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	i := int(math.Floor(at))
	j := min(i+1, len(sorted)-1)
	return sorted[i] + (at-float64(i))*(sorted[j]-sorted[i])
}

// A table holds one measure: for each persona and prompt the sum of the values that are there and
// their number.
type table struct {
	sum, count [][]float64
}

func newTable(personas, prompts int) table {
	t := table{make([][]float64, personas), make([][]float64, personas)}
	for k := range personas {
		t.sum[k], t.count[k] = make([]float64, prompts), make([]float64, prompts)
	}
	return t
}

// add enters a value unless it is missing.
func (t table) add(persona, prompt int, v float64) {
	if !isMissing(v) {
		t.sum[persona][prompt] += v
		t.count[persona][prompt]++
	}
}

// n returns how many values there are.
func (t table) n() int {
	n := 0.0
	for _, c := range t.count {
		for _, v := range c {
			n += v
		}
	}
	return int(n)
}

// personaMean returns the mean of a persona's values, prompts weighted; NaN if there are none.
func (t table) personaMean(k int, weights []uint16) float64 {
	sum, count := 0.0, 0.0
	if weights == nil {
		for p, c := range t.count[k] {
			sum += t.sum[k][p]
			count += c
		}
		return sum / count
	}
	sums, counts := t.sum[k], t.count[k]
	for p, w := range weights {
		sum += float64(w) * sums[p]
		count += float64(w) * counts[p]
	}
	return sum / count // 0/0 is NaN
}

// mean returns the mean over personas of their means: every persona counts the same, however many
// of its values are missing. Personas without a value are left out.
func (t table) mean(weights []uint16) float64 {
	sum, n := 0.0, 0
	for k := range t.sum {
		if m := t.personaMean(k, weights); !isMissing(m) {
			sum += m
			n++
		}
	}
	return sum / float64(n)
}

// standardError returns the standard error of a persona's mean, prompts being the units:
// √(m/(m−1)·Σ(sum_p − mean·count_p)²)/Σcount. It is 0 for a single prompt.
func (t table) standardError(k int) float64 {
	mean, squares, count, m := t.personaMean(k, nil), 0.0, 0.0, 0.0
	for p, c := range t.count[k] {
		if c > 0 {
			r := t.sum[k][p] - mean*c
			squares += r * r
			count += c
			m++
		}
	}
	if m < 2 {
		return 0
	}
	return math.Sqrt(m/(m-1)*squares) / count
}

// newRand returns the stream of a seed.
func newRand(seed [32]byte) *rand.Rand { return rand.New(rand.NewChaCha8(seed)) }
