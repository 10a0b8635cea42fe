package tokenizer

import (
	"slices"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// unicodeForm returns a normalizer to one of Unicode's normal forms (UAX 15).
//
// It takes the tables of golang.org/x/text/unicode/norm but not its functions, which put U+034F
// between long runs of combining marks (UAX 15, stream-safe text) where other libraries do not.
func unicodeForm(form norm.Form) normalizer {
	compose := form == norm.NFC || form == norm.NFKC
	decompose := norm.NFD
	if form == norm.NFKC || form == norm.NFKD {
		decompose = norm.NFKD
	}
	return func(s span) span {
		if form.QuickSpanString(s.text) == len(s.text) {
			return s
		}
		e := edit(s)
		for i := 0; i < len(s.text); {
			if n := form.QuickSpanString(s.text[i:]); n > 0 {
				e.keep(i, i+n)
				i += n
				continue
			}
			j := segmentEnd(decompose, s.text, i)
			chars := decomposed(decompose, s.text[i:j])
			if compose {
				chars = composed(chars)
			}
			e.putSegment(chars, j)
			i = j
		}
		return e.done()
	}
}

// putSegment writes chars for the source up to byte j.
func (e *editor) putSegment(chars []char, j int) {
	var text []byte
	for _, c := range chars {
		text = utf8.AppendRune(text, c.r)
	}
	e.put(string(text), j)
}

// A char is a character with its canonical combining class.
type char struct {
	r   rune
	ccc uint8
}

// segmentEnd returns the end of the shortest part of text from i on that normalises by itself.
func segmentEnd(form norm.Form, text string, i int) int {
	for first := i; i < len(text); {
		p := form.PropertiesString(text[i:])
		if i > first && p.BoundaryBefore() {
			break
		}
		_, n := utf8.DecodeRuneInString(text[i:])
		i += n
	}
	return i
}

// decomposed returns the full decomposition of text, in canonical order.
func decomposed(form norm.Form, text string) []char {
	var out []char
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRuneInString(text[i:])
		if unicode.Is(unknownForms, r) {
			out = append(out, char{r, 0})
		} else if r >= 0xAC00 && r < 0xAC00+11172 {
			out = append(out, hangul(r)...)
		} else if d := form.PropertiesString(text[i:]).Decomposition(); d != nil {
			for _, r := range string(d) {
				out = append(out, char{r, norm.NFD.PropertiesString(string(r)).CCC()})
			}
		} else {
			out = append(out, char{r, norm.NFD.PropertiesString(text[i:]).CCC()})
		}
		i += n
	}
	for i := 0; i < len(out); {
		j := i + 1
		if out[i].ccc != 0 {
			for j < len(out) && out[j].ccc != 0 {
				j++
			}
			slices.SortStableFunc(out[i:j], func(a, b char) int { return int(a.ccc) - int(b.ccc) })
		}
		i = j
	}
	return out
}

// hangul returns the letters of a Korean syllable (Unicode 15, section 3.12).
func hangul(r rune) []char {
	s := r - 0xAC00
	out := []char{{0x1100 + s/588, 0}, {0x1161 + s%588/28, 0}}
	if s%28 != 0 {
		out = append(out, char{0x11A7 + s%28, 0})
	}
	return out
}

// composed joins characters by the canonical composition algorithm, in place.
func composed(chars []char) []char {
	starter, out := -1, chars[:0]
	var last uint8 // combining class of the character before, if it was not joined
	for _, c := range chars {
		if starter >= 0 {
			blocked := len(out)-1 > starter && (last >= c.ccc || last == 0)
			if r, ok := composePair(out[starter].r, c.r); ok && !blocked {
				out[starter].r = r
				continue
			}
		}
		if c.ccc == 0 {
			starter = len(out)
		}
		last = c.ccc
		out = append(out, c)
	}
	return out
}

// composePair returns the character that a and b compose to, if there is one.
func composePair(a, b rune) (rune, bool) {
	pair := string(a) + string(b)
	whole := norm.NFC.String(pair)
	r, n := utf8.DecodeRuneInString(whole)
	return r, n == len(whole) && whole != pair && !unicode.Is(unknownForms, r)
}
