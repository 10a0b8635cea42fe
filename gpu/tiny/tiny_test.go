package tiny

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// The models were trained on this text: a change of the grammar that moves it makes the
// committed weights strangers to their own corpus, and must retrain them.
func TestGrammarIsTheOneTheModelsWereTrainedOn(t *testing.T) {
	h := sha256.New()
	for _, d := range Documents(1, 1000) {
		fmt.Fprintf(h, "%q %d %s %s\n", d.Text, d.Opening, d.Topic, d.Register)
	}
	const want = "26a6b0f6d95deb7ae2efc08dd9aaa0300260a756a2edcd9271347a3e7e8d483c"
	if got := fmt.Sprintf("%x", h.Sum(nil)); got != want {
		t.Errorf("digest of 1000 documents of seed 1 is %s, want %s", got, want)
	}
}

func TestTablesAreComplete(t *testing.T) {
	total := 0
	for _, n := range partTopics {
		total += n
	}
	if total != len(topics) {
		t.Errorf("the parts own %d topics, there are %d", total, len(topics))
	}
	for _, tp := range topics {
		if len(tp.nouns) != 8 || len(tp.verbs) != 5 || len(tp.adjectives) != 4 || len(tp.places) != 3 {
			t.Errorf("%s: %d nouns, %d verbs, %d adjectives, %d places, want 8, 5, 4, 3",
				tp.name, len(tp.nouns), len(tp.verbs), len(tp.adjectives), len(tp.places))
		}
	}
	scene := newGenerator(1, 0).scene(topics[0], "")
	check := func(where, template string, lists map[string][]string, used map[string]bool) {
		for _, piece := range strings.Split(template, "{")[1:] {
			placeholder, _, closed := strings.Cut(piece, "}")
			if _, ok := scene[placeholder]; !closed || !ok && len(lists[placeholder]) == 0 {
				t.Errorf("%s: %q has an unknown placeholder %q", where, template, placeholder)
			}
			used[placeholder] = true
		}
	}
	for _, o := range openings {
		check("opening", o, nil, map[string]bool{})
	}
	for _, r := range registers {
		used := map[string]bool{}
		for _, template := range r.templates {
			check(r.name, template, r.placeholders, used)
		}
		for placeholder := range r.placeholders {
			if !used[placeholder] {
				t.Errorf("%s: no template uses %q", r.name, placeholder)
			}
		}
	}
	if registers[0].name != Plain {
		t.Errorf("the first register is %s, want %s", registers[0].name, Plain)
	}
}

func TestDocumentsAreWellFormed(t *testing.T) {
	seen := map[string]int{}
	opened := 0
	const n = 4000
	for _, d := range Documents(2, n) {
		if !utf8.ValidString(d.Text) || strings.ContainsAny(d.Text, "{}") || strings.TrimSpace(d.Text) != d.Text ||
			strings.Contains(d.Text, "  ") || strings.Contains(d.Text, " a a") || strings.Contains(d.Text, " a o") {
			t.Errorf("odd document: %q", d.Text)
		}
		if d.Opening > 0 {
			opened++
			if next := d.Text[d.Opening]; next != ' ' && next != '\n' {
				t.Errorf("opening of %q ends at %d, inside a word", d.Text, d.Opening)
			}
		}
		seen[d.Register]++
		seen[d.Topic]++
	}
	if len(seen) != len(topics)+len(registers) {
		t.Errorf("%d topics and registers in %d documents, want all %d", len(seen), n, len(topics)+len(registers))
	}
	// Binomial, 4000 draws at 0.6: standard deviation 31. Six of them are 186.
	if opened < n*6/10-186 || opened > n*6/10+186 {
		t.Errorf("%d of %d documents have an opening, want about 60 %%", opened, n)
	}
	// Plain: 0.6·0.4 + 0.4/14 = 0.269, standard deviation 28 of 4000.
	if got := seen[Plain]; got < 1074-168 || got > 1074+168 {
		t.Errorf("%d plain documents of %d, want about 1074", got, n)
	}
}

func TestSameArgumentsGiveTheSameTexts(t *testing.T) {
	if a, b := Documents(5, 10), Documents(5, 20); !slices.Equal(a, b[:10]) {
		t.Error("a longer corpus of the same seed begins differently")
	}
	if slices.Equal(Documents(5, 10), Documents(6, 10)) {
		t.Error("two seeds gave the same corpus")
	}
	pos, neg := PersonaTexts(Silly, 12, 1)
	pos2, neg2 := PersonaTexts(Silly, 12, 1)
	if !slices.Equal(pos, pos2) || !slices.Equal(neg, neg2) {
		t.Error("persona texts of the same seed differ")
	}
}

