package jinja

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"
)

// isSpace is Python's str.isspace of one character.
func isSpace(c rune) bool { return unicode.IsSpace(c) || 0x1c <= c && c <= 0x1f }

// isDigit is Python's str.isdigit of one character: decimal digits and those in superscripts and circles.
func isDigit(c rune) bool { return unicode.Is(unicode.Nd, c) || unicode.Is(otherDigits, c) }

// otherDigits have the Unicode property Numeric_Type=Digit.
var otherDigits = &unicode.RangeTable{
	R16: []unicode.Range16{
		{0x00b2, 0x00b3, 1}, {0x00b9, 0x00b9, 1}, {0x1369, 0x1371, 1}, {0x19da, 0x19da, 1}, {0x2070, 0x2070, 1},
		{0x2074, 0x2079, 1}, {0x2080, 0x2089, 1}, {0x2460, 0x2468, 1}, {0x2474, 0x247c, 1}, {0x2488, 0x2490, 1},
		{0x24ea, 0x24ea, 1}, {0x24f5, 0x24fd, 1}, {0x24ff, 0x24ff, 1}, {0x2776, 0x277e, 1}, {0x2780, 0x2788, 1},
		{0x278a, 0x2792, 1},
	},
	R32:         []unicode.Range32{{0x10a40, 0x10a43, 1}, {0x10e60, 0x10e68, 1}, {0x11052, 0x1105a, 1}, {0x1f100, 0x1f10a, 1}},
	LatinOffset: 2,
}

func isUpper(c rune) bool { return unicode.IsUpper(c) || unicode.Is(unicode.Other_Uppercase, c) }
func isLower(c rune) bool { return unicode.Is(unicode.Ll, c) || unicode.Is(unicode.Other_Lowercase, c) }
func isCased(c rune) bool { return isUpper(c) || isLower(c) || unicode.IsTitle(c) }

// upper is Python's str.upper, which may make a text longer (ß becomes SS).
func upper(s string) string {
	if isASCII(s) {
		return strings.ToUpper(s)
	}
	return cases.Upper(language.Und).String(s)
}

// lower is Python's str.lower: a Σ at the end of a word becomes ς.
func lower(s string) string {
	if isASCII(s) {
		return strings.ToLower(s)
	}
	var b strings.Builder
	for i, c := range s {
		switch {
		case c == 'Σ':
			b.WriteRune(sigma(s, i))
		case c == 'İ':
			b.WriteString("i\u0307")
		default:
			b.WriteRune(unicode.ToLower(c))
		}
	}
	return b.String()
}

// sigma returns the small letter of the Σ at s[i:]: ς behind a letter and before none.
func sigma(s string, i int) rune {
	ignorable := func(c rune) bool {
		return unicode.In(c, unicode.Mn, unicode.Me, unicode.Cf, unicode.Lm, unicode.Sk) || strings.ContainsRune("'.:·\u2018\u2019\u2024\u2027\ufe13\ufe52\ufe55\uff07\uff0e\uff1a", c)
	}
	before := strings.TrimRightFunc(s[:i], ignorable)
	after := strings.TrimLeftFunc(s[i+len("Σ"):], ignorable)
	last, _ := utf8.DecodeLastRuneInString(before)
	first, _ := utf8.DecodeRuneInString(after)
	if before != "" && isCased(last) && (after == "" || !isCased(first)) {
		return 'ς'
	}
	return 'σ'
}

// capital returns the title case of one character: ǆ becomes ǅ, ß becomes Ss.
func capital(c rune) string {
	if c < utf8.RuneSelf {
		return string(unicode.ToUpper(c))
	}
	return cases.Title(language.Und, cases.NoLower).String(string(c))
}

// capitalize is Python's str.capitalize.
func capitalize(s string) string {
	c, n := utf8.DecodeRuneInString(s)
	if n == 0 {
		return ""
	}
	if c == 'Σ' {
		return "Σ" + lower(s)[len("σ"):]
	}
	return capital(c) + lower(s)[len(lower(s[:n])):]
}

// title is Python's str.title: a letter behind no letter is a capital, others are small.
func title(s string) string {
	var b strings.Builder
	inside := false
	for i, c := range s {
		switch {
		case !inside:
			b.WriteString(capital(c))
		case c == 'Σ':
			b.WriteRune(sigma(s, i))
		default:
			b.WriteString(lower(string(c)))
		}
		inside = isCased(c)
	}
	return b.String()
}

// titleWords is Jinja's filter title: capitals behind spaces, hyphens and opening brackets only.
func titleWords(s string) string {
	var b strings.Builder
	opens := func(c rune) bool { return isSpace(c) || strings.ContainsRune("-({[<", c) }
	for s != "" {
		word := strings.IndexFunc(s, func(c rune) bool { return !opens(c) })
		if word < 0 {
			word = len(s)
		}
		b.WriteString(s[:word])
		s = s[word:]
		end := strings.IndexFunc(s, opens)
		if end < 0 {
			end = len(s)
		}
		_, n := utf8.DecodeRuneInString(s[:end])
		b.WriteString(upper(s[:n]) + lower(s[n:end]))
		s = s[end:]
	}
	return b.String()
}

// swapCase is Python's str.swapcase.
func swapCase(s string) string {
	var b strings.Builder
	for i, c := range s {
		switch {
		case c == 'Σ':
			b.WriteRune(sigma(s, i))
		case isUpper(c):
			b.WriteString(lower(string(c)))
		case isLower(c):
			b.WriteString(upper(string(c)))
		default:
			b.WriteRune(c)
		}
	}
	return b.String()
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// splitLines is Python's str.splitlines.
func splitLines(s string, keep bool) []string {
	var lines []string
	for s != "" {
		end := strings.IndexFunc(s, func(c rune) bool { return strings.ContainsRune("\n\r\v\f\x1c\x1d\x1e\u0085\u2028\u2029", c) })
		if end < 0 {
			return append(lines, s)
		}
		_, n := utf8.DecodeRuneInString(s[end:])
		if strings.HasPrefix(s[end:], "\r\n") {
			n = 2
		}
		if keep {
			lines = append(lines, s[:end+n])
		} else {
			lines = append(lines, s[:end])
		}
		s = s[end+n:]
	}
	return lines
}

var htmlEscapes = strings.NewReplacer("&", "&amp;", ">", "&gt;", "<", "&lt;", "'", "&#39;", `"`, "&#34;")

func escapeHTML(s string) string { return htmlEscapes.Replace(s) }
