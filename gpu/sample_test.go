package gpu

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// plainChoose is sampling as its definition reads: sort everything, cut, add up.
func plainChoose(logits []float32, s Sampling, ends map[int32]bool, u float64) int32 {
	type token struct {
		id int32
		p  float64
	}
	var list []token
	for i, v := range logits {
		if s.StopAtEOS || !ends[int32(i)] {
			list = append(list, token{int32(i), float64(v)})
		}
	}
	slices.SortStableFunc(list, func(a, b token) int {
		switch {
		case a.p > b.p:
			return -1
		case a.p < b.p:
			return 1
		}
		return 0
	})
	if s.TopK > 0 && s.TopK < len(list) {
		list = list[:s.TopK]
	}
	top := list[0].p
	var sum float64
	for i := range list {
		list[i].p = math.Exp((list[i].p - top) / s.Temperature)
		sum += list[i].p
	}
	if s.TopP > 0 && s.TopP < 1 {
		var run float64
		for i := range list {
			run += list[i].p
			if run >= s.TopP*sum {
				list, sum = list[:i+1], run
				break
			}
		}
	}
	var run float64
	for _, t := range list {
		run += t.p
		if run > u*sum {
			return t.id
		}
	}
	return list[len(list)-1].id
}

func TestSamplingIsItsDefinition(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	differ := 0
	const rounds = 4000
	for i := range rounds {
		n := 3 + rng.IntN(400)
		if i%16 == 0 {
			n += 2 * vocabPart
		}
		logits := make([]float32, n)
		for j := range logits {
			logits[j] = float32(rng.NormFloat64() * math.Exp(3*rng.Float64()-1))
			if rng.IntN(4) == 0 && j > 0 {
				logits[j] = logits[j-1] // ties
			}
		}
		s := Sampling{Temperature: 0.2 + 4*rng.Float64(), StopAtEOS: rng.IntN(2) == 0}
		if i%2 == 0 {
			s.TopP = 0.3 + 0.7*rng.Float64()
		}
		if i%3 == 0 {
			s.TopK = 1 + rng.IntN(n+5)
		}
		ends := []int32{int32(rng.IntN(n)), 2}
		noise := Noise{Seed: uint64(i)}
		p := newSampler(s, ends)
		got, _, err := p.choose(slices.Clone(logits), noise, 5)
		if err != nil {
			t.Fatal(err)
		}
		if want := plainChoose(logits, s, p.ends, noise.Uniform(5)); got != want {
			differ++
		}
		if !s.StopAtEOS && p.ends[got] {
			t.Fatalf("end-of-text was chosen")
		}
	}
	// Weights have seven digits: a uniform number falls on the other side of a boundary about
	// once in a million draws.
	if differ > 1 {
		t.Errorf("%d of %d draws differ from the definition", differ, rounds)
	}
}

// TestColdestIsGreedy lowers the temperature below what a float32 can be the inverse of.
func TestColdestIsGreedy(t *testing.T) {
	for _, temperature := range []float64{1e-30, 1e-39, 1e-300, 5e-324} {
		p := newSampler(Sampling{Temperature: temperature, TopP: 0.9, TopK: 2}, nil)
		if id, _, err := p.choose([]float32{1, 0, -3, 2.5}, Noise{}, 0); err != nil || id != 3 {
			t.Errorf("temperature %g: token %d (error %v), want 3", temperature, id, err)
		}
	}
}

func TestFrequenciesAreProbabilities(t *testing.T) {
	logits := []float32{1, 0, -1, 2.5, 0}
	const n = 40000
	count := make([]float64, len(logits))
	p := newSampler(Sampling{Temperature: 0.7}, nil)
	for i := range n {
		id, _, err := p.choose(slices.Clone(logits), Noise{Seed: uint64(i)}, i%7)
		if err != nil {
			t.Fatal(err)
		}
		count[id]++
	}
	var sum float64
	for _, v := range logits {
		sum += math.Exp(float64(v) / 0.7)
	}
	for i, v := range logits {
		want := math.Exp(float64(v)/0.7) / sum
		// Five standard deviations of a binomial share.
		if tol := 5 * math.Sqrt(want*(1-want)/n); math.Abs(count[i]/n-want) > tol {
			t.Errorf("token %d: share %.4f, want %.4f ± %.4f", i, count[i]/n, want, tol)
		}
	}
}

func TestUniformIsUniformAndFixed(t *testing.T) {
	n := Noise{Seed: 1, Prompt: PromptDigest("Describe the cat.")}
	var mean float64
	const steps = 10000
	for i := range steps {
		u := n.Uniform(i)
		if u < 0 || u >= 1 {
			t.Fatalf("step %d: %g", i, u)
		}
		mean += u / steps
	}
	if math.Abs(mean-0.5) > 5*math.Sqrt(1.0/12/steps) {
		t.Errorf("mean %g, want 0.5", mean)
	}
	// Every stored generation depends on this number: it must never change.
	if got := n.Uniform(3); got != 0.24557552240069314 {
		t.Errorf("Uniform(3) = %v: the stream changed", got)
	}
	if n.Uniform(3) == (Noise{Seed: 2, Prompt: n.Prompt}).Uniform(3) {
		t.Error("another seed gave the same number")
	}
}

func TestBrokenLogitsAreAnError(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, temperature := range []float64{0, 1} {
		p := newSampler(Sampling{Temperature: temperature}, nil)
		for _, logits := range [][]float32{{nan, nan}, {1, nan}, {nan, 1}, {2, 1, nan, 0}, {inf, 1}, {-inf, -inf}} {
			if token, _, err := p.choose(slices.Clone(logits), Noise{}, 0); err == nil {
				t.Errorf("temperature %g: of %v token %d is chosen", temperature, logits, token)
			}
		}
		if _, _, err := p.choose([]float32{1, -inf}, Noise{}, 0); err != nil {
			t.Errorf("temperature %g: a token that cannot come: %v", temperature, err)
		}
	}
}
