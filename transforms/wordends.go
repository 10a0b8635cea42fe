package transforms

import "unicode"

// firstWord is the first word of a text whose end is a position: before it a model has read too little for
// its residual to be about the text.
const firstWord = 3

// unspaced are the scripts that are written without spaces between words. Finding words in them takes a
// dictionary, so each character counts as a word.
var unspaced = []*unicode.RangeTable{unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Bopomofo, unicode.Yi, unicode.Thai, unicode.Lao,
	unicode.Khmer, unicode.Myanmar, unicode.Tai_Le, unicode.New_Tai_Lue, unicode.Tai_Tham, unicode.Tai_Viet}

// wordEnds lists the offsets just after each word from the third on. A word is a run of letters, digits and
// apostrophes; in scripts that are written without spaces it is one letter or digit with its marks.
func wordEnds(text string) []int32 {
	const (
		outside = iota
		word
		character
	)
	var ends []int32
	words, state := 0, outside
	end := func(i int) {
		if state == outside {
			return
		}
		if words++; words >= firstWord {
			ends = append(ends, int32(i))
		}
	}
	for i, r := range text {
		switch {
		case state == word && unicode.IsMark(r), state == character && continues(r):
		case !isWordRune(r), state == character && isApostrophe(r):
			end(i)
			state = outside
		case isUnspaced(r):
			end(i)
			state = character
		case state != word:
			end(i)
			state = word
		}
	}
	end(len(text))
	return ends
}

func isWordRune(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) || isApostrophe(r)
}

// isApostrophe reports whether r belongs to a word if it stands between letters; elsewhere it is a quotation
// mark.
func isApostrophe(r rune) bool { return r == '\'' || r == '’' }

// isUnspaced reports a letter or digit of a script without spaces. The mark of a long vowel belongs to no
// script alone.
func isUnspaced(r rune) bool { return unicode.In(r, unspaced...) || r == 'ー' || r == 'ｰ' }

// continues reports what belongs to the character before it: marks, joiners, and what Unicode calls a letter
// but a reader sees as a mark (Thai and Lao am, the voicing marks of half-width Katakana).
func continues(r rune) bool {
	return unicode.IsMark(r) || unicode.In(r, unicode.Other_Grapheme_Extend, unicode.Join_Control) || r == '\u0E33' || r == '\u0EB3'
}
