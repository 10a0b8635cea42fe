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
)

// templated is a folder of the embedded source with a chat template.
func templated(t *testing.T, template string) Model {
	t.Helper()
	files, _ := tiny.Folder("qwen2")
	dir := t.TempDir()
	if err := os.CopyFS(dir, files); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "chat_template.jinja"), []byte(template), 0o644); err != nil {
		t.Fatal(err)
	}
	m := modelOf(t, dir)
	m.Template = true
	return m
}

// TestABadTextStopsNoOther pairs and reads a corpus in which one text tokenises to nothing and, with
// a chat template that writes all in capitals, one cannot be found again in what the template makes of it.
func TestABadTextStopsNoOther(t *testing.T) {
	chat := templated(t, "{% for m in messages %}{% if 'cat' in m.content %}{{ m.content | upper }}{% else %}{{ m.content }}{% endif %} ##\n{% endfor %}")
	plain := chat
	plain.Template = false
	good := []string{"The old boat waits.", "A dog sings in the ward.", "The needle is tired."}
	for _, c := range []struct {
		model  Model
		bad    string
		status string
	}{
		{plain, "", "the text is empty"},
		{chat, "The cat runs.", `the chat template changes the text "The cat runs."`},
	} {
		store := cache.NewMemory()
		var texts []Text
		for _, text := range append([]string{c.bad}, good...) {
			texts = append(texts, Text{Text: text})
		}
		tok, err := c.model.Text().Tokenizer(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		a := aligner{readers: []reader{{tok, c.model.Template}}, positions: "last"}
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

// TestPositionsAreInTheUsersTurn has texts that are also in what the template writes before and behind them, and
// templates that trim: what is read is the last token of the text in the user's turn.
func TestPositionsAreInTheUsersTurn(t *testing.T) {
	const (
		system  = "<|system|>You are a helpful assistant. The user says:\n"
		whole   = system + "<user>{{ messages[0].content }}</user> You are a helpful assistant."
		trimmed = system + "{% for m in messages %}<{{ m['role'] }}>\n{{ m['content'] | trim }} ##\n{% endfor %}"
		twice   = "{{ messages[0].content }}|{{ messages[0].content }}</user> a user"
	)
	for _, c := range []struct{ template, text, upTo string }{
		{whole, "The cat runs.", system + "<user>The cat runs."},
		{whole, "You are a helpful assistant.", system + "<user>You are a helpful assistant."},
		{whole, "user", system + "<user>user"},
		{whole, "a", system + "<user>a"},
		{whole, " The cat. ", system + "<user> The cat. "},
		{trimmed, " user ", system + "<user>\nuser"},
		{trimmed, "The user says:\n", system + "<user>\nThe user says:"},
		{trimmed, "\t#", system + "<user>\n#"},
		{twice, "user", "user|user"},
		{"{{ messages[0].content.split('|')[-1] }}. user", "user| The user", " The user"},
		{whole, "\uE5A1\uE5A2\uE5A3", system + "<user>\uE5A1\uE5A2\uE5A3"},
	} {
		m := templated(t, c.template)
		tok, err := m.Text().Tokenizer(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		a := aligner{readers: []reader{{tok, m.Template}}, positions: "last"}
		ends, status := a.ends(c.text)
		if len(ends) != 1 {
			t.Errorf("%q in %q: ends %v, status %q, want one", c.text, c.template, ends, status)
			continue
		}
		read, err := readText(tok, true, c.text)
		if err != nil {
			t.Fatal(err)
		}
		if got := tok.Decode(read.tokens[:read.at(ends[0])+1], false); got != c.upTo {
			t.Errorf("%q in %q is read up to %q, want %q", c.text, c.template, got, c.upTo)
		}
	}
}

// TestATextThatIsLeftOutIsNotRun: attention over a text that is too long would take gigabytes.
func TestATextThatIsLeftOutIsNotRun(t *testing.T) {
	tok := tokenizerOf(t, "tiny:qwen2")
	a := aligner{readers: []reader{{tokenizer: tok}}, positions: "last"}
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
