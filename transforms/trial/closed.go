package trial

import (
	_ "embed"
	"strings"
	"sync"
)

// The closed classes of English (articles, pronouns, auxiliaries, prepositions, conjunctions, common
// adverbs), and the commonest of other languages that are no English words. Both are this project's own.
var (
	//go:embed words/english.txt
	englishText string
	//go:embed words/others.txt
	othersText string
)

// functionWords are the English words that carry no content; foreignWords those of other languages.
var (
	functionWords = sync.OnceValue(func() map[string]bool { return setOf(englishText) })
	foreignWords  = sync.OnceValue(func() map[string]bool { return setOf(othersText) })
)

func setOf(text string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(text) {
		set[w] = true
	}
	return set
}

// once returns a text in which every word stands once, where it stands first, but for function words: who
// says a word many times says it once. White space becomes blanks.
func once(text string) string {
	function, seen := functionWords(), map[string]bool{}
	var kept []string
	for _, field := range strings.Fields(text) {
		key := bare(field)
		if key != "" && !function[key] {
			if seen[key] {
				continue
			}
			seen[key] = true
		}
		kept = append(kept, field)
	}
	return strings.Join(kept, " ")
}

// bare is the lower-case word in a field without what stands around it, "" if it has none.
func bare(field string) string {
	field = strings.ReplaceAll(strings.ToLower(field), "’", "'")
	return strings.TrimFunc(field, func(r rune) bool { return r == '\'' || !isWordRune(r) })
}
