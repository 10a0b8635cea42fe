package tokenizer

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// A normalizer changes the text before it is cut into words.
type normalizer func(span) span

// replaceAll returns a normalizer that writes content for every match of p.
func replaceAll(p pattern, content string) normalizer {
	return func(s span) span {
		var e *editor
		done := 0
		p.find(s.work, s.text, func(i, j int) {
			if e == nil {
				e = edit(s)
			}
			e.keep(done, i)
			e.put(content, j)
			done = j
		})
		if e == nil {
			return s
		}
		e.keep(done, len(s.text))
		return e.done()
	}
}

// prependTo returns a normalizer that writes prefix before a text that is not empty.
func prependTo(prefix string) normalizer {
	return func(s span) span {
		if s.text == "" {
			return s
		}
		return prepend(s, prefix)
	}
}

// stripSpace returns a normalizer that removes white space from the ends of a text.
func stripSpace(left, right bool) normalizer {
	return func(s span) span {
		i, j := 0, len(s.text)
		if left {
			i = j - len(trimLeftSpace(s.text))
		}
		if right {
			j = max(i, len(trimRightSpace(s.text)))
		}
		if i == 0 && j == len(s.text) {
			return s
		}
		e := edit(s)
		e.keep(i, j)
		return e.done()
	}
}

// lowercase is a normalizer that maps every character to lower case by itself: no final sigma.
func lowercase(s span) span {
	return replaceRunes(s, func(r rune) string {
		if r == 'İ' {
			return "i̇"
		}
		return string(unicode.ToLower(r))
	}, func(r rune) bool { return r == 'İ' || unicode.ToLower(r) != r })
}

// stripAccents is a normalizer that removes combining marks; it takes decomposed text.
func stripAccents(s span) span {
	return replaceRunes(s, func(rune) string { return "" }, unicode.IsMark)
}

// nmt is SentencePiece's cleaning of text for translation: control characters go, odd white space
// becomes a space.
func nmt(s span) span {
	return replaceRunes(s, func(r rune) string {
		if isNmtSpace(r) {
			return " "
		}
		return ""
	}, func(r rune) bool { return isNmtSpace(r) || isNmtControl(r) })
}

func isNmtControl(r rune) bool {
	return r >= 0x1 && r <= 0x8 || r == 0xB || r >= 0xE && r <= 0x1F || r == 0x7F || r == 0x8F || r == 0x9F
}

func isNmtSpace(r rune) bool {
	switch r {
	case 0x9, 0xA, 0xC, 0xD, 0x1680, 0x200B, 0x200C, 0x200D, 0x200E, 0x200F, 0x2028, 0x2029, 0x2581, 0xFEFF, 0xFFFD:
		return true
	}
	return r >= 0x200B && r <= 0x200F
}

// squeezeSpaces is SentencePiece's remove_extra_whitespaces: no space at the ends of a text and
// never two in a row.
func squeezeSpaces(s span) span {
	i, j := 0, len(s.text)
	for i < j && s.text[i] == ' ' {
		i++
	}
	for j > i && s.text[j-1] == ' ' {
		j--
	}
	if i == 0 && j == len(s.text) && !strings.Contains(s.text, "  ") {
		return s
	}
	e := edit(s)
	for k := i; k < j; {
		_, n := utf8.DecodeRuneInString(s.text[k:])
		if s.text[k] != ' ' || s.text[k-1] != ' ' {
			e.keep(k, k+n)
		}
		k += n
	}
	return e.done()
}

// trimMarks takes ▁ from the end of a text, as remove_extra_whitespaces does even where the text
// had that character.
func trimMarks(s span) span { return s.slice(0, len(strings.TrimRight(s.text, "▁"))) }