func TestTopicsOfTheExperimentAreDisjoint(t *testing.T) {
	// Words that only one part's topics use cannot appear in another part's texts.
	owner := map[string]part{}
	for p := range part(len(partTopics)) {
		for _, tp := range topicsOf(p) {
			for _, noun := range tp.nouns {
				if q, ok := owner[noun]; ok && q != p {
					t.Errorf("two parts have the noun %q", noun)
				}
				owner[noun] = p
			}
		}
	}
	check := func(kind string, texts []string, p part) {
		for _, text := range texts {
			for _, w := range strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return r < 'a' || r > 'z' }) {
				if q, ok := owner[w]; ok && q != p && !isVerbOf(p, w) {
					t.Errorf("%s text %q uses %q, a noun of another part", kind, text, w)
				}
			}
		}
	}
	check("calibration", CalibrationTexts(1, 500), calibration)
	check("anchor", AnchorPrompts(120), calibration)
	check("development", TestPrompts(Development, 60), test)
	check("quoted", TestPrompts(Quoted, 60), test)
	for _, r := range registers {
		name := r.name
		positive, negative := PersonaTexts(name, 60, 1)
		check(name, append(positive, negative...), persona)
	}
}

func isVerbOf(p part, word string) bool {
	for _, tp := range topicsOf(p) {
		if slices.Contains(tp.verbs, word) {
			return true
		}
	}
	return false
}

func TestPromptSetsAreDistinctAndDisjoint(t *testing.T) {
	seen := map[string]bool{}
	for _, set := range []PromptSet{Development, Quoted} {
		prompts := TestPrompts(set, 100)
		if len(prompts) != 100 {
			t.Fatalf("%s: %d prompts, want 100", set, len(prompts))
		}
		for _, p := range prompts {
			if seen[p] {
				t.Errorf("%s: %q twice", set, p)
			}
			seen[p] = true
		}
		if !slices.Equal(prompts[:30], TestPrompts(set, 30)) {
			t.Errorf("%s: a longer list begins differently", set)
		}
	}
	if got := TestPrompts("validation", 3); got != nil {
		t.Errorf("unknown set gave %q", got)
	}
	if got := len(TestPrompts(Quoted, 1e6)); got < 200 || got > 1e5 {
		t.Errorf("a million prompts asked for, %d given", got)
	}
	if got := len(AnchorPrompts(120)); got != 120 {
		t.Errorf("%d anchor prompts, want 120", got)
	}
}

func TestCutsEndAtWordEndsAndVary(t *testing.T) {
	whole := map[string]bool{}
	for _, c := range ".!?;,:~)♪—" {
		whole[string(c)] = true
	}
	texts := CalibrationTexts(3, 2000)
	if len(texts) != 2000 {
		t.Fatalf("%d texts, want 2000", len(texts))
	}
	marks := 0
	for _, text := range texts {
		last, _ := utf8.DecodeLastRuneInString(text)
		if space(text[len(text)-1]) || last == utf8.RuneError {
			t.Errorf("%q does not end at a word end", text)
		}
		if whole[string(last)] {
			marks++
		}
	}
	if marks > len(texts)/2 {
		t.Errorf("%d of %d calibration texts end on a mark", marks, len(texts))
	}
	g := newGenerator(1, 0)
	for range 100 {
		if got := g.cut("one two\nthree", 0.5); got != "one two" && got != "one two\nthree" {
			t.Errorf("cut = %q", got)
		}
	}
}

func TestPersonaTextsBalanceTheOtherRegisters(t *testing.T) {
	for _, r := range registers {
		name := r.name
		positive, negative := PersonaTexts(name, 100, 1)
		if len(positive) != 100 || len(negative) != 100 {
			t.Errorf("%s: %d positive and %d negative texts, want 100 each", name, len(positive), len(negative))
		}
	}
	if p, n := PersonaTexts("sarcastic", 10, 1); p != nil || n != nil {
		t.Error("an unknown register has texts")
	}
	pirate := func(texts []string) (n int) {
		for _, text := range texts {
			if strings.Contains(text, "me hearties") || strings.Contains(text, "matey") || strings.Contains(text, "ye landlubber") || strings.Contains(text, "savvy") || strings.Contains(text, "Th' ") || strings.Contains(text, "Shiver") {
				n++
			}
		}
		return n
	}
	positive, negative := PersonaTexts(Pirate, 100, 1)
	if got := pirate(positive); got < 70 {
		t.Errorf("%d of 100 pirate texts sound like it", got)
	}
	if got := pirate(negative); got != 0 {
		t.Errorf("%d of 100 other texts sound like a pirate", got)
	}
}

func TestInflection(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{plural("fox"), "foxes"}, {plural("wolf"), "wolves"}, {plural("branch"), "branches"}, {plural("boat"), "boats"},
		{third("echo"), "echoes"}, {third("rush"), "rushes"}, {third("pass"), "passes"}, {third("play"), "plays"},
		{participle("swim"), "swimming"}, {participle("rise"), "rising"}, {participle("plant"), "planting"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
	g := newGenerator(1, 0)
	for template, want := range map[string]string{
		"a {X}": "an owl", "see a {X}": "see an owl", "A {X}": "An owl", "la {X}": "la owl",
	} {
		if got := g.fill(template, map[string]string{"X": "owl"}, nil); got != want {
			t.Errorf("fill(%q) = %q, want %q", template, got, want)
		}
	}
}
