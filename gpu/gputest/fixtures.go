package gputest

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/persona-transfer/runpipeline/gpu/checkpoint"
)

// Parity is what gpu/testdata/make_parity.py writes of a tiny model: what transformers computes of some texts,
// plain and with a vector added after a block at the last token.
type Parity struct {
	Texts  []string  `json:"texts"` // of fixtures whose model has a tokenizer
	Layer  int       `json:"layer"`
	Vector []float32 `json:"vector"`
	Cases  []struct {
		Tokens          []int32     `json:"tokens"`
		Residual        [][]float64 `json:"residual"`
		Logits          []float64   `json:"logits"`
		SteeredResidual [][]float64 `json:"steered_residual"`
		SteeredLogits   []float64   `json:"steered_logits"`
		Greedy          []int32     `json:"greedy"`
		Margins         []float64   `json:"margins"`
		Steered         []int32     `json:"steered"`
		SteeredMargins  []float64   `json:"steered_margins"`
	} `json:"cases"`
}

// ParityFiles are the fixtures in a folder, one in the folder of each model: all 18 or more, or a few of them
// with -short.
func ParityFiles(t testing.TB, folder string) (files []string) {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(folder, "*", "parity.json"))
	if err != nil || len(all) < 18 {
		t.Fatalf("%d fixtures in %s: %v", len(all), folder, err)
	}
	for _, file := range all {
		if name := filepath.Base(filepath.Dir(file)); !testing.Short() || name == "gemma3" || name == "llama3" || name == "phi3_longrope" {
			files = append(files, file)
		}
	}
	return files
}

// ReadParity reads a fixture.
func ReadParity(t testing.TB, path string) *Parity {
	t.Helper()
	p := new(Parity)
	readJSON(t, path, p)
	return p
}

// A Greedy is a text that transformers continued greedily, with the margin of each choice.
type Greedy struct {
	Prompt, Tokens []int32
	Margins        []float64
}

// ReadPretrained reads what gpu/testdata/make_pretrained.py wrote of the pretrained models, by their names.
func ReadPretrained(t testing.TB, path string) map[string][]Greedy {
	t.Helper()
	var fixture struct{ Models map[string][]Greedy }
	readJSON(t, path, &fixture)
	return fixture.Models
}

// A Sampling is what gpu/testdata/make_sampling.py writes: what a sampler makes of seeds, prompts and steps, and which
// tokens it chooses.
type Sampling struct {
	Sampler string
	Noise   []struct {
		Seed        uint64
		Prompt      string
		Step        int
		Lo, Hi      uint32
		Tokens      []int32
		Bits        []uint32
		Exponential []float64
	}
	Rows []struct {
		Seed        uint64
		Prompt      string
		Step        int
		Lo, Hi      uint32 // of seed, prompt and step
		Logits      []float32
		Temperature float64
		TopP        float64 `json:"top_p"`
		TopK        int     `json:"top_k"`
		Token       int32
	}
}

// ReadSampling reads a fixture.
func ReadSampling(t testing.TB, path string) *Sampling {
	t.Helper()
	s := new(Sampling)
	if readJSON(t, path, s); len(s.Noise) == 0 || len(s.Rows) == 0 {
		t.Fatalf("%s has %d words and %d rows", path, len(s.Noise), len(s.Rows))
	}
	return s
}

func readJSON(t testing.TB, path string, into any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(data, into)
	}
	if err != nil {
		t.Fatalf("read fixture %s: %v", path, err)
	}
}

// Pretrained is where a model lies that scripts/fetch-models.sh fetched into the folder, or into that which
// PERSONA_MODELS names. A test for which it is not there is skipped.
func Pretrained(t testing.TB, folder, name string) string {
	t.Helper()
	if f := os.Getenv("PERSONA_MODELS"); f != "" {
		folder = f
	}
	path := filepath.Join(folder, name)
	if _, err := os.Stat(path); err != nil {
		t.Skip("run scripts/fetch-models.sh to test the pretrained models")
	}
	return path
}

// OpenPretrained opens it.
func OpenPretrained(t testing.TB, folder, name string) *checkpoint.Checkpoint {
	t.Helper()
	c, err := checkpoint.Open(context.Background(), Pretrained(t, folder, name), checkpoint.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}
