package trial

import (
	"errors"
	"math"
)

// A sample is one labelled text for a logistic regression.
type sample struct {
	features []feature
	positive bool
}

// penaltyC is the weight of the loss against ½‖w‖². With rows of length about 1 and some dozen
// texts a side, 10 lets the classes be told apart without following single texts; AUROC on held-out
// texts is flat from 1 to 100.
const penaltyC = 10

// fitLogistic minimises, over weights w [dim] and an unpenalised bias b,
//
//	½‖w‖² + C·Σ cᵢ·ln(1 + exp(−yᵢ(w·xᵢ + b))),  y = ±1,  cᵢ = n/(2·n_class),
//
// by Newton's method with conjugate gradients and step halving. The function is strictly convex,
// so the result depends on nothing but the samples and their order. It is what scikit-learn's
// LogisticRegression(C=10, class_weight="balanced") converges to.
func fitLogistic(samples []sample, dim int) (w []float64, bias float64, err error) {
	p := newLogistic(samples, dim)
	if p == nil {
		return nil, 0, errors.New("logistic regression: a class is empty")
	}
	const steps = 100
	for range steps {
		g := p.gradient()
		if norm(g) <= 1e-9*float64(len(samples)) {
			break
		}
		if !p.step(p.newton(g), g) {
			break // no further decrease can be represented
		}
	}
	return p.x[:dim], p.x[dim], nil
}

// logistic is the state of a fit. x, gradients and steps are [dim+1], the bias last.
type logistic struct {
	samples []sample
	weight  []float64 // C·cᵢ
	x       []float64
	z       []float64 // w·xᵢ + b
}

// newLogistic returns the fit at zero, nil if a class is empty.
func newLogistic(samples []sample, dim int) *logistic {
	positives := 0
	for _, s := range samples {
		if s.positive {
			positives++
		}
	}
	if positives == 0 || positives == len(samples) {
		return nil
	}
	p := &logistic{
		samples: samples, x: make([]float64, dim+1),
		weight: make([]float64, len(samples)), z: make([]float64, len(samples)),
	}
	for i, s := range samples {
		n := len(samples) - positives
		if s.positive {
			n = positives
		}
		p.weight[i] = penaltyC * float64(len(samples)) / float64(2*n)
	}
	return p
}

// along returns v·(xᵢ, 1) for each sample.
func (p *logistic) along(v []float64) []float64 {
	out := make([]float64, len(p.samples))
	for i, s := range p.samples {
		out[i] = v[len(v)-1]
		for _, f := range s.features {
			out[i] += v[f.index] * f.value
		}
	}
	return out
}

// back returns the penalty's part of v plus Σ cᵢ·(xᵢ, 1): the transpose of along.
func (p *logistic) back(v, c []float64) []float64 {
	out := make([]float64, len(v))
	copy(out, v)
	out[len(v)-1] = 0
	for i, s := range p.samples {
		for _, f := range s.features {
			out[f.index] += c[i] * f.value
		}
		out[len(v)-1] += c[i]
	}
	return out
}

// objective returns the value to be minimised at x with projections z.
func (p *logistic) objective(x, z []float64) float64 {
	sum := 0.0
	for _, w := range x[:len(x)-1] {
		sum += w * w / 2
	}
	for i, s := range p.samples {
		m := z[i]
		if !s.positive {
			m = -m
		}
		sum += p.weight[i] * (math.Log1p(math.Exp(-math.Abs(m))) + max(0, -m))
	}
	return sum
}

func sigmoid(z float64) float64 { return 1 / (1 + math.Exp(-z)) }

func (p *logistic) gradient() []float64 {
	c := make([]float64, len(p.samples))
	for i, s := range p.samples {
		if s.positive {
			c[i] = -p.weight[i] * sigmoid(-p.z[i])
		} else {
			c[i] = p.weight[i] * sigmoid(p.z[i])
		}
	}
	return p.back(p.x, c)
}

// newton solves H·s = −g by conjugate gradients.
func (p *logistic) newton(g []float64) []float64 {
	curvature := make([]float64, len(p.samples))
	for i := range curvature {
		curvature[i] = p.weight[i] * sigmoid(p.z[i]) * sigmoid(-p.z[i])
	}
	s := make([]float64, len(g))
	r := make([]float64, len(g))
	for i := range g {
		r[i] = -g[i]
	}
	d := append([]float64(nil), r...)
	rr := inner(r, r)
	target := 1e-24 * rr
	for range 10 * (len(p.samples) + 2) {
		if rr <= target {
			break
		}
		c := p.along(d)
		for i := range c {
			c[i] *= curvature[i]
		}
		hd := p.back(d, c)
		a := rr / inner(d, hd)
		next := 0.0
		for i := range s {
			s[i] += a * d[i]
			r[i] -= a * hd[i]
			next += r[i] * r[i]
		}
		for i := range d {
			d[i] = r[i] + next/rr*d[i]
		}
		rr = next
	}
	return s
}

// step moves along s, halving until the objective falls enough (Armijo), and reports whether it
// did.
func (p *logistic) step(s, g []float64) bool {
	slope := inner(s, g)
	along := p.along(s)
	before := p.objective(p.x, p.z)
	for t := 1.0; t > 1e-10; t /= 2 {
		x := make([]float64, len(p.x))
		z := make([]float64, len(p.z))
		for i := range x {
			x[i] = p.x[i] + t*s[i]
		}
		for i := range z {
			z[i] = p.z[i] + t*along[i]
		}
		if p.objective(x, z) < before+1e-4*t*slope {
			p.x, p.z = x, z
			return true
		}
	}
	return false
}

func inner(a, b []float64) float64 {
	sum := 0.0
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}

func norm(v []float64) float64 { return math.Sqrt(inner(v, v)) }
