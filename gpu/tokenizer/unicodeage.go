package tokenizer

import (
	"strings"
	"sync"
	"unicode"

	"golang.org/x/text/unicode/rangetable"
)

// unknownForms are the characters whose decomposition or combining class is not in the tables of
// Hugging Face's library, which are those of Unicode 9, but in those of golang.org/x/text
// v0.43 (Unicode 15). Normalisation leaves them alone, as there.
var unknownForms = &unicode.RangeTable{
	R16: []unicode.Range16{
		{0x07FD, 0x07FD, 1}, {0x0898, 0x089F, 1}, {0x08CA, 0x08D3, 1}, {0x09FE, 0x09FE, 1}, {0x0C3C, 0x0C3C, 1}, {0x0D3B, 0x0D3C, 1},
		{0x0EBA, 0x0EBA, 1}, {0x1715, 0x1715, 1}, {0x1ABF, 0x1ACE, 1}, {0x1DF6, 0x1DFA, 1}, {0x32FF, 0x32FF, 1}, {0xA7F2, 0xA7F4, 1},
		{0xA82C, 0xA82C, 1}, {0xAB69, 0xAB69, 1},
	},
	R32: []unicode.Range32{
		{0x10781, 0x10785, 1}, {0x10787, 0x107B0, 1}, {0x107B2, 0x107BA, 1}, {0x10D24, 0x10D27, 1}, {0x10EAB, 0x10EAC, 1},
		{0x10EFD, 0x10EFF, 1}, {0x10F46, 0x10F50, 1}, {0x10F82, 0x10F85, 1}, {0x11070, 0x11070, 1}, {0x1133B, 0x1133B, 1},
		{0x1145E, 0x1145E, 1}, {0x11839, 0x1183A, 1}, {0x11938, 0x11938, 1}, {0x1193D, 0x1193E, 1}, {0x11943, 0x11943, 1},
		{0x119E0, 0x119E0, 1}, {0x11A34, 0x11A34, 1}, {0x11A47, 0x11A47, 1}, {0x11A99, 0x11A99, 1}, {0x11D42, 0x11D42, 1},
		{0x11D44, 0x11D45, 1}, {0x11D97, 0x11D97, 1}, {0x11F41, 0x11F42, 1}, {0x16FF0, 0x16FF1, 1}, {0x1E030, 0x1E06D, 1},
		{0x1E08F, 0x1E08F, 1}, {0x1E130, 0x1E136, 1}, {0x1E2AE, 0x1E2AE, 1}, {0x1E2EC, 0x1E2EF, 1}, {0x1E4EC, 0x1E4EF, 1},
		{0x1F16C, 0x1F16C, 1}, {0x1FBF0, 0x1FBF9, 1},
	},
}

