package tokenizer

import "unicode/utf8"

// A span is a piece of text on its way through the pipeline. It remembers where each of its
// boundaries lies in the original text: boundary i is the place before byte i.
//
// Without at, the text is an unchanged part of the original that starts at base. With at, boundary
// i lies at at[i], or nowhere in particular (-1) where one original character became several
// bytes that only together stand for it. Spans that are not tracked carry no at, even when
// their text has changed, and their base means nothing then.
type span struct {
	text    string
	at      []int32
	base    int
	tracked bool
	work    *work // what may still be done for the text that the span belongs to
}

// offset returns the place of boundary i in the original text, or -1 if it is inside a character.
func (s span) offset(i int) int {
	if s.at != nil {
		return int(s.at[i])
	}
	if i < len(s.text) && !utf8.RuneStart(s.text[i]) {
		return -1
	}
	return s.base + i
}

// slice returns the bytes from i to j as a span of their own.
func (s span) slice(i, j int) span {
	out := span{text: s.text[i:j], base: s.base + i, tracked: s.tracked, work: s.work}
	if s.at != nil {
		out.at, out.base = s.at[i:j+1], s.base
		for i > 0 && s.at[i] < 0 { // to where the character begins
			i--
		}
		if i > 0 {
			out.base = int(s.at[i])
		}
	}
	return out
}

// An editor builds a changed copy of a span, part by part from left to right. Once the work runs out, the
// rest is left out.
type editor struct {
	src  span
	text []byte
	at   []int32
}

// edit starts a changed copy of s.
func edit(s span) *editor {
	e := &editor{src: s, text: make([]byte, 0, len(s.text)+8)}
	if s.tracked {
		e.at = make([]int32, 1, len(s.text)+9)
		e.at[0] = int32(s.offset(0))
	}
	return e
}

// keep copies bytes i to j of the source unchanged.
func (e *editor) keep(i, j int) {
	if !e.src.work.write(j-i, len(e.text)) {
		return
	}
	e.text = append(e.text, e.src.text[i:j]...)
	if !e.src.tracked {
		return
	}
	for k := i + 1; k <= j; k++ {
		e.at = append(e.at, int32(e.src.offset(k)))
	}
}

// put replaces the source up to boundary j by text, of which only the end is a boundary of the original.
// Empty text extends an incomplete character before it to boundary j; otherwise deleting needs no call.
func (e *editor) put(text string, j int) {
	if text == "" {
		if last := len(e.at) - 1; last >= 0 && e.at[last] < 0 {
			e.at[last] = int32(e.src.offset(j))
		}
		return
	}
	if !e.src.work.write(len(text), len(e.text)) {
		return
	}
	e.text = append(e.text, text...)
	if !e.src.tracked {
		return
	}
	for range len(text) - 1 {
		e.at = append(e.at, -1)
	}
	e.at = append(e.at, int32(e.src.offset(j)))
}

// done returns the changed copy.
func (e *editor) done() span {
	return span{text: string(e.text), at: e.at, base: e.src.base, tracked: e.src.tracked, work: e.src.work}
}

// prepend returns s with prefix in front of it; the prefix stands for no original text.
func prepend(s span, prefix string) span {
	e := edit(s)
	e.put(prefix, 0)
	e.keep(0, len(s.text))
	return e.done()
}

// replaceRunes returns s with each rune r replaced by f(r), and s itself if nothing changes.
func replaceRunes(s span, f func(r rune) string, changes func(r rune) bool) span {
	first := -1
	for i, r := range s.text {
		if changes(r) {
			first = i
			break
		}
	}
	if first < 0 {
		return s
	}
	e := edit(s)
	e.keep(0, first)
	for i := first; i < len(s.text); {
		r, n := utf8.DecodeRuneInString(s.text[i:])
		if changes(r) {
			e.put(f(r), i+n)
		} else {
			e.keep(i, i+n)
		}
		i += n
	}
	return e.done()
}

// sanitize returns text with every maximal invalid part replaced by U+FFFD.
func sanitize(s span) span {
	if utf8.ValidString(s.text) {
		return s
	}
	e := edit(s)
	for i := 0; i < len(s.text); {
		r, n := utf8.DecodeRuneInString(s.text[i:])
		if r != utf8.RuneError || n > 1 {
			e.keep(i, i+n)
			i += n
			continue
		}
		n = invalidPart(s.text[i:])
		e.put("\uFFFD", i+n)
		i += n
	}
	out := e.done()
	if s.work.err == nil {
		fixBoundaries(out.at, s)
	}
	return out
}

// fixBoundaries gives the ends of invalid parts their offsets: span.offset takes every byte that
// cannot start a character for the inside of one, which holds in valid text only.
func fixBoundaries(at []int32, s span) {
	// Every end that was written by put or keep is at a character's end, so a -1 there came
	// from offset alone. Walk both texts again and write the true places.
	if at == nil {
		return
	}
	q := 0
	for i := 0; i < len(s.text); {
		r, n := utf8.DecodeRuneInString(s.text[i:])
		width := n
		if r == utf8.RuneError && n <= 1 {
			n, width = invalidPart(s.text[i:]), len("\uFFFD")
		}
		i += n
		q += width
		at[q] = int32(s.base + i)
	}
}

// invalidPart returns the length of the longest invalid part at the start of text that a decoder
// replaces by one U+FFFD: a prefix of some valid character, or one byte (Unicode 15, section
// 3.9, "substitution of maximal subparts").
func invalidPart(text string) int {
	low, high, n := byte(0x80), byte(0xBF), 0
	switch c := text[0]; {
	case c >= 0xC2 && c <= 0xDF:
		n = 2
	case c >= 0xE0 && c <= 0xEF:
		n = 3
		if c == 0xE0 {
			low = 0xA0
		} else if c == 0xED {
			high = 0x9F
		}
	case c >= 0xF0 && c <= 0xF4:
		n = 4
		if c == 0xF0 {
			low = 0x90
		} else if c == 0xF4 {
			high = 0x8F
		}
	default:
		return 1
	}
	for i := 1; i < n; i++ {
		if i >= len(text) || text[i] < low || text[i] > high {
			return i
		}
		low, high = 0x80, 0xBF
	}
	return n
}
