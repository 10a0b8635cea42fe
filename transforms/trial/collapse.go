package trial

import (
	"fmt"
	"math"
	"strings"
	"unicode"
)

// The thresholds of [Collapse]. They are judgements, made so that ordinary text of 20 to 28 tokens
// raises no flag and loops do; none was fitted to an outcome. Of 9,180 windows of 28 tokens from
// WordNet's example sentences none raises one, and of 10,500 texts of the tiny pair's grammar, whose
// silly and pirate registers repeat themselves on purpose, 7 do, each because the grammar said a
// sentence twice.
const (
	// minTokens and minLetters: below them there is nothing to judge. "It was." has three tokens.
	minTokens  = 4
	minLetters = 6
	// minDistinct is the smallest share of different token trigrams. WordNet's sentences have above
	// 0.88 in 28 tokens; a loop of period four over the second half has 0.54.
	minDistinct = 0.6
	// maxRun is the longest run of one token that language uses ("no, no", "ha ha ha", "...").
	maxRun = 5
	// A block said at least minRepeats times in a row is a loop if it fills loopShare of the text;
	// a block of longBlock tokens is one at its first immediate repetition.
	minRepeats = 3
	loopShare  = 1.0 / 3
	longBlock  = 8
	// A block of at least longBlock tokens that stands twice anywhere is a repeated span if it is
	// spanShare of the text: two thirds are then the same thing, said twice.
	spanShare = 1.0 / 3
	// maxCompression is the largest ratio of bytes to description length ([compression]). WordNet's
	// sentences stay below 1.25; above 2 more than half is copied from before. Whisper's decoder
	// calls text with a gzip ratio above 2.4 failed.
	maxCompression = 2.0
	// minScriptShare is the smallest share of letters in the prompt's own scripts, judged from
	// minScriptLetters letters on, so that a name in another script is no collapse.
	minScriptShare   = 0.5
	minScriptLetters = 5
	// A text is no prose if less than minProse of its fields are words where the prompt's are; "1. Apples"
	// and "- apples" have a half, and a line of Python two thirds. Of WordNet's sentences 0.1 % have less.
	minProse = 0.7
	// A text is in another language if at least minForeign of at least minLanguage words are function words
	// of others, and fewer of English, where the prompt is English.
	minForeign  = 0.15
	minLanguage = 5
	// Blocks of shortestEcho words, or of the whole prompt, are an echo of it; the text is one if they are
	// half of it.
	shortestEcho = 4
	// Sentences are nearly the same if they share sameSentence of their words: "I love my dog", "I love my
	// cat". At least two, and half of all, make a text of duplicates. The grammar's registers, which say the
	// same frames again, stay below.
	sameSentence = 0.6
	// minOrder is the least share of what the order of its words tells of an unsteered text. In the median
	// WordNet's sentences have 0.95 of it, one in fifty less than 0.3; words in disorder have 0.1.
	minOrder = 0.15
	// minEndShare: that a text did not end says something only where texts end. It is a flag if at
	// least this share of the unsteered anchor texts ended within the same limit.
	minEndShare = 0.9
)

// The names of flags, in the order in which they are reported.
const (
	Empty       = "empty"        // no letters or digits at all
	Short       = "short"        // too few tokens or letters to judge
	Repetition  = "repetition"   // few different trigrams
	Run         = "run"          // one token many times in a row
	Loop        = "loop"         // a block repeated at once
	Span        = "span"         // a long block repeated later
	Compression = "compression"  // mostly copied from itself
	WrongScript = "wrong_script" // not in the prompt's writing system
	Language    = "language"     // not in the prompt's language
	Markup      = "markup"       // a list, code or numbers, where the prompt is prose
	Echo        = "echo"         // the prompt again
	Duplicates  = "duplicates"   // nearly the same sentences
	NeverEnded  = "never_ended"  // ran to the limit where texts normally end
	Implausible = "implausible"  // as likely with its words in any order
)

// A Flag is one sign of collapse, with the numbers that raised it.
type Flag struct {
	Name   string `json:"name"`
	Reason string `json:"reason"`
}

// CollapseOptions is what one must know besides the text to judge it.
type CollapseOptions struct {
	// Prompt is the text that was continued; its letters say which scripts are right. Without
	// letters in it no script is wrong.
	Prompt string
	// EndAllowed says that the model could end the text, Ended that it did, and EndShare which
	// share of the unsteered anchor texts did.
	EndAllowed, Ended bool
	EndShare          float64
	// Order is what the order of the words tells of the text: see [Likelihood]. AnchorOrder is the median
	// of unsteered texts. If either is NaN or AnchorOrder is 0 (not measured) they are not
	// compared.
	Order, AnchorOrder float64
}

