package trial

import (
	"fmt"
	"slices"
)

// A guard says which texts are so unlike those that a scorer was fitted on that its logit means nothing: a
// list, markup, code, another language, keywords, one word over and over. Each bound is a judgement about
// ordinary sentences, or what nearly all of the scorer's own texts meet, whichever is the wider: a scorer of
// a persona that uses few function words, or of another language, has a guard that lets these pass.
//
// It sees words, not sense: sarcasm and words in disorder pass it.
type guard struct {
	Words    float64 `json:"words"`    // least share of fields that are words; see [proseShare]
	Distinct float64 `json:"distinct"` // least share of words that are different
	Function float64 `json:"function"` // least share of English function words
	Foreign  float64 `json:"foreign"`  // most by which the share of other languages' exceeds it
	Known    float64 `json:"known"`    // least share of words that are function words or known to the scorer
}

// The bounds where a scorer's own texts are ordinary. Of WordNet's 8,000 example sentences 98.6 % or more
// are inside for each of the tests' personas.
const (
	minWords    = 0.75
	minVaried   = 1.0 / 3
	minFunction = 0.15
	minKnown    = 0.2
	// fewestWords is how many different words make a text.
	fewestWords = 3
	// spanOfWords is the number of words in which different ones are counted: long texts repeat more.
	spanOfWords = 50
	// ownShare is the quantile of a scorer's own texts from which a bound is taken.
	ownShare = 0.05
)

// A portrait is what a guard looks at.
type portrait struct {
	distinct                           int     // words
	wordlike, varied, function, others float64 // shares
	known                              float64
}

// portrait takes the measures of a text.
func (s *Scorer) portrait(text string) portrait {
	w := words(text)
	varied, all := 0, map[string]bool{}
	for span := range slices.Chunk(w, spanOfWords) {
		here := map[string]bool{}
		for _, word := range span {
			here[word], all[word] = true, true
		}
		varied += len(here)
	}
	p := portrait{distinct: len(all), wordlike: proseShare(text), varied: float64(varied) / float64(max(len(w), 1))}
	p.function, p.others = shares(w)
	function := functionWords()
	p.known = share(w, func(word string) bool {
		_, ok := s.vocabulary.index[wordMark+word]
		return ok || function[word]
	})
	return p
}

// newGuard takes the bounds from portraits of a scorer's own texts, each by a scorer that had not seen it.
func newGuard(own []portrait) guard {
	at := func(q float64, of func(p portrait) float64) float64 {
		var v []float64
		for _, p := range own {
			v = append(v, of(p))
		}
		slices.Sort(v)
		return quantile(v, q)
	}
	return guard{
		Words:    min(minWords, 0.8*at(ownShare, func(p portrait) float64 { return p.wordlike })),
		Distinct: min(minVaried, at(ownShare, func(p portrait) float64 { return p.varied })/2),
		Function: min(minFunction, at(ownShare, func(p portrait) float64 { return p.function })/2),
		Foreign:  max(0, at(1-ownShare, func(p portrait) float64 { return p.others - p.function })),
		Known:    min(minKnown, 0.75*at(ownShare, func(p portrait) float64 { return p.known })),
	}
}

// Unlike says in what a text is unlike those that the scorer was fitted on, "" if it is not. The logit of
// a text that is means nothing, and its trait is missing.
func (s *Scorer) Unlike(text string) string {
	p, g := s.portrait(text), s.guard
	percent := func(share float64) string { return fmt.Sprintf("%.0f%%", 100*share) }
	switch {
	case p.distinct < fewestWords:
		return fmt.Sprintf("%d different words", p.distinct)
	case p.wordlike < g.Words:
		return percent(p.wordlike) + " of it are words: a list, markup or code"
	case p.varied < g.Distinct:
		return percent(p.varied) + " of its words are different: the same over and over"
	case p.function < g.Function:
		return percent(p.function) + " of its words are function words: keywords, or another language"
	case p.others-p.function > g.Foreign:
		return percent(p.others) + " of its words are function words of other languages, " + percent(p.function) + " of English"
	case p.known < g.Known:
		return percent(p.known) + " of its words are known to the scorer"
	}
	return ""
}
