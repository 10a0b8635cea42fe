package trial

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"
)

// Resamples depend on the seed only, hold the right number of prompts of either half, and each prompt is drawn
// about once per resample.
func TestBootstrapResamples(t *testing.T) {
	const resamples = 2000
	prompts := []int{0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 14, 15, 16}
	a, b := NewBootstrap(prompts, resamples, 0.95, [32]byte{1}), NewBootstrap(prompts, resamples, 0.95, [32]byte{1})
	total := make([]int, len(prompts))
	for r := range a.weights {
		var sum [2]int
		for p, w := range a.weights[r] {
			sum[prompts[p]%2] += int(w)
			total[p] += int(w)
		}
		if sum != [2]int{9, 4} || !slices.Equal(a.weights[r], b.weights[r]) {
			t.Fatalf("resample %d: %v, %v", r, a.weights[r], b.weights[r])
		}
	}
	for p, n := range total {
		if d := math.Abs(float64(n)/resamples - 1); d > 4/math.Sqrt(resamples) {
			t.Errorf("prompt %d was drawn %d times in %d resamples", p, n, resamples)
		}
	}
}

// A persona with more missing texts weighs as much as the others.
func TestPersonasWeighTheSame(t *testing.T) {
	tab := newTable(2, 2)
	tab.add(0, 0, 1)
	tab.add(0, 1, 1)
	tab.add(1, 0, 3)
	tab.add(1, 1, math.NaN())
	if got := tab.mean(); got != 2 {
		t.Errorf("mean %g, want 2", got)
	}
	if got := newTable(1, 1).mean(); !math.IsNaN(got) {
		t.Errorf("mean of nothing %g, want NaN", got)
	}
}

// With one value per prompt the cluster standard error is the ordinary one.
func TestStandardErrorOfClusters(t *testing.T) {
	values := []float64{1, 4, 2, 8, 5}
	one, twice := newTable(1, 5), newTable(1, 5)
	for p, v := range values {
		one.add(0, p, v)
		twice.add(0, p, v)
		twice.add(0, p, v) // a repeated text adds no information
	}
	want := math.Sqrt(7.5 / 5) // variance of the values is 7.5
	for _, tab := range []table{one, twice} {
		if got := tab.standardError(); math.Abs(got-want) > 1e-12 {
			t.Errorf("standard error %g, want %g", got, want)
		}
	}
}

func TestQuantile(t *testing.T) {
	v := []float64{1, 2, 3, 4}
	for q, want := range map[float64]float64{0: 1, 1: 4, 0.5: 2.5, 0.25: 1.75, 0.1: 1.3} {
		if got := quantile(v, q); math.Abs(got-want) > 1e-12 {
			t.Errorf("quantile %g = %g, want %g", q, got, want)
		}
	}
}

// Values of scipy.stats.binomtest(min(b, c), b+c).pvalue, and of symmetry.
func TestMcNemar(t *testing.T) {
	for _, c := range []struct {
		b, c int
		want float64
	}{
		{0, 0, 1}, {3, 3, 1}, {0, 5, 0.0625}, {5, 0, 0.0625}, {1, 9, 0.021484375}, {10, 22, 0.050102459732443094},
	} {
		if got := McNemar(c.b, c.c); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("McNemar(%d, %d) = %.10g, want %.10g", c.b, c.c, got, c.want)
		}
	}
}

func TestDiscordantPairs(t *testing.T) {
	a := []Row{{Persona: "p", Prompt: 1, Collapsed: true}, {Persona: "p", Prompt: 2}, {Persona: "p", Prompt: 3}}
	b := []Row{{Persona: "p", Prompt: 1}, {Persona: "p", Prompt: 2, Collapsed: true}, {Persona: "p", Prompt: 3}, {Persona: "q", Prompt: 1, Collapsed: true}}
	if x, y := discordant(a, b); x != 1 || y != 1 {
		t.Errorf("discordant = %d, %d, want 1, 1", x, y)
	}
}