// Collapse returns the signs that a continuation has collapsed: none for a healthy text. tokens
// are the new tokens only, without an end-of-text token, and text is what they stand for.
func Collapse(tokens []int32, text string, o CollapseOptions) []Flag {
	var flags []Flag
	add := func(name, format string, args ...any) {
		flags = append(flags, Flag{name, fmt.Sprintf(format, args...)})
	}
	letters := countLetters(text)
	switch {
	case letters == 0:
		add(Empty, "no letters or digits in %d tokens", len(tokens))
	case len(tokens) < minTokens || letters < minLetters:
		add(Short, "%d tokens, %d letters", len(tokens), letters)
	}
	if distinct, total := trigrams(tokens); total > 0 && float64(distinct) < minDistinct*float64(total) {
		add(Repetition, "%d different trigrams of %d", distinct, total)
	}
	if n := longestRun(tokens); n > maxRun {
		add(Run, "one token %d times in a row", n)
	}
	if size, times := loop(tokens); times > 0 {
		add(Loop, "a block of %d tokens %d times in a row", size, times)
	}
	if n := longestRepeat(tokens); n >= longBlock && float64(n) >= spanShare*float64(len(tokens)) {
		add(Span, "a span of %d tokens twice", n)
	}
	if c := compression(text); c > maxCompression {
		add(Compression, "compresses %.1f to 1", c)
	}
	if in, all, foreign := scriptShare(o.Prompt, text); all >= minScriptLetters && float64(in) < minScriptShare*float64(all) {
		add(WrongScript, "%d of %d letters are not in the prompt's script, most of them %s", all-in, all, foreign)
	}
	if w := words(text); len(w) >= minLanguage {
		own, others := shares(words(o.Prompt))
		if function, foreign := shares(w); own > others && foreign >= minForeign && foreign > function {
			add(Language, "%.0f%% of its words are function words of other languages, %.0f%% of English", 100*foreign, 100*function)
		}
	}
	if share := proseShare(text); letters > 0 && share < minProse && len(words(o.Prompt)) >= fewestWords && proseShare(o.Prompt) >= minProse {
		add(Markup, "%.0f%% of it are words, where the prompt is prose", 100*share)
	}
	if copied, all := echoed(o.Prompt, text); copied > 0 && 2*copied >= all {
		add(Echo, "%d of %d words are the prompt's", copied, all)
	}
	if same, all := duplicates(text); same > 1 && 2*same >= all {
		add(Duplicates, "%d of %d sentences are nearly the same as others", same, all)
	}
	if o.EndAllowed && !o.Ended && o.EndShare >= minEndShare {
		add(NeverEnded, "no end in %d tokens, where %.0f%% of unsteered texts end", len(tokens), 100*o.EndShare)
	}
	if o.AnchorOrder != 0 && o.Order < minOrder*o.AnchorOrder {
		add(Implausible, "the order of its words tells %.2f nats a token, that of unsteered texts %.2f", o.Order, o.AnchorOrder)
	}
	return flags
}

func countLetters(text string) int {
	n := 0
	for _, r := range text {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			n++
		}
	}
	return n
}

// trigrams returns how many different and how many token trigrams there are.
func trigrams(tokens []int32) (distinct, total int) {
	seen := make(map[[3]int32]bool, len(tokens))
	for i := 0; i+3 <= len(tokens); i++ {
		seen[[3]int32(tokens[i:i+3])] = true
		total++
	}
	return len(seen), total
}

// longestRun returns the length of the longest run of one token.
func longestRun(tokens []int32) int {
	longest, run := 0, 0
	for i, t := range tokens {
		if i > 0 && t == tokens[i-1] {
			run++
		} else {
			run = 1
		}
		longest = max(longest, run)
	}
	return longest
}

// loop returns the block of at least two tokens whose immediate repetitions fill most of the text,
// and how often it stands in a row, if that makes a loop; else times is 0. Of blocks that fill
// the same, the shortest wins.
func loop(tokens []int32) (size, times int) {
	covered := 0
	for p := 2; 2*p <= len(tokens); p++ {
		for i, run := 0, 0; i+p < len(tokens); i++ {
			if tokens[i] != tokens[i+p] {
				run = 0
				continue
			}
			run++
			n := run/p + 1 // the period holds over run+p tokens
			long := p >= longBlock && n >= 2
			if n >= minRepeats && float64(n*p) >= loopShare*float64(len(tokens)) || long {
				if n*p > covered {
					size, times, covered = p, n, n*p
				}
			}
		}
	}
	return size, times
}

// longestRepeat returns the length of the longest block of tokens that stands twice without overlap.
func longestRepeat(tokens []int32) int {
	longest := 0
	common := make([]int, len(tokens)) // common[i]: tokens before i that equal those before j
	for j := range tokens {
		for i := j - 1; i >= 0; i-- { // downwards, so that common[i−1] is still of j−1
			switch {
			case tokens[i] != tokens[j]:
				common[i] = 0
			case i == 0:
				common[i] = 1
			default:
				common[i] = min(common[i-1]+1, j-i)
			}
			longest = max(longest, common[i])
		}
	}
	return longest
}

// compression returns len(text) divided by its description length under a fixed greedy LZ77 code:
// a literal byte costs 1, a copy of at least four earlier bytes costs 3. It is written out here
// because a library's compressor may change between versions, and this number decides a flag.
func compression(text string) float64 {
	const shortest, cost = 4, 3
	if text == "" {
		return 1
	}
	// A text of many kilobytes is judged by its last window, where loops end up.
	const window = 4096
	if len(text) > window {
		text = text[len(text)-window:]
	}
	total := 0
	for i := 0; i < len(text); {
		n := longestCopy(text, i)
		if n < shortest {
			total++
			i++
			continue
		}
		total += cost
		i += n
	}
	return float64(len(text)) / float64(total)
}

// longestCopy returns the length of the longest match of text[i:] that begins before i; it may run
// over i, as in LZ77.
func longestCopy(text string, i int) int {
	best := 0
	for j := range i {
		n := 0
		for i+n < len(text) && text[j+n] == text[i+n] {
			n++
		}
		best = max(best, n)
	}
	return best
}

// ShuffleWords returns text with its words, split at white space, in a random order drawn from a
// ChaCha8 stream: the anchor for text that is beyond any sense.
func ShuffleWords(text string, seed [32]byte) string {
	words := strings.Fields(text)
	newRand(seed).Shuffle(len(words), func(i, j int) { words[i], words[j] = words[j], words[i] })
	return strings.Join(words, " ")
}

// isMissing reports whether a value is missing.
func isMissing(v float64) bool { return math.IsNaN(v) }
