package tokenizer

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A part is a node of a pattern that has been read.
type part struct {
	kind     partKind
	class    *charClass // of one character
	assert   byte       // the letter of an assertion
	subs     []*part
	min, max int  // of a repetition; max -1: any number
	lazy     bool // of a repetition
	not      bool // of a look
	behind   bool // of a look
}

type partKind int

const (
	sequencePart partKind = iota // all of subs, one after another
	choicePart                   // the first of subs that leads to a match
	charPart
	assertPart
	repeatPart
	lookPart   // subs[0] matches here, or does not; nothing is taken
	atomicPart // subs[0], the first way that it matches and no other
)

// maxPattern bounds a regular expression's length; the longest in use has about 500 bytes.
const maxPattern = 1 << 14

// maxGroups bounds groups inside of groups.
const maxGroups = 200

// A patternReader reads the dialect of Oniguruma that Hugging Face's library uses (Ruby's): ^ and $
// match at every line, m makes the dot match newlines, and a + behind ?, * or + makes it possessive.
// What no vocabulary in use has is refused: references to groups, conditions, sets inside of sets.
type patternReader struct {
	rest         string
	fold, dotAll bool // what the flags i and m say
	depth        int
}

func readPattern(expr string) (*part, error) {
	if len(expr) > maxPattern {
		return nil, fmt.Errorf("%d bytes long, at most %d are read", len(expr), maxPattern)
	}
	r := &patternReader{rest: expr}
	p, err := r.choice()
	if err == nil && r.rest != "" {
		err = fmt.Errorf("unmatched )")
	}
	return p, err
}

// choice reads up to the end of a group or of the pattern.
func (r *patternReader) choice() (*part, error) {
	if r.depth++; r.depth > maxGroups {
		return nil, fmt.Errorf("groups nested more than %d deep", maxGroups)
	}
	defer func() { r.depth-- }()
	p := &part{kind: choicePart}
	for {
		s, err := r.sequence()
		if err != nil {
			return nil, err
		}
		p.subs = append(p.subs, s)
		if !strings.HasPrefix(r.rest, "|") {
			break
		}
		r.rest = r.rest[1:]
	}
	if len(p.subs) == 1 {
		return p.subs[0], nil
	}
	return p, nil
}

func (r *patternReader) sequence() (*part, error) {
	p := &part{kind: sequencePart}
	for r.rest != "" && r.rest[0] != '|' && r.rest[0] != ')' {
		a, err := r.atom()
		if err == nil {
			a, err = r.repeated(a)
		}
		if err != nil {
			return nil, err
		}
		p.subs = append(p.subs, a)
	}
	return p, nil
}

