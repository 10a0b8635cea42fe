package trial

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// difference is the mean of the paired differences x[p] − y[p] over the prompts on which both are
// there, with its interval.
func difference(b *Bootstrap, x, y []float64) Estimate {
	t := newTable(1, b.prompts)
	for p := range x {
		t.add(0, p, x[p]-y[p])
	}
	return b.sample(t.mean).estimate(b.level, t.n())
}

// Of 400 simulated experiments with 30 prompts and a true difference of 0.2, the 95 % interval
// holds the truth in about 93 % (percentile intervals of 30 units are a little short). The bounds
// are three standard errors of a share of 400 away from 0.90 and 0.97.
func TestBootstrapCovers(t *testing.T) {
	const experiments, prompts, truth = 400, 30, 0.2
	r := rand.New(rand.NewChaCha8([32]byte{7}))
	b := NewBootstrap(prompts, 600, 0.95, [32]byte{1})
	held, width := 0, 0.0
	for range experiments {
		x, y := make([]float64, prompts), make([]float64, prompts)
		for p := range x {
			shared := 2 * r.NormFloat64()
			x[p] = shared + truth + r.NormFloat64()
			y[p] = shared + r.NormFloat64()
		}
		e := difference(b, x, y)
		if e.Low <= truth && truth <= e.High {
			held++
		}
		width += float64(e.High-e.Low) / experiments
	}
	if share := float64(held) / experiments; share < 0.89 || share > 0.985 {
		t.Errorf("%.1f%% of intervals hold the truth, want about 93%%", 100*share)
	}
	// Pairing removes the shared part: 2·1.96·√2/√30 = 1.01 instead of 2.26.
	if width < 0.85 || width > 1.15 {
		t.Errorf("mean width %.2f, want about 1", width)
	}
}

func TestBootstrapLeavesMissingPairsOut(t *testing.T) {
	b := NewBootstrap(4, 100, 0.9, [32]byte{2})
	nan := math.NaN()
	e := difference(b, []float64{3, nan, 4, 5}, []float64{1, 1, 2, nan})
	if e.Value != 2 || e.Low != 2 || e.High != 2 || e.N != 2 {
		t.Errorf("%+v, want 2 of two prompts", e)
	}
	e = difference(b, []float64{nan, nan, nan, nan}, []float64{1, 1, 1, 1})
	if !e.Value.Missing() || !e.Low.Missing() || e.ExcludesZero() || e.Equivalent(1) {
		t.Errorf("%+v, want missing", e)
	}
}

