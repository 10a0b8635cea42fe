package tokenizer

import (
	"strings"
	"unicode/utf8"
)

// A scanner finds the next match of a split pattern that matches somewhere at every place of any
// text, so that its matches follow each other without gaps. The patterns that nearly all
// vocabularies use are written out in Go, fifty times faster than a backtracking engine;
// TestScannersEqualTheirPatterns holds the two against each other.
type scanner struct {
	digits     int  // longest run of digits in one match, 0: any
	spaceDigit bool // a run of digits may begin with a space
	anyFirst   bool // a run of letters may begin with any one character that is no newline, letter or digit; else a space
	foldCase   bool // contractions in any case
	newlines   bool // runs of signs take the newlines behind them, and white space is cut after its last newline
}

// Split patterns by their text in tokenizer.json.
const (
	patternGPT2   = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
	patternQwen2  = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	patternLlama3 = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
)

var scanners = map[string]*scanner{
	patternGPT2:   {spaceDigit: true},
	patternQwen2:  {digits: 1, anyFirst: true, foldCase: true, newlines: true},
	patternLlama3: {digits: 3, anyFirst: true, foldCase: true, newlines: true},
}

// split calls emit with the start and end of every match in text.
func (sc *scanner) split(text string, emit func(i, j int)) {
	table := classTable()
	for i := 0; i < len(text); {
		j := sc.next(table, text, i)
		emit(i, j)
		i = j
	}
}

// next returns the end of the match that starts at i.
func (sc *scanner) next(table *[1 << 16]uint8, text string, i int) int {
	r, n := utf8.DecodeRuneInString(text[i:])
	class := classOf(table, r)
	if r == '\'' {
		if n := sc.contraction(text[i+1:]); n > 0 {
			return i + 1 + n
		}
	}
	if class&letter != 0 {
		return run(table, text, i+n, letter)
	}
	if class&number != 0 {
		return sc.digitRun(table, text, i)
	}
	var second uint8 // class of the character behind, all bits if there is none
	if i+n < len(text) {
		s, _ := utf8.DecodeRuneInString(text[i+n:])
		second = classOf(table, s)
	} else {
		second = 0xFF
	}
	if second != 0xFF {
		if second&letter != 0 && (r == ' ' || sc.anyFirst && class&newline == 0) {
			return run(table, text, i+n, letter)
		}
		if r == ' ' && second&number != 0 && sc.spaceDigit {
			return sc.digitRun(table, text, i+n)
		}
	}
	if class&space == 0 || r == ' ' && second&(letter|number|space) == 0 {
		end := i + n
		for end < len(text) {
			s, n := utf8.DecodeRuneInString(text[end:])
			if classOf(table, s)&(letter|number|space) != 0 {
				break
			}
			end += n
		}
		if sc.newlines {
			end += len(text[end:]) - len(strings.TrimLeft(text[end:], "\r\n"))
		}
		return end
	}
	return sc.spaceRun(table, text, i)
}

// contraction returns the length of a contraction behind an apostrophe, or 0.
func (sc *scanner) contraction(text string) int {
	first, n := sc.fold(text)
	switch first {
	case 's', 't', 'm', 'd':
		return n
	}
	second, k := sc.fold(text[n:])
	switch {
	case first == 'r' && second == 'e', first == 'v' && second == 'e', first == 'l' && second == 'l':
		return n + k
	}
	return 0
}

// fold returns the first character of text, in lower case where the pattern ignores case. U+017F
// (long s) is an s in another case.
func (sc *scanner) fold(text string) (rune, int) {
	r, n := utf8.DecodeRuneInString(text)
	if sc.foldCase {
		if r >= 'A' && r <= 'Z' {
			r += 'a' - 'A'
		} else if r == 'ſ' {
			r = 's'
		}
	}
	return r, n
}

// run returns the end of the characters of a class from i on.
func run(table *[1 << 16]uint8, text string, i int, class uint8) int {
	for i < len(text) {
		r, n := rune(text[i]), 1
		if r >= utf8.RuneSelf {
			r, n = utf8.DecodeRuneInString(text[i:])
		}
		if classOf(table, r)&class == 0 {
			break
		}
		i += n
	}
	return i
}

// digitRun returns the end of the digits at i that make one match.
func (sc *scanner) digitRun(table *[1 << 16]uint8, text string, i int) int {
	if sc.digits == 0 {
		return run(table, text, i, number)
	}
	for range sc.digits {
		r, n := utf8.DecodeRuneInString(text[i:])
		if n == 0 || classOf(table, r)&number == 0 {
			break
		}
		i += n
	}
	return i
}

// spaceRun returns the end of the match in the white space that starts at i: all of it before the
// end of the text, up to its last newline if the pattern says so, else all but the last
// character, which goes with what follows.
func (sc *scanner) spaceRun(table *[1 << 16]uint8, text string, i int) int {
	end := run(table, text, i, space)
	if sc.newlines {
		if k := strings.LastIndexAny(text[i:end], "\r\n"); k >= 0 {
			return i + k + 1
		}
	}
	if end == len(text) {
		return end
	}
	_, n := utf8.DecodeLastRuneInString(text[i:end])
	if end-n > i {
		return end - n
	}
	return end
}
