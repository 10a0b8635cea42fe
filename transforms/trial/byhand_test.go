package trial

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// A said is one text of the small experiments below.
func said(condition, persona string, alpha float64, prompt int, trait float64) Row {
	return Row{Condition: condition, Persona: persona, Alpha: alpha, Prompt: prompt, Trait: trait, Coherence: 4, Tokens: 10, Perplexity: 4}
}

// noiseOf is what random vectors do to a persona: nothing, one of them a prompt.
func noiseOf(persona string, prompts int, trait float64) (rows []Row) {
	for p := range prompts {
		r := said("random_direction", persona, 1, p, trait)
		r.Draw = p
		rows = append(rows, r)
	}
	return rows
}

// TestBetterThanNoneIsBetterThanNoise: a vector that moves the trait by a point where every random one moves it by
// 1.1 is not shown to be better than none, and is where they move it by .1.
func TestBetterThanNoneIsBetterThanNoise(t *testing.T) {
	for noise, want := range map[float64]bool{2.6: false, 1.6: true} {
		var rows []Row
		for p := range 32 {
			base := 1.5 + float64(p/2%8)/4
			rows = append(rows, said("none", "p", 0, p, base), said("ridge", "p", 1, p, base+1), said("oracle", "p", 1, p, base+1.2))
			random := said("random_direction", "p", 1, p, base+noise-1.5)
			random.Draw = p
			rows = append(rows, random)
		}
		g := evaluate(t, rows, options(1, "p")).Pooled
		if c := g.Primary[0]; c.Versus != "none" || c.Pass != want || !(c.Difference.Low > 0) {
			t.Errorf("random vectors at %g: %+v, want a difference above 0 and pass %t", noise, c, want)
		}
	}
}

// TestDifferencesArePaired: on every prompt ridge is exactly 1 above none and .5 below the oracle, while
// prompts differ by up to 2. All that is left of the width is what few scores cannot say of those near an end,
// a sixth of what unpaired intervals have.
func TestDifferencesArePaired(t *testing.T) {
	var rows []Row
	for p := range 32 {
		base := 1.5 + float64(p/2%8)/4
		rows = append(rows, said("none", "p", 0, p, base), said("ridge", "p", 1, p, base+1), said("oracle", "p", 1, p, base+1.5))
	}
	g := evaluate(t, rows, options(1, "p")).Pooled
	own := condition(t, g, "ridge").Trait
	for name, c := range map[string]struct {
		got  Estimate
		want float64
	}{
		"ridge − none":   {*condition(t, g, "ridge").Effect, 1},
		"oracle − none":  {*condition(t, g, "oracle").Effect, 1.5},
		"ridge − oracle": {condition(t, g, "oracle").MappedMinusThis.Trait, -.5},
		"recovery":       {*g.Recovery, 1 / 1.5},
	} {
		if math.Abs(float64(c.got.Value)-c.want) > 1e-12 || c.got.High-c.got.Low > (own.High-own.Low)*2/3 {
			t.Errorf("%s: %+v, want %g, in less than two thirds of the width of ridge alone, %+v", name, c.got, c.want, own)
		}
	}
	if moved := condition(t, g, "ridge").Moved; moved.Value != 1 || moved.Low > .95 || moved.High != 1 {
		t.Errorf("moved by ridge: %+v, want 1 with the bound of 32 of 32", moved)
	}
}

