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
	match, err := p.re.FindStringMatch(asOld(text))
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

// maxPattern bounds a regular expression's length; the longest in use has about 500 bytes.
const maxPattern = 1 << 14

// translate rewrites what the patterns in use have of Oniguruma's dialect for regexp2: possessive
// quantifiers, X?+ X*+ X++, as atomic groups, (?>X?); and in groups that ignore case an s, which
// there is also a long s.
func translate(expr string) (string, error) {
	if len(expr) > maxPattern {
		return "", fmt.Errorf("%d bytes long, at most %d are read", len(expr), maxPattern)
	}
	t := translator{rest: expr}
	for t.rest != "" {
		if err := t.step(); err != nil {
			return "", err
		}
	}
	if len(t.outer) > 0 {
		return "", fmt.Errorf("unmatched (")
	}
	return t.out, nil
}

// A translator is in the middle of an expression.
type translator struct {
	rest  string   // what is still to be read
	out   string   // what the current group became
	atom  int      // where the last atom starts in out
	outer []string // what precedes the current group and those around it
	folds []bool   // whether the current group and those around it ignore case
}

// take moves n bytes from rest to out.
func (t *translator) take(n int) {
	t.out += t.rest[:n]
	t.rest = t.rest[n:]
}

// step reads one atom, quantifier or bracket.
func (t *translator) step() error {
	n := 1
	switch t.rest[0] {
	case '(':
		t.folds = append(t.folds, strings.HasPrefix(t.rest, "(?i:") || t.folding())
		t.outer, t.out, t.atom, t.rest = append(t.outer, t.out), "(", 0, t.rest[1:]
		return nil
	case ')':
		if len(t.outer) == 0 {
			return fmt.Errorf("unmatched )")
		}
		before := t.outer[len(t.outer)-1]
		t.outer, t.folds = t.outer[:len(t.outer)-1], t.folds[:len(t.folds)-1]
		t.atom, t.out, t.rest = len(before), before+t.out+")", t.rest[1:]
		return nil
	case '?', '*', '+':
		t.quantifier()
		return nil
	case '{':
		if k := strings.IndexByte(t.rest, '}'); k > 0 {
			t.take(k + 1)
			return nil
		}
	case '[':
		var err error
		if n, err = setLength(t.rest); err != nil {
			return err
		}
	case '\\':
		n = escapeLength(t.rest)
	default:
		_, n = utf8.DecodeRuneInString(t.rest)
	}
	t.atom = len(t.out)
	switch part := t.rest[:n]; {
	case t.folding() && (part == "s" || part == "S"):
		t.out, t.rest = t.out+"[sſ]", t.rest[1:]
		return nil
	case t.folding() && part[0] == '[' && part[1] != '^' && strings.ContainsAny(part, "sS"):
		t.out, t.rest = t.out+"[ſ", t.rest[1:]
		t.take(n - 1)
		return nil
	}
	t.take(n)
	return nil
}

// quantifier reads one of ? * +, greedy, lazy or possessive.
func (t *translator) quantifier() {
	t.take(1)
	switch {
	case strings.HasPrefix(t.rest, "+"):
		t.out, t.rest = t.out[:t.atom]+"(?>"+t.out[t.atom:]+")", t.rest[1:]
	case strings.HasPrefix(t.rest, "?"):
		t.take(1)
	}
}

func (t *translator) folding() bool { return len(t.folds) > 0 && t.folds[len(t.folds)-1] }

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