func TestChooseAlpha(t *testing.T) {
	nan := math.NaN()
	for name, c := range map[string]struct {
		doses      []Dose
		want       int
		admissible bool
	}{
		"strongest readable": {[]Dose{{0.2, 2, 4.4, 0.1, 0, 0}, {0.4, 3, 4, 0.1, 0.1, 0.05}, {1.5, 4, 2, 0.1, 0.9, 0.05}}, 1, true},
		"not by luck":        {[]Dose{{0.2, 2, 4.4, 0.1, 0, 0}, {0.4, 3, 3.55, 0.1, 0.1, 0.05}}, 0, true},
		"collapse counts":    {[]Dose{{0.2, 2, 4.4, 0.1, 0, 0}, {0.4, 3, 4.2, 0.1, 0.35, 0.05}}, 0, true},
		"none readable":      {[]Dose{{1, 4, 2, 0.1, 0.9, 0}, {0.8, 3, 3, 0.1, 0.5, 0}, {2, 5, 1, 0, 1, 0}}, 1, false},
		"tie":                {[]Dose{{-2, 3, 4, 0, 0, 0}, {1, 3, 4, 0, 0, 0}}, 1, true},
		"no trait":           {[]Dose{{0.4, nan, 4, 0, 0, 0}, {0.2, nan, 4, 0, 0, 0}}, 1, true},
		"one trait":          {[]Dose{{0.2, nan, 4, 0, 0, 0}, {0.4, 1, 4, 0, 0, 0}}, 1, true},
		"no coherence":       {[]Dose{{0.2, 5, nan, 0, 0, 0}, {0.4, 1, 4, 0, 0, 0}}, 1, true},
		"negative":           {[]Dose{{-0.4, 3, 4, 0, 0, 0}, {0.4, 1, 4, 0, 0, 0}}, 0, true},
	} {
		// The order of doses does not matter.
		i, ok := ChooseAlpha(c.doses, DefaultThresholds())
		if i != c.want || ok != c.admissible {
			t.Errorf("%s: dose %d, admissible %t, want %d, %t", name, i, ok, c.want, c.admissible)
		}
		slices.Reverse(c.doses)
		if i, _ := ChooseAlpha(c.doses, DefaultThresholds()); len(c.doses)-1-i != c.want {
			t.Errorf("%s, reversed: dose %d, want %d", name, len(c.doses)-1-i, c.want)
		}
	}
}

// findings with everything met; tests spoil one thing at a time.
func met() Findings {
	above := Estimate{1, 0.5, 1.5, 90}
	return Findings{
		Condition: "ridge", Trait: Estimate{3.8, 3.6, 4, 90}, Coherence: Estimate{4.1, 4, 4.2, 90}, Collapse: Estimate{0.05, 0.01, 0.1, 90},
		Rivals:   []Rival{{"none", above}, {"zero_pad", above}, {"shuffled_pairs", above}},
		OverBest: above, OracleOverBest: above, OverOracle: Estimate{-0.1, -0.3, 0.1, 90},
		Scorer: ScorerReport{AUROC: .95, Separation: clear}, Noise: true, Prompts: 30,
	}
}

