package tokenizer

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// A pattern finds its matches in a text, from left to right without overlap.
type pattern interface {
	// find calls emit with the start and end of every match that is not empty. What it does is
	// taken from w; where that does not suffice it ends.
	find(w *work, text string, emit func(i, j int))
}

// literal is a pattern that matches itself.
type literal string

func (p literal) find(_ *work, text string, emit func(i, j int)) {
	for from := 0; p != ""; {
		k := strings.Index(text[from:], string(p))
		if k < 0 {
			return
		}
		emit(from+k, from+k+len(p))
		from += k + len(p)
	}
}

// runePattern matches each single character for which it is true.
type runePattern func(r rune) bool

func (p runePattern) find(_ *work, text string, emit func(i, j int)) {
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRuneInString(text[i:])
		if p(r) {
			emit(i, i+n)
		}
		i += n
	}
}

// scanned is a pattern that a scanner knows.
type scanned struct{ *scanner }

func (p scanned) find(_ *work, text string, emit func(i, j int)) { p.split(text, emit) }

// compile reads a regular expression in the dialect of Oniguruma, which Hugging Face's library uses.
func compile(expr string) (pattern, error) {
	if sc, ok := scanners[expr]; ok {
		return scanned{sc}, nil
	}
	re, err := newRegex(expr)
	if err != nil {
		return nil, fmt.Errorf("regular expression %.200q: %w", expr, err)
	}
	return re, nil
}
