package trial

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestProbeEqualsScikitLearn: the logits of texts that it was fitted on, and of texts left out, as scikit-learn
// has them with StandardScaler and LogisticRegression. Both stop where the gradient is below 10⁻⁹ a text; widths
// of 10⁵ to 1 cost five digits of sixteen.
func TestProbeEqualsScikitLearn(t *testing.T) {
	f := readFixture(t).Probe
	p, err := FitProbe(f.Positive, f.Negative)
	if err != nil {
		t.Fatal(err)
	}
	var logits []float64
	for _, h := range f.Positive {
		logits = append(logits, p.Logit(h))
	}
	// Held-out logits come fold by fold, those of the fixture text by text.
	inFolds := func(values []float64) (out []float64) {
		for k := range 5 {
			_, fold := split(values, k, 5)
			out = append(out, fold...)
		}
		return out
	}
	for name, sides := range map[string][2][]float64{"fitted": {logits, f.Logits}, "held-out positive": {p.HeldOutPositive, inFolds(f.HeldOutPositive)}, "held-out negative": {p.HeldOutNegative, inFolds(f.HeldOutNegative)}} {
		if len(sides[0]) != len(sides[1]) {
			t.Fatalf("%s: %d logits, want %d", name, len(sides[0]), len(sides[1]))
		}
		for i, want := range sides[1] {
			if got := sides[0][i]; math.Abs(got-want) > 1e-6 {
				t.Errorf("%s text %d: logit %.9f, want %.9f", name, i, got, want)
			}
		}
	}
}

// planted gives activations of n texts a side; the positive ones are further along dimensions from to to, by so many
// standard deviations each.
func planted(n, dim, from, to int, shift float64, seed byte) (positive, negative [][]float64) {
	r := rand.New(rand.NewChaCha8([32]byte{seed}))
	for i := range 2 * n {
		h := make([]float64, dim)
		for j := range h {
			h[j] = 20 + 3*r.NormFloat64()
			if i < n && j >= from && j < to {
				h[j] += 3 * shift
			}
		}
		if i < n {
			positive = append(positive, h)
		} else {
			negative = append(negative, h)
		}
	}
	return positive, negative
}

// TestProbeFindsItsDirectionAndNothingInNoise: with more dimensions than texts, so that those it was fitted on are
// always told apart, held-out texts of a planted direction are too; texts of another direction are not, nor
// are held-out ones of none.
func TestProbeFindsItsDirectionAndNothingInNoise(t *testing.T) {
	const n, dim, repetitions = 24, 64, 20
	own, other, none := 0., 0., 0.
	for k := range byte(repetitions) {
		p, err := FitProbe(planted(n, dim, 0, 16, 1.5, k))
		if err != nil {
			t.Fatal(err)
		}
		own += AUROC(p.HeldOutPositive, p.HeldOutNegative) / repetitions
		var sides [2][]float64
		along, without := planted(n, dim, 16, 32, 1.5, k+100)
		for i := range along {
			sides[0], sides[1] = append(sides[0], p.Logit(along[i])), append(sides[1], p.Logit(without[i]))
		}
		other += AUROC(sides[0], sides[1]) / repetitions
		noise, err := FitProbe(planted(n, dim, 0, 16, 0, k))
		if err != nil {
			t.Fatal(err)
		}
		none += AUROC(noise.HeldOutPositive, noise.HeldOutNegative) / repetitions
	}
	if own < 0.95 {
		t.Errorf("held-out texts of the direction: AUROC %.3f, want at least .95", own)
	}
	// An area of one repetition has a standard error of about .08, so the mean of 20 one of .02; of the other
	// direction more, since a probe's weights there are the same for all texts.
	if other < 0.35 || other > 0.65 {
		t.Errorf("texts of another direction: AUROC %.3f, want about a half", other)
	}
	if none < 0.40 || none > 0.58 {
		t.Errorf("texts of no direction: AUROC %.3f, want about a half", none)
	}
}

// TestProbeDoesNotDependOnTheUnit: a dimension that is a thousand times as wide, or that is moved, weighs the same.
func TestProbeDoesNotDependOnTheUnit(t *testing.T) {
	positive, negative := planted(8, 5, 0, 2, 2, 1)
	a, err := FitProbe(positive, negative)
	if err != nil {
		t.Fatal(err)
	}
	before := a.Logit(negative[3])
	for _, h := range slices.Concat(positive, negative) {
		h[0], h[1] = 1000*h[0], h[1]-50
	}
	b, err := FitProbe(positive, negative)
	if err != nil {
		t.Fatal(err)
	}
	if after := b.Logit(negative[3]); math.Abs(after-before) > 1e-6 {
		t.Errorf("logit %.9f in other units, %.9f before", after, before)
	}
}

func TestProbeRefusesWhatItCannotBeFittedOn(t *testing.T) {
	positive, negative := planted(4, 3, 0, 1, 1, 1)
	if _, err := FitProbe(positive[:3], negative); err == nil || !strings.Contains(err.Error(), "3 positive and 4 negative") {
		t.Errorf("three texts: %v", err)
	}
	if _, err := FitProbe(positive, append(slices.Clone(negative[:3]), []float64{1})); err == nil || !strings.Contains(err.Error(), "dimensions") {
		t.Errorf("two widths: %v", err)
	}
}

// TestProbeIsStored to the bit, and what is no probe is refused.
func TestProbeIsStored(t *testing.T) {
	p, err := FitProbe(planted(5, 3, 0, 1, 1, 1))
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var back Probe
	if err := json.Unmarshal(text, &back); err != nil || !reflect.DeepEqual(&back, p) {
		t.Errorf("%+v came back as %+v (%v)", p, back, err)
	}
	if _, err := json.Marshal(new(Probe)); err == nil {
		t.Error("a probe that was not fitted is written")
	}
	for name, change := range map[string][2]string{
		"another version": {`"version":1`, `"version":2`}, "no weights": {string(text), `{"version":1,"weights":[],"bias":0,"held_out_positive":[],"held_out_negative":[]}`},
		"an unknown field": {`"bias"`, `"bias_":0,"bias"`}, "a huge weight": {`"weights":[`, `"weights":[1e300,`},
	} {
		if err := json.Unmarshal([]byte(strings.Replace(string(text), change[0], change[1], 1)), new(Probe)); err == nil {
			t.Errorf("%s is read", name)
		}
	}
}
