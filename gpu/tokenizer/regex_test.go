package tokenizer

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/dlclark/regexp2"
)

// backtracking is what the package's own engine is held against.
type backtracking struct{ re *regexp2.Regexp }

func (p backtracking) find(_ *work, text string, emit func(i, j int)) {
	match, err := p.re.FindStringMatch(text)
	at, offset := 0, 0 // the same place, in characters and in bytes
	seek := func(index int) int {
		for ; at < index; at++ {
			_, n := utf8.DecodeRuneInString(text[offset:])
			offset += n
		}
		return offset
	}
	for err == nil && match != nil {
		i := seek(match.Index)
		j := seek(match.Index + match.Length)
		if j > i {
			emit(i, j)
		}
		match, err = p.re.FindNextMatch(match)
	}
}

// expressions are patterns of vocabularies, and such as try every part of the dialect, in the spelling of
// Oniguruma and in regexp2's where that is another.
var expressions = []struct{ expr, perl string }{
	{expr: patternTekken}, {expr: patternGPT4o}, {expr: patternQwen35}, {expr: patternDeepSeek3}, {expr: patternCJK},
	{expr: patternGPT2 + "|\x00"}, {expr: patternQwen2 + "|\x00"}, {expr: patternLlama3 + "|\x00"},
	{expr: `[\p{P}\$\+<=>\^~\|]+`}, {expr: `\p{N}{1,3}`}, {expr: `\s?\p{L}+`}, {expr: " ?[^(\\s|[.,!?…。，、।۔،])]+", perl: " ?[^(\\s|\\[.,!?…。，、।۔،])]+"},
	{expr: `[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+`,
		perl: `(?>[^\r\n\p{L}\p{N}]?)(?>\p{L}+)|\p{N}{1,3}| ?(?>[^\s\p{L}\p{N}]+)[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+`},
	{expr: `a?+b`, perl: `(?>a?)b`}, {expr: `(?:ab|c)*+d`, perl: `(?>(?:ab|c)*)d`}, {expr: `((a)b)++`, perl: `(?>((a)b)+)`},
	{expr: `a+?b{2,3}`}, {expr: `a{2}`}, {expr: `a{2,}?b`}, {expr: `a{,2}b`, perl: `a{0,2}b`}, {expr: `a{`}, {expr: `a{x}`}, {expr: `a{2,1}`, perl: `a\{2,1}`},
	{expr: `(a+)+$`}, {expr: `(.*)*s`}, {expr: `(?:|a)*`}, {expr: `(?:a|b*)*s`}, {expr: `(?:a*?)*?b`}, {expr: `(?:a?b?)+s`}, {expr: `(?:(?=a)|b)*`},
	{expr: `a|ab|abc`}, {expr: `abc|ab|a`}, {expr: `(?:a|ab)(?:c|bcs)`}, {expr: `(?>a|ab)(?:c|bcs)`}, {expr: `.(?<=a)`}, {expr: `(?<=a|bc)s`}, {expr: `(?<!a|bc)s`},
	{expr: `(?<=(?:ab)).`}, {expr: `(?<=\p{L}{2}).`}, {expr: `(?<!^).`}, {expr: `(?=.*s)a`}, {expr: `(?!.*s)a`}, {expr: `(?:(?=a*b)a)*`}, {expr: `(?:(?!ab).)+`},
	{expr: `(?>(?:(?=a*b)a)*)b?`}, {expr: `(?=(?=a)(?:a|b)*)..`}, {expr: `(?:(?>a*)b?)*s`}, {expr: `a*?(?<=a)|b`},
	{expr: `^.`}, {expr: `.$`}, {expr: `\A.|.\z`}, {expr: `.\Z`}, {expr: `\b\w`}, {expr: `\B.`}, {expr: `\b`}, {expr: `^`}, {expr: ``},
	{expr: `(?i)s|T`}, {expr: `(?i:s)T`}, {expr: `x|(?i)s|t`, perl: `x|(?i:s|t)`}, {expr: `(?i:[a-d]+)`}, {expr: `(?i:[^a-d]+)`}, {expr: `(?i:É)`},
	{expr: `(?m:.)`, perl: `(?s:.)`}, {expr: `(?im-i:.s)`, perl: `(?s:.s)`}, {expr: `(?<name>a)b`}, {expr: `a(?#no)b`},
	{expr: `\x41|\x{4e2d}`, perl: `A|中`}, {expr: `\u4e2d+`}, {expr: `[\u4e2d-\u9fff]+`}, {expr: `\t|\r\n`}, {expr: `\+\*\.`}, {expr: `[]a]+`}, {expr: `[^]a]+`}, {expr: `[a\]b]+`}, {expr: `\p{Lu}\p{Ll}*`},
	{expr: `\P{L}+`}, {expr: `\d+`}, {expr: `\D+`}, {expr: `\S+`}, {expr: `\W+`}, {expr: `[\w']+`}, {expr: ` # `}, {expr: `}`}, {expr: `a**`, perl: `(?:a*)*`},
}

