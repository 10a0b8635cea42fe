package gpu

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"
)

// chance is how rarely a test of frequencies fails, either way, on numbers that are as random as they should be.
const chance = 1e-6

// checkFrequencies compares counts with shares by Pearson's χ². Counts that fit too well are no chance either.
func checkFrequencies(t *testing.T, what string, count []int, share []float64) {
	t.Helper()
	total, chi := 0, 0.
	for _, n := range count {
		total += n
	}
	for i, p := range share {
		want := p * float64(total)
		chi += (float64(count[i]) - want) * (float64(count[i]) - want) / want
	}
	if p := (distuv.ChiSquared{K: float64(len(share) - 1)}).Survival(chi); !(p > chance && p < 1-chance) {
		t.Errorf("%s: χ² %.1f of %d degrees of freedom, p = %.2g: counts %v, shares %.4v", what, chi, len(share)-1, p, count, share)
	}
}

// TestFrequenciesAreProbabilities draws by keys that are as much alike as those of an experiment.
func TestFrequenciesAreProbabilities(t *testing.T) {
	logits := []float32{1, 0, -1, 2.5, 0, 0.7, -2, 1.9, -0.3, 2.4}
	ends := []int32{7}
	keys := map[string]func(i int) (Noise, int){
		"seeds":   func(i int) (Noise, int) { return Noise{Seed: uint64(i)}, 3 },
		"steps":   func(i int) (Noise, int) { return Noise{Seed: 42}, i },
		"prompts": func(i int) (Noise, int) { return Noise{Prompt: PromptDigest(fmt.Sprint(i))}, 0 },
		"both":    func(i int) (Noise, int) { return Noise{Seed: uint64(i % 200)}, i / 200 },
	}
	for _, s := range []Sampling{
		{Temperature: 1}, {Temperature: 0.5}, {Temperature: 3}, {Temperature: 0.8, TopP: 0.9}, {Temperature: 1, TopP: 0.4},
		{Temperature: 1, TopK: 4}, {Temperature: 2, TopK: 6, TopP: 0.8}, {Temperature: 1, StopAtEOS: true},
	} {
		p := newSampler(s, ends)
		ids, share, _ := sorted(logits, s, ends)
		for name, key := range keys {
			count := make([]int, len(ids))
			for i := range 20000 {
				noise, step := key(i)
				id, _, err := p.choose(slices.Clone(logits), noise, step)
				if err != nil {
					t.Fatal(err)
				}
				at := slices.Index(ids, id)
				if at < 0 {
					t.Fatalf("%+v: token %d is drawn, which was cut", s, id)
				}
				count[at]++
			}
			checkFrequencies(t, fmt.Sprintf("%+v by neighbouring %s", s, name), count, share)
		}
	}
}

// TestNeighboursShareNothing compares numbers whose keys differ by as little as they can. Each bit of one is
// that of the other half of the time, and each pair of sixteenths comes as often.
func TestNeighboursShareNothing(t *testing.T) {
	const n = 1 << 17
	number := func(seed uint64, prompt byte, step int, id int32) uint32 {
		noise := Noise{Seed: seed}
		noise.Prompt[0] = prompt
		lo, hi := noise.Words(step)
		return bitsOf(lo, hi, id)
	}
	for name, pair := range map[string]func(i int) (a, b uint32){
		"seeds":           func(i int) (a, b uint32) { return number(uint64(i), 0, 1, 5), number(uint64(i)+1, 0, 1, 5) },
		"steps":           func(i int) (a, b uint32) { return number(42, 0, i, 5), number(42, 0, i+1, 5) },
		"prompts":         func(i int) (a, b uint32) { return number(uint64(i), 1, 0, 5), number(uint64(i), 2, 0, 5) },
		"tokens":          func(i int) (a, b uint32) { return number(42, 0, 7, int32(i)), number(42, 0, 7, int32(i)+1) },
		"tokens of steps": func(i int) (a, b uint32) { return number(42, 0, 7, int32(i)), number(42, 0, 8, int32(i)) },
		"tokens of seeds": func(i int) (a, b uint32) { return number(42, 0, 7, int32(i)), number(43, 0, 7, int32(i)) },
		"far tokens":      func(i int) (a, b uint32) { return number(42, 0, 7, int32(i)), number(42, 0, 7, int32(i)+1<<16) },
		"step and token":  func(i int) (a, b uint32) { return number(42, 0, i, int32(i)), number(42, 0, i+1, int32(i)+1) },
		"seed and step":   func(i int) (a, b uint32) { return number(uint64(i), 0, 9, 5), number(uint64(i)+1, 0, 8, 5) },
	} {
		var changed [32]int
		cells := make([]int, 256)
		for i := range n {
			a, b := pair(i)
			for bit := range changed {
				changed[bit] += int((a ^ b) >> bit & 1)
			}
			cells[a>>28<<4|b>>28]++
		}
		for bit, c := range changed {
			checkFrequencies(t, fmt.Sprintf("%s: bit %d", name, bit), []int{c, n - c}, []float64{0.5, 0.5})
		}
		checkFrequencies(t, name, cells, slices.Repeat([]float64{1. / 256}, 256))
	}
}

