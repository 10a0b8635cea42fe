package trial

import (
	"strings"
	"unicode"
)

// edge is the punctuation that may stand around a word.
const edge = "\"'`“”‘’().,;:!?…–—-"

// proseShare returns which share of a text's fields are words, with the punctuation of prose around them.
// Numbers count neither way, since prose has them, but where they begin a line and so number it. A text
// without a word has none.
func proseShare(text string) float64 {
	prose, all := 0, 0
	for i, line := range strings.Split(text, "\n") {
		for j, field := range strings.Fields(line) {
			switch {
			case wordlike(field):
				prose++
				all++
			case !isNumber(field) || i > 0 && j == 0:
				all++
			}
		}
	}
	return float64(prose) / float64(max(all, 1))
}

// wordlike reports whether a field is a word.
func wordlike(field string) bool {
	field = strings.Trim(field, edge)
	return field != "" && strings.IndexFunc(field, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsMark(r) && !strings.ContainsRune("'’-–—", r)
	}) < 0
}

// isNumber reports whether a field is one.
func isNumber(field string) bool {
	return strings.IndexFunc(field, unicode.IsDigit) >= 0 &&
		strings.IndexFunc(field, func(r rune) bool { return !unicode.IsDigit(r) && !strings.ContainsRune(edge+"%$€£", r) }) < 0
}

// shares returns which share of words are English function words, and which those of other languages.
func shares(words []string) (function, others float64) {
	english, foreign := functionWords(), foreignWords()
	return share(words, func(w string) bool { return english[w] }), share(words, func(w string) bool { return foreign[w] })
}

// share is how many of the words are such, 0 of none.
func share(words []string, such func(string) bool) float64 {
	n := 0
	for _, w := range words {
		if such(w) {
			n++
		}
	}
	return float64(n) / float64(max(len(words), 1))
}
