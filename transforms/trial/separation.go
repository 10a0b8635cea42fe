package trial

import "math"

// MinDPrime is the separation below which a trait says nothing: at d' 2 a text of one kind passes for the
// middle of the other in one case of forty, and the line from 1 to 5 is two standard deviations long.
const MinDPrime = 2

// A Separation says how well a trait scorer tells what the persona says from what the model says by itself:
// its held-out positive texts from the target's unsteered ones. That it tells them from the persona's
// negative texts, which people wrote, says nothing of it.
type Separation struct {
	AUROC  Estimate `json:"auroc"`
	DPrime Estimate `json:"d_prime"`
}

// Separate compares the logits of held-out positive texts with those of unsteered ones; values that are
// missing are left out. The interval of the area is that of [AUROCInterval], and
//
//	d' = (mean_p − mean_u)/s,  s² = (s_p² + s_u²)/2,
//
// has that of Bonett (2008), which needs no equal variances: ±1.96 √V with
//
//	V = d'²/(8 s⁴) · (s_p⁴/(n−1) + s_u⁴/(m−1)) + (s_p²/(n−1) + s_u²/(m−1))/s².
//
// d' is missing if a side has fewer than two texts, or both have no variance.
func Separate(positive, unsteered []float64) Separation {
	positive, unsteered = present(positive), present(unsteered)
	n, m := len(positive), len(unsteered)
	s := Separation{AUROC: noEstimate, DPrime: noEstimate}
	s.AUROC.N, s.DPrime.N = n+m, n+m
	s.AUROC.Value = Number(AUROC(positive, unsteered))
	s.AUROC.Low, s.AUROC.High = AUROCInterval(float64(s.AUROC.Value), n, m)
	if n < 2 || m < 2 {
		return s
	}
	p, u := variance(positive), variance(unsteered)
	both := (p + u) / 2
	if both == 0 {
		return s
	}
	d := (Mean(positive) - Mean(unsteered)) / math.Sqrt(both)
	v := d*d/(8*both*both)*(p*p/float64(n-1)+u*u/float64(m-1)) + (p/float64(n-1)+u/float64(m-1))/both
	e := 1.96 * math.Sqrt(v)
	s.DPrime.Value, s.DPrime.Low, s.DPrime.High = Number(d), Number(d-e), Number(d+e)
	return s
}

// variance is the unbiased estimate Σ(x−mean)²/(n−1).
func variance(values []float64) float64 {
	mean, sum := Mean(values), 0.0
	for _, v := range values {
		sum += (v - mean) * (v - mean)
	}
	return sum / float64(len(values)-1)
}
