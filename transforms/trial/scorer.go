package trial

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/persona-transfer/runpipeline/format/strictjson"
)

// MinTexts is the smallest number of texts a side that a scorer is fitted on: half of the eight a
// side below which a persona has no trait, since the other half fits the vectors.
const MinTexts = 4

// MinFewTexts is the smallest number of texts a side for [FitFew]: with one left out, two remain to be
// told from the others.
const MinFewTexts = 3

// A Scorer tells a persona's positive texts from its negative ones: logistic regression on words,
// character n-grams and the sentiment lexicon, the same for every persona. It is fitted on texts that
// made neither vector nor map and sees no activation, so it owes nothing to what was injected.
type Scorer struct {
	// HeldOutPositive and HeldOutNegative are the logits of the texts it was fitted on, each by a
	// scorer that was fitted without it. AUROC is the area under their ROC ([AUROC]), and the mean of
	// the first is the upper anchor of [Trait].
	HeldOutPositive, HeldOutNegative []float64
	AUROC                            float64
	// Few says that the scorer was fitted by [FitFew]: on all texts, the vector's own among them.
	Few bool

	vocabulary *vocabulary
	weights    []float64 // one per term, then valence and intensity
	bias       float64
	guard      guard
}

// FitScorer fits a scorer and cross-validates it: K = min(5, texts a side) folds, text i of either side
// in fold i mod K, so that a matched pair is never torn apart. Everything, the vocabulary included, is
// fitted again in every fold. It returns an error if a side has fewer than [MinTexts] texts.
func FitScorer(positive, negative []string) (*Scorer, error) {
	if len(positive) < MinTexts || len(negative) < MinTexts {
		return nil, fmt.Errorf("trait scorer: %d positive and %d negative texts, want at least %d each", len(positive), len(negative), MinTexts)
	}
	return crossValidated(positive, negative, min(5, len(positive), len(negative)))
}

// FitFew fits a scorer where there are too few texts for halves: on all of them, and judged by leaving
// one text of either side out at a time. What it says is less certain ([AUROCInterval]) and less
// independent, since the same texts made the vector. It returns an error if a side has fewer than
// [MinFewTexts] texts.
func FitFew(positive, negative []string) (*Scorer, error) {
	if len(positive) < MinFewTexts || len(negative) < MinFewTexts {
		return nil, fmt.Errorf("trait scorer: %d positive and %d negative texts, want at least %d each", len(positive), len(negative), MinFewTexts)
	}
	s, err := crossValidated(positive, negative, max(len(positive), len(negative)))
	if err == nil {
		s.Few = true
	}
	return s, err
}

// crossValidated fits a scorer on all texts, and one for each fold on the texts outside it.
func crossValidated(positive, negative []string, folds int) (*Scorer, error) {
	s, err := fitOnce(positive, negative)
	if err != nil {
		return nil, err
	}
	var own []portrait
	for k := range folds {
		inP, outP := split(positive, k, folds)
		inN, outN := split(negative, k, folds)
		f, err := fitOnce(inP, inN)
		if err != nil {
			return nil, err
		}
		s.HeldOutPositive, s.HeldOutNegative = append(s.HeldOutPositive, f.logits(outP)...), append(s.HeldOutNegative, f.logits(outN)...)
		for _, t := range slices.Concat(outP, outN) {
			own = append(own, f.portrait(t))
		}
	}
	s.guard = newGuard(own)
	s.AUROC = AUROC(s.HeldOutPositive, s.HeldOutNegative)
	return s, nil
}

// split returns the texts outside and inside fold k.
func split[T any](texts []T, k, folds int) (in, out []T) {
	for i, t := range texts {
		if i%folds == k {
			out = append(out, t)
		} else {
			in = append(in, t)
		}
	}
	return in, out
}

func fitOnce(positive, negative []string) (*Scorer, error) {
	texts := slices.Concat(positive, negative)
	for i, t := range texts {
		texts[i] = once(t)
	}
	s := &Scorer{vocabulary: newVocabulary(texts)}
	samples := make([]sample, len(texts))
	for i, t := range texts {
		samples[i] = sample{s.features(t), i < len(positive)}
	}
	var err error
	s.weights, s.bias, err = fitLogistic(samples, len(s.vocabulary.terms)+2)
	if err != nil {
		return nil, fmt.Errorf("trait scorer: %w", err)
	}
	return s, nil
}

