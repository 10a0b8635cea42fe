package gpu

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/persona-transfer/runpipeline/gpu/gputest"
)

// sorted are the tokens that can be chosen in canonical order, with the probabilities that sampling leaves
// them, as its definition reads: sort everything, cut, cut again.
func sorted(logits []float32, s Sampling, ends []int32) (ids []int32, p []float64, far float64) {
	for i := range logits {
		if s.StopAtEOS || !slices.Contains(ends, int32(i)) {
			ids = append(ids, int32(i))
		}
	}
	slices.SortStableFunc(ids, func(a, b int32) int {
		switch {
		case logits[a] > logits[b]:
			return -1
		case logits[a] < logits[b]:
			return 1
		}
		return 0
	})
	if s.TopK > 0 && s.TopK < len(ids) {
		ids = ids[:s.TopK]
	}
	var sum float64
	for _, id := range ids {
		p = append(p, math.Exp((float64(logits[id])-float64(logits[ids[0]]))/s.Temperature))
		sum += p[len(p)-1]
	}
	far = math.Inf(1)
	if s.TopP > 0 && s.TopP < 1 {
		kept, run := 0, 0.
		for i, w := range p {
			if kept == 0 {
				far = min(far, math.Abs(run/sum+w/sum-s.TopP))
				if run += w; run >= s.TopP*sum {
					kept = i + 1
				}
			}
		}
		ids, p, sum = ids[:kept], p[:kept], run
	}
	for i := range p {
		p[i] /= sum
	}
	return ids, p, far
}

// plainChoose is the sampler as its definition reads, and how far its choice is from another.
func plainChoose(logits []float32, s Sampling, ends []int32, n Noise, step int) (token int32, far float64) {
	ids, p, far := sorted(logits, s, ends)
	lo, hi := n.Words(step)
	first, second := math.Inf(1), math.Inf(1)
	for i, id := range ids {
		e := -math.Log1p(-float64(uniform(bitsOf(lo, hi, id))))
		switch at := e / p[i]; {
		case at < first || at == first && id < token:
			token, first, second = id, at, first
		case at < second:
			second = at
		}
	}
	return token, min(far, second/first-1)
}

// rounding is how near another choice may be for single precision to make it: weights have seven digits, and
// sums of them one less.
const rounding = 3e-6

func TestSamplingIsItsDefinition(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	near := 0
	const rounds = 6000
	for i := range rounds {
		n := 3 + rng.IntN(400)
		switch {
		case i%200 == 0:
			n += 100 * vocabPart
		case i%16 == 0:
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
			s.TopP = 0.05 + 0.95*rng.Float64()
		}
		if i%3 == 0 {
			s.TopK = 1 + rng.IntN(n+5)
		}
		ends := []int32{int32(rng.IntN(n)), 2}
		noise := Noise{Seed: uint64(i)}
		got, _, err := newSampler(s, ends).choose(slices.Clone(logits), noise, 5)
		if err != nil {
			t.Fatal(err)
		}
		want, far := plainChoose(logits, s, ends, noise, 5)
		switch {
		case got == want:
		case far < rounding:
			near++
		default:
			t.Errorf("%+v of %d tokens: token %d, want %d, which is %.1e from another", s, n, got, want, far)
		}
		if !s.StopAtEOS && slices.Contains(ends, got) {
			t.Fatalf("end-of-text was chosen")
		}
	}
	if near > 3 {
		t.Errorf("%d of %d choices hang on rounding", near, rounds)
	}
}

// TestSamplingEqualsPython holds words, bits, variables and choices to those of make_sampling.py. Every stored
// generation depends on them, whatever device made it: they must not change while the sampler has its name.
func TestSamplingEqualsPython(t *testing.T) {
	fixture := gputest.ReadSampling(t, "testdata/sampling.json")
	if fixture.Sampler != Sampler {
		t.Fatalf("the fixture is of %q", fixture.Sampler)
	}
	for _, n := range fixture.Noise {
		lo, hi := Noise{Seed: n.Seed, Prompt: PromptDigest(n.Prompt)}.Words(n.Step)
		if lo != n.Lo || hi != n.Hi {
			t.Errorf("seed %d, %q, step %d: words %d and %d, want %d and %d", n.Seed, n.Prompt, n.Step, lo, hi, n.Lo, n.Hi)
		}
		for i, id := range n.Tokens {
			bits := bitsOf(lo, hi, id)
			if e := float64(exponential(uniform(bits))); bits != n.Bits[i] || math.Abs(e-n.Exponential[i]) > 0x1p-24*e {
				t.Errorf("token %d: bits %d and variable %g, want %d and %g", id, bits, e, n.Bits[i], n.Exponential[i])
			}
		}
	}
	for i, r := range fixture.Rows {
		p, noise := newSampler(Sampling{Temperature: r.Temperature, TopP: r.TopP, TopK: r.TopK}, nil), Noise{Seed: r.Seed, Prompt: PromptDigest(r.Prompt)}
		if lo, hi := noise.Words(r.Step); lo != r.Lo || hi != r.Hi {
			t.Errorf("row %d: words %d and %d, want %d and %d", i, lo, hi, r.Lo, r.Hi)
		}
		if id, _, err := p.choose(r.Logits, noise, r.Step); err != nil || id != r.Token {
			t.Errorf("row %d: token %d (error %v), want %d", i, id, err, r.Token)
		}
	}
}

