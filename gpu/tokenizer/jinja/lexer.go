package jinja

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A kind says what a token is. Operators are tokens of kind operator whose text tells which.
type kind int

const (
	data kind = iota // text outside of tags
	blockBegin
	blockEnd
	variableBegin
	variableEnd
	name
	text // a string literal, unescaped
	integer
	float
	operator
	end
)

// A token is a piece of a template.
type token struct {
	kind kind
	text string
	line int
}

func (t token) is(k kind, text string) bool { return t.kind == k && t.text == text }

func (t token) String() string {
	switch t.kind {
	case data:
		return "text"
	case blockBegin:
		return "{%"
	case blockEnd:
		return "end of statement block"
	case variableBegin:
		return "{{"
	case variableEnd:
		return "end of print statement"
	case end:
		return "end of template"
	}
	return t.text
}

// A lexer cuts a template into tokens by the rules of Jinja2's lexer with trim_blocks (the newline behind
// a block goes) and lstrip_blocks (the spaces before a block at the start of a line go).
type lexer struct {
	source    string
	at        int
	tokens    []token
	line      int
	lineStart bool // the last thing read ended with a newline, or nothing was read
}

// tokenize returns the tokens of a template. Its newlines become \n, and one at its end goes.
func tokenize(source string) ([]token, error) {
	source = normalizeNewlines(source)
	source = strings.TrimSuffix(source, "\n")
	l := &lexer{source: source, line: 1, lineStart: true}
	for l.at < len(l.source) {
		if err := l.root(); err != nil {
			return nil, fmt.Errorf("line %d: %w", l.line, err)
		}
	}
	l.emit(end, "")
	return l.tokens, nil
}

func normalizeNewlines(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
}

func (l *lexer) emit(k kind, text string) {
	l.tokens = append(l.tokens, token{k, text, l.line})
}

// advance moves over the next n bytes.
func (l *lexer) advance(n int) {
	passed := l.source[l.at : l.at+n]
	l.line += strings.Count(passed, "\n")
	l.at += n
	l.lineStart = strings.HasSuffix(passed, "\n")
}

func (l *lexer) rest() string { return l.source[l.at:] }

var (
	rawBegin = regexp.MustCompile(`^\{%([-+]?)` + space + `*raw` + space + `*(?:-%\}` + space + `*|%\})`)
	rawEnd   = regexp.MustCompile(`\{%([-+]?)` + space + `*endraw` + space + `*(?:\+%\}|-%\}` + space + `*|%\}\n?)`)
	comment  = regexp.MustCompile(`\+#\}|-#\}` + space + `*|#\}\n?`)
)

// space is Python's \s in a regular expression of Go's.
const space = `[\s\x0b\x1c-\x1f\x{85}\p{Z}]`

// root reads text up to a tag, and the tag.
func (l *lexer) root() error {
	rest, k := l.rest(), 0
	for ; ; k++ {
		i := strings.IndexByte(rest[k:], '{')
		if i < 0 || k+i+1 >= len(rest) {
			l.emit(data, rest)
			l.advance(len(rest))
			return nil
		}
		if k += i; strings.IndexByte("{%#", rest[k+1]) >= 0 {
			break
		}
	}
	before, tag := rest[:k], rest[k:]
	sign := ""
	if len(tag) > 2 && (tag[2] == '-' || tag[2] == '+') {
		sign = tag[2:3]
	}
	l.text(before, sign, tag[1] != '{')
	if m := rawBegin.FindStringIndex(tag); m != nil {
		l.advance(k + m[1])
		return l.raw()
	}
	l.advance(k + 2 + len(sign))
	switch tag[1] {
	case '#':
		m := comment.FindStringIndex(l.rest())
		if m == nil {
			if l.rest() == "" { // so it is in Jinja2
				return nil
			}
			return fmt.Errorf("missing end of comment tag")
		}
		l.advance(m[1])
		return nil
	case '%':
		l.emit(blockBegin, "")
		return l.inside(blockEnd)
	}
	l.emit(variableBegin, "")
	return l.inside(variableEnd)
}

// text emits the text before a tag: without the spaces before it if sign is "-", and without those
// between the last newline and a block.
func (l *lexer) text(before, sign string, block bool) {
	switch {
	case sign == "-":
		before = strings.TrimRightFunc(before, isSpace)
	case sign == "" && block:
		start := strings.LastIndexByte(before, '\n') + 1
		if (start > 0 || l.lineStart) && strings.TrimFunc(before[start:], isSpace) == "" {
			before = before[:start]
		}
	}
	if before != "" {
		l.emit(data, before)
	}
}