// TestIntervalIsOfItsLevel reads the bounds of 101 draws from 0 to 100.
func TestIntervalIsOfItsLevel(t *testing.T) {
	s := statistic{point: 50}
	for i := range 101 {
		s.draws = append(s.draws, float64((i*37)%101))
	}
	at := func(tail float64) *Bootstrap { return &Bootstrap{widen: 1, tail: tail} }
	for tail, want := range map[float64][2]float64{.05: {5, 95}, .025: {2.5, 97.5}, .25: {25, 75}} {
		if e := at(tail).estimate(s, 7); math.Abs(float64(e.Low)-want[0]) > 1e-9 || math.Abs(float64(e.High)-want[1]) > 1e-9 || e.Value != 50 || e.N != 7 {
			t.Errorf("tail %g: %+v, want %v", tail, e, want)
		}
	}
	// Of 4 draws two are missing: enough for an interval; of 5, three are not.
	nan := math.NaN()
	if e := at(.25).estimate(statistic{1, []float64{nan, 2, nan, 3}}, 1); e.Low != 2.25 || e.High != 2.75 {
		t.Errorf("half of the draws: %+v, want 2.25 to 2.75", e)
	}
	if e := at(.25).estimate(statistic{1, []float64{nan, 2, nan, 3, nan}}, 1); !e.Low.Missing() {
		t.Errorf("less than half of the draws: %+v, want no interval", e)
	}
	// The tail of n prompts in two halves: t of n−2 degrees of freedom, times √(n/2/(n/2−1)). Of 10 prompts
	// 2.306·√(5/4) = 2.578, below which a normal deviate is in .00497 of cases.
	if b := NewBootstrap([]int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, 1, .95, [32]byte{}); math.Abs(b.tail-.00497) > 1e-5 {
		t.Errorf("ten prompts: tail %g, want .00497", b.tail)
	}
	if b := NewBootstrap([]int{0, 1, 2}, 9, .95, [32]byte{}); !b.estimate(statistic{1, make([]float64, 9)}, 1).Low.Missing() {
		t.Error("a half of one prompt has an interval")
	}
}

// TestChanceAgreesWithTheInterval: the p-value is below .05 just where the interval of level .95 excludes 0, and
// twice the share of draws below 0 for a large number of prompts.
func TestChanceAgreesWithTheInterval(t *testing.T) {
	r := rand.New(rand.NewChaCha8([32]byte{9}))
	for _, prompts := range []int{10, 20, 2000} {
		numbers := make([]int, prompts)
		for i := range numbers {
			numbers[i] = i
		}
		b := NewBootstrap(numbers, 1, .95, [32]byte{})
		for range 200 {
			s := statistic{point: 4 * r.NormFloat64(), draws: make([]float64, 2000)}
			below := 0
			for i := range s.draws {
				if s.draws[i] = s.point + r.NormFloat64(); s.draws[i] < 0 {
					below++
				}
			}
			e, p := b.estimate(s, 1), float64(b.chance(s))
			if near := math.Abs(p-.05) < .005; !near && (p < .05) != e.ExcludesZero() {
				t.Errorf("%d prompts: p = %g with the interval [%g, %g]", prompts, p, e.Low, e.High)
			}
			if want := 2 * float64(min(below, len(s.draws)-below)) / float64(len(s.draws)); prompts == 2000 && math.Abs(p-want) > .002+want/20 {
				t.Errorf("%d of %d draws are below 0: p = %g, want about %g", below, len(s.draws), p, want)
			}
		}
	}
}

// TestHolm by hand: .01·4, then the larger of that and .02·3, and so on; a missing one counts.
func TestHolm(t *testing.T) {
	got := holm([]Number{.04, .01, missing, .02, .9})
	for i, want := range []float64{.12, .05, math.NaN(), .08, 1} {
		if math.Abs(float64(got[i])-want) > 1e-12 || got[i].Missing() != math.IsNaN(want) {
			t.Errorf("holm: %v, number %d should be %g", got, i, want)
		}
	}
}

// TestRecoveryNeedsAnEffectOfTheOracle: an oracle that is above none on average only has no recovery, nor has one
// whose interval is wider than 1.
func TestRecoveryNeedsAnEffectOfTheOracle(t *testing.T) {
	for name, c := range map[string]struct{ up, sway float64 }{"no effect": {.2, 1}, "a weak one": {.7, 1}} {
		var rows []Row
		for p := range 40 {
			up := c.up + c.sway*float64(p/2%2*2-1)
			rows = append(rows, said("none", "p", 0, p, 2.5), said("ridge", "p", 1, p, 2.6), said("oracle", "p", 1, p, 2.5+up))
		}
		g := evaluate(t, append(rows, noiseOf("p", 40, 2.5)...), options(1, "p")).Pooled
		if e := condition(t, g, "oracle").Effect; name == "no effect" != (e.Low < 0) {
			t.Fatalf("%s: oracle − none is %+v: the case shows nothing", name, e)
		}
		if name == "no effect" && (g.Recovery != nil || !strings.Contains(strings.Join(g.Warnings, ";"), "recovery is not given") || g.Verdict.Outcome != Inconclusive) {
			t.Errorf("%s: recovery %+v, warnings %q, verdict %s", name, g.Recovery, g.Warnings, g.Verdict.Outcome)
		}
		if name == "a weak one" && g.Recovery == nil {
			t.Errorf("%s: no recovery, though the oracle's effect is shown and the mapped one's small", name)
		}
	}
	var rows []Row // the oracle's effect is shown, and the mapped vector's sways by twice as much
	for p := range 12 {
		sway := 1.4 * float64(p/2%2*2-1)
		rows = append(rows, said("none", "p", 0, p, 2), said("ridge", "p", 1, p, 3-sway), said("oracle", "p", 1, p, 3+sway/4))
	}
	if g := evaluate(t, rows, options(1, "p")).Pooled; g.Recovery != nil {
		t.Errorf("recovery %+v, want none: it is wider than %d", g.Recovery, stableRecovery)
	}
}

