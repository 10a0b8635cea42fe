package tokenizer

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/dlclark/regexp2"
)

// A pattern finds its matches in a text, from left to right without overlap.
type pattern interface {
	// find calls emit with the start and end of every match that is not empty.
	find(text string, emit func(i, j int))
}

// literal is a pattern that matches itself.
type literal string

func (p literal) find(text string, emit func(i, j int)) {
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

func (p runePattern) find(text string, emit func(i, j int)) {
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

func (p scanned) find(text string, emit func(i, j int)) { p.split(text, emit) }

// backtracking is any other regular expression.
type backtracking struct{ re *regexp2.Regexp }

func (p backtracking) find(text string, emit func(i, j int)) {
	match, err := p.re.FindStringMatch(text)
	at, offset := 0, 0 // the same place, in characters and in bytes
	seek := func(index int) int {
		for ; at < index; at++ {
			_, n := utf8.DecodeRuneInString(text[offset:])
			offset += n
		}
		return offset
	}
	for err == nil && match != nil {
		i := seek(match.Index)
		j := seek(match.Index + match.Length)
		if j > i {
			emit(i, j)
		}
		match, err = p.re.FindNextMatch(match)
	}
}

// compile reads a regular expression in the dialect of Oniguruma, which Hugging Face's library
// uses: Perl's, where ^ and $ match at every line and a + behind a quantifier makes it
// possessive. Sets inside of sets are refused; no vocabulary in use has any.
func compile(expr string) (pattern, error) {
	if sc, ok := scanners[expr]; ok {
		return scanned{sc}, nil
	}
	translated, err := translate(expr)
	if err != nil {
		return nil, fmt.Errorf("regular expression %q: %w", expr, err)
	}
	re, err := regexp2.Compile(translated, regexp2.Multiline)
	if err != nil {
		return nil, fmt.Errorf("regular expression %q: %w", expr, err)
	}
	return backtracking{re}, nil
}

// translate rewrites Oniguruma's possessive quantifiers, X?+ X*+ X++, as atomic groups, (?>X?),
// which is all that the patterns in use need for regexp2.
func translate(expr string) (string, error) {
	out := ""          // what is translated of the current group
	var outer []string // what precedes the current group and those around it
	atom := 0          // where the last atom starts in out
	for i := 0; i < len(expr); {
		n := 1
		switch expr[i] {
		case '(':
			outer, out, atom = append(outer, out), "(", 0
			i++
			continue
		case ')':
			if len(outer) == 0 {
				return "", fmt.Errorf("unmatched )")
			}
			before := outer[len(outer)-1]
			outer = outer[:len(outer)-1]
			atom, out = len(before), before+out+")"
			i++
			continue
		case '[':
			var err error
			if n, err = setLength(expr[i:]); err != nil {
				return "", err
			}
		case '\\':
			n = escapeLength(expr[i:])
		case '?', '*', '+':
			out += expr[i : i+1]
			if i+1 < len(expr) && expr[i+1] == '+' {
				out = out[:atom] + "(?>" + out[atom:] + ")"
				i++
			} else if i+1 < len(expr) && expr[i+1] == '?' {
				out += "?"
				i++
			}
			i++
			continue
		case '{':
			if k := strings.IndexByte(expr[i:], '}'); k > 0 {
				out += expr[i : i+k+1]
				i += k + 1
				continue
			}
		default:
			_, n = utf8.DecodeRuneInString(expr[i:])
		}
		atom = len(out)
		out += expr[i : i+n]
		i += n
	}
	if len(outer) > 0 {
		return "", fmt.Errorf("unmatched (")
	}
	return out, nil
}

// setLength returns the length of the set [...] that text starts with.
func setLength(text string) (int, error) {
	i := 1
	if strings.HasPrefix(text, "[^") {
		i = 2
	}
	for first := i; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '[':
			return 0, fmt.Errorf("a set inside a set is not supported")
		case '&':
			if strings.HasPrefix(text[i:], "&&") {
				return 0, fmt.Errorf("the intersection of sets is not supported")
			}
		case ']':
			if i > first {
				return i + 1, nil
			}
		}
	}
	return 0, fmt.Errorf("unmatched [")
}

// escapeLength returns the length of the escape sequence that text starts with.
func escapeLength(text string) int {
	if len(text) > 2 && (text[1] == 'p' || text[1] == 'P' || text[1] == 'x') && text[2] == '{' {
		if k := strings.IndexByte(text, '}'); k > 0 {
			return k + 1
		}
	}
	if len(text) < 2 {
		return len(text)
	}
	_, n := utf8.DecodeRuneInString(text[1:])
	return 1 + n
}
