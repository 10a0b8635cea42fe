package transforms

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/gpu/tiny"
	"github.com/persona-transfer/runpipeline/gpu/tokenizer"
)

// trimming is a folder of the embedded source with a chat template that trims, as Gemma's does.
func trimming(t *testing.T) Model {
	t.Helper()
	files, _ := tiny.Folder("qwen2")
	dir := t.TempDir()
	if err := os.CopyFS(dir, files); err != nil {
		t.Fatal(err)
	}
	template := "{% for m in messages %}<{{ m['role'] }}>\n{{ m['content'] | trim }} ##\n{% endfor %}"
	if err := os.WriteFile(filepath.Join(dir, "chat_template.jinja"), []byte(template), 0o644); err != nil {
		t.Fatal(err)
	}
	m := modelOf(t, dir)
	m.Template = true
	return m
}

// TestABadTextStopsNoOther pairs and reads a corpus in which one text tokenises to nothing and, with
// a chat template that trims, one cannot be found again in what the template makes of it.
func TestABadTextStopsNoOther(t *testing.T) {
	chat := trimming(t)
	plain := chat
	plain.Template = false
	good := []string{"The old boat waits.", "A dog sings in the ward.", "The needle is tired."}
	for _, c := range []struct {
		model  Model
		bad    string
		status string
	}{
		{plain, "", "the text is empty"},
		{chat, " The cat runs. ", `the chat template changes the text " The cat runs. "`},
	} {
		store := cache.NewMemory()
		var texts []Text
		for _, text := range append([]string{c.bad}, good...) {
			texts = append(texts, Text{Text: text})
		}
		a := aligner{models: [2]TextModel{c.model.Text(), {}}, positions: "last"}
		tok, err := c.model.Text().Tokenizer(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		a.tokenizers[0] = tok
		shards, err := a.shards(t.Context(), texts, len(good))
		if err != nil {
			t.Fatal(err)
		}
		if row := shards[0].Rows[0]; len(row.Ends) != 0 || !strings.HasPrefix(row.Status, c.status) {
			t.Errorf("%q: ends %v, status %q, want none and %q", c.bad, row.Ends, row.Status, c.status)
		}
		s := Capture{Model: c.model, Layer: 1, Positions: "last"}
		in := Manifest{keep(t, store, shardName(0), artifacts.KindTexts, shards[0].Encode)}
		key, err := capture(t.Context(), unit(NewStage("capture", "capture", s, 1, "pairs"), 0, store, in), s)
		if err != nil {
			t.Fatalf("capture beside %q: %v", c.bad, err)
		}
		out, _, err := store.Lookup(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		acts, err := load(t.Context(), store, out[0], artifacts.KindActivations, artifacts.DecodeActivations)
		if err != nil {
			t.Fatal(err)
		}
		// Rows keep their numbers in the shard.
		if want := []int32{1, 2, 3}; !slices.Equal(acts.Text, want) {
			t.Errorf("rows of texts %v, want %v", acts.Text, want)
		}
		_, err = a.shards(t.Context(), texts, len(texts))
		if want := fmt.Sprintf("gives %d pairs", len(good)); !errors.Is(err, ErrTexts) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "the last because "+c.status) {
			t.Errorf("one pair too many: %v, want %q and the reason", err, want)
		}
	}
}

// TestATextThatIsLeftOutIsNotRun: attention over a text that is too long would take gigabytes.
func TestATextThatIsLeftOutIsNotRun(t *testing.T) {
	tok := tokenizerOf(t, "tiny:qwen2")
	a := aligner{tokenizers: [2]*tokenizer.Tokenizer{tok, tok}, positions: "last"}
	long := strings.Repeat("the old boat waits ", maxTokens)
	shards, err := a.shards(t.Context(), []Text{{Text: "A dog sings."}, {Text: long}, {Text: "The needle is tired."}}, 2)
	if err != nil {
		t.Fatal(err)
	}
	acts := &artifacts.Activations{}
	tokens, positions, err := Capture{Layer: 1, Positions: "last"}.read(tok, shards[0], acts)
	if err != nil || len(tokens) != 2 || len(positions) != 2 {
		t.Fatalf("%d texts and %d lists of positions are read (%v), want 2", len(tokens), len(positions), err)
	}
	if want := []int32{0, 2}; !slices.Equal(acts.Text, want) {
		t.Errorf("rows of texts %v, want %v", acts.Text, want)
	}
}
