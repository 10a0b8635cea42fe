package trial

import "strings"

// echoed returns how many words of a text stand in blocks that are copied from the prompt, of at least
// shortestEcho words or the whole prompt, and how many words the text has.
func echoed(prompt, text string) (copied, all int) {
	p, w := words(prompt), words(text)
	for i := 0; i < len(w); {
		longest := 0
		for j := range p {
			n := 0
			for i+n < len(w) && j+n < len(p) && w[i+n] == p[j+n] {
				n++
			}
			longest = max(longest, n)
		}
		if longest >= max(fewestWords, min(shortestEcho, len(p))) {
			copied += longest
			i += longest
		} else {
			i++
		}
	}
	return copied, len(w)
}

// duplicates returns how many sentences say nearly the same as one before, and how many there are; those of
// fewer than three words are not counted.
func duplicates(text string) (same, all int) {
	var before []map[string]bool
	for _, sentence := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(".!?\n", r) }) {
		set := setOf(strings.Join(words(sentence), " "))
		if len(set) < fewestWords {
			continue
		}
		for _, other := range before {
			if jaccard(set, other) >= sameSentence {
				same++
				break
			}
		}
		before = append(before, set)
	}
	return same, len(before)
}

// jaccard is the share of the words of two sets that are in both.
func jaccard(a, b map[string]bool) float64 {
	both := 0
	for w := range a {
		if b[w] {
			both++
		}
	}
	return float64(both) / float64(len(a)+len(b)-both)
}
