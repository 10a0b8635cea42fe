package tokenizer

import (
	"strings"
	"sync"
	"unicode"
)

// Character classes of the split patterns, as bits.
const (
	letter  = 1 << iota // \p{L}
	number              // \p{N}
	space               // \s, White_Space
	newline             // \r or \n
)

// classTable returns the classes of the characters below U+10000, by code point. It is made on
// first use: 64 KiB, about a millisecond.
var classTable = sync.OnceValue(func() *[1 << 16]uint8 {
	table := new([1 << 16]uint8)
	mark := func(t *unicode.RangeTable, bit uint8) {
		for _, r := range t.R16 {
			for c := int(r.Lo); c <= int(r.Hi); c += int(r.Stride) {
				table[c] |= bit
			}
		}
	}
	mark(unicode.L, letter)
	mark(newLetters(), letter)
	mark(unicode.N, number)
	mark(unicode.White_Space, space)
	table['\r'] |= newline
	table['\n'] |= newline
	return table
})

// classOf returns the classes of r.
func classOf(table *[1 << 16]uint8, r rune) uint8 {
	if uint32(r) < 1<<16 {
		return table[r]
	}
	switch {
	case isLetter(r):
		return letter
	case isNumber(r):
		return number
	}
	return 0
}

func trimLeftSpace(s string) string  { return strings.TrimLeftFunc(s, unicode.IsSpace) }
func trimRightSpace(s string) string { return strings.TrimRightFunc(s, unicode.IsSpace) }