// TestAConditionOnFewPrompts has texts on two of twelve prompts: resamples without them leave it out.
func TestAConditionOnFewPrompts(t *testing.T) {
	var rows []Row
	for p := range 12 {
		rows = append(rows, said("none", "p", 0, p, 2), said("ridge", "p", 1, p, 3))
		if p < 2 {
			rows = append(rows, said("prompt", "p", 0, p, 4))
		}
	}
	c := condition(t, evaluate(t, rows, options(1, "p")).Pooled, "prompt")
	if c.Trait.Value != 4 || c.Effect.Value != 2 || c.Texts != 2 {
		t.Errorf("trait %+v, effect %+v of %d texts", c.Trait, c.Effect, c.Texts)
	}
}

// TestTooFewPromptsHaveNoInterval evaluates one and two prompts: there are values, no intervals, and no verdict.
func TestTooFewPromptsHaveNoInterval(t *testing.T) {
	for prompts := 1; prompts <= 3; prompts++ {
		var rows []Row
		for p := range prompts {
			rows = append(rows, said("none", "p", 0, p, 2), said("ridge", "p", 1, p, 3), said("oracle", "p", 1, p, 4))
		}
		g := evaluate(t, append(rows, noiseOf("p", prompts, 2)...), options(1, "p")).Pooled
		if c := condition(t, g, "ridge"); prompts < 3 && (c.Trait.Value != 3 || !c.Trait.Low.Missing() || c.Effect.Value != 1 || !c.Effect.Low.Missing()) {
			t.Errorf("%d prompts: trait %+v, effect %+v", prompts, c.Trait, c.Effect)
		}
		if g.Verdict.Outcome != Inconclusive {
			t.Errorf("%d prompts: verdict %s", prompts, g.Verdict.Outcome)
		}
	}
}

// TestSpreadOfRandomVectors is the estimate of a one-way analysis of variance, by hand: twelve vectors with effects
// 0 and 2 or 10 and 12 have a mean square of 600/11 between them (means 1 and 11 about 6, twice) and 2 within, of 11
// and 12 degrees of freedom: (54.55 − 2)/2 = 26.27, with the variance 2(54.55²/11 + 4/12)/4 = 135.4, of which
// 135.4/26.27 = 5.15 are taken away.
func TestSpreadOfRandomVectors(t *testing.T) {
	groups := map[int][]float64{}
	for k := range 12 {
		groups[k] = []float64{float64(k % 2 * 10), float64(k%2*10 + 2)}
	}
	v := variation{pairs: 1}
	v.add(groups)
	if got := v.variance(); math.Abs(got-21.12) > .01 || v.draws != 12 {
		t.Errorf("variance %g of %d vectors, want 21.12 of 12", got, v.draws)
	}
	v.add(groups) // of another persona: as much again is known
	if v.pairs++; math.Abs(v.variance()-(26.27-5.15/2)) > .01 {
		t.Errorf("variance %g of two personas, want 23.70", v.variance())
	}
	if v.pairs--; math.Abs(v.variance()-21.12) > .01 {
		t.Errorf("variance %g at two alphas, want no more certainty than at one", v.variance())
	}
	v = variation{pairs: 1}
	v.add(map[int][]float64{0: {0, 2}, 1: {3, 5}, 2: {0, 2}}) // 2 give or take 4.2
	if got := v.variance(); got != 0 {
		t.Errorf("three vectors: %g, want 0: it may be chance", got)
	}
	v = variation{pairs: 1}
	v.add(map[int][]float64{0: {0, 4}, 1: {1, 3}})
	if got := v.variance(); got != 0 {
		t.Errorf("vectors of one effect: %g, want 0 and not below", got)
	}
	v = variation{pairs: 1}
	v.add(map[int][]float64{0: {1}, 1: {3}})
	if got := v.variance(); got != 2 {
		t.Errorf("one text a vector: %g, want all of its variance, 2", got)
	}
	if got := (&variation{}).variance(); !math.IsNaN(got) {
		t.Errorf("no vectors: %g, want missing", got)
	}
}