// raw reads up to endraw.
func (l *lexer) raw() error {
	rest := l.rest()
	m := rawEnd.FindStringSubmatchIndex(rest)
	if m == nil {
		if rest == "" { // so it is in Jinja2
			return nil
		}
		return fmt.Errorf("missing end of raw directive")
	}
	l.text(rest[:m[0]], rest[m[2]:m[3]], true)
	l.advance(m[1])
	return nil
}

var (
	variableClose = regexp.MustCompile(`^(?:-\}\}` + space + `*|\}\})`)
	blockClose    = regexp.MustCompile(`^(?:\+%\}|-%\}` + space + `*|%\}\n?)`)
	floatToken    = regexp.MustCompile(`^(?i:(?:[0-9]+_)*[0-9]+(?:(?:\.(?:[0-9]+_)*[0-9]+)?e[+-]?(?:[0-9]+_)*[0-9]+|\.(?:[0-9]+_)*[0-9]+))`)
	integerToken  = regexp.MustCompile(`^(?i:0b(?:_?[01])+|0o(?:_?[0-7])+|0x(?:_?[0-9a-f])+|[1-9](?:_?[0-9])*|0(?:_?0)*)`)
	nameToken     = regexp.MustCompile(`^[\p{L}\p{N}\p{M}_·]+`)
	textToken     = regexp.MustCompile(`^(?s:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")`)
)

// inside reads the tokens of a tag and its end.
func (l *lexer) inside(closing kind) error {
	closer := blockClose
	if closing == variableEnd {
		closer = variableClose
	}
	var open []byte // closing brackets that are waited for
	for {
		rest := l.rest()
		if rest == "" {
			return nil // the parser misses what follows
		}
		if len(open) == 0 {
			if m := closer.FindString(rest); m != "" {
				l.emit(closing, "")
				l.advance(len(m))
				return nil
			}
		}
		if n := len(rest) - len(strings.TrimLeftFunc(rest, isSpace)); n > 0 {
			l.advance(n)
			continue
		}
		n, err := l.next(rest)
		if err != nil {
			return err
		}
		if open, err = balance(open, rest[:n]); err != nil {
			return err
		}
		if len(open) > maxNesting {
			return fmt.Errorf("brackets nested more than %d deep", maxNesting)
		}
		l.advance(n)
	}
}

// balance keeps track of brackets.
func balance(open []byte, op string) ([]byte, error) {
	switch op {
	case "(", "[", "{":
		return append(open, map[byte]byte{'(': ')', '[': ']', '{': '}'}[op[0]]), nil
	case ")", "]", "}":
		if len(open) == 0 {
			return nil, fmt.Errorf("unexpected %q", op)
		}
		if want := open[len(open)-1]; want != op[0] {
			return nil, fmt.Errorf("unexpected %q, expected %q", op, string(want))
		}
		return open[:len(open)-1], nil
	}
	return open, nil
}

// next emits the token that rest begins with and returns its length.
func (l *lexer) next(rest string) (int, error) {
	if l.source[l.at-1] != '.' {
		if m := floatToken.FindString(rest); m != "" {
			l.emit(float, strings.ReplaceAll(m, "_", ""))
			return len(m), nil
		}
	}
	if m := integerToken.FindString(rest); m != "" {
		l.emit(integer, strings.ReplaceAll(m, "_", ""))
		return len(m), nil
	}
	if m := nameToken.FindString(rest); m != "" {
		if len(m) > maxName {
			return 0, fmt.Errorf("a name of %d bytes, at most %d are read", len(m), maxName)
		}
		if first, _ := utf8.DecodeRuneInString(m); first != '_' && !unicode.IsLetter(first) {
			return 0, fmt.Errorf("invalid character in identifier %q", m)
		}
		l.emit(name, m)
		return len(m), nil
	}
	if m := textToken.FindString(rest); m != "" {
		s, err := unescape(m[1 : len(m)-1])
		if err != nil {
			return 0, err
		}
		l.emit(text, s)
		return len(m), nil
	}
	for _, n := range []int{2, 1} {
		if len(rest) >= n && operators[rest[:n]] {
			l.emit(operator, rest[:n])
			return n, nil
		}
	}
	c, _ := utf8.DecodeRuneInString(rest)
	return 0, fmt.Errorf("unexpected char %q", c)
}

var operators = map[string]bool{
	"+": true, "-": true, "/": true, "//": true, "*": true, "%": true, "**": true, "~": true, "[": true, "]": true,
	"(": true, ")": true, "{": true, "}": true, "==": true, "!=": true, ">": true, ">=": true, "<": true, "<=": true,
	"=": true, ".": true, ":": true, "|": true, ",": true, ";": true,
}
