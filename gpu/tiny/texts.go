package tiny

import (
	"hash/fnv"
	"math"
)

// Shares of a text that a cut leaves at the least. Shorter beginnings are mostly opening
// sentence, and would say nothing about the register.
const (
	calibrationShare = 0.35
	personaShare     = 0.50
)

// minCalibrationBytes is the length below which a calibration text is drawn again: very
// short ones repeat each other.
const minCalibrationBytes = 16

// Documents returns n documents of all topics and registers: what the models are trained
// on. A longer list begins with the shorter one of the same seed.
func Documents(seed uint64, n int) []Document {
	g := newGenerator(seed, documentStream)
	docs := make([]Document, max(n, 0))
	for i := range docs {
		docs[i] = g.document(topics, nil, withOpening)
	}
	return docs
}

// CalibrationTexts returns n different texts on the calibration topics, each cut at a
// random word end, so that they do not all end on a full stop.
func CalibrationTexts(seed uint64, n int) []string {
	var texts []string
	for _, d := range CalibrationDocuments(seed, n) {
		texts = append(texts, d.Text)
	}
	return texts
}

// CalibrationDocuments returns the same texts with what the grammar knows of them. Where the cut is within
// the opening, Opening is the whole length.
func CalibrationDocuments(seed uint64, n int) []Document {
	g := newGenerator(seed, calibrationStream)
	drawn := map[string]Document{} // each text as it was drawn first
	texts := distinct(n, func(int) string {
		d := g.document(topicsOf(calibration), nil, withOpening)
		d.Text = g.cut(d.Text, calibrationShare)
		if len(d.Text) < minCalibrationBytes {
			return ""
		}
		if _, ok := drawn[d.Text]; !ok {
			d.Opening = min(d.Opening, len(d.Text))
			drawn[d.Text] = d
		}
		return d.Text
	})
	documents := make([]Document, len(texts))
	for i, text := range texts {
		documents[i] = drawn[text]
	}
	return documents
}

// PersonaTexts returns n texts in a register and n texts in the others, taken in turn,
// all on the persona topics, without opening sentences and cut at random word ends. By
// convention the texts at even indices make the persona vector and those at odd indices
// train the trait scorer; the two halves hold the same mixture of other registers. It
// returns nil, nil for a register that does not exist.
func PersonaTexts(name string, n int, seed uint64) (positive, negative []string) {
	index := -1
	var others []register
	for i, r := range registers {
		if r.name == name {
			index = i
		} else {
			others = append(others, r)
		}
	}
	if index < 0 || n < 1 {
		return nil, nil
	}
	about := topicsOf(persona)
	text := func(g generator, r register) string {
		return g.cut(g.document(about, &r, 0).Text, personaShare)
	}
	// Personas of one seed differ in their draws, not only in their register.
	pos := newGenerator(seed, positiveStream<<8|uint64(index))
	neg := newGenerator(seed, negativeStream<<8|uint64(index))
	for i := range n {
		positive = append(positive, text(pos, registers[index]))
		// i/2: each register serves an even and an odd index before the next has its turn.
		negative = append(negative, text(neg, others[i/2%len(others)]))
	}
	return positive, negative
}

// A PromptSet names one of two disjoint sets of test prompts.
type PromptSet string

const (
	// Development prompts are for choosing: layers, alphas, the grammar itself.
	Development PromptSet = "development"
	// Quoted prompts are for the run that is reported. Nothing was chosen on them.
	Quoted PromptSet = "quoted"
)

// TestPrompts returns n different opening sentences on the test topics, which follow each
// other in turn. No prompt is in both sets: a prompt belongs to a set by its hash. It
// returns fewer when a set is exhausted (some hundreds), and none for an unknown set.
func TestPrompts(set PromptSet, n int) []string {
	if set != Development && set != Quoted {
		return nil
	}
	g := newGenerator(0, promptStream)
	about := topicsOf(test)
	return distinct(n, func(i int) string {
		prompt, _ := g.opening(about[i%len(about)])
		if promptSet(prompt) != set {
			return ""
		}
		return prompt
	})
}

// promptSet says which set a prompt belongs to.
func promptSet(prompt string) PromptSet {
	h := fnv.New64a()
	h.Write([]byte(prompt))
	if h.Sum64()>>63 == 0 {
		return Development
	}
	return Quoted
}

// AnchorPrompts returns n different opening sentences on the calibration topics: prompts
// for the unsteered texts that say what is normal for a model.
func AnchorPrompts(n int) []string {
	g := newGenerator(0, anchorStream)
	about := topicsOf(calibration)
	return distinct(n, func(i int) string {
		prompt, _ := g.opening(about[i%len(about)])
		return prompt
	})
}

// distinct collects n different texts from draw, which is given the number found so far
// and returns "" for a text that will not do. It gives up, and returns what it has, after
// a thousand draws in a row that brought nothing new.
func distinct(n int, draw func(found int) string) []string {
	var texts []string
	seen := map[string]bool{"": true}
	for idle := 0; len(texts) < n && idle < 1000; {
		text := draw(len(texts))
		if seen[text] {
			idle++
			continue
		}
		idle = 0
		seen[text] = true
		texts = append(texts, text)
	}
	return texts
}

// cut returns a beginning of text that ends at a random word end (the character before a
// space or line break, or the text's last one) and holds at least the given share of it.
func (g generator) cut(text string, share float64) string {
	least := max(1, int(math.Ceil(share*float64(len(text)))))
	var ends []int
	for i := least; i < len(text); i++ {
		if space(text[i]) && !space(text[i-1]) {
			ends = append(ends, i)
		}
	}
	return text[:pick(g, append(ends, len(text)))]
}

func space(c byte) bool { return c == ' ' || c == '\n' }
