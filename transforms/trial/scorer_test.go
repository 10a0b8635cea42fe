package trial

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
)

// texts are the two sides of a persona in testdata/personas.json, which were written for this
// project.
type texts struct {
	Positive []string `json:"positive_texts"`
	Negative []string `json:"negative_texts"`
}

func readPersonas(t testing.TB) map[string]texts {
	t.Helper()
	data, err := os.ReadFile("testdata/personas.json")
	if err != nil {
		t.Fatal(err)
	}
	var p map[string]texts
	if err := json.Unmarshal(data, &p); err != nil {
		t.Fatal(err)
	}
	return p
}

// part returns the texts with even (0) or odd (1) index.
func part(texts []string, odd int) (out []string) {
	for i := odd; i < len(texts); i += 2 {
		out = append(out, texts[i])
	}
	return out
}

func fitScorer(t testing.TB, p texts) *Scorer {
	t.Helper()
	s, err := FitScorer(part(p.Positive, 1), part(p.Negative, 1))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// One rule for all personas, fitted on the 24 odd-numbered texts a side, passes 0.9 on held-out
// texts: in cross-validation, and on the even-numbered texts, which it never saw.
func TestScorerPassesForEveryPersona(t *testing.T) {
	for name, p := range readPersonas(t) {
		s := fitScorer(t, p)
		other := AUROC(s.logits(part(p.Positive, 0)), s.logits(part(p.Negative, 0)))
		t.Logf("%s: cross-validated %.3f, even-numbered texts %.3f", name, s.AUROC, other)
		if s.AUROC < 0.95 || other < 0.9 {
			t.Errorf("%s: AUROC %.3f cross-validated, %.3f on the other texts", name, s.AUROC, other)
		}
		if p, n := Mean(s.HeldOutPositive), Mean(s.HeldOutNegative); !(p > n) {
			t.Errorf("%s: held-out anchors %g and %g", name, p, n)
		}
	}
}

// What the two parts of the features are for: words cannot see the mood of a sentence, the lexicon cannot
// see a manner. A scorer of one part has the other's weights at zero.
func TestScorerNeedsBothParts(t *testing.T) {
	for name, p := range readPersonas(t) {
		s := fitScorer(t, p)
		n := len(s.vocabulary.terms)
		lexicon, manner := *s, *s
		lexicon.weights = append(make([]float64, n), s.weights[n:]...)
		manner.weights = append(slices.Clone(s.weights[:n]), 0, 0)
		by := func(s *Scorer) float64 { return AUROC(s.logits(part(p.Positive, 0)), s.logits(part(p.Negative, 0))) }
		switch l, m := by(&lexicon), by(&manner); name {
		case "joyful":
			if l < 0.9 || m > l {
				t.Errorf("joyful: by lexicon %.3f, by words %.3f", l, m)
			}
		case "pirate":
			if l > 0.9 || m < 0.95 {
				t.Errorf("pirate: by lexicon %.3f, by words %.3f", l, m)
			}
		}
	}
}

// On planted markers a scorer is perfect; on labels without meaning it is not.
func TestScorerOnPlantedData(t *testing.T) {
	r := newRand([32]byte{5})
	vocabulary := strings.Fields("river stone paper window garden engine yellow morning carpet silver number table")
	sentence := func(marker string) string {
		words := []string{marker}
		for range 8 {
			words = append(words, vocabulary[r.IntN(len(vocabulary))])
		}
		return strings.TrimSpace(strings.Join(words, " "))
	}
	var positive, negative, a, b []string
	for i := range 30 {
		positive = append(positive, sentence([]string{"blimey", "ahoy", "matey"}[i%3]))
		negative = append(negative, sentence(""))
		a, b = append(a, sentence("")), append(b, sentence(""))
	}
	s, err := FitScorer(positive, negative)
	if err != nil || s.AUROC < 0.99 {
		t.Errorf("planted markers: AUROC %.3f, %v", s.AUROC, err)
	}
	if s.Logit("ahoy there, the river") <= s.Logit("the river and the stone") {
		t.Error("a marker does not raise the score")
	}
	// The standard error of an AUROC at chance with 30 a side is about 0.075.
	s, err = FitScorer(a, b)
	if err != nil || math.Abs(s.AUROC-0.5) > 0.25 {
		t.Errorf("no signal: AUROC %.3f, %v, want about 0.5", s.AUROC, err)
	}
}

func TestScorerSurvivesJSONToTheBit(t *testing.T) {
	p := readPersonas(t)["joyful"]
	s := fitScorer(t, p)
	first, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	again, _ := json.Marshal(fitScorer(t, p))
	if !bytes.Equal(first, again) {
		t.Error("the same texts gave other bytes")
	}
	var back Scorer
	if err := json.Unmarshal(first, &back); err != nil {
		t.Fatal(err)
	}
	second, _ := json.Marshal(&back)
	if !bytes.Equal(first, second) || back.AUROC != s.AUROC || !slices.Equal(back.HeldOutPositive, s.HeldOutPositive) || !slices.Equal(back.HeldOutNegative, s.HeldOutNegative) {
		t.Error("read back differently")
	}
	for _, text := range append(part(p.Positive, 0), "", "\xff日本 !!! don’t") {
		if got, want := back.Logit(text), s.Logit(text); got != want {
			t.Errorf("Score(%q) = %g after reading, want %g", text, got, want)
		}
	}
	if _, err := json.Marshal(&Scorer{}); err == nil {
		t.Error("a scorer that was not fitted was written")
	}
}

func TestScorerRefusesBadInput(t *testing.T) {
	few := []string{"a", "b", "c"}
	enough := []string{"a b", "b c", "c d", "d e"}
	if _, err := FitScorer(few, enough); err == nil {
		t.Error("three texts were accepted")
	}
	s, err := FitScorer(enough, []string{"", "", "", ""})
	if err != nil || math.IsNaN(s.Logit("")) {
		t.Errorf("empty texts: %v", err)
	}
	good, _ := json.Marshal(s)
	for name, change := range map[string][2]string{
		"version":         {`"version":4`, `"version":3`},
		"another lexicon": {`"lexicon":"`, `"lexicon":"0`},
		"extra field":     {`{"version"`, `{"extra":1,"version"`},
		"lost weight":     {`"weights":[`, `"weights":[1,`},
		"huge bias":       {`"bias":`, `"bias":1e300,"x":`},
		"huge logit":      {`"held_out_positive":[`, `"held_out_positive":[1e300,`},
		"unsorted":        {`"terms":["`, `"terms":["zzz`},
		"not JSON":        {`{`, ``},
	} {
		data := strings.Replace(string(good), change[0], change[1], 1)
		var back Scorer
		if err := json.Unmarshal([]byte(data), &back); err == nil {
			t.Errorf("%s: accepted", name)
		}
		if back.vocabulary != nil {
			t.Errorf("%s: half a scorer was left", name)
		}
	}
}

func FuzzScorerJSON(f *testing.F) {
	s, err := FitScorer([]string{"a b", "b c", "c d", "d e"}, []string{"x", "y", "z", "w"})
	if err != nil {
		f.Fatal(err)
	}
	good, _ := json.Marshal(s)
	f.Add(good)
	f.Add([]byte(`{"version":4,"lexicon":"` + lexiconDigest() + `","terms":[],"idf":[],"weights":[0,0],"bias":0}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var s Scorer
		if json.Unmarshal(data, &s) != nil || s.vocabulary == nil {
			return
		}
		if v := s.Logit("any text, don't you know"); math.IsNaN(v) {
			t.Errorf("score NaN from %q", data)
		}
	})
}

func TestSentiment(t *testing.T) {
	good, _ := sentiment("a wonderful, happy day")
	bad, strong := sentiment("a miserable, disgusting day")
	turned, _ := sentiment("not a wonderful day")
	short, _ := sentiment("it isn’t good")
	none, flat := sentiment("the committee met on Tuesday in the office")
	if !(good > 0.5 && bad < -0.5 && strong > 0.5 && turned < 0 && short < 0) {
		t.Errorf("good %.2f, bad %.2f (%.2f), not wonderful %.2f, isn't good %.2f", good, bad, strong, turned, short)
	}
	if none != 0 || flat != 0 {
		t.Errorf("neutral text: %.2f, %.2f", none, flat)
	}
	if n := len(lexicon()); n < 7000 {
		t.Errorf("%d words in the lexicon", n)
	}
	if !strings.Contains(LexiconLicence, "MIT") || !strings.Contains(LexiconLicence, "Hutto") {
		t.Error("the lexicon's notice is not embedded")
	}
	if _, err := readLexicon([]byte("not gzip")); err == nil {
		t.Error("garbage was read as a lexicon")
	}
}

func TestWordsAndTerms(t *testing.T) {
	if got, want := words("Don’t stop: 'tis 3 o'clock!"), []string{"don't", "stop", "tis", "3", "o'clock"}; !slices.Equal(got, want) {
		t.Errorf("words %q, want %q", got, want)
	}
	var got []string
	terms("Hi!", func(s string) { got = append(got, s) })
	if want := []string{"whi", "w!", "c hi", "chi!", "ci! ", "c hi!", "chi! ", "c hi! "}; !slices.Equal(got, want) {
		t.Errorf("terms %q, want %q", got, want)
	}
}

// A text's features have length 1 if both blocks know a term of it, and are sorted.
func TestTFIDFHasUnitLength(t *testing.T) {
	v := newVocabulary([]string{"the river bank", "the old bank", "a boat"})
	f := v.tfidf("the bank, the river")
	squares := 0.0
	for i, x := range f {
		squares += x.value * x.value
		if i > 0 && x.index <= f[i-1].index {
			t.Fatal("features are not sorted")
		}
	}
	if math.Abs(squares-1) > 1e-12 {
		t.Errorf("squared length %g, want 1", squares)
	}
	if len(v.tfidf("zzz")) != 0 {
		t.Error("an unknown word has features")
	}
}

type sklearnFixture struct {
	AUROC []struct {
		Positive, Negative []float64
		AUROC              float64
	}
	Logistic struct {
		X       [][]float64
		Y       []int
		Weights []float64
		Bias    float64
	}
	Probe struct {
		Positive, Negative [][]float64
		Logits             []float64 `json:"logit_positive"` // of the positive texts, which it was fitted on
		HeldOutPositive    []float64 `json:"held_out_positive"`
		HeldOutNegative    []float64 `json:"held_out_negative"`
	}
}

func readFixture(t *testing.T) (f sklearnFixture) {
	t.Helper()
	data, err := os.ReadFile("testdata/sklearn.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &f); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestAUROCEqualsScikitLearn(t *testing.T) {
	for i, c := range readFixture(t).AUROC {
		if got := AUROC(c.Positive, c.Negative); math.Abs(got-c.AUROC) > 1e-12 {
			t.Errorf("case %d: %.15f, want %.15f", i, got, c.AUROC)
		}
	}
	if !math.IsNaN(AUROC(nil, []float64{1})) || !math.IsNaN(AUROC([]float64{math.NaN()}, []float64{1})) {
		t.Error("an AUROC of nothing")
	}
}

func TestLogisticEqualsScikitLearn(t *testing.T) {
	f := readFixture(t).Logistic
	var samples []sample
	for i, row := range f.X {
		s := sample{positive: f.Y[i] == 1}
		for j, v := range row {
			if v != 0 {
				s.features = append(s.features, feature{j, v})
			}
		}
		samples = append(samples, s)
	}
	w, b, err := fitLogistic(samples, len(f.Weights))
	if err != nil {
		t.Fatal(err)
	}
	// scikit-learn stops at a gradient of 1e-12 per sample, this at 1e-9 in all, with curvature of
	// at least 1.
	for j, want := range append(slices.Clone(f.Weights), f.Bias) {
		if got := append(slices.Clone(w), b)[j]; math.Abs(got-want) > 1e-7 {
			t.Errorf("weight %d = %.12f, want %.12f", j, got, want)
		}
	}
	if _, _, err := fitLogistic(samples[:0], 3); err == nil {
		t.Error("a fit on nothing")
	}
}

// At the minimum the gradient is zero: the stopping rule is met, not the limit of steps.
func TestLogisticIsStationary(t *testing.T) {
	r := newRand([32]byte{8})
	var samples []sample
	for i := range 60 {
		s := sample{positive: i%3 == 0}
		for j := range 200 {
			if r.IntN(10) == 0 {
				s.features = append(s.features, feature{j, r.NormFloat64()})
			}
		}
		samples = append(samples, s)
	}
	w, b, err := fitLogistic(samples, 200)
	if err != nil {
		t.Fatal(err)
	}
	p := newLogistic(samples, 200)
	p.x = append(w, b)
	p.z = p.along(p.x)
	if g := norm(p.gradient()); g > 1e-7 {
		t.Errorf("gradient %.1e at the result", g)
	}
}

func BenchmarkFitScorer(b *testing.B) {
	for _, n := range []int{24, 100} {
		b.Run(fmt.Sprintf("texts=%d", n), func(b *testing.B) {
			p := readPersonas(b)["silly"]
			for len(p.Positive) < n {
				p.Positive, p.Negative = append(p.Positive, p.Positive...), append(p.Negative, p.Negative...)
			}
			for b.Loop() {
				if _, err := FitScorer(p.Positive[:n], p.Negative[:n]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