// newer are the characters that have a category in Oniguruma 6.9.10 (Unicode 16), whose regular
// expressions Hugging Face's library uses, but none in Go's tables of Unicode 15. A later Go release
// may know them too, which does no harm.
var newer = []struct {
	category string
	old      rune // an older character of the category
	chars    *unicode.RangeTable
}{
	{"Lu", 'Ꙁ', &unicode.RangeTable{
		R16: []unicode.Range16{{0x1C89, 0x1C89, 1}, {0xA7CB, 0xA7CC, 1}, {0xA7DA, 0xA7DC, 2}},
		R32: []unicode.Range32{{0x10D50, 0x10D65, 1}},
	}},
	{"Ll", 'ꙁ', &unicode.RangeTable{
		R16: []unicode.Range16{{0x1C8A, 0x1C8A, 1}, {0xA7CD, 0xA7CD, 1}, {0xA7DB, 0xA7DB, 1}},
		R32: []unicode.Range32{{0x10D70, 0x10D85, 1}},
	}},
	{"Lm", 'ꘌ', &unicode.RangeTable{
		R32: []unicode.Range32{{0x10D4E, 0x10D4E, 1}, {0x10D6F, 0x10D6F, 1}, {0x16D40, 0x16D42, 1}, {0x16D6B, 0x16D6C, 1}},
	}},
	{"Lo", 'ꀀ', &unicode.RangeTable{R32: []unicode.Range32{
		{0x105C0, 0x105F3, 1}, {0x10D4A, 0x10D4D, 1}, {0x10D4F, 0x10D4F, 1}, {0x10EC2, 0x10EC4, 1}, {0x11380, 0x11389, 1},
		{0x1138B, 0x1138B, 1}, {0x1138E, 0x1138E, 1}, {0x11390, 0x113B5, 1}, {0x113B7, 0x113B7, 1}, {0x113D1, 0x113D1, 1},
		{0x113D3, 0x113D3, 1}, {0x11BC0, 0x11BE0, 1}, {0x13460, 0x143FA, 1}, {0x16100, 0x1611D, 1}, {0x16D43, 0x16D6A, 1},
		{0x18CFF, 0x18CFF, 1}, {0x1E5D0, 0x1E5ED, 1}, {0x1E5F0, 0x1E5F0, 1}, {0x2EBF0, 0x2EE5D, 1},
	}}},
	{"Mn", '\uA66F', &unicode.RangeTable{
		R16: []unicode.Range16{{0x0897, 0x0897, 1}},
		R32: []unicode.Range32{
			{0x10D69, 0x10D6D, 1}, {0x10EFC, 0x10EFC, 1}, {0x113BB, 0x113C0, 1}, {0x113CE, 0x113CE, 1}, {0x113D0, 0x113D0, 1},
			{0x113D2, 0x113D2, 1}, {0x113E1, 0x113E2, 1}, {0x11F5A, 0x11F5A, 1}, {0x1611E, 0x16129, 1}, {0x1612D, 0x1612F, 1},
			{0x1E5EE, 0x1E5EF, 1},
		},
	}},
	{"Mc", '\uA823', &unicode.RangeTable{R32: []unicode.Range32{
		{0x113B8, 0x113BA, 1}, {0x113C2, 0x113C2, 1}, {0x113C5, 0x113C5, 1}, {0x113C7, 0x113CA, 1}, {0x113CC, 0x113CD, 1},
		{0x113CF, 0x113CF, 1}, {0x1612A, 0x1612C, 1},
	}}},
	{"Nd", '꘠', &unicode.RangeTable{R32: []unicode.Range32{
		{0x10D40, 0x10D49, 1}, {0x116D0, 0x116E3, 1}, {0x11BF0, 0x11BF9, 1}, {0x16130, 0x16139, 1}, {0x16D70, 0x16D79, 1},
		{0x1CCF0, 0x1CCF9, 1}, {0x1E5F1, 0x1E5FA, 1},
	}}},
	{"Pd", '﹘', &unicode.RangeTable{R32: []unicode.Range32{{0x10D6E, 0x10D6E, 1}}}},
	{"Po", '꘍', &unicode.RangeTable{
		R16: []unicode.Range16{{0x1B4E, 0x1B4F, 1}, {0x1B7F, 0x1B7F, 1}},
		R32: []unicode.Range32{{0x113D4, 0x113D5, 1}, {0x113D7, 0x113D8, 1}, {0x11BE1, 0x11BE1, 1}, {0x16D6D, 0x16D6F, 1}, {0x1E5FF, 0x1E5FF, 1}},
	}},
	{"Sm", '＋', &unicode.RangeTable{R32: []unicode.Range32{{0x10D8E, 0x10D8F, 1}}}},
	{"So", '꒐', &unicode.RangeTable{
		R16: []unicode.Range16{{0x2427, 0x2429, 1}, {0x2FFC, 0x2FFF, 1}, {0x31E4, 0x31E5, 1}, {0x31EF, 0x31EF, 1}},
		R32: []unicode.Range32{
			{0x1CC00, 0x1CCEF, 1}, {0x1CD00, 0x1CEB3, 1}, {0x1F8B2, 0x1F8BB, 1}, {0x1F8C0, 0x1F8C1, 1}, {0x1FA89, 0x1FA89, 1},
			{0x1FA8F, 0x1FA8F, 1}, {0x1FABE, 0x1FABE, 1}, {0x1FAC6, 0x1FAC6, 1}, {0x1FADC, 0x1FADC, 1}, {0x1FADF, 0x1FADF, 1},
			{0x1FAE9, 0x1FAE9, 1}, {0x1FBCB, 0x1FBEF, 1},
		},
	}},
}

// newerIn returns the newer characters of the categories whose names start with one of initials.
func newerIn(initials string) *unicode.RangeTable {
	var tables []*unicode.RangeTable
	for _, n := range newer {
		if strings.Contains(initials, n.category[:1]) {
			tables = append(tables, n.chars)
		}
	}
	return rangetable.Merge(tables...)
}

var (
	newLetters = sync.OnceValue(func() *unicode.RangeTable { return newerIn("L") })
	newNumbers = sync.OnceValue(func() *unicode.RangeTable { return newerIn("N") })
	newWords   = sync.OnceValue(func() *unicode.RangeTable { return newerIn("LMN") })
	allNew     = sync.OnceValue(func() *unicode.RangeTable { return newerIn("LMNPS") })
)

func isLetter(r rune) bool { return unicode.IsLetter(r) || unicode.Is(newLetters(), r) }
func isNumber(r rune) bool { return unicode.IsNumber(r) || unicode.Is(newNumbers(), r) }

// asOldRune returns an old character of the category of r for a newer one, and any other as it is, for
// what goes by Go's tables.
func asOldRune(r rune) rune {
	if r < 0x0897 || !unicode.Is(allNew(), r) {
		return r
	}
	for _, n := range newer {
		if unicode.Is(n.chars, r) && !unicode.Is(unicode.Categories[n.category], r) {
			return n.old
		}
	}
	return r
}
