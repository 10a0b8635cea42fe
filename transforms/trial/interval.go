package trial

import (
	"gonum.org/v1/gonum/stat/distuv"
)

// The weight, in prompts' squared deviations, of the assumption that all texts of a prompt are alike and that
// scores lie at the ends of their scale only. Texts that nearly all agree hardly say how much others would
// differ. For proportions the first text that differs must not narrow the interval by more than it moves it:
// that takes 1.76·(1 − 1/texts of a prompt). For means of scores, which mostly lie in between, half is enough
// for coverage to stay at 93 % or more from 1.2 to 4.8 (TestIntervalsCover).
const (
	doubtOfShares = 2.0
	doubtOfScores = 0.5
)

// A scale is the range of a measure.
type scale struct{ low, high float64 }

var (
	scoreScale = scale{1, 5} // of trait and coherence
	shareScale = scale{0, 1} // of collapse, and of prompts that moved
)

// share places a value of the scale between 0 and 1.
func (s scale) share(v float64) float64 { return (v - s.low) / (s.high - s.low) }

// worth returns how many independent texts at either end of the scale m prompts are worth, whose mean is the
// share p with the standard error se (as a share too): m/a, but not more than most, where
//
//	a = (m²·se² + d)/(m·p·(1−p) + d),  d = doubt·(1 − 2p)².
//
// Without d, a is the quotient of the variance that was found and that of m such texts: the design effect of
// Kish (1965) is 1/a of the number of texts. A prompt is worth more than one text if it has several that
// differ, or scores between the ends. It is at least half a text.
func worth(p, se, m, doubt float64) float64 {
	d := doubt * (1 - 2*p) * (1 - 2*p)
	return max(.5, m*(m*p*(1-p)+d)/(m*m*se*se+d))
}

// bounded returns a mean of scores with an interval that ends inside the scale and has a width where no score
// differs: the quantiles of the beta distribution with parameters p·n+½ and (1−p)·n+½, which for n texts at the
// ends of the scale is Jeffreys' interval of a proportion (Brown, Cai & DasGupta 2001), n being their worth. m is
// the number of prompts and se the standard error.
func (b *Bootstrap) bounded(mean, se float64, m, texts int, s scale) Estimate {
	e := Estimate{Value: Number(mean), Low: missing, High: missing, N: texts}
	if isMissing(mean) || isMissing(se) || m < 2 || b.widen == 0 {
		return e
	}
	low, high := 0.0, 1.0
	p, n := b.posterior(mean, se, m, s)
	beta, tail := distuv.Beta{Alpha: p*n + .5, Beta: (1-p)*n + .5}, (1-b.level)/2
	if mean > s.low {
		low = beta.Quantile(tail)
	}
	if mean < s.high {
		high = beta.Quantile(1 - tail)
	}
	e.Low, e.High = Number(s.low+low*(s.high-s.low)), Number(s.low+high*(s.high-s.low))
	return e
}

// posterior returns a mean as a share, and the number of texts it is worth; the quotient of the normal's and
// Student's quantiles pays for having estimated its error (Korn & Graubard 1998).
func (b *Bootstrap) posterior(mean, se float64, m int, s scale) (p, n float64) {
	p = s.share(mean)
	n = worth(p, se/(s.high-s.low), float64(m), doubtOfScores)
	estimated := distuv.UnitNormal.Quantile((1+b.level)/2) / b.student
	return p, max(.5, n*estimated*estimated)
}

// unseen returns the variance by which a mean is less certain than its standard error says, because its
// scores lie near the end of the scale and few of them differ: the variance of the beta distribution of
// [Bootstrap.bounded], with the quotient of quantiles left out, less se².
func unseen(mean, se float64, m int, s scale) float64 {
	width := s.high - s.low
	p := s.share(mean)
	n := worth(p, se/width, float64(m), doubtOfScores)
	near := (p*n + .5) / (n + 1)
	return max(0, width*width*near*(1-near)/(n+2)-se*se)
}

// proportion returns the mean of a table of zeros and ones, every persona counting the same, with an
// exact interval: that of Clopper & Pearson (1934) for as many independent texts as these are worth
// (Korn & Graubard 1998): at least the number of prompts, which it is if all texts of a prompt are alike, and
// at most their own number. Resamples of prompts cannot give one: where no text has the property, none of
// theirs does, and the interval would be [0, 0].
func (t table) proportion(level float64) Estimate {
	e := Estimate{Value: Number(t.mean()), Low: missing, High: missing, N: t.n()}
	if e.Value.Missing() {
		return e
	}
	p, m, n := float64(e.Value), float64(t.prompts()), float64(e.N)
	texts := m
	if m > 1 && n > m {
		quantile := func(freedom float64) float64 {
			return distuv.StudentsT{Sigma: 1, Nu: freedom}.Quantile((1 + level) / 2)
		}
		estimated := quantile(n-1) / quantile(m-1)
		texts = min(max(m, worth(p, t.standardError(), m, doubtOfShares)*estimated*estimated), n)
	}
	e.Low, e.High = clopperPearson(p, texts, level)
	return e
}

// clopperPearson returns the smallest and the largest rate that one would not reject, at (1−level)/2
// on either side, having seen the share p in n independent texts: quantiles of beta distributions,
// which are defined where p·n or n is not whole. It never covers less than level, as Wilson's (1927)
// interval does near 0 and 1: of 10 texts and a rate of .01 that covers .90 at level .95 (Brown, Cai &
// DasGupta 2001).
func clopperPearson(p, n, level float64) (low, high Number) {
	x, tail := p*n, (1-level)/2
	low, high = 0, 1
	if p > 0 {
		low = Number(distuv.Beta{Alpha: x, Beta: n - x + 1}.Quantile(tail))
	}
	if p < 1 {
		high = Number(distuv.Beta{Alpha: x + 1, Beta: n - x}.Quantile(1 - tail))
	}
	return low, high
}