// TestRandomVectorsWidenComparisons: the mapped vector's lead over none and over the controls is the less certain
// the more random vectors differ; over the oracle it is not. Two personas halve the variance.
func TestRandomVectorsWidenComparisons(t *testing.T) {
	run := func(spread float64, personas ...string) Group {
		var rows []Row
		for _, persona := range personas {
			for p := range 40 {
				sway := float64(p/2%2*2-1) / 4
				r := said("random_direction", persona, 1, p, 2+spread*float64(p/4%2*2-1))
				r.Draw = p / 2 % 20
				rows = append(rows, said("none", persona, 0, p, 2), said("ridge", persona, 1, p, 3.5+sway), said("oracle", persona, 1, p, 3.5-sway), r)
			}
		}
		return evaluate(t, rows, options(1, personas...)).Pooled
	}
	width := func(e Estimate) float64 { return float64(e.High - e.Low) }
	calm, wild, two := run(0, "p"), run(.5, "p"), run(.5, "p", "q")
	// Ten pairs of draws at ±.5 have the variance .25·20/19 = .263, whose own variance of 19 degrees of freedom is .0277
	// of it.
	if s := wild.Null.Spread; math.Abs(float64(s)-.4852) > 1e-4 || calm.Null.Spread != 0 {
		t.Errorf("spreads %g and %g, want .485 and 0", s, calm.Null.Spread)
	}
	a, b, c := condition(t, calm, "ridge").Effect, condition(t, wild, "ridge").Effect, condition(t, two, "ridge").Effect
	if w := width(*b); w < 3.92*.485 || w > 3.92*.485*1.35 || width(*a) > .5 {
		t.Errorf("ridge − none: %+v, and %+v where random vectors differ by ±.5", a, b)
	}
	if w := width(*c); math.Abs(w/width(*b)-math.Sqrt(.5)) > .1 {
		t.Errorf("ridge − none of two personas is %g wide, of one %g", w, width(*b))
	}
	x, y := condition(t, calm, "oracle").MappedMinusThis.Trait, condition(t, wild, "oracle").MappedMinusThis.Trait
	if math.Abs(width(x)-width(y)) > .02 {
		t.Errorf("ridge − oracle: %+v and %+v", x, y)
	}
}

// TestPooledVerdictIsOfTheWorstScorer: of three personas the first, the second or the last has a scorer
// below the threshold, or none; pooled they have no verdict, wherever it stands.
func TestPooledVerdictIsOfTheWorstScorer(t *testing.T) {
	personas := []string{"a", "b", "c"}
	var rows []Row
	for p := range 16 {
		for _, persona := range personas {
			rows = append(rows, said("none", persona, 0, p, 1), said("ridge", persona, 1, p, 4), said("oracle", persona, 1, p, 4))
		}
	}
	for _, persona := range personas {
		rows = append(rows, noiseOf(persona, 16, 1)...)
	}
	got := func(auroc map[string]float64) float64 {
		o := options(1, personas...)
		o.AUROC = auroc
		e := evaluate(t, rows, o)
		c := e.Pooled.Verdict.Criteria[0]
		if poor := !(float64(c.Got) >= .9); c.Name != "auroc of the trait scorer" || poor != (e.Pooled.Verdict.Outcome == Inconclusive) {
			t.Errorf("AUROC %v: criterion %+v, verdict %s", auroc, c, e.Pooled.Verdict.Outcome)
		}
		for i, g := range e.Personas { // each by its own
			if own := auroc[personas[i]]; own >= .9 && g.Verdict.Outcome != Success {
				t.Errorf("AUROC %v: verdict of %s is %s", auroc, g.Persona, g.Verdict.Outcome)
			}
		}
		return float64(c.Got)
	}
	for _, c := range []struct {
		auroc map[string]float64
		want  float64
	}{
		{map[string]float64{"a": .6, "b": .95, "c": .99}, .6}, {map[string]float64{"a": .97, "b": .7, "c": .99}, .7},
		{map[string]float64{"a": .97, "b": .95, "c": .8}, .8}, {map[string]float64{"a": .97, "b": .95, "c": .96}, .95},
	} {
		if v := got(c.auroc); v != c.want {
			t.Errorf("AUROC %v: pooled %g, want the smallest, %g", c.auroc, v, c.want)
		}
	}
	if v := got(map[string]float64{"a": .97, "c": .96}); !math.IsNaN(v) {
		t.Errorf("a persona without a scorer: pooled %g, want missing", v)
	}
}