// TestRegexFindsWhatBacktrackingFinds holds the engine against regexp2 on texts of few characters, which
// match often and in many ways.
func TestRegexFindsWhatBacktrackingFinds(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	list := []string{"", "\n", "a\n", "aaab", "abcs", "it's 12345 中文\r\n\r\n  x"}
	for range 600 {
		n := 1 + rng.IntN(24)
		chars := []rune("aaabbcs")
		if rng.IntN(3) == 0 {
			chars = []rune("aAbsST 1é中文'.\n\r\tx{},]#x")
		}
		var b strings.Builder
		for range n {
			b.WriteRune(chars[rng.IntN(len(chars))])
		}
		list = append(list, b.String())
	}
	for range 200 {
		list = append(list, oddText(rng, 1+rng.IntN(40)))
	}
	for _, e := range expressions {
		if e.perl == "" {
			e.perl = e.expr
		}
		if strings.Contains(e.expr, "(\\s|[") { // a set inside a set
			if _, err := newRegex(e.expr); err == nil {
				t.Errorf("%s: accepted", e.expr)
			}
			continue
		}
		own, err := newRegex(e.expr)
		if err != nil {
			t.Errorf("%s: %v", e.expr, err)
			continue
		}
		other := backtracking{regexp2.MustCompile(e.perl, regexp2.Multiline)}
		nested := strings.Contains(e.expr, ")*") || strings.Contains(e.expr, ")+")
		for _, text := range list {
			if nested && utf8.RuneCountInString(text) > 12 { // the other engine would take minutes
				continue
			}
			if got, want := pieces(own, text), pieces(other, text); !slices.Equal(got, want) {
				t.Errorf("%s on %q:\n     %q\nwant %q", e.expr, text, got, want)
				break
			}
		}
	}
}

func TestPatternsThatAreNotReadAreRefused(t *testing.T) {
	for _, bad := range []string{"(", ")", "[a", "[a[b]]", "[a&&b]", "a)", "(?i:", "(?i", "(?<", "(?<>a)", "(?#", "*", "a|*", "(?x:a b)", "(?P<n>a)", "(?(1)a)", `(a)\1`, `\k<n>`,
		`\G`, `\K`, `\R`, `\X`, `(?<=a+)b`, `(?<!a|b*)c`, `\p{Nonsense}`, `\`, "[z-a]", strings.Repeat("(", 500) + strings.Repeat(")", 500),
		"a" + strings.Repeat("*", 500), strings.Repeat("a", 1<<15), "(?:(?:a{100}){100}){100}", "(?:(?:(?:){1000}){1000}){1000}", "a{100000}"} {
		if _, err := newRegex(bad); err == nil {
			t.Errorf("%.40q is accepted", bad)
		}
	}
}

// FuzzRegex gives the engine any pattern and text: it must not panic or take long, and its matches must
// follow each other.
func FuzzRegex(f *testing.F) {
	for _, e := range expressions {
		f.Add(e.expr, "it's aaab 12345 中文\r\n\r\n  x")
	}
	f.Fuzz(func(t *testing.T, expr, text string) {
		re, err := newRegex(expr)
		if err != nil {
			return
		}
		text = sanitize(span{text: text, work: newWork(len(text))}).text
		done := 0
		re.find(newWork(len(text)), text, func(i, j int) {
			if i < done || j <= i || j > len(text) {
				t.Fatalf("%q on %q: match [%d, %d) after %d", expr, text, i, j, done)
			}
			done = j
		})
	})
}