func TestDecide(t *testing.T) {
	across, below := Estimate{0.2, -0.1, 0.5, 90}, Estimate{-1, -1.4, -0.6, 90}
	const best, oracle = "ridge − best control, trait", "ridge − oracle, trait"
	for name, c := range map[string]struct {
		spoil  func(*Findings)
		want   Outcome
		failed string
		cause  string
	}{
		"all met":          {func(f *Findings) {}, Success, "", ""},
		"coherence bound":  {func(f *Findings) { f.Coherence.Low = 3.5 }, Partial, "ridge, coherence", ""},
		"trait bound":      {func(f *Findings) { f.Trait.Low = 2.4 }, Partial, "ridge, trait", ""},
		"collapse bound":   {func(f *Findings) { f.Collapse.High = 0.3 }, Partial, "ridge, collapse", ""},
		"oracle ahead":     {func(f *Findings) { f.OverOracle = Estimate{-0.4, -0.6, -0.2, 90} }, Partial, oracle, ""},
		"far behind":       {func(f *Findings) { f.OverOracle = below }, Partial, oracle, ""},
		"ridge ahead":      {func(f *Findings) { f.OverOracle = Estimate{0.6, 0.4, 0.8, 90} }, Success, "", ""},
		"weak rival":       {func(f *Findings) { f.Rivals[2].Difference = across }, Partial, "ridge − shuffled_pairs, trait", ""},
		"best not beaten":  {func(f *Findings) { f.OverBest, f.OverOracle = across, below }, Failure, best, ""},
		"worse than best":  {func(f *Findings) { f.OverBest, f.OverOracle = below, below }, Failure, best, ""},
		"neither is known": {func(f *Findings) { f.OverBest = across }, Inconclusive, best, "about 38 more prompts"},
		"not even by many": {func(f *Findings) { f.OverBest = below }, Inconclusive, best, "more prompts would not settle it"},
		"nearly short": {func(f *Findings) {
			f.OverBest, f.OverOracle = Estimate{-.1, -.3, .1, 90}, Estimate{-.7, -.95, -.45, 90}
		}, Inconclusive, oracle, "about 17 more prompts"},
		"no noise":             {func(f *Findings) { f.Noise = false }, Inconclusive, "", "no condition of random vectors"},
		"scorer":               {func(f *Findings) { f.Scorer.AUROC = 0.89 }, Inconclusive, "auroc of the trait scorer", "trait scorer"},
		"scorer at threshold":  {func(f *Findings) { f.Scorer.AUROC = 0.9 }, Success, "", ""},
		"scorer unknown":       {func(f *Findings) { f.Scorer.AUROC = missing }, Inconclusive, "auroc of the trait scorer", "trait scorer"},
		"few texts":            {func(f *Findings) { f.Scorer.Interval = &[2]Number{.65, 1} }, Inconclusive, "auroc of the trait scorer", "trait scorer"},
		"few texts, clear":     {func(f *Findings) { f.Scorer.Interval = &[2]Number{.9, 1} }, Success, "", ""},
		"unsteered alike":      {func(f *Findings) { f.Scorer.Separation.DPrime = Estimate{1, .8, 1.2, 90} }, Inconclusive, "d′ of the persona over unsteered texts", "unsteered"},
		"separation unknown":   {func(f *Findings) { f.Scorer.Separation.DPrime = noEstimate }, Inconclusive, "d′ of the persona over unsteered texts", "unsteered"},
		"oracle across 0":      {func(f *Findings) { f.OracleOverBest = across }, Inconclusive, "oracle − best control, trait", "about 38 more prompts"},
		"oracle below 0":       {func(f *Findings) { f.OracleOverBest = below }, Inconclusive, "oracle − best control, trait", "nothing to carry"},
		"oracle within spread": {func(f *Findings) { f.OracleOverBest, f.Spread = across, .2 }, Inconclusive, "oracle − best control, trait", "would not settle"},
		"no oracle":            {func(f *Findings) { f.OracleOverBest, f.OverOracle = noEstimate, noEstimate }, Inconclusive, "oracle − best control, trait", "not compared"},
		"too few prompts":      {func(f *Findings) { f.OracleOverBest = Estimate{1, missing, missing, 2} }, Inconclusive, "oracle − best control, trait", "too few prompts"},
		"missing trait":        {func(f *Findings) { f.Trait = noEstimate }, Partial, "ridge, trait", ""},
		"failure and scorer":   {func(f *Findings) { f.Scorer.AUROC, f.OverBest, f.OverOracle = 0.5, across, below }, Inconclusive, best, "trait scorer"},
	} {
		f := met()
		c.spoil(&f)
		v := Decide(f, DefaultThresholds())
		if v.Outcome != c.want || c.failed != "" && !slices.Contains(v.Failed, c.failed) || c.want == Success && len(v.Failed) != 0 {
			t.Errorf("%s: %s, failed %q, want %s with %q", name, v.Outcome, v.Failed, c.want, c.failed)
		}
		if want := 8 + len(f.Rivals); len(v.Criteria) != want || v.Meaning == "" {
			t.Errorf("%s: %d criteria, want %d; meaning %q", name, len(v.Criteria), want, v.Meaning)
		}
		if got := strings.Join(v.Causes, "; "); (c.cause == "") != (got == "") || !strings.Contains(got, c.cause) {
			t.Errorf("%s: causes %q, want %q", name, got, c.cause)
		}
	}
}

