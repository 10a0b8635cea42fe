package tiny

import (
	"math/rand/v2"
	"strings"
)

// A Document is one text of the corpus.
type Document struct {
	Text     string
	Opening  int    // length in bytes of the neutral opening sentence; 0 if there is none
	Topic    string // name of the topic
	Register string // name of the register
}

// The grammar's probabilities. They were chosen once, by judgement: openings are common
// so that a model learns to continue prompts, and plain is the commonest way to do so, so
// that an unsteered model has a manner of its own to be moved away from.
const (
	withOpening  = 0.60 // documents that begin with an opening
	plainAfter   = 0.40 // plain after an opening; the other registers share the rest
	plainLead    = 0.25 // other registers that begin with one plain sentence
	repeatNoun   = 0.50 // sentences that take up the opening's noun
	lineBreak    = 0.50 // poems that begin on a new line after an opening
	note         = 0.08 // silly sentences with a note at the end
	semicolon    = 0.06 // plain sentences with a semicolon for the full stop
	minSentences = 2
	maxSentences = 5
)

// A generator draws texts; every draw moves its random numbers on.
type generator struct{ *rand.Rand }

// Streams keep functions that are given the same seed from drawing the same texts.
const (
	documentStream = iota + 1
	calibrationStream
	positiveStream
	negativeStream
	promptStream
	anchorStream
)

func newGenerator(seed, stream uint64) generator {
	return generator{rand.New(rand.NewPCG(seed, stream))}
}

func (g generator) chance(p float64) bool { return g.Float64() < p }

func pick[T any](g generator, from []T) T { return from[g.IntN(len(from))] }

// document draws a document on one of the topics. reg chooses the register where it is not
// nil, and the grammar does otherwise; opening is the probability of a neutral opening.
func (g generator) document(about []topic, reg *register, opening float64) Document {
	t := pick(g, about)
	if !g.chance(opening) {
		r := pick(g, registers)
		if reg != nil {
			r = *reg
		}
		return Document{Text: finish(g.body(t, r, "", false)), Topic: t.name, Register: r.name}
	}
	start, noun := g.opening(t)
	r := g.registerAfterOpening()
	if reg != nil {
		r = *reg
	}
	lead := r.name != Plain && g.chance(plainLead)
	gap := " "
	if r.name == Poetic && !lead && g.chance(lineBreak) {
		gap = "\n"
	}
	text := start + gap + g.body(t, r, noun, lead)
	return Document{Text: finish(text), Opening: len(start), Topic: t.name, Register: r.name}
}

// registerAfterOpening draws plain with probability plainAfter and the others alike.
func (g generator) registerAfterOpening() register {
	if g.chance(plainAfter) {
		return registers[0]
	}
	return pick(g, registers[1:])
}

// finish drops the line break that ends a poem.
func finish(text string) string { return strings.TrimRight(text, "\n") }

// body draws the sentences of a document. noun, if there is one, is what the opening was
// about; lead puts one plain sentence first.
func (g generator) body(t topic, r register, noun string, lead bool) string {
	var b strings.Builder
	if lead {
		b.WriteString(g.sentence(t, registers[0], noun))
	}
	for n := minSentences + g.IntN(maxSentences-minSentences+1); n > 0; n-- {
		if text := b.String(); text != "" && !strings.HasSuffix(text, "\n") {
			if r.name == Poetic {
				b.WriteByte('\n')
			} else {
				b.WriteByte(' ')
			}
		}
		b.WriteString(g.sentence(t, r, noun))
	}
	return b.String()
}

// sentence draws one sentence, or one line of a poem with its line break.
func (g generator) sentence(t topic, r register, noun string) string {
	s := g.fill(pick(g, r.templates), g.scene(t, noun), r.placeholders)
	switch r.name {
	case Poetic:
		return s
	case Silly:
		if g.chance(note) {
			s += " ♪"
		}
	case Plain:
		if strings.HasSuffix(s, ".") && g.chance(semicolon) {
			s = strings.TrimSuffix(s, ".") + ";"
		}
	}
	return capital(s)
}

// opening draws a neutral opening sentence and says which noun it is about.
func (g generator) opening(t topic) (text, noun string) {
	sc := g.scene(t, "")
	return capital(g.fill(pick(g, openings), sc, nil)), sc["N"]
}

// scene draws the words that a sentence on a topic may use, by placeholder. Half the time the
// main noun is the given one, if there is one.
func (g generator) scene(t topic, noun string) map[string]string {
	nouns := g.several(t.nouns, 3)
	if noun != "" && g.chance(repeatNoun) {
		for i, n := range nouns[1:] {
			if n == noun {
				nouns[i+1] = nouns[0]
			}
		}
		nouns[0] = noun
	}
	adjectives := g.several(t.adjectives, 2)
	verb := pick(g, t.verbs)
	return map[string]string{
		"N": nouns[0], "M": nouns[1], "K": nouns[2],
		"Ns": plural(nouns[0]), "Ms": plural(nouns[1]), "Cs": capital(plural(nouns[0])),
		"V": verb, "Vs": third(verb), "Ving": participle(verb),
		"A": adjectives[0], "B": adjectives[1],
		"P": pick(g, t.places),
	}
}

// several draws n different words.
func (g generator) several(from []string, n int) []string {
	words := make([]string, n)
	for i, j := range g.Perm(len(from))[:n] {
		words[i] = from[j]
	}
	return words
}

// fill puts words into a template's placeholders: the scene's words, which stay the same for the
// whole sentence, or a fresh draw from the register's list. "a" becomes "an" where the
// word that follows asks for it.
func (g generator) fill(template string, scene map[string]string, lists map[string][]string) string {
	text := ""
	for {
		before, rest, found := strings.Cut(template, "{")
		text += before
		if !found {
			return text
		}
		placeholder, after, _ := strings.Cut(rest, "}")
		word, ok := scene[placeholder]
		if !ok {
			word = pick(g, lists[placeholder])
		}
		if takesAn(word) && endsInArticle(text) {
			text = strings.TrimSuffix(text, " ") + "n "
		}
		text += word
		template = after
	}
}

// takesAn reports whether the indefinite article before a word of the tables is "an". The
// one word that begins with u after an article is "useless".
func takesAn(word string) bool { return strings.IndexByte("aeio", word[0]) >= 0 }

// endsInArticle reports whether the last word of text is "a".
func endsInArticle(text string) bool {
	start, isArticle := strings.CutSuffix(strings.ToLower(text), "a ")
	return isArticle && (start == "" || strings.HasSuffix(start, " "))
}

// capital returns s with its first letter, which is ASCII, in upper case.
func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