// TestEachCriterionAloneFails spoils one number at a time, to its threshold exactly: just that criterion
// is not met.
func TestEachCriterionAloneFails(t *testing.T) {
	at := func(low, high float64) Estimate { return Estimate{Number(low+high) / 2, Number(low), Number(high), 90} }
	for name, c := range map[string]struct {
		spoil func(*Findings)
		want  Outcome
	}{
		"ridge, coherence":                       {func(f *Findings) { f.Coherence = at(3.5, 4.5) }, Partial},
		"ridge, trait":                           {func(f *Findings) { f.Trait = at(2.5, 4) }, Partial},
		"ridge, collapse":                        {func(f *Findings) { f.Collapse = at(.1, .3) }, Partial},
		"ridge − oracle, trait":                  {func(f *Findings) { f.OverOracle = at(-.5, .1) }, Partial},
		"ridge − none, trait":                    {func(f *Findings) { f.Rivals[0].Difference = at(0, 2) }, Partial},
		"ridge − shuffled_pairs, trait":          {func(f *Findings) { f.Rivals[2].Difference = at(0, 2) }, Partial},
		"ridge − best control, trait":            {func(f *Findings) { f.OverBest = at(0, 2) }, Inconclusive},
		"oracle − best control, trait":           {func(f *Findings) { f.OracleOverBest = at(0, 2) }, Inconclusive},
		"auroc of the trait scorer":              {func(f *Findings) { f.Scorer.AUROC = Number(math.Nextafter(.9, 0)) }, Inconclusive},
		"d′ of the persona over unsteered texts": {func(f *Findings) { f.Scorer.Separation.DPrime.Value = Number(math.Nextafter(2, 0)) }, Inconclusive},
	} {
		f := met()
		c.spoil(&f)
		v := Decide(f, DefaultThresholds())
		if v.Outcome != c.want || !slices.Equal(v.Failed, []string{name}) {
			t.Errorf("%s: %s, failed %q, want %s and that alone", name, v.Outcome, v.Failed, c.want)
		}
		if (v.Outcome == Inconclusive) != (len(v.Causes) == 1) {
			t.Errorf("%s: %s because of %q", name, v.Outcome, v.Causes)
		}
	}
	f := met()
	f.OverOracle = at(.1, .9)
	if v := Decide(f, DefaultThresholds()); v.Outcome != Success || !v.Superior {
		t.Errorf("ahead of the oracle: %s, superior %t; want success and so", v.Outcome, v.Superior)
	}
}

// TestMorePromptsByHand: an interval of ±.6 around .4, of 30 prompts, excludes 0 when it is ±.4: with 30·(.6/.4)²
// = 67.5 prompts, 38 more. Of the ±.6, what random vectors add stays: at a spread of .1 that is ±.196 of the ±.4.
func TestMorePromptsByHand(t *testing.T) {
	f := Findings{Prompts: 30}
	e := Estimate{.4, -.2, 1, 90}
	if got := f.more(e, .4); got != 38 {
		t.Errorf("%d more prompts, want 38", got)
	}
	if got := f.more(Estimate{.4, -.2, .5, 90}, .4); got != 38 { // as far down, and less far up
		t.Errorf("%d more prompts of a lopsided interval, want 38", got)
	}
	f.Spread = .1 // 30·(.36−.0384)/(.16−.0384) = 79.3
	if got := f.more(e, .4); got != 50 {
		t.Errorf("%d more prompts beside a spread of .1, want 50", got)
	}
	f.Spread = .25
	if got := f.more(e, .4); got != 0 {
		t.Errorf("%d more prompts, want 0: ±.49 are not prompts'", got)
	}
	if got := (Findings{Prompts: 30}).more(e, .07); got != 2175 { // 30·(.6/.07)² = 2204.1
		t.Errorf("%d more prompts, want 2175", got)
	}
	for _, gap := range []float64{0, -1, .7, .05, math.NaN()} { // .05: 4320 prompts, which nobody would run
		if got := (Findings{Prompts: 30}).more(e, gap); got != 0 {
			t.Errorf("gap %g: %d more prompts, want 0", gap, got)
		}
	}
}

