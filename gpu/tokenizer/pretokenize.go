package tokenizer

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A pretokenizer cuts a span, which is not empty, into words and appends them to out.
type pretokenizer func(s span, out []span) []span

// sequence applies one pretokenizer to the words of another.
func sequence(parts []pretokenizer) pretokenizer {
	if len(parts) == 1 {
		return parts[0]
	}
	return func(s span, out []span) []span {
		words := []span{s}
		for i, part := range parts {
			next := out
			if i < len(parts)-1 {
				next = make([]span, 0, len(words)+8)
			}
			for _, w := range words {
				next = part(w, next)
			}
			words = next
		}
		return words
	}
}

// Behaviours of a split: what happens to the text that the pattern matched.
const (
	removed        = "Removed"
	isolated       = "Isolated"
	mergedPrevious = "MergedWithPrevious"
	mergedNext     = "MergedWithNext"
	contiguous     = "Contiguous"
)

// splitter returns a pretokenizer that cuts at the matches of p, or if inverted at what lies
// between them.
func splitter(p pattern, behavior string, invert bool) (pretokenizer, error) {
	switch behavior {
	case removed, isolated, mergedPrevious, mergedNext, contiguous:
	default:
		return nil, fmt.Errorf("split behaviour %q", behavior)
	}
	if sc, ok := p.(scanned); ok && (behavior == isolated || behavior == removed && invert) {
		// The matches leave no gap: they are the words.
		return func(s span, out []span) []span {
			sc.split(s.text, func(i, j int) { out = append(out, s.slice(i, j)) })
			return out
		}, nil
	}
	return func(s span, out []span) []span {
		c := cutter{behavior: behavior, s: s, out: out}
		done := 0
		p.find(s.work, s.text, func(i, j int) {
			if i > done {
				c.add(done, i, invert)
			}
			c.add(i, j, !invert)
			done = j
		})
		if done < len(s.text) {
			c.add(done, len(s.text), invert)
		}
		return c.finish()
	}, nil
}

// A cutter collects words from parts that alternate between matches and what lies between them.
type cutter struct {
	behavior   string
	s          span
	out        []span
	start, end int // word that may still grow
	open       bool
	lastMatch  bool // whether the last part was a match
}

// add takes the next part of the text, a match or not.
func (c *cutter) add(i, j int, match bool) {
	join := false
	switch c.behavior {
	case removed:
		if match {
			c.close()
			return
		}
	case mergedPrevious:
		join = match && !c.lastMatch
	case mergedNext:
		join = c.lastMatch && !match
	case contiguous:
		join = match == c.lastMatch
	}
	if !c.open || !join {
		c.close()
		c.start, c.open = i, true
	}
	c.end, c.lastMatch = j, match
}

func (c *cutter) close() {
	if c.open {
		c.out = append(c.out, c.s.slice(c.start, c.end))
	}
	c.open = false
}

func (c *cutter) finish() []span {
	c.close()
	return c.out
}

// byteLevel returns GPT-2's pretokenizer. The bytes themselves stay as they are: the model takes
// them in place of the characters that stand for them.
func byteLevel(addPrefixSpace, useRegex bool) pretokenizer {
	words, _ := splitter(scanned{scanners[patternGPT2]}, isolated, false)
	return func(s span, out []span) []span {
		if addPrefixSpace && !strings.HasPrefix(s.text, " ") {
			s = prepend(s, " ")
		}
		if !useRegex {
			return append(out, s)
		}
		return words(s, out)
	}
}

// When a Metaspace puts its character in front of a text.
const (
	prependAlways = "always"
	prependFirst  = "first" // of the whole text only, not after added tokens
	prependNever  = "never"
)

// metaspace returns SentencePiece's pretokenizer: spaces become mark, words begin with it.
func metaspace(mark rune, scheme string, split bool) pretokenizer {
	replace := replaceAll(literal(" "), string(mark))
	words, _ := splitter(literal(mark), mergedNext, false)
	return func(s span, out []span) []span {
		s = replace(s)
		if (scheme == prependAlways || scheme == prependFirst && s.base == 0) && !strings.HasPrefix(s.text, string(mark)) {
			s = prepend(s, string(mark))
		}
		if !split {
			return append(out, s)
		}
		return words(s, out)
	}
}

// fixedLength returns a pretokenizer that cuts after every n characters.
func fixedLength(n int) pretokenizer {
	return func(s span, out []span) []span {
		start, chars := 0, 0
		for i := range s.text {
			if chars == n {
				out = append(out, s.slice(start, i))
				start, chars = i, 0
			}
			chars++
		}
		return append(out, s.slice(start, len(s.text)))
	}
}

// wordOrSigns matches \w+ and [^\w\s]+.
type wordOrSigns struct{}

func (wordOrSigns) find(_ *work, text string, emit func(i, j int)) {
	kind := func(r rune) int {
		switch {
		case isWord(r):
			return 1
		case unicode.IsSpace(r):
			return 0
		}
		return 2
	}
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRuneInString(text[i:])
		k, j := kind(r), i+n
		for j < len(text) {
			r, n := utf8.DecodeRuneInString(text[j:])
			if kind(r) != k {
				break
			}
			j += n
		}
		if k != 0 {
			emit(i, j)
		}
		i = j
	}
}

// isPunctuation is Hugging Face's: ASCII signs, and \p{P} beyond.
func isPunctuation(r rune) bool {
	if r < utf8.RuneSelf {
		return r > ' ' && r < 0x7F && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	}
	return unicode.Is(unicode.P, r)
}
