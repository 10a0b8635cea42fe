package trial

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"
	"unicode"
)

// vaderGz is the word list described in vader/README.md (MIT licence, vader/LICENSE).
//
//go:embed vader/lexicon.txt.gz
var vaderGz []byte

// LexiconLicence is the notice that goes with the embedded word list.
//
//go:embed vader/LICENSE
var LexiconLicence string

// lexiconDigest is the SHA-256 of the compressed list. It stands in every stored scorer, which
// would mean something else with another list.
var lexiconDigest = sync.OnceValue(func() string {
	sum := sha256.Sum256(vaderGz)
	return hex.EncodeToString(sum[:])
})

// lexicon is the mean rating of each word, −4 (most negative) to 4.
var lexicon = sync.OnceValue(func() map[string]float64 {
	words, err := readLexicon(vaderGz)
	if err != nil {
		panic(fmt.Sprintf("trial: embedded lexicon: %v", err))
	}
	return words
})

func readLexicon(compressed []byte) (map[string]float64, error) {
	z, err := gzip.NewReader(bytes.NewReader(compressed))
	if err != nil {
		return nil, err
	}
	words := make(map[string]float64)
	lines := bufio.NewScanner(z)
	for lines.Scan() {
		word, rating, _ := strings.Cut(lines.Text(), "\t")
		v, err := strconv.ParseFloat(rating, 64)
		if err != nil {
			return nil, err
		}
		words[word] = v
	}
	return words, lines.Err()
}

// negations turn the rating of a word after them; words that end in "n't" do too.
var negations = map[string]bool{
	"not": true, "no": true, "never": true, "none": true, "nor": true, "neither": true, "nothing": true,
	"nobody": true, "without": true, "cannot": true, "hardly": true, "rarely": true, "seldom": true,
	"dont": true, "didnt": true, "isnt": true, "wasnt": true, "cant": true, "wont": true,
}

const (
	// negated is the factor of a rating up to negationReach words after a negation, and
	// compoundAlpha the constant that bounds a sum of ratings; both are VADER's.
	negated       = -0.74
	negationReach = 3
	compoundAlpha = 15
)

// sentiment returns the valence of a text, −1 to 1 (Σ ratings, bounded), and its intensity, 0 to 1
// (Σ |ratings|, bounded). It is VADER's sum rule with negation, without its rules for degree
// adverbs, capitals, punctuation and "but", which add little on single sentences.
func sentiment(text string) (valence, intensity float64) {
	ratings := lexicon()
	sum, size, since := 0.0, 0.0, negationReach+1
	for _, w := range words(text) {
		r := ratings[w]
		isNegation := negations[w] || strings.HasSuffix(w, "n't")
		if isNegation {
			r = 0
		} else if since <= negationReach {
			r *= negated
		}
		sum, size = sum+r, size+math.Abs(r)
		since++
		if isNegation {
			since = 1
		}
	}
	return bounded(sum), bounded(size)
}

func bounded(s float64) float64 { return s / math.Sqrt(s*s+compoundAlpha) }

// words returns the lower-case words of a text: runs of letters, digits and combining marks, with
// apostrophes inside them.
func words(text string) []string {
	text = strings.ReplaceAll(strings.ToLower(text), "’", "'")
	fields := strings.FieldsFunc(text, func(r rune) bool {
		return !isWordRune(r)
	})
	out := fields[:0]
	for _, w := range fields {
		if w = strings.Trim(w, "'"); w != "" {
			out = append(out, w)
		}
	}
	return out
}

func isWordRune(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) || r == '\''
}
