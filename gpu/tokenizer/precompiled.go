package tokenizer

import (
	"encoding/binary"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A charsmap is SentencePiece's table of replacements: a double-array trie whose values point into
// a text of replacements that end with a zero byte. The layout is that of
// https://github.com/s-yata/darts-clone.
type charsmap struct {
	units []uint32
	texts string
}

// newCharsmap reads a precompiled_charsmap: the trie's length in bytes as a little-endian uint32,
// the trie, the replacements.
func newCharsmap(data []byte) (*charsmap, error) {
	if len(data) < 4 {
		return nil, fmt.Errorf("charsmap of %d bytes", len(data))
	}
	n := int64(binary.LittleEndian.Uint32(data))
	if n == 0 || n%4 != 0 || 4+n > int64(len(data)) {
		return nil, fmt.Errorf("charsmap of %d bytes with a trie of %d", len(data), n)
	}
	c := &charsmap{units: make([]uint32, n/4), texts: string(data[4+n:])}
	for i := range c.units {
		c.units[i] = binary.LittleEndian.Uint32(data[4+4*i:])
	}
	if !utf8.ValidString(c.texts) {
		return nil, fmt.Errorf("charsmap whose replacements are not UTF-8")
	}
	for rest, more := c.texts, true; more; {
		var text string
		if text, rest, more = strings.Cut(rest, "\x00"); len(text) > maxToken {
			return nil, fmt.Errorf("charsmap with a replacement of %d bytes, at most %d are read", len(text), maxToken)
		}
	}
	return c, nil
}

// longest returns the longest prefix of text that has a replacement, and that replacement.
func (c *charsmap) longest(w *work, text string) (length int, with string, ok bool) {
	return c.prefix(w, text, false)
}

// shortest returns the replacement of the shortest prefix of text that has one.
func (c *charsmap) shortest(w *work, text string) (with string, ok bool) {
	_, with, ok = c.prefix(w, text, true)
	return with, ok
}

func (c *charsmap) prefix(w *work, text string, first bool) (length int, with string, ok bool) {
	found, i := 0, 0
	unit := c.units[0]
	node := childOffset(unit)
	for ; i < len(text) && text[i] != 0; i++ {
		node ^= uint32(text[i])
		if int(node) >= len(c.units) {
			break
		}
		unit = c.units[node]
		if unit&(1<<31|0xFF) != uint32(text[i]) {
			break
		}
		node ^= childOffset(unit)
		if unit>>8&1 == 1 && int(node) < len(c.units) {
			if at := int(c.units[node] &^ (1 << 31)); at <= len(c.texts) {
				length, found, ok = i+1, at, true
				if first {
					break
				}
			}
		}
	}
	if !w.step(i+1, "the search for replacements") || !ok { // a damaged table may go round in circles
		return 0, "", false
	}
	with, _, _ = strings.Cut(c.texts[found:], "\x00")
	return length, with, true
}

// childOffset returns where a unit's children are, relative to it.
func childOffset(unit uint32) uint32 { return unit >> 10 << (unit & (1 << 9) >> 6) }

// precompiled returns SentencePiece's own normalizer of a precompiled_charsmap: from left to right
// the longest prefix that has a replacement is replaced. The texts of keep stay as they are.
func precompiled(data []byte, keep *matcher) (normalizer, error) {
	c, err := newCharsmap(data)
	if err != nil {
		return nil, err
	}
	return func(s span) span {
		e := edit(s)
		for i := 0; i < len(s.text); {
			if _, j, ok := keep.longest(s.work, s.text, i); ok {
				e.keep(i, j)
				i = j
				continue
			}
			n, with, ok := c.longest(s.work, s.text[i:])
			if !ok {
				_, n = utf8.DecodeRuneInString(s.text[i:])
			}
			e.replace(i, i+n, with, ok)
			i += n
		}
		return e.done()
	}, nil
}

// precompiledGraphemes returns the normalizer that Hugging Face's library makes of a
// precompiled_charsmap. It looks at graphemes of up to five bytes as a whole, else at single
// characters, and replaces either if any prefix of it has a replacement, by that of the shortest.
func precompiledGraphemes(data []byte) (normalizer, error) {
	c, err := newCharsmap(data)
	if err != nil {
		return nil, err
	}
	return func(s span) span {
		e := edit(s)
		for i := 0; i < len(s.text); {
			end := graphemeEnd(s.text, i)
			if end-i < 6 {
				if with, ok := c.shortest(s.work, s.text[i:end]); ok {
					e.replace(i, end, with, true)
					i = end
					continue
				}
			}
			for i < end {
				_, n := utf8.DecodeRuneInString(s.text[i:])
				with, ok := c.shortest(s.work, s.text[i:i+n])
				e.replace(i, i+n, with, ok)
				i += n
			}
		}
		return e.done()
	}, nil
}

// replace writes with for bytes i to j of the source if ok, and keeps them if not.
func (e *editor) replace(i, j int, with string, ok bool) {
	if !ok || with == e.src.text[i:j] {
		e.keep(i, j)
		return
	}
	e.put(with, j)
}

// graphemeEnd returns the end of the grapheme at i (UAX 29), exactly for those of up to five bytes:
// a line end, or a character and the marks on it. Longer ones are taken character by character.
func graphemeEnd(text string, i int) int {
	r, n := utf8.DecodeRuneInString(text[i:])
	end := i + n
	if r == '\r' && end < len(text) && text[end] == '\n' {
		return end + 1
	}
	for unicode.Is(unicode.Prepended_Concatenation_Mark, r) && end < len(text) {
		next, n := utf8.DecodeRuneInString(text[end:])
		if breaks(next) {
			return end
		}
		r, end = next, end+n
	}
	if breaks(r) {
		return end
	}
	for end < len(text) {
		next, n := utf8.DecodeRuneInString(text[end:])
		if !extends(next) {
			break
		}
		end += n
	}
	return end
}

// extends reports whether r belongs to the grapheme of the character before it.
func extends(r rune) bool {
	switch r {
	case 0x200C, 0x200D, 0xFF9E, 0xFF9F, 0x0E33, 0x0EB3:
		return true
	}
	return r >= 0x1F3FB && r <= 0x1F3FF || isTag(r) || unicode.IsMark(r) && !unicode.Is(loneMarks, r)
}

// loneMarks are the marks that UAX 29 excepts from SpacingMark.
var loneMarks = &unicode.RangeTable{
	R16: []unicode.Range16{
		{0x102B, 0x102C, 1}, {0x1038, 0x1038, 1}, {0x1062, 0x1064, 1}, {0x1067, 0x106D, 1}, {0x1083, 0x1083, 1}, {0x1087, 0x108C, 1},
		{0x108F, 0x108F, 1}, {0x109A, 0x109C, 1}, {0x1A61, 0x1A61, 1}, {0x1A63, 0x1A64, 1}, {0xAA7B, 0xAA7B, 1}, {0xAA7D, 0xAA7D, 1},
	},
	R32: []unicode.Range32{{0x11720, 0x11721, 1}},
}

// breaks reports whether r is a grapheme by itself.
func breaks(r rune) bool {
	if r == 0x200C || r == 0x200D || isTag(r) || unicode.Is(unicode.Prepended_Concatenation_Mark, r) {
		return false
	}
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp)
}

// isTag reports whether r is one of the invisible letters that end an emoji flag.
func isTag(r rune) bool { return r >= 0xE0020 && r <= 0xE007F }
