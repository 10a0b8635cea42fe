package transforms

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/gpu/gputest"
	"github.com/persona-transfer/runpipeline/gpu/tiny"
	"github.com/persona-transfer/runpipeline/transforms/trial"
)

var update = flag.Bool("update", false, "write the likelihoods of kinds.jsonl anew")

// A text of trial/testdata/kinds.jsonl; the likelihoods are those of Gemma 3 270M.
type kindOfText struct {
	Kind     string       `json:"kind"`
	Prompt   string       `json:"prompt"`
	Text     string       `json:"text"`
	NLL      trial.Number `json:"nll"`
	Shuffled trial.Number `json:"shuffled_nll"`
}

// scoredTexts runs the stage that scores on continuations of prompts.
func scoredTexts(t *testing.T, m Model, texts []kindOfText) []artifacts.Score {
	t.Helper()
	d := decoderOf(t, m)
	g := &artifacts.Generations{Meta: place(m.Digest, 1, d.Config().Hidden)}
	for _, k := range texts {
		g.Rows = append(g.Rows, artifacts.Generation{PromptText: k.Prompt, Text: k.Text, Tokens: encode(t, d, k.Text)})
	}
	store, s := cache.NewMemory(), Score{Model: m}
	u := unit(NewStage("score", "score", s, 1, "generate"), 0, store, Manifest{keep(t, store, unitName(0, "texts"), artifacts.KindGenerations, g.Encode)})
	key, err := score(t.Context(), u, s)
	out, err := load(t.Context(), store, outputOf(t, u, key, err, "scores"), artifacts.KindScores, artifacts.DecodeScores)
	if err != nil {
		t.Fatal(err)
	}
	return out.Rows
}

// TestPretrainedLikelihoodsOfKinds holds the likelihoods on which the table of kinds of text rests to what
// the model says.
func TestPretrainedLikelihoodsOfKinds(t *testing.T) {
	if testing.Short() {
		t.Skip("reads a model of hundreds of megabytes")
	}
	model := gputest.Pretrained(t, filepath.Join("..", "models"), "gemma-3-270m.Q4_K_M.gguf")
	path := filepath.Join("trial", "testdata", "kinds.jsonl")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var kinds []kindOfText
	for lines := bufio.NewScanner(bytes.NewReader(data)); lines.Scan(); {
		var k kindOfText
		if err := json.Unmarshal(lines.Bytes(), &k); err != nil {
			t.Fatal(err)
		}
		kinds = append(kinds, k)
	}
	var out bytes.Buffer
	write := json.NewEncoder(&out)
	write.SetEscapeHTML(false)
	for i, got := range scoredTexts(t, modelOf(t, model), kinds) {
		k := &kinds[i]
		for _, c := range []struct{ got, want float64 }{{got.NLL, float64(k.NLL)}, {got.Shuffled, float64(k.Shuffled)}} {
			// Three decimals are stored, and sums of float32 in another order differ by less.
			if !*update && (math.Abs(c.got-c.want) > 2e-3 || math.IsNaN(c.got) != math.IsNaN(c.want)) {
				t.Errorf("%q: %g nats a token, want %g", k.Text, c.got, c.want)
			}
		}
		k.NLL, k.Shuffled = trial.Number(math.Round(1000*got.NLL)/1000), trial.Number(math.Round(1000*got.Shuffled)/1000)
		if err := write.Encode(k); err != nil {
			t.Fatal(err)
		}
	}
	if *update {
		if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestEmbeddedModelKnowsOrder has the embedded target read texts of its grammar, as they are and spoiled:
// every register reads well, and nothing that is spoiled does.
func TestEmbeddedModelKnowsOrder(t *testing.T) {
	var texts []kindOfText
	add := func(kind, prompt, text string) {
		texts = append(texts, kindOfText{Kind: kind, Prompt: prompt, Text: " " + strings.TrimSpace(text)})
	}
	for _, doc := range tiny.CalibrationTexts(77, 60) {
		words := strings.Fields(doc)
		if len(words) < 16 {
			continue
		}
		prompt, rest := strings.Join(words[:6], " "), strings.Join(words[6:min(len(words), 26)], " ")
		add("grammar", prompt, rest)
		add("shuffled", prompt, trial.ShuffleWords(rest, [32]byte{9}))
		add("echo", prompt, prompt+" "+prompt)
		add("repeated", prompt, strings.Repeat(words[7]+" ", 14))
		add("numbers", prompt, "12, 45, 78, 23, 56, 89, 34, 67")
		slices.Sort(words)
		add("soup", prompt, strings.Join(slices.Compact(words), " "))
	}
	m := modelOf(t, "tiny:llama")
	d := decoderOf(t, m)
	scores := scoredTexts(t, m, texts)
	var nll, order []float64
	for i, k := range texts {
		if k.Kind == "grammar" {
			order = append(order, scores[i].Shuffled-scores[i].NLL)
			nll = append(nll, scores[i].NLL)
		}
	}
	anchor, of := trial.Likelihood{NLL: trial.Median(nll), Order: trial.Median(order)}, map[string][]float64{}
	for i, k := range texts {
		text := trial.Likelihood{NLL: scores[i].NLL, Order: scores[i].Shuffled - scores[i].NLL}
		flags := trial.Collapse(encode(t, d, k.Text), k.Text, trial.CollapseOptions{Prompt: k.Prompt, Order: text.Order, AnchorOrder: anchor.Order})
		c := trial.Coherence(text, anchor, len(flags) > 0)
		of[k.Kind] = append(of[k.Kind], c)
		if k.Kind != "grammar" && k.Kind != "soup" && c > 2.5 {
			t.Errorf("%s %q has coherence %.2f", k.Kind, k.Text, c)
		}
	}
	for kind, c := range of {
		slices.Sort(c)
		if low, mean := c[len(c)/20], trial.Mean(c); kind == "grammar" && (mean < 4.2 || low < 3) || kind != "grammar" && mean > 2 {
			t.Errorf("%s: coherence %.2f in the mean, %.2f in one of twenty", kind, mean, low)
		} else {
			t.Logf("%s: coherence %.2f in the mean, %.2f to %.2f", kind, mean, c[0], c[len(c)-1])
		}
	}
}
