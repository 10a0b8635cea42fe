package jinja

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// unescape reads the inside of a string literal as Jinja2 does: what is not ASCII is written as an escape
// first (so a backslash before it escapes that escape), then all escapes are read.
func unescape(s string) (string, error) {
	if !strings.Contains(s, `\`) {
		return s, nil
	}
	var plain strings.Builder
	for i, c := range s {
		switch {
		case c < utf8.RuneSelf:
			plain.WriteByte(byte(c))
		case i == 0 || s[i-1] != '\\': // an escape that is read again at once: the character itself
			plain.WriteRune(c)
		case c < 0x100:
			fmt.Fprintf(&plain, `\x%02x`, c)
		case c < 0x10000:
			fmt.Fprintf(&plain, `\u%04x`, c)
		default:
			fmt.Fprintf(&plain, `\U%08x`, c)
		}
	}
	var out strings.Builder
	for s = plain.String(); s != ""; {
		k := strings.IndexByte(s, '\\')
		if k < 0 {
			out.WriteString(s)
			break
		}
		out.WriteString(s[:k])
		n, err := readEscape(&out, s[k:])
		if err != nil {
			return "", err
		}
		s = s[k+n:]
	}
	return out.String(), nil
}

var simpleEscapes = map[byte]string{
	'\n': "", '\\': `\`, '\'': "'", '"': `"`, 'a': "\a", 'b': "\b", 'f': "\f", 'n': "\n", 'r': "\r", 't': "\t", 'v': "\v",
}

// readEscape writes what the escape at the start of s stands for and returns its length. An escape that
// Python does not know stays as it is.
func readEscape(out *strings.Builder, s string) (int, error) {
	if len(s) < 2 {
		return 0, fmt.Errorf(`\ at end of string`)
	}
	if t, ok := simpleEscapes[s[1]]; ok {
		out.WriteString(t)
		return 2, nil
	}
	digits, base, start := 0, 16, 2
	switch c := s[1]; {
	case c == 'x':
		digits = 2
	case c == 'u':
		digits = 4
	case c == 'U':
		digits = 8
	case c == 'N':
		return 0, unsupported(`the escape \N`)
	case '0' <= c && c <= '7':
		base, start = 8, 1
		for digits < 3 && start+digits < len(s) && '0' <= s[start+digits] && s[start+digits] <= '7' {
			digits++
		}
	default:
		out.WriteString(s[:1])
		return 1, nil
	}
	if len(s) < start+digits {
		return 0, fmt.Errorf("truncated escape %s", s)
	}
	code, err := strconv.ParseUint(s[start:start+digits], base, 32)
	if err != nil || code > utf8.MaxRune {
		return 0, fmt.Errorf("escape %s cannot be read", s[:start+digits])
	}
	if 0xd800 <= code && code < 0xe000 {
		return 0, unsupported("the lone surrogate %s", s[:start+digits])
	}
	out.WriteRune(rune(code))
	return start + digits, nil
}
