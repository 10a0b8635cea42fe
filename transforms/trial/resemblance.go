package trial

import "strings"

// Threshold is the logit from which a text is nearer to the persona's texts than to the other side's: the
// middle between the means of the held-out logits of the two.
func (s *Scorer) Threshold() float64 {
	return (Mean(s.HeldOutPositive) + Mean(s.HeldOutNegative)) / 2
}

// Resembles reports whether a text, or the second half of its words, has a logit above [Scorer.Threshold].
//
// The halves are looked at because a text may begin with something else, which pulls its logit to the other
// side. It is one rule for all personas, and errs towards yes: of the texts of the embedded grammar, whose
// registers are known, it finds 99 to 100 in 100 that are of the register throughout (97 for angry), 91 to 98
// in 100 of those that have it anywhere, and at most 1.3 in 100 of the others.
func (s *Scorer) Resembles(text string) bool {
	words := strings.Fields(text)
	ending := strings.Join(words[len(words)/2:], " ")
	return max(s.Logit(text), s.Logit(ending)) > s.Threshold()
}