// features returns the representation of a text whose words stand [once]: TF-IDF, then valence and
// intensity.
func (s *Scorer) features(text string) []feature {
	valence, intensity := sentiment(text)
	n := len(s.vocabulary.terms)
	return append(s.vocabulary.tfidf(text), feature{n, lexiconWeight * valence}, feature{n + 1, lexiconWeight * intensity})
}

// Logit returns the logit that text is positive: 0 means undecided. It is always finite, and does not rise
// or fall with how often a word is said; see also [Scorer.Unlike].
func (s *Scorer) Logit(text string) float64 {
	z := s.bias
	for _, f := range s.features(once(text)) {
		z += s.weights[f.index] * f.value
	}
	return z
}

func (s *Scorer) logits(texts []string) []float64 {
	out := make([]float64, len(texts))
	for i, t := range texts {
		out[i] = s.Logit(t)
	}
	return out
}

// scorerVersion is the format and the meaning of a stored scorer.
const scorerVersion = 4 // 4: every word once, a guard; 3: the held-out logits of every text; 2: there is one kind, which is not named

// storedScorer is a scorer as JSON. Terms are sorted and floats are written shortest, so the same
// scorer has the same bytes and reads back to the bit.
type storedScorer struct {
	Version         int        `json:"version"`
	HeldOutPositive []float64  `json:"held_out_positive"` // logits
	HeldOutNegative []float64  `json:"held_out_negative"`
	Few             bool       `json:"few,omitempty"`
	Lexicon         string     `json:"lexicon"` // digest
	Terms           []string   `json:"terms"`
	IDF             *[]float64 `json:"idf"` // null without terms
	Weights         []float64  `json:"weights"`
	Bias            float64    `json:"bias"`
	Guard           guard      `json:"guard"`
}

// MarshalJSON writes s; see [Scorer.UnmarshalJSON].
func (s *Scorer) MarshalJSON() ([]byte, error) {
	if s.vocabulary == nil {
		return nil, errors.New("trait scorer: not fitted")
	}
	return json.Marshal(storedScorer{
		Version: scorerVersion, HeldOutPositive: s.HeldOutPositive, HeldOutNegative: s.HeldOutNegative, Few: s.Few, Lexicon: lexiconDigest(),
		Terms: s.vocabulary.terms, IDF: &s.vocabulary.idf, Weights: s.weights, Bias: s.bias, Guard: s.guard,
	})
}

// UnmarshalJSON reads what MarshalJSON wrote. Unknown fields, another version, another lexicon than
// the embedded one, unsorted terms and lengths that do not fit are errors, and leave s as it was.
func (s *Scorer) UnmarshalJSON(data []byte) error {
	var stored storedScorer
	if err := strictjson.Unmarshal(data, &stored); err != nil {
		return fmt.Errorf("trait scorer: %w", err)
	}
	if stored.IDF == nil {
		stored.IDF = new([]float64)
	}
	if err := stored.check(); err != nil {
		return fmt.Errorf("trait scorer: %w", err)
	}
	*s = Scorer{
		HeldOutPositive: stored.HeldOutPositive, HeldOutNegative: stored.HeldOutNegative, AUROC: AUROC(stored.HeldOutPositive, stored.HeldOutNegative), Few: stored.Few,
		vocabulary: &vocabulary{terms: stored.Terms, idf: *stored.IDF},
		weights:    stored.Weights, bias: stored.Bias, guard: stored.Guard,
	}
	s.vocabulary.reindex()
	return nil
}

func (s *storedScorer) check() error {
	switch {
	case s.Version != scorerVersion:
		return fmt.Errorf("version %d, want %d", s.Version, scorerVersion)
	case s.Lexicon != lexiconDigest():
		return fmt.Errorf("made with lexicon %.12q, this is %.12q", s.Lexicon, lexiconDigest())
	case len(*s.IDF) != len(s.Terms) || len(s.Weights) != len(s.Terms)+2:
		return fmt.Errorf("%d terms, %d frequencies, %d weights", len(s.Terms), len(*s.IDF), len(s.Weights))
	}
	for i, t := range s.Terms {
		if t == "" || i > 0 && t <= s.Terms[i-1] {
			return fmt.Errorf("terms are not sorted at %d", i)
		}
	}
	for _, v := range slices.Concat(*s.IDF, s.Weights, []float64{s.Bias}, s.HeldOutPositive, s.HeldOutNegative) {
		if math.Abs(v) > 1e100 {
			return fmt.Errorf("value %g is out of range", v)
		}
	}
	return nil
}