// TestTemperatureHasNoEnds goes beyond what a float32 can be the inverse of, both ways.
func TestTemperatureHasNoEnds(t *testing.T) {
	inf := float32(math.Inf(1))
	for _, cut := range []Sampling{{}, {TopP: 0.9}, {TopK: 2}, {TopP: 0.9, TopK: 2}} {
		for _, cut.Temperature = range []float64{1e-30, 1e-39, 1e-300, 5e-324} {
			for seed := range uint64(50) {
				id, _, err := newSampler(cut, nil).choose([]float32{1, 0, -3, 2.5, -inf}, Noise{Seed: seed}, 0)
				if err != nil || id != 3 {
					t.Errorf("%+v: token %d (error %v), want 3", cut, id, err)
				}
			}
		}
		for _, cut.Temperature = range []float64{1e9, 1e46, 1e300, math.MaxFloat64} {
			seen := map[int32]bool{}
			for seed := range uint64(50) {
				id, _, err := newSampler(cut, []int32{4}).choose([]float32{1, -inf, -3, 2.5, 9}, Noise{Seed: seed}, 0)
				if err != nil || id == 1 || id == 4 {
					t.Fatalf("%+v: token %d (error %v)", cut, id, err)
				}
				seen[id] = true
			}
			if want := 3 - cut.TopK/2; len(seen) != want {
				t.Errorf("%+v: tokens %v, want %d", cut, seen, want)
			}
		}
	}
}

// TestOneTokenIsLeft: whatever the noise, where there is no choice.
func TestOneTokenIsLeft(t *testing.T) {
	inf := float32(math.Inf(1))
	logits := []float32{1, 2.5, 2.5, -3}
	for name, c := range map[string]struct {
		s      Sampling
		logits []float32
	}{
		"top-k 1":         {Sampling{TopK: 1}, logits},
		"top-k 1, top-p":  {Sampling{TopK: 1, TopP: 0.99}, logits},
		"a tiny top-p":    {Sampling{TopP: 1e-12}, logits},
		"top-k and top-p": {Sampling{TopK: 3, TopP: 0.3}, logits},
		"the others −∞":   {Sampling{}, []float32{-inf, 0, -inf}},
		"one token":       {Sampling{TopP: 0.5, TopK: 7}, []float32{-3, 4}[1:]},
	} {
		c.s.Temperature = 1
		p := newSampler(c.s, nil)
		want, _, _ := greedy(c.logits)
		for step := range 200 {
			if id, _, err := p.choose(c.logits, Noise{Seed: 3}, step); err != nil || id != want {
				t.Fatalf("%s: token %d (error %v), want %d", name, id, err, want)
			}
		}
	}
}

// TestEqualsGoToTheSmallerID finds two tokens whose bits differ in what a float32 leaves out, makes their
// weights equal, and puts the greater id first in the canonical order.
func TestEqualsGoToTheSmallerID(t *testing.T) {
	lo, hi := Noise{}.Words(0)
	seen := map[float32]int32{}
	pairs := 0
	for id := range int32(1 << 15) {
		v := uniform(bitsOf(lo, hi, id))
		other, ok := seen[v]
		seen[v] = id
		if !ok {
			continue
		}
		pairs++
		logits := slices.Repeat([]float32{float32(math.Inf(-1))}, 1<<15)
		logits[other], logits[id] = 1, math.Nextafter32(1, 2) // at this temperature the same
		for _, cut := range []Sampling{{}, {TopK: 2}, {TopP: 0.9}} {
			cut.Temperature = 1e9
			if got, _, err := newSampler(cut, nil).choose(slices.Clone(logits), Noise{}, 0); err != nil || got != other {
				t.Errorf("%+v: of tokens %d and %d, which arrive together, %d (error %v)", cut, other, id, got, err)
			}
		}
	}
	if pairs == 0 {
		t.Error("no two tokens arrive together")
	}
}

// TestALoserMakesNoDifference bars tokens that were not chosen. Others' noise is their own, so the choice is
// the same; with one number for all tokens it would move.
func TestALoserMakesNoDifference(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 1))
	for i := range 300 {
		logits := make([]float32, 20+rng.IntN(600))
		for j := range logits {
			logits[j] = float32(2 * rng.NormFloat64())
		}
		p := newSampler(Sampling{Temperature: 1}, nil)
		want, _, err := p.choose(logits, Noise{Seed: 9}, i)
		if err != nil {
			t.Fatal(err)
		}
		for j := range logits {
			if int32(j) != want && rng.IntN(2) == 0 {
				logits[j] = float32(math.Inf(-1))
			}
		}
		if got, _, err := p.choose(logits, Noise{Seed: 9}, i); err != nil || got != want {
			t.Fatalf("step %d: without tokens that had lost %d (error %v), want %d", i, got, err, want)
		}
		short := logits[:want+1]
		if got, _, err := newSampler(Sampling{Temperature: 1}, nil).choose(short, Noise{Seed: 9}, i); err != nil || got != want {
			t.Fatalf("step %d: of a vocabulary that ends with it %d (error %v), want %d", i, got, err, want)
		}
	}
}

func TestBrokenLogitsAreAnError(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	far := make([]float32, 3*vocabPart) // in a part that weighs nothing
	for i := range far {
		far[i] = float32(-i)
	}
	far[2*vocabPart+5] = nan
	for _, s := range []Sampling{{}, {Temperature: 1}, {Temperature: 1, TopP: 0.9}, {Temperature: 1, TopK: 2}} {
		p := newSampler(s, nil)
		for _, logits := range [][]float32{{nan, nan}, {1, nan}, {nan, 1}, {2, 1, nan, 0}, {inf, 1}, {-inf, -inf}, far} {
			if token, _, err := p.choose(slices.Clone(logits), Noise{}, 0); err == nil {
				t.Errorf("%+v: of %d logits token %d is chosen", s, len(logits), token)
			}
		}
		if _, _, err := p.choose([]float32{1, -inf}, Noise{}, 0); err != nil {
			t.Errorf("%+v: a token that cannot come: %v", s, err)
		}
	}
}