// TestTheBaselineIsARival: a map that does as much as nothing is no success, though it beats every control.
func TestTheBaselineIsARival(t *testing.T) {
	var rows []Row
	for p := range 16 {
		rows = append(rows, said("none", "p", 0, p, 3.9), said("ridge", "p", 1, p, 3.9), said("oracle", "p", 1, p, 4), said("zero_pad", "p", 1, p, 2), said("prompt", "p", 0, p, 5))
	}
	v := evaluate(t, append(rows, noiseOf("p", 16, 1)...), options(1, "p")).Pooled.Verdict
	want := []string{"oracle − best control, trait", "ridge − none, trait", "ridge − best control, trait"}
	if v.Outcome != Inconclusive || !slices.Equal(v.Failed, want) {
		t.Errorf("verdict %s, failed %q, want %s for %q (prompt is no rival)", v.Outcome, v.Failed, Inconclusive, want)
	}
}

// TestEndpointOfCollapse passes where ridge collapses less, and fails where it collapses more or as much.
func TestEndpointOfCollapse(t *testing.T) {
	for _, c := range []struct {
		ridge, none int // how many of 16 texts collapse
		want        bool
	}{{0, 12, true}, {12, 0, false}, {0, 0, false}} {
		var rows []Row
		for p := range 16 {
			r, n := said("ridge", "p", 1, p, 3), said("none", "p", 0, p, 1)
			r.Collapsed, n.Collapsed = p < c.ridge, p < c.none
			rows = append(rows, r, n)
		}
		o := options(1, "p")
		o.Measure, o.Versus = MeasureCollapse, []string{"none"}
		got := evaluate(t, rows, o).Pooled.Primary[0]
		if want := float64(c.ridge-c.none) / 16; got.Pass != c.want || float64(got.Difference.Value) != want {
			t.Errorf("%d against %d of 16: difference %g, pass %t, want %g, %t", c.ridge, c.none, got.Difference.Value, got.Pass, want, c.want)
		}
	}
}

// TestSmallNumbersByHand: means of a condition over two personas of four prompts.
func TestSmallNumbersByHand(t *testing.T) {
	var rows []Row
	for p := range 4 {
		for i, persona := range []string{"a", "b"} {
			base, r := said("none", persona, 0, p, 2), said("ridge", persona, 1, p, 2)
			// a moves by +1, −1, +1, 0 and b by 0, 0, −.5, 0: the means by prompt are +, −, +, 0.
			r.Trait += []float64{1, -1, 1, 0, 0, 0, -.5, 0}[i*4+p]
			r.Perplexity = []float64{2, 8, 4, 4}[p]
			r.Tokens = 20 + p
			rows = append(rows, base, r)
		}
	}
	r := condition(t, evaluate(t, rows, options(1, "a", "b")).Pooled, "ridge")
	if r.Moved.Value != .5 || r.Moved.N != 4 {
		t.Errorf("moved %+v, want half of four prompts: one that stays has not moved", r.Moved)
	}
	if got := float64(r.Perplexity); math.Abs(got-4) > 1e-12 || r.Tokens != 21.5 {
		t.Errorf("perplexity %g, %g tokens, want the geometric mean 4 and 21.5", got, r.Tokens)
	}
	if want := 2 + (.25-.125)/2; math.Abs(float64(r.Trait.Value)-want) > 1e-12 || r.Trait.N != 8 {
		t.Errorf("trait %+v, want %g of 8", r.Trait, want)
	}
	if got := r.ByAlpha[0]; math.Abs(float64(got.Perplexity)-4) > 1e-12 || got.Texts != 8 {
		t.Errorf("by alpha %+v", got)
	}
}
