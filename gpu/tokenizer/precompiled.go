package tokenizer

import (
	"encoding/binary"
	"fmt"
	"strings"
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
	return c, nil
}

// longest returns the longest prefix of text that has a replacement, and that replacement.
func (c *charsmap) longest(text string) (length int, with string, ok bool) {
	unit := c.units[0]
	node := childOffset(unit)
	for i := 0; i < len(text) && text[i] != 0; i++ {
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
				length, ok = i+1, true
				with, _, _ = strings.Cut(c.texts[at:], "\x00")
			}
		}
	}
	return length, with, ok
}

// childOffset returns where a unit's children are, relative to it.
func childOffset(unit uint32) uint32 { return unit >> 10 << (unit & (1 << 9) >> 6) }

// precompiled returns the normalizer of a precompiled_charsmap: from left to right the longest
// prefix that has a replacement is replaced.
func precompiled(data []byte) (normalizer, error) {
	c, err := newCharsmap(data)
	if err != nil {
		return nil, err
	}
	return func(s span) span {
		e := edit(s)
		for i := 0; i < len(s.text); {
			if n, with, ok := c.longest(s.text[i:]); ok {
				if with == s.text[i:i+n] {
					e.keep(i, i+n)
				} else {
					e.put(with, i+n)
				}
				i += n
				continue
			}
			_, n := utf8.DecodeRuneInString(s.text[i:])
			e.keep(i, i+n)
			i += n
		}
		return e.done()
	}, nil
}
