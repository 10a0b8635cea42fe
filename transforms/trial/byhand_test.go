package trial

import (
	"math"
	"slices"
	"strings"
	"testing"
)

// A said is one text of the small experiments below.
func said(condition, persona string, alpha float64, prompt int, trait float64) Row {
	return Row{Condition: condition, Persona: persona, Alpha: alpha, Prompt: prompt, Trait: trait, Coherence: 4, Tokens: 10, Perplexity: 4}
}

// TestDifferencesArePaired: on every prompt ridge is exactly 1 above none and .5 below the oracle, while
// prompts differ by up to 2. Paired intervals have no width at all.
func TestDifferencesArePaired(t *testing.T) {
	var rows []Row
	for p := range 16 {
		base := 1 + float64(p%8)/4
		rows = append(rows, said("none", "p", 0, p, base), said("ridge", "p", 1, p, base+1), said("oracle", "p", 1, p, base+1.5))
	}
	g := evaluate(t, rows, options(1, "p")).Pooled
	for name, c := range map[string]struct {
		got  Estimate
		want float64
	}{
		"ridge − none":      {*condition(t, g, "ridge").Effect, 1},
		"oracle − none":     {*condition(t, g, "oracle").Effect, 1.5},
		"ridge − oracle":    {condition(t, g, "oracle").MappedMinusThis.Trait, -.5},
		"recovery":          {*g.Recovery, 1 / 1.5},
		"moved by ridge":    {condition(t, g, "ridge").Moved, 1},
		"ridge's own trait": {Estimate{condition(t, g, "ridge").Trait.Value, 2.875, 2.875, 0}, 2.875},
	} {
		for _, v := range []Number{c.got.Value, c.got.Low, c.got.High} {
			if math.Abs(float64(v)-c.want) > 1e-12 {
				t.Errorf("%s: %+v, want %g without any width", name, c.got, c.want)
				break
			}
		}
	}
	if own := condition(t, g, "ridge").Trait; !(own.Low < 2.75 && own.High > 3) {
		t.Errorf("ridge's own trait %+v has no width, though prompts differ", own)
	}
}

// TestIntervalIsOfItsLevel reads the bounds of 101 draws from 0 to 100.
func TestIntervalIsOfItsLevel(t *testing.T) {
	s := statistic{point: 50}
	for i := range 101 {
		s.draws = append(s.draws, float64((i*37)%101))
	}
	for level, want := range map[float64][2]float64{.9: {5, 95}, .95: {2.5, 97.5}, .5: {25, 75}} {
		if e := s.estimate(level, 7); math.Abs(float64(e.Low)-want[0]) > 1e-9 || math.Abs(float64(e.High)-want[1]) > 1e-9 || e.Value != 50 || e.N != 7 {
			t.Errorf("level %g: %+v, want %v", level, e, want)
		}
	}
	// Of 4 draws two are missing: enough for an interval; of 5, three are not.
	nan := math.NaN()
	if e := (statistic{1, []float64{nan, 2, nan, 3}}).estimate(.5, 1); e.Low != 2.25 || e.High != 2.75 {
		t.Errorf("half of the draws: %+v, want 2.25 to 2.75", e)
	}
	if e := (statistic{1, []float64{nan, 2, nan, 3, nan}}).estimate(.5, 1); !e.Low.Missing() {
		t.Errorf("less than half of the draws: %+v, want no interval", e)
	}
}

// TestRecoveryNeedsAnEffectOfTheOracle: an oracle that is above none on average only has no recovery.
func TestRecoveryNeedsAnEffectOfTheOracle(t *testing.T) {
	var rows []Row
	for p := range 20 {
		up := float64(p%2)*2 - .8 // −.8 and 1.2: .2 on average, with a standard error of .22
		rows = append(rows, said("none", "p", 0, p, 2), said("ridge", "p", 1, p, 2.1), said("oracle", "p", 1, p, 2+up))
	}
	g := evaluate(t, rows, options(1, "p")).Pooled
	if e := condition(t, g, "oracle").Effect; !(e.Value > 0 && e.Low < 0) {
		t.Fatalf("oracle − none is %+v: the case shows nothing", e)
	}
	if g.Recovery != nil || !strings.Contains(strings.Join(g.Warnings, ";"), "recovery is not given") {
		t.Errorf("recovery %+v, warnings %q", g.Recovery, g.Warnings)
	}
	if g.Verdict.Outcome != Inconclusive {
		t.Errorf("verdict %s, want %s", g.Verdict.Outcome, Inconclusive)
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
	got := func(auroc map[string]float64) float64 {
		o := options(1)
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
		"ridge, coherence":              {func(f *Findings) { f.Coherence = at(3.5, 4.5) }, Partial},
		"ridge, trait":                  {func(f *Findings) { f.Trait = at(2.5, 4) }, Partial},
		"ridge, collapse":               {func(f *Findings) { f.Collapse = at(.1, .3) }, Partial},
		"ridge − oracle, trait":         {func(f *Findings) { f.OverOracle = at(-.5, .1) }, Partial},
		"ridge − none, trait":           {func(f *Findings) { f.Rivals[0].Difference = at(0, 2) }, Partial},
		"ridge − shuffled_pairs, trait": {func(f *Findings) { f.Rivals[2].Difference = at(0, 2) }, Partial},
		"ridge − zero_pad, trait":       {func(f *Findings) { f.Rivals[1].Difference = at(0, 2) }, Failure}, // the best of the rivals
		"oracle − none, trait":          {func(f *Findings) { f.OracleOver = at(0, 2) }, Inconclusive},
		"auroc of the trait scorer":     {func(f *Findings) { f.AUROC = math.Nextafter(.9, 0) }, Inconclusive},
	} {
		f := met()
		c.spoil(&f)
		if v := Decide(f, DefaultThresholds()); v.Outcome != c.want || !slices.Equal(v.Failed, []string{name}) {
			t.Errorf("%s: %s, failed %q, want %s and that alone", name, v.Outcome, v.Failed, c.want)
		}
	}
	f := met()
	f.OverOracle = at(-.1, .5)
	if v := Decide(f, DefaultThresholds()); v.Outcome != Partial || !slices.Equal(v.Failed, []string{"ridge − oracle, trait"}) {
		t.Errorf("ahead of the oracle by the margin: %s, failed %q", v.Outcome, v.Failed)
	}
}

// TestTheBaselineIsARival: a map that does as much as nothing is no success, though it beats every control.
func TestTheBaselineIsARival(t *testing.T) {
	var rows []Row
	for p := range 16 {
		rows = append(rows, said("none", "p", 0, p, 3.9), said("ridge", "p", 1, p, 3.9), said("oracle", "p", 1, p, 4), said("zero_pad", "p", 1, p, 2), said("prompt", "p", 0, p, 5))
	}
	v := evaluate(t, rows, options(1, "p")).Pooled.Verdict
	if v.Outcome != Failure || !slices.Equal(v.Failed, []string{"ridge − none, trait"}) {
		t.Errorf("verdict %s, failed %q, want %s by ridge − none alone (prompt is no rival)", v.Outcome, v.Failed, Failure)
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