// Resamples depend on the seed only, hold the right number of prompts, and each prompt is drawn
// about once per resample.
func TestBootstrapResamples(t *testing.T) {
	const prompts, resamples = 13, 2000
	a, b := NewBootstrap(prompts, resamples, 0.95, [32]byte{1}), NewBootstrap(prompts, resamples, 0.95, [32]byte{1})
	total := make([]int, prompts)
	for r := range a.weights {
		sum := 0
		for p, w := range a.weights[r] {
			sum += int(w)
			total[p] += int(w)
		}
		if sum != prompts || !slices.Equal(a.weights[r], b.weights[r]) {
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
	if got := tab.mean(nil); got != 2 {
		t.Errorf("mean %g, want 2", got)
	}
	if got := tab.mean([]uint16{0, 2}); got != 1 {
		t.Errorf("mean without persona 1's only prompt %g, want 1", got)
	}
	if got := newTable(1, 1).mean(nil); !math.IsNaN(got) {
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
		if got := tab.standardError(0); math.Abs(got-want) > 1e-12 {
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

func TestEquivalence(t *testing.T) {
	for _, c := range []struct {
		low, high float64
		want      bool
	}{{-0.2, 0.3, true}, {-0.6, 0.1, false}, {0.1, 0.5, false}, {-0.49, 0.49, true}, {math.NaN(), 0.1, false}} {
		if got := (Estimate{Low: Number(c.low), High: Number(c.high)}).Equivalent(0.5); got != c.want {
			t.Errorf("[%g, %g] equivalent: %t, want %t", c.low, c.high, got, c.want)
		}
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
		Rivals:     []Rival{{"none", 1.2, above}, {"zero_pad", 1.8, above}, {"shuffled_pairs", 1.6, above}},
		OverOracle: Estimate{-0.1, -0.3, 0.1, 90}, OracleOver: above, AUROC: 0.95,
	}
}

func TestDecide(t *testing.T) {
	across := Estimate{0.2, -0.1, 0.5, 90}
	for name, c := range map[string]struct {
		spoil  func(*Findings)
		want   Outcome
		failed string
	}{
		"all met":             {func(f *Findings) {}, Success, ""},
		"coherence bound":     {func(f *Findings) { f.Coherence.Low = 3.5 }, Partial, "ridge, coherence"},
		"trait bound":         {func(f *Findings) { f.Trait.Low = 2.4 }, Partial, "ridge, trait"},
		"collapse bound":      {func(f *Findings) { f.Collapse.High = 0.3 }, Partial, "ridge, collapse"},
		"oracle ahead":        {func(f *Findings) { f.OverOracle = Estimate{-0.4, -0.6, -0.2, 90} }, Partial, "ridge − oracle, trait"},
		"ridge ahead":         {func(f *Findings) { f.OverOracle = Estimate{0.6, 0.4, 0.8, 90} }, Partial, "ridge − oracle, trait"},
		"weak rival":          {func(f *Findings) { f.Rivals[2].Difference = across }, Partial, "ridge − shuffled_pairs, trait"},
		"best rival":          {func(f *Findings) { f.Rivals[1].Difference = across }, Failure, "ridge − zero_pad, trait"},
		"worse than best":     {func(f *Findings) { f.Rivals[1].Difference = Estimate{-1, -1.5, -0.5, 90} }, Failure, "ridge − zero_pad, trait"},
		"no rivals":           {func(f *Findings) { f.Rivals = nil }, Failure, ""},
		"scorer":              {func(f *Findings) { f.AUROC = 0.89 }, Inconclusive, "auroc of the trait scorer"},
		"scorer at threshold": {func(f *Findings) { f.AUROC = 0.9 }, Success, ""},
		"scorer unknown":      {func(f *Findings) { f.AUROC = math.NaN() }, Inconclusive, "auroc of the trait scorer"},
		"oracle across 0":     {func(f *Findings) { f.OracleOver = across }, Inconclusive, "oracle − none, trait"},
		"oracle below 0":      {func(f *Findings) { f.OracleOver = Estimate{-1, -1.5, -0.5, 90} }, Inconclusive, "oracle − none, trait"},
		"no oracle":           {func(f *Findings) { f.OracleOver, f.OverOracle = noEstimate, noEstimate }, Inconclusive, "oracle − none, trait"},
		"missing trait":       {func(f *Findings) { f.Trait = noEstimate }, Partial, "ridge, trait"},
		"failure and scorer":  {func(f *Findings) { f.AUROC, f.Rivals[1].Difference = 0.5, across }, Inconclusive, "ridge − zero_pad, trait"},
	} {
		f := met()
		c.spoil(&f)
		v := Decide(f, DefaultThresholds())
		if v.Outcome != c.want || c.failed != "" && !slices.Contains(v.Failed, c.failed) || c.want == Success && len(v.Failed) != 0 {
			t.Errorf("%s: %s, failed %q, want %s with %q", name, v.Outcome, v.Failed, c.want, c.failed)
		}
		if want := 6 + len(f.Rivals); len(v.Criteria) != want || v.Meaning == "" {
			t.Errorf("%s: %d criteria, want %d; meaning %q", name, len(v.Criteria), want, v.Meaning)
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

// TestVerdictOfFewTextsNeedsTheBound: an AUROC of 1 whose interval reaches below the threshold shows
// nothing, of one persona and pooled.
func TestVerdictOfFewTextsNeedsTheBound(t *testing.T) {
	f := Findings{Condition: "ridge", AUROC: 1, Few: &[2]Number{.65, 1}, OracleOver: Estimate{2, 1, 3, 9}}
	v := Decide(f, DefaultThresholds())
	if c := v.Criteria[0]; v.Outcome != Inconclusive || c.Pass || c.Interval != [2]Number{.65, 1} {
		t.Errorf("lower bound .65: %s, %+v", v.Outcome, c)
	}
	f.Few = &[2]Number{.9, 1}
	if v := Decide(f, DefaultThresholds()); v.Outcome == Inconclusive || !v.Criteria[0].Pass {
		t.Errorf("lower bound .9: %s, %+v", v.Outcome, v.Criteria[0])
	}
}
