package pipelines

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/persona-transfer/runpipeline/gpu/tiny"
	"github.com/persona-transfer/runpipeline/transforms"
)

// TestATemplateThatWritesTheDateNeedsOne runs nothing: it asks what the models read, with the configuration's
// date and without.
func TestATemplateThatWritesTheDateNeedsOne(t *testing.T) {
	dir := t.TempDir()
	for name, template := range map[string]string{
		"qwen2": "{{ strftime_now('%d %b %Y') }}: {{ messages[0].content }}",
		"llama": "{% if strftime_now is defined %}{{ strftime_now('%Y') }}{% else %}2024{% endif %} {{ messages[0].content }}",
	} {
		files, _ := tiny.Folder(name)
		folder := filepath.Join(dir, name)
		if err := os.CopyFS(folder, files); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, "chat_template.jinja"), []byte(template), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	experiment := func(date string) *Experiment {
		set := small().with("source_model", filepath.Join(dir, "qwen2")).with("target_model", filepath.Join(dir, "llama")).with("chat_template", true)
		set = set.with("layer_idx", 1).with("calibration_texts", tiny.CalibrationTexts(1, 300)).with("template_date", date)
		c, err := ParseConfig(set.bytes(), "")
		if err != nil {
			t.Fatal(err)
		}
		e, err := NewExperiment(t.Context(), c, false)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	err := experiment("").checkTexts(t.Context())
	if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), "template_date: the chat template of model qwen2") || strings.Contains(err.Error(), "model llama") {
		t.Errorf("without a date: %v, want template_date named for qwen2 alone", err)
	}
	e := experiment("2026-11-27")
	if err := e.checkTexts(t.Context()); err != nil {
		t.Errorf("with a date: %v", err)
	}
	for _, c := range []struct {
		model transforms.Model
		want  string
	}{{e.Source.Model, "27 Nov 2026: The boat"}, {e.Target.Model, "2026 The boat"}, {experiment("").Target.Model, "2024 The boat"}} {
		tok, err := c.model.Text().Tokenizer(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		ids, err := transforms.PromptTokens(tok, true, "The boat")
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.TrimSpace(tok.Decode(ids, true)); got != c.want {
			t.Errorf("the prompt is %q, want %q", got, c.want)
		}
	}
}
