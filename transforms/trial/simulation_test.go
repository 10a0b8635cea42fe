package trial

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
)

// A world is an experiment whose truth is known. A text's latent trait is a prompt's share, its condition's shift
// and its own noise; the scale cuts it off at both ends, as a real one does.
type world struct {
	prompts, seeds, personas int
	mapped, oracle           func(alpha float64) float64 // shift in trait; nil: a vector at random
	strength                 float64                     // trait points by which vectors at random lie apart at alpha .75
	text                     float64                     // standard deviation of a text's latent trait
	drawn                    int                         // random vectors of each condition
}

// defaults are like the embedded experiment: unsteered texts at 1.3, texts that differ by 1.2 points.
func defaultWorld() world {
	return world{prompts: 30, seeds: 3, personas: 3, strength: .5, text: 1.2, drawn: 20,
		mapped: effectOf(judgedEffect), oracle: effectOf(judgedEffect)}
}

// judgedEffect is what the oracle does at the alpha that is judged: 2 points of trait, since the scale cuts off.
const judgedEffect = 2.6

// effectOf is a shift of so many points at alpha .75, and in proportion elsewhere.
func effectOf(points float64) func(float64) float64 {
	return func(alpha float64) float64 { return points * alpha / .75 }
}

var worldAlphas = []float64{.3, .45, .75, 1.5}

// experiment draws one experiment of the world.
func (w world) experiment(r *rand.Rand) []Row {
	const unsteered = .4 // latent, below the end of the scale at 1
	var rows []Row
	shared := make([]float64, w.prompts)
	for p := range shared {
		shared[p] = .3 * r.NormFloat64()
	}
	for k := range w.personas {
		persona := fmt.Sprintf("persona%d", k)
		condition := func(name string, alphas []float64, vectors int, shift func(alpha float64) float64) {
			own := make([]float64, vectors) // of vectors at random
			for v := range own {
				own[v] = w.strength * r.NormFloat64()
			}
			manner := make([]float64, w.prompts) // how the condition takes to the prompt
			for p := range manner {
				manner[p] = .3 * r.NormFloat64()
			}
			for _, a := range alphas {
				for p := range w.prompts {
					for s := range w.seeds {
						draw := 0
						if vectors > 0 {
							draw = (p*w.seeds + s) % vectors
						}
						latent := unsteered + shared[p] + w.text*(1+.3*a)*r.NormFloat64()
						if a > 0 {
							latent += manner[p]
						}
						if shift != nil {
							latent += shift(a)
						} else if vectors > 0 {
							latent += own[draw] * a / .75
						}
						rows = append(rows, Row{
							Condition: name, Persona: persona, Alpha: a, Prompt: p, Seed: s, Draw: draw,
							Trait:     max(1, min(5, latent)),
							Coherence: max(1, min(5, 4.5-.9*a*a+.4*r.NormFloat64())),
							Collapsed: r.Float64() < .1*a*a*a, Tokens: 25 + r.IntN(6), Perplexity: 8,
						})
					}
				}
			}
		}
		random := func(f func(float64) float64) int { // one vector, if it is at random
			if f == nil {
				return 1
			}
			return 0
		}
		condition("none", []float64{0}, 0, nil)
		condition("ridge", worldAlphas, random(w.mapped), w.mapped)
		condition("oracle", worldAlphas, random(w.oracle), w.oracle)
		condition("zero_pad", worldAlphas, 1, nil)
		condition("interpolation", worldAlphas, 1, nil)
		condition("random_projection", worldAlphas, w.drawn, nil)
		condition("random_direction", worldAlphas, w.drawn, nil)
		condition("shuffled_pairs", worldAlphas, w.drawn, nil)
	}
	return rows
}

// A count says how often experiments ended how.
type count struct {
	outcomes    map[Outcome]int
	overNone    int // the primary endpoint, better than none, was shown
	notInferior int
}

// run evaluates experiments of the world, on both cores.
func (w world) run(t testing.TB, experiments int, seed byte) count {
	c := count{outcomes: map[Outcome]int{}}
	var mu sync.Mutex
	var wait sync.WaitGroup
	for part := range 2 {
		wait.Go(func() {
			for i := part; i < experiments; i += 2 {
				o := options(.99)
				o.Resamples = 400
				for k := range w.personas {
					p := fmt.Sprintf("persona%d", k)
					o.AUROC[p], o.Separation[p] = .99, clear
				}
				e, err := Evaluate(w.experiment(rand.New(rand.NewChaCha8([32]byte{seed, byte(i), byte(i >> 8)}))), o)
				mu.Lock()
				if err != nil {
					t.Error(err)
				} else {
					c.outcomes[e.Pooled.Verdict.Outcome]++
					if e.Pooled.Primary[0].Pass {
						c.overNone++
					}
					if !slices.Contains(e.Pooled.Verdict.Failed, "ridge − oracle, trait") {
						c.notInferior++
					}
				}
				mu.Unlock()
			}
		})
	}
	wait.Wait()
	return c
}

