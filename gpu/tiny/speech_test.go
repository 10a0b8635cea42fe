package tiny_test

import (
	"strings"
	"testing"

	"github.com/persona-transfer/runpipeline/gpu"
	"github.com/persona-transfer/runpipeline/gpu/tiny"
)

// letters splits a text into its words in lower case.
func letters(text string) []string {
	return strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return (r < 'a' || r > 'z') && r != '\'' })
}

// Unsteered, both models speak the language of the grammar and keep to the prompt's topic.
func TestModelsSpeakTheGrammar(t *testing.T) {
	if testing.Short() {
		t.Skip("generates 120 texts")
	}
	known := map[string]bool{}
	topics := map[string]string{} // words that one topic alone uses
	for _, d := range tiny.Documents(5, 20_000) {
		for _, w := range letters(d.Text) {
			known[w] = true
			if at, ok := topics[w]; ok && at != d.Topic {
				topics[w] = ""
			} else {
				topics[w] = d.Topic
			}
		}
	}
	for _, name := range []string{tiny.Source, tiny.Target} {
		d := open(t, name)
		prompts := tiny.AnchorPrompts(60)
		var rows []gpu.Row
		for _, p := range prompts {
			ids, err := d.Tokenizer().Encode(p)
			if err != nil {
				t.Fatal(err)
			}
			rows = append(rows, gpu.Row{Prompt: ids, Noise: gpu.Noise{Seed: 1, Prompt: gpu.PromptDigest(p)}})
		}
		out, err := d.Generate(t.Context(), rows, gpu.Sampling{MaxNewTokens: 28, Temperature: 0.8, TopP: 0.95})
		if err != nil {
			t.Fatal(err)
		}
		words, foreign, specific, kept := 0, 0, 0, 0
		for i, o := range out {
			text := d.Tokenizer().Continuation(rows[i].Prompt, o.Tokens)
			about := ""
			for _, w := range letters(prompts[i]) {
				if topics[w] != "" {
					about = topics[w]
				}
			}
			said := letters(text)
			for j, w := range said {
				words++
				if !known[w] && j < len(said)-1 { // the last word may be cut off
					foreign++
				}
				if about != "" && topics[w] != "" {
					specific++
					if topics[w] == about {
						kept++
					}
				}
			}
			if i < 4 {
				t.Logf("%s: %q → %q", name, prompts[i], text)
			}
		}
		t.Logf("%s: %d of %d words foreign, %d of %d topic words kept to the topic", name, foreign, words, kept, specific)
		if foreign*50 > words {
			t.Errorf("%s: %d of %d words are not in the language", name, foreign, words)
		}
		if kept*100 < 75*specific {
			t.Errorf("%s: %d of %d topic words are of the prompt's topic", name, kept, specific)
		}
	}
}
