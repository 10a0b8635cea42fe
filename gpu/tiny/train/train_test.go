package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A short training, twice, the second time on one core.
func TestTrainingTwiceGivesTheSameBytes(t *testing.T) {
	if testing.Short() {
		t.Skip("trains two small models")
	}
	const tokens = 2 * 16 * rowTokens // two steps
	a, b := t.TempDir(), t.TempDir()
	if err := run(t.Context(), a, tokens, "qwen2"); err != nil {
		t.Fatal(err)
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	if err := run(t.Context(), b, tokens, "qwen2"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"} {
		first, err := os.ReadFile(filepath.Join(a, "qwen2", name))
		if err != nil {
			t.Fatal(err)
		}
		second, err := os.ReadFile(filepath.Join(b, "qwen2", name))
		if err != nil || !bytes.Equal(first, second) {
			t.Errorf("%s: the second training differs (error %v)", name, err)
		}
	}
	if text, err := os.ReadFile(filepath.Join(a, "TRAINING.md")); err != nil || !strings.Contains(string(text), "| 2 | ") {
		t.Errorf("TRAINING.md: error %v, no second step in\n%s", err, text)
	}
}

func TestImpossibleTrainingsAreRefused(t *testing.T) {
	if err := run(t.Context(), t.TempDir(), 100, ""); err == nil {
		t.Error("100 tokens: no error")
	}
	if err := run(t.Context(), t.TempDir(), 100_000, "gpt2"); err == nil {
		t.Error("unknown model: no error")
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := run(t.Context(), file, 100_000, "qwen2"); err == nil {
		t.Error("a file for a folder: no error")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := run(ctx, t.TempDir(), 100_000, "qwen2"); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// The record's lines are means over equal stretches of steps, and the last step ends one.
func TestRecordsAreMeans(t *testing.T) {
	r := record{family: families[0], parameters: 7, tokens: 8, validation: 1.25, took: 90 * time.Second,
		device: "cpu/float32/avx2", digest: "ab12"}
	for step := 1; step <= 50; step++ {
		r.add(step, 50, float64(step))
	}
	if len(r.lines) != 25 || r.lines[0] != (line{2, 1.5}) || r.lines[24] != (line{50, 49.5}) {
		t.Errorf("lines %v", r.lines)
	}
	text := string(markdown([]record{r}))
	for _, want := range []string{"| qwen2 | 7 | 8 | 1.2500 | cpu/float32/avx2 | 1m30s |", "| qwen2 | ab12 |", "| 50 | 49.5000 |"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

// TestRecordIsOfTheCommittedModels compares TRAINING.md with the weights beside it: the digest,
// and the validation loss within the 1 % by which instruction sets may differ.
func TestRecordIsOfTheCommittedModels(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "TRAINING.md"))
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, f := range families {
		folder := filepath.Join("..", f.name)
		weights, err := os.ReadFile(filepath.Join(folder, "model.safetensors"))
		if err != nil {
			t.Fatal(err)
		}
		total += len(weights)
		if want := fmt.Sprintf("| %s | %x |", f.name, sha256.Sum256(weights)); !strings.Contains(string(text), want) {
			t.Errorf("TRAINING.md has no line %q", want)
		}
		row := regexp.MustCompile(`(?m)^\| ` + f.name + ` \| \d+ \| \d+ \| ([0-9.]+) \|`).FindStringSubmatch(string(text))
		if row == nil {
			t.Errorf("TRAINING.md has no row of %s", f.name)
			continue
		}
		want, err := strconv.ParseFloat(row[1], 64)
		if err != nil {
			t.Fatal(err)
		}
		if testing.Short() {
			continue
		}
		if got, err := f.validate(t.Context(), folder, validationTokens); err != nil || math.Abs(got-want) > 0.01*want {
			t.Errorf("%s: validation loss %.4f (error %v), TRAINING.md says %.4f", f.name, got, err, want)
		}
	}
	if total > 8<<20 {
		t.Errorf("%d bytes of weights, want at most 8 MiB", total)
	}
}

func TestShapes(t *testing.T) {
	f := families[0]
	for name, c := range map[string]struct {
		n    int
		want []int
	}{
		"model.embed_tokens.weight":              {vocabulary * f.hidden, []int{vocabulary, f.hidden}},
		"model.norm.weight":                      {f.hidden, []int{f.hidden}},
		"model.layers.0.self_attn.k_proj.weight": {f.hidden * f.hidden / 2, []int{f.hidden / 2, f.hidden}},
		"model.layers.0.self_attn.k_proj.bias":   {f.hidden / 2, []int{f.hidden / 2}},
		"model.layers.3.mlp.up_proj.weight":      {f.inner * f.hidden, []int{f.inner, f.hidden}},
		"model.layers.3.mlp.down_proj.weight":    {f.inner * f.hidden, []int{f.hidden, f.inner}},
	} {
		if got, err := f.shape(name, c.n); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: shape %v (error %v), want %v", name, got, err, c.want)
		}
	}
	if _, err := f.shape("model.embed_tokens.weight", 97); err == nil {
		t.Error("97 values as rows of 96: no error")
	}
}
