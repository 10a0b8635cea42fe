package report

import (
	"fmt"
	"strings"
	"unicode"
)

// visible gives a text in which nothing acts unseen: control characters, overrides of the direction of
// writing, characters without width and what XML has no place for are written as their names. A text that
// has none of them is returned as it is, but for what is beyond maxPageText.
func visible(text string) string {
	text = shorten(text)
	if strings.IndexFunc(text, hidden) < 0 {
		return strings.ToValidUTF8(text, "\ufffd")
	}
	var b strings.Builder
	for _, c := range text {
		switch {
		case !hidden(c):
			b.WriteRune(c)
		case c < 0x20:
			b.WriteRune(0x2400 + c) // the picture of a control character
		case c == 0x7f:
			b.WriteRune('␡')
		default:
			fmt.Fprintf(&b, "⟨U+%04X⟩", c)
		}
	}
	return b.String()
}

// hidden reports characters that a reader would not see, or that change what is around them. Joiners stay:
// scripts and emoji are written with them.
func hidden(c rune) bool {
	const nonJoiner, joiner = 0x200c, 0x200d
	switch {
	case c == nonJoiner || c == joiner:
		return false
	case unicode.Is(unicode.Cc, c), unicode.Is(unicode.Cf, c), unicode.Is(unicode.Zl, c), unicode.Is(unicode.Zp, c):
		return true
	}
	return c&0xfffe == 0xfffe // never a character, and not allowed in XML
}