// clear is a persona that nothing unsteered looks like.
var clear = Separation{AUROC: Estimate{.99, .97, 1, 120}, DPrime: Estimate{3.5, 3, 4, 120}}

var simulations = flag.Int("simulations", 0, "experiments of each kind that are simulated; 0: as many as a quick test allows")

// simulated is the number of experiments to simulate: so many in a quick test, fewer in a short one.
func simulated(t *testing.T, quick, short int) int {
	t.Helper()
	if *simulations > 0 {
		return *simulations
	}
	if testing.Short() {
		return short
	}
	return quick
}

// TestSimulatedDecisions holds the decision rule to what it promises, in worlds whose truth is known. With
//
//	go test ./transforms/trial -run Simulated -simulations 1000 -v
//
// it is done with 1000 experiments of each kind, in a quarter of an hour. Bounds are those promises, plus three
// standard errors of a share of so many experiments.
func TestSimulatedDecisions(t *testing.T) {
	n := simulated(t, 16, 3)
	atMost := func(got int, share float64) bool {
		return float64(got) <= float64(n)*share+3*math.Sqrt(float64(n)*share*(1-share))
	}
	for _, c := range []struct {
		name   string
		change func(w *world)
		holds  func(c count) bool
		want   string
	}{
		{"a mapped vector at random", func(w *world) { w.mapped = nil }, func(c count) bool {
			return atMost(c.outcomes[Success]+c.outcomes[Partial], .01) && atMost(c.overNone, .05)
		}, "success or partial in at most 1 %, better than none in at most 5 %"},
		{"a mapped vector at random, strong ones", func(w *world) { w.mapped, w.strength = nil, 1.2 }, func(c count) bool {
			return atMost(c.outcomes[Success]+c.outcomes[Partial], .01) && atMost(c.overNone, .05)
		}, "success or partial in at most 1 %, better than none in at most 5 %"},
		{"a mapped vector at random, one seed, 2 personas", func(w *world) { w.mapped, w.seeds, w.personas = nil, 1, 2 }, func(c count) bool {
			return atMost(c.outcomes[Success]+c.outcomes[Partial], .01) && atMost(c.overNone, .05)
		}, "success or partial in at most 1 %, better than none in at most 5 %"},
		{"labels at random", func(w *world) { w.mapped, w.oracle = nil, nil }, func(c count) bool {
			return atMost(n-c.outcomes[Inconclusive], .10)
		}, "inconclusive in at least 90 %"},
		{"labels at random, strong vectors", func(w *world) { w.mapped, w.oracle, w.strength = nil, nil, 1.2 }, func(c count) bool {
			return atMost(n-c.outcomes[Inconclusive], .10)
		}, "inconclusive in at least 90 %"},
		{"a recovery of .9, 60 prompts", func(w *world) { w.prompts, w.mapped = 60, effectOf(.9*judgedEffect) }, func(c count) bool {
			return atMost(n-c.outcomes[Success], .20)
		}, "success in at least 80 %"},
		{"a recovery of .4", func(w *world) { w.mapped = effectOf(.4 * judgedEffect) }, func(c count) bool {
			return atMost(c.outcomes[Success], .01)
		}, "success in at most 1 %"},
	} {
		w := defaultWorld()
		c.change(&w)
		got := w.run(t, n, 5)
		line := fmt.Sprintf("%s: of %d experiments %d success, %d partial, %d failure, %d inconclusive; %d better than none", c.name, n,
			got.outcomes[Success], got.outcomes[Partial], got.outcomes[Failure], got.outcomes[Inconclusive], got.overNone)
		t.Log(line)
		if !c.holds(got) {
			t.Errorf("%s; want %s", line, c.want)
		}
	}
}

// BenchmarkEvaluateDrawn evaluates an experiment of the default's size: 30 prompts, 3 seeds, 3 personas, 8
// conditions with 20 vectors where they are drawn.
func BenchmarkEvaluateDrawn(b *testing.B) {
	w := defaultWorld()
	rows := w.experiment(rand.New(rand.NewChaCha8([32]byte{1})))
	o := options(.99, "persona0", "persona1", "persona2")
	o.Resamples = DefaultOptions().Resamples
	for b.Loop() {
		evaluate(b, rows, o)
	}
	b.ReportMetric(float64(len(rows)), "texts")
}