// TestUniformIsInsideOfItsBounds: sampling leaves out what cannot arrive first by what it knows of these ends.
func TestUniformIsInsideOfItsBounds(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	bits := []uint32{0, 1, 2, 1 << 23, 1<<24 - 1, 1 << 24, 1<<32 - 256, 1<<32 - 129, 1<<32 - 128, 1<<32 - 1}
	for range 100000 {
		bits = append(bits, rng.Uint32()>>rng.IntN(32))
	}
	slices.Sort(bits)
	var last float32
	for _, b := range bits {
		v := uniform(b)
		if want := (float64(b) + 0.5) / (1 << 32); v < last || v < 0x1p-33 || v > 1-0x1p-24 || math.Abs(float64(v)-want) > 0x1p-24*want+0x1p-25 {
			t.Fatalf("bits %d: %g, want %g", b, v, want)
		}
		if e := exponential(v); !(e >= v && e < 17) {
			t.Fatalf("of %g: variable %g", v, e)
		}
		last = v
	}
	if first := uniform(0); first != 0x1p-33 || last != 1-0x1p-24 {
		t.Errorf("from %g to %g, want %g to %g", first, last, 0x1p-33, 1-0x1p-24)
	}
}

// TestLikeDistributionsChooseAlike: with the same noise two distributions choose the same token with
// probability (1 − D)/(1 + D) at least, where D is their distance in total variation (arXiv:2408.07978).
func TestLikeDistributionsChooseAlike(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 1))
	const tokens, draws = 300, 4000
	for _, shift := range []float64{0.05, 0.2, 0.6} {
		a, b := make([]float32, tokens), make([]float32, tokens)
		for i := range a {
			a[i] = float32(2 * rng.NormFloat64())
			b[i] = a[i] + float32(shift*rng.NormFloat64())
		}
		s := Sampling{Temperature: 1}
		share := func(logits []float32) []float64 {
			ids, p, _ := sorted(logits, s, nil)
			by := make([]float64, tokens)
			for i, id := range ids {
				by[id] = p[i]
			}
			return by
		}
		var distance float64
		other := share(b)
		for i, p := range share(a) {
			distance += math.Abs(p-other[i]) / 2
		}
		same := 0
		p := newSampler(s, nil)
		for step := range draws {
			x, _, _ := p.choose(a, Noise{Seed: 1}, step)
			y, _, _ := p.choose(b, Noise{Seed: 1}, step)
			if x == y {
				same++
			}
		}
		bound := (1 - distance) / (1 + distance)
		if got := float64(same) / draws; got < bound-5*math.Sqrt(bound*(1-bound)/draws) {
			t.Errorf("at a distance of %.3f: %.3f of the tokens are the same, want %.3f", distance, got, bound)
		} else {
			t.Logf("at a distance of %.3f: %.3f of the tokens are the same, at least %.3f are", distance, got, bound)
		}
	}
}
