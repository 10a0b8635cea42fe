package trial

import "unicode"

// scripts are the writing systems told apart. Scripts that are written together are one.
var scripts = []struct {
	name   string
	tables []*unicode.RangeTable
}{
	{"Latin", []*unicode.RangeTable{unicode.Latin}},
	{"Cyrillic", []*unicode.RangeTable{unicode.Cyrillic}},
	{"Greek", []*unicode.RangeTable{unicode.Greek}},
	{"Chinese or Japanese", []*unicode.RangeTable{unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Bopomofo}},
	{"Korean", []*unicode.RangeTable{unicode.Hangul}},
	{"Arabic", []*unicode.RangeTable{unicode.Arabic}},
	{"Hebrew", []*unicode.RangeTable{unicode.Hebrew}},
	{"Devanagari", []*unicode.RangeTable{unicode.Devanagari}},
	{"Bengali", []*unicode.RangeTable{unicode.Bengali}},
	{"Tamil", []*unicode.RangeTable{unicode.Tamil}},
	{"Telugu", []*unicode.RangeTable{unicode.Telugu}},
	{"Thai", []*unicode.RangeTable{unicode.Thai}},
	{"Georgian", []*unicode.RangeTable{unicode.Georgian}},
	{"Armenian", []*unicode.RangeTable{unicode.Armenian}},
	{"Ethiopic", []*unicode.RangeTable{unicode.Ethiopic}},
}

// Two kinds of character have no row in scripts: letters of all other scripts, and the
// replacement character, which stands for bytes that are no text.
const (
	otherScript = iota - 2
	noText
)

// scriptOf returns the script of r as an index into scripts or one of the two above; ok is false
// if r has no script (a digit, a mark, punctuation, a sign).
func scriptOf(r rune) (script int, ok bool) {
	if r == unicode.ReplacementChar {
		return noText, true
	}
	if !unicode.IsLetter(r) {
		return 0, false
	}
	for i, s := range scripts {
		if unicode.In(r, s.tables...) {
			return i, true
		}
	}
	return otherScript, true
}

// scriptShare returns how many of text's letters are in a script of prompt, how many letters there
// are, and the script that most of the others have. A prompt without letters allows everything.
func scriptShare(prompt, text string) (in, all int, foreign string) {
	allowed := map[int]bool{}
	for _, r := range prompt {
		if s, ok := scriptOf(r); ok && s != noText {
			allowed[s] = true
		}
	}
	counts := make([]int, len(scripts)+2)
	for _, r := range text {
		s, ok := scriptOf(r)
		switch {
		case !ok:
			continue
		case allowed[s] || len(allowed) == 0 && s != noText:
			in++
		default:
			counts[s+2]++
		}
		all++
	}
	most := 0
	for i, n := range counts {
		if n > counts[most] {
			most = i
		}
	}
	switch most - 2 {
	case otherScript:
		return in, all, "of another script"
	case noText:
		return in, all, "undecodable bytes"
	}
	return in, all, scripts[most-2].name
}
