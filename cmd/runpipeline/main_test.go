package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/gpu/tiny"
)

// asCommand, in the environment, makes the test binary the command itself, to be killed.
const asCommand = "RUNPIPELINE_TEST_AS_COMMAND"

// deafCommand makes it a command that works for a minute whatever its context says.
const deafCommand = "RUNPIPELINE_TEST_DEAF"

func TestMain(m *testing.M) {
	if os.Getenv(deafCommand) != "" {
		newApp(nil, os.Stdout, os.Stderr).interruptible()
		fmt.Fprintln(os.Stderr, "working")
		time.Sleep(time.Minute)
		os.Exit(0)
	}
	if os.Getenv(asCommand) != "" {
		main()
	}
	os.Exit(m.Run())
}

// small is an experiment on the embedded pair with as little of everything as makes sense.
const small = `{
  "source_model": "tiny:qwen2", "target_model": "tiny:llama", "layer_idx": 1, "positions": "last", "top_k": 0, "stop_at_eos": false,
  "n_training_samples": 200, "folds": 2,
  "lambda_values": [0.001, 0.1], "lambda_unit": "relative",
  "conditions": ["none", "ridge", "shuffled_pairs"], "alpha_values": [0.5], "alpha_unit": "residual",
  "persona_datasets": {
    "silly": {
      "positive_texts": ["The boat sneezed at a purple spoon", "A wobbly cook juggled the moon", "The letter giggled in its hat", "My uncle danced with a noodle"],
      "negative_texts": ["The boat left the harbour at noon", "The cook made soup for the guests", "The letter came on Monday morning", "My uncle works in the garden"]
    }
  },
  "test_prompts": ["The old man by the window", "A letter from the town", "On Monday the teacher", "The road to the sea"],
  "n_seeds": 1, "max_new_tokens": 8
}
`

// copyModel copies a model of the embedded pair into a folder.
func copyModel(name, folder string) error {
	files, ok := tiny.Folder(name)
	if !ok {
		return fmt.Errorf("no embedded model %s", name)
	}
	return os.CopyFS(folder, files)
}

// spoil makes every weight of a model NaN.
func spoil(folder string) error {
	path := filepath.Join(folder, "model.safetensors")
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	for i := 8 + int(binary.LittleEndian.Uint64(b)); i < len(b); i++ {
		b[i] = 0xff
	}
	return os.WriteFile(path, b, 0o644)
}

// retype says of weights that are stored as one type that they are of another, whose name is not longer.
func retype(folder, from, to string) error {
	path := filepath.Join(folder, "model.safetensors")
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	padding := strings.Repeat(" ", len(from)-len(to)) // the header keeps its length
	b = bytes.ReplaceAll(b, fmt.Appendf(nil, `"dtype":%q,`, from), fmt.Appendf(nil, `"dtype":%q,%s`, to, padding))
	return os.WriteFile(path, b, 0o644)
}

// addToken gives a tokenizer one more token.
func addToken(folder, id string) error {
	path := filepath.Join(folder, "tokenizer.json")
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var t map[string]any
	if err := json.Unmarshal(b, &t); err != nil {
		return err
	}
	added, _ := t["added_tokens"].([]any)
	t["added_tokens"] = append(added, map[string]any{"id": json.Number(id), "content": "<from another vocabulary>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true})
	if b, err = json.Marshal(t); err != nil {
		return err
	}
	return os.WriteFile(path, b, 0o644)
}

// damage flips a bit of one stored output of a kind, of the last stage of a kind that is stored.
func damage(dir, stage, kind string) error {
	s, err := cache.Open(context.Background(), dir)
	if err != nil {
		return err
	}
	var digest string
	err = s.Actions(context.Background(), func(a cache.Action, err error) error {
		for _, o := range a.Outputs {
			if o.Kind == kind && strings.HasPrefix(a.Recipe, fmt.Sprintf("kind %d:%s\n", len(stage), stage)) {
				digest = o.Digest.String()
			}
		}
		return err
	})
	if err != nil || digest == "" {
		return fmt.Errorf("no output of kind %s of %s in %s: %v", kind, stage, dir, err)
	}
	path := filepath.Join(dir, "blobs", digest[:2], digest+".zst")
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	b[len(b)/2] ^= 0x40
	if err := os.Chmod(path, 0o644); err != nil {
		return err
	}
	return os.WriteFile(path, b, 0o644)
}
