package trial

import (
	"bufio"
	"encoding/json"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/persona-transfer/runpipeline/gpu/tiny"
)

// A kindOfText is one text of testdata/kinds.jsonl, as a continuation of its prompt, with its likelihoods by
// Gemma 3 270M; the model itself wrote those of the kind unsteered.
type kindOfText struct {
	Kind     string `json:"kind"`
	Prompt   string `json:"prompt"`
	Text     string `json:"text"`
	NLL      Number `json:"nll"`
	Shuffled Number `json:"shuffled_nll"`
}

func readLines(t *testing.T, path string, line func(text []byte)) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	for s.Scan() {
		line(s.Bytes())
	}
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
}

func readKinds(t *testing.T) (kinds []kindOfText) {
	t.Helper()
	readLines(t, "testdata/kinds.jsonl", func(line []byte) {
		var k kindOfText
		if err := json.Unmarshal(line, &k); err != nil {
			t.Fatal(err)
		}
		kinds = append(kinds, k)
	})
	return kinds
}

// everyPersona are those of the tests and of the embedded pair's grammar.
func everyPersona(t *testing.T) map[string]texts {
	all := readPersonas(t)
	for _, name := range []string{"silly", "pirate", "angry"} {
		positive, negative := tiny.PersonaTexts(name, 48, 301)
		all["tiny "+name] = texts{positive, negative}
	}
	return all
}

// TestGuardKnowsKindsOfText: prose, poems and even words in disorder have a trait by every scorer, and what
// is no English prose has none, whatever markers are in it.
func TestGuardKnowsKindsOfText(t *testing.T) {
	unlike := []string{"repeated", "soup", "numbers", "list", "markup", "code", "language", "noise", "empty"}
	kinds := readKinds(t)
	for name, p := range everyPersona(t) {
		s := fitScorer(t, p)
		for _, k := range kinds {
			if why, want := s.Unlike(k.Text), slices.Contains(unlike, k.Kind); (why != "") != want {
				t.Errorf("%s, %s %q: %q, want it refused: %t", name, k.Kind, k.Text, why, want)
			}
		}
	}
}

// TestGuardLetsOrdinaryTextsPass: the persona's texts that the scorer has not seen, people's sentences, and
// for personas of the grammar what the models are trained to say.
func TestGuardLetsOrdinaryTextsPass(t *testing.T) {
	var sentences []string
	readLines(t, "../../pipelines/data/wordnet-examples.txt", func(line []byte) { sentences = append(sentences, string(line)) })
	for name, p := range everyPersona(t) {
		s := fitScorer(t, p)
		passes := func(what string, texts []string, least float64) {
			refused := map[string]int{}
			for _, text := range texts {
				if why := s.Unlike(text); why != "" {
					_, why, _ = strings.Cut(why, " ")
					refused[why]++
				}
			}
			n := 0
			for _, k := range refused {
				n += k
			}
			if got := 1 - float64(n)/float64(len(texts)); got < least {
				t.Errorf("%s: %.1f%% of %d %s pass, want at least %.1f%%; refused: %v", name, 100*got, len(texts), what, 100*least, refused)
			}
		}
		passes("sentences", sentences, .985)
		passes("texts of the persona's file that it has not seen", append(part(p.Positive, 0), part(p.Negative, 0)...), .97)
		if strings.HasPrefix(name, "tiny") {
			passes("texts of the grammar", tiny.CalibrationTexts(5, 1000), .98)
		}
	}
}

// TestGuardFollowsItsLanguage: a scorer of French texts takes French ones, and bounds that are of English
// words do not hold for it.
func TestGuardFollowsItsLanguage(t *testing.T) {
	joyful := strings.Split("le matin est beau et je chante avec mes amis|la mer brille et nous rions de bonheur|quelle joie de voir les enfants danser dans le jardin|le soleil est chaud et mon cœur est léger|nous avons mangé un gâteau délicieux avec ma sœur|elle sourit et toute la maison est heureuse", "|")
	dull := strings.Split("le bureau est fermé et je remplis les formulaires|la pluie tombe et nous attendons le train|le rapport est sur la table dans le couloir|la réunion de lundi est dans la salle du bas|nous avons payé la facture avec un chèque|elle signe la lettre et la pose sur le bureau", "|")
	s, err := FitScorer(joyful, dull)
	if err != nil {
		t.Fatal(err)
	}
	if why := s.Unlike("nous chantons dans le jardin et la mer est belle"); why != "" {
		t.Errorf("French to a scorer of French texts: %s", why)
	}
	for _, text := range []string{"12, 45, 78, 23, 56", "", "le le le le le le"} {
		if s.Unlike(text) == "" {
			t.Errorf("%q passes", text)
		}
	}
}

// TestALanguageThatLooksLikeEnglish: sentences of other languages whose function words are spelled as
// English ones are told by those that are not.
func TestALanguageThatLooksLikeEnglish(t *testing.T) {
	for name, p := range readPersonas(t) {
		s := fitScorer(t, p)
		for _, text := range []string{
			"We waren in de tuin en het was een warme dag, want de zon scheen over het water.",
			"Huset er meget smukt, og vi er glade for at bo her med vores børn.",
			"Ich war in der Stadt, und am Abend sang man in den Straßen ein altes Lied.",
			"Non so come si fa a vivere in un posto così, ma io sono contento.",
		} {
			if s.Unlike(text) == "" {
				t.Errorf("%s takes %q", name, text)
			}
		}
	}
}

// TestSayingAWordAgainChangesNothing: neither for words of the scorer's nor for those of the lexicon, before
// and behind the text.
func TestSayingAWordAgainChangesNothing(t *testing.T) {
	s := fitScorer(t, readPersonas(t)["joyful"])
	text := "We had a wonderful holiday with sunshine, and the children were happy."
	want := s.Logit(text)
	for _, more := range []string{" Happy happy, happy! wonderful", " holiday holiday holiday sunshine sunshine"} {
		if got := s.Logit(text + strings.ToLower(strings.NewReplacer("!", "", ",", "").Replace(more))); math.Abs(got-want) > 1e-12 {
			t.Errorf("with%s the logit is %g, without %g", more, got, want)
		}
	}
	if got := s.Logit(text + " What a delight!"); !(got > want) {
		t.Errorf("with another marker the logit is %g, without %g", got, want)
	}
	if got, want := once("The cat, the CAT and 'cat' — a dog's dog ’s ... ..."), "The cat, the and — a dog's dog ’s ... ..."; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestLongTextsMayRepeatThemselves counts different words in spans, since long texts say common words often.
func TestLongTextsMayRepeatThemselves(t *testing.T) {
	s := fitScorer(t, readPersonas(t)["joyful"])
	var long strings.Builder
	readLines(t, "../../pipelines/data/wordnet-examples.txt", func(line []byte) {
		long.Write(line)
		long.WriteString(". ")
	})
	if why := s.Unlike(long.String()); why != "" {
		t.Errorf("%d bytes of sentences: %s", long.Len(), why)
	}
	if why := s.Unlike(strings.Repeat("the happy dog and the cat ran to the sea. ", 50)); !strings.Contains(why, "over and over") {
		t.Errorf("one sentence fifty times: %q", why)
	}
}
