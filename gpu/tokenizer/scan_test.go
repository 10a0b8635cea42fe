package tokenizer

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/dlclark/regexp2"
	"golang.org/x/text/unicode/rangetable"
)

// pieces returns the parts of text that p finds.
func pieces(p pattern, text string) []string {
	var out []string
	p.find(newWork(len(text)), text, func(i, j int) { out = append(out, text[i:j]) })
	return out
}

// oddChars are characters that a split pattern may treat differently from their neighbours. The
// long s is not among them: the engine knows fewer equal letters than Oniguruma.
var oddChars = []rune(" \t\n\r\u00a0\u2028\u3000\u0085'sStTrReEvVmMlLdDaZé中한ßΩ\u0301\u093f0123½Ⅷ٣_-.,!?/😀👍🏽\u200d\ufe0f$€№²ªº")

func oddText(rng *rand.Rand, n int) string {
	var b strings.Builder
	for range n {
		b.WriteRune(oddChars[rng.IntN(len(oddChars))])
	}
	return b.String()
}

// TestScannersEqualTheirPatterns holds each scanner against the regular expression that it stands for.
func TestScannersEqualTheirPatterns(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	list := texts(t)
	for range 500 {
		list = append(list, oddText(rng, 1+rng.IntN(40)))
	}
	for expr, sc := range scanners {
		slow := backtracking{regexp2.MustCompile(expr, regexp2.Multiline)}
		for _, text := range list {
			if strings.Contains(text, "ſ") {
				continue
			}
			if got, want := pieces(scanned{sc}, text), pieces(slow, text); !slices.Equal(got, want) {
				t.Errorf("%s on %q:\n     %q\nwant %q", expr, text, got, want)
			}
		}
	}
}

// TestScannersLeaveNothingOut checks that the words of a scanner put together are the text.
func TestScannersLeaveNothingOut(t *testing.T) {
	for expr, sc := range scanners {
		for _, text := range texts(t) {
			if got := strings.Join(pieces(scanned{sc}, text), ""); got != text {
				t.Errorf("%s on %q: %q", expr, text, got)
			}
		}
	}
}

// TestContractionsIgnoreCaseAsOniguruma checks the one letter that has two lower cases.
func TestContractionsIgnoreCaseAsOniguruma(t *testing.T) {
	p, err := compile(patternQwen2 + "|x") // not one of the scanners
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"it'ſ", "it'S", "IT'LL", "a'ſs"} {
		if got, want := pieces(p, text), pieces(scanned{scanners[patternQwen2]}, text); !slices.Equal(got, want) {
			t.Errorf("%q: the engine finds %q, the scanner %q", text, got, want)
		}
	}
}

// TestNewerCharactersAreOfTheirCategory checks what stands for the characters that Go's tables lack.
func TestNewerCharactersAreOfTheirCategory(t *testing.T) {
	for _, n := range newer {
		if !unicode.Is(unicode.Categories[n.category], n.old) {
			t.Errorf("%U is not of category %s", n.old, n.category)
		}
		p, err := compile(`\p{` + n.category + `}`)
		if err != nil {
			t.Fatal(err)
		}
		rangetable.Visit(n.chars, func(r rune) {
			if got := pieces(p, "x"+string(r)); !slices.Contains(got, string(r)) {
				t.Errorf("%U is not of category %s: %q", r, n.category, got)
			}
		})
	}
}

func TestTagsBelongToTheirGrapheme(t *testing.T) {
	if got, text := graphemeEnd("e\u0301\U000E0041x", 0), "e\u0301\U000E0041"; got != len(text) {
		t.Errorf("grapheme of %d bytes, want %d", got, len(text))
	}
}