// TestAUROCIntervalByDefinition holds both bounds to what defines them: there the observed area is 1.96
// standard errors away. An area of 1 has an interval, which shrinks as texts are added.
func TestAUROCIntervalByDefinition(t *testing.T) {
	before := 0.0
	for _, c := range []struct {
		auroc float64
		n, m  int
	}{{1, 3, 3}, {1, 5, 5}, {1, 50, 50}, {.8, 5, 7}, {.5, 10, 10}, {0, 5, 5}} {
		low, high := AUROCInterval(c.auroc, c.n, c.m)
		for _, bound := range []float64{float64(low), float64(high)} {
			k := float64(c.n+c.m)/2 - 1
			se := math.Sqrt(bound * (1 - bound) * (1 + k*(1-bound)/(2-bound) + k*bound/(1+bound)) / float64(c.n*c.m))
			if d := math.Abs(bound - c.auroc); bound != c.auroc && math.Abs(d-1.96*se) > 1e-9 {
				t.Errorf("AUROC %g of %d and %d: bound %g is %g away, 1.96 standard errors are %g", c.auroc, c.n, c.m, bound, d, 1.96*se)
			}
		}
		if c.auroc == 1 {
			if float64(low) <= before || high != 1 {
				t.Errorf("AUROC 1 of %d and %d: [%g, %g], want it narrower than with fewer texts", c.n, c.m, low, high)
			}
			before = float64(low)
		} else if c.auroc > 0 && !(float64(low) < c.auroc && c.auroc < float64(high)) {
			t.Errorf("AUROC %g: [%g, %g]", c.auroc, low, high)
		}
	}
	if low, high := AUROCInterval(1, 5, 5); low < .6 || low > .7 || high != 1 {
		t.Errorf("five texts a side: [%g, %g], want about .65 (by hand: .35 = 1.96·.178)", low, high)
	}
	if low, _ := AUROCInterval(math.NaN(), 5, 5); !low.Missing() {
		t.Errorf("the interval of nothing begins at %g", low)
	}
}

// TestScorerOfFewTextsLeavesOneOut fits what is left when one text of either side is taken away, and
// compares the logits of those that were: none of them may have been seen.
func TestScorerOfFewTextsLeavesOneOut(t *testing.T) {
	positive := []string{"a silly spoon", "silly boats giggle", "the silly moon", "spoons giggle", "my silly hat"}
	negative := []string{"a plain spoon", "boats leave at noon", "the full moon", "letters came", "my old hat", "guests left"}
	s, err := FitFew(positive, negative)
	if err != nil {
		t.Fatal(err)
	}
	var p, n []float64
	without := func(texts []string, i int) (rest, out []string) {
		for j, text := range texts {
			if j == i {
				out = append(out, text)
			} else {
				rest = append(rest, text)
			}
		}
		return rest, out
	}
	for i := range 6 {
		inP, outP := without(positive, i)
		inN, outN := without(negative, i)
		f, err := fitOnce(inP, inN)
		if err != nil {
			t.Fatal(err)
		}
		p, n = append(p, f.logits(outP)...), append(n, f.logits(outN)...)
	}
	if want := AUROC(p, n); s.AUROC != want || !slices.Equal(s.HeldOutPositive, p) || !s.Few {
		t.Errorf("AUROC %g, held-out logits %g, few %t; want %g, %g and few", s.AUROC, s.HeldOutPositive, s.Few, want, p)
	}
	b, err := json.Marshal(s)
	var back Scorer
	if err != nil || json.Unmarshal(b, &back) != nil || !back.Few || back.Logit("silly") != s.Logit("silly") {
		t.Errorf("stored and read again: few %t (%v)", back.Few, err)
	}
	if _, err := FitFew(positive[:2], negative); err == nil {
		t.Error("two texts have a scorer")
	}
}