// atom reads what a quantifier would apply to.
func (r *patternReader) atom() (*part, error) {
	n := 1
	switch r.rest[0] {
	case '(':
		return r.group()
	case '^', '$':
		return r.assertion(1), nil
	case '?', '*', '+':
		return nil, fmt.Errorf("%c repeats nothing", r.rest[0])
	case '[':
		var err error
		if n, err = setLength(r.rest); err != nil {
			return nil, err
		}
	case '\\':
		if len(r.rest) > 1 {
			switch c := r.rest[1]; {
			case strings.IndexByte("AzZbB", c) >= 0:
				return r.assertion(2), nil
			case c >= '1' && c <= '9' || strings.IndexByte("kgGKRXQEyYO", c) >= 0:
				return nil, fmt.Errorf(`\%c is not supported`, c)
			}
		}
		n = escapeLength(r.rest)
	default:
		_, n = utf8.DecodeRuneInString(r.rest)
	}
	text := r.rest[:n]
	if strings.IndexByte("{}]#- ", text[0]) >= 0 {
		text = `\` + text
	}
	class, err := newClass(text, r.fold, r.dotAll)
	if err != nil {
		return nil, err
	}
	r.rest = r.rest[n:]
	return &part{kind: charPart, class: class}, nil
}

// assertion reads n bytes, the last of which names it.
func (r *patternReader) assertion(n int) *part {
	p := &part{kind: assertPart, assert: r.rest[n-1]}
	r.rest = r.rest[n:]
	return p
}

// group reads a group of any kind.
func (r *patternReader) group() (*part, error) {
	fold, dotAll := r.fold, r.dotAll
	out := &part{kind: sequencePart}
	switch {
	case r.skip("(?:"):
	case r.skip("(?>"):
		out = &part{kind: atomicPart}
	case r.skip("(?="):
		out = &part{kind: lookPart}
	case r.skip("(?!"):
		out = &part{kind: lookPart, not: true}
	case r.skip("(?<="):
		out = &part{kind: lookPart, behind: true}
	case r.skip("(?<!"):
		out = &part{kind: lookPart, behind: true, not: true}
	case r.skip("(?<"):
		name, rest, ok := strings.Cut(r.rest, ">")
		if !ok || name == "" {
			return nil, fmt.Errorf("a group without a name")
		}
		r.rest = rest
	case r.skip("(?#"):
		_, rest, ok := strings.Cut(r.rest, ")")
		if !ok {
			return nil, fmt.Errorf("unmatched (")
		}
		r.rest = rest
		return out, nil
	case r.skip("(?"):
		toEnd, err := r.flags()
		if err != nil {
			return nil, err
		}
		if toEnd { // of the group that it stands in, whose ) is not this one's
			sub, err := r.choice()
			r.fold, r.dotAll = fold, dotAll
			return sub, err
		}
	default:
		r.skip("(")
	}
	sub, err := r.choice()
	if err != nil {
		return nil, err
	}
	if !r.skip(")") {
		return nil, fmt.Errorf("unmatched (")
	}
	r.fold, r.dotAll = fold, dotAll
	out.subs = []*part{sub}
	return out, nil
}

// flags reads what stands behind (? and reports whether it holds up to the end of the group around.
func (r *patternReader) flags() (toEnd bool, err error) {
	on := true
	for r.rest != "" {
		c := r.rest[0]
		r.rest = r.rest[1:]
		switch c {
		case 'i':
			r.fold = on
		case 'm', 's':
			r.dotAll = on
		case '-':
			on = false
		case ':', ')':
			return c == ')', nil
		default:
			return false, fmt.Errorf("(?%c is not supported", c)
		}
	}
	return false, fmt.Errorf("unmatched (")
}

func (r *patternReader) skip(prefix string) bool {
	rest, ok := strings.CutPrefix(r.rest, prefix)
	r.rest = rest
	return ok
}

// repeated reads the quantifiers behind a.
func (r *patternReader) repeated(a *part) (*part, error) {
	for depth := 0; r.rest != ""; depth++ {
		q := &part{kind: repeatPart, max: -1, subs: []*part{a}}
		counted := false
		switch r.rest[0] {
		case '?':
			q.max = 1
		case '*':
		case '+':
			q.min = 1
		case '{':
			var ok bool
			if counted, ok = true, r.bounds(q); !ok {
				return a, nil
			}
		default:
			return a, nil
		}
		if depth == maxGroups {
			return nil, fmt.Errorf("more than %d quantifiers in a row", maxGroups)
		}
		if !counted {
			r.rest = r.rest[1:]
		}
		switch {
		case counted && q.min == q.max: // {n}? is optional, not lazy
		case r.skip("?"):
			q.lazy = true
		case !counted && r.skip("+"):
			q = &part{kind: atomicPart, subs: []*part{q}}
		}
		a = q
	}
	return a, nil
}

// bounds reads {n}, {n,}, {n,m} or {,m} into q; anything else is no quantifier.
func (r *patternReader) bounds(q *part) bool {
	inside, rest, ok := strings.Cut(r.rest[1:], "}")
	low, high, two := strings.Cut(inside, ",")
	if !ok || low == "" && high == "" {
		return false
	}
	number := func(text string, otherwise int) int {
		if text == "" {
			return otherwise
		}
		n, err := strconv.ParseUint(text, 10, 31)
		if ok = ok && err == nil; err != nil {
			return otherwise
		}
		return int(n)
	}
	q.min = number(low, 0)
	if q.max = q.min; two {
		q.max = number(high, -1)
	}
	if !ok || q.max >= 0 && q.max < q.min {
		return false
	}
	r.rest = rest
	return true
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
	if len(text) < 2 {
		return len(text)
	}
	_, n := utf8.DecodeRuneInString(text[1:])
	n++
	most := 0 // digits
	switch text[1] {
	case 'p', 'P', 'x', 'u':
		if len(text) > 2 && text[2] == '{' {
			if k := strings.IndexByte(text, '}'); k > 0 {
				return k + 1
			}
		}
		most = map[byte]int{'x': 2, 'u': 4}[text[1]]
	case '0':
		most = 2
	case 'c':
		return min(3, len(text))
	}
	for ; most > 0 && n < len(text) && strings.IndexByte("0123456789abcdefABCDEF", text[n]) >= 0; most-- {
		n++
	}
	return n
}
