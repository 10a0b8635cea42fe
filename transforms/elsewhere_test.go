package transforms

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/persona-transfer/runpipeline/gpu"
	"github.com/persona-transfer/runpipeline/gpu/checkpoint"
	"github.com/persona-transfer/runpipeline/gpu/tiny"
)

// TestModelsLieElsewhereOnAWorker opens a model whose path is that of another machine: it is found by its name
// below the worker's folders if its files are those of the run, and else the error says what was looked for.
func TestModelsLieElsewhereOnAWorker(t *testing.T) {
	t.Setenv("HF_HUB_OFFLINE", "1")
	CloseModels()
	t.Cleanup(func() { CloseModels(); FindModelsIn(nil) })
	here := t.TempDir()
	for _, name := range []string{"llama", "qwen2"} {
		files, _ := tiny.Folder(name)
		if err := os.CopyFS(filepath.Join(here, name), files); err != nil {
			t.Fatal(err)
		}
	}
	m := modelOf(t, "tiny:llama")
	m.Ref = filepath.Join(t.TempDir(), "llama")
	u := unit(toyStage("a", 1, toy{}), 0, openTest(t, t.TempDir()))
	defer u.release()

	FindModelsIn(nil)
	if _, err := u.decoder(t.Context(), m); !errors.Is(err, checkpoint.ErrNotFound) || !strings.Contains(err.Error(), m.Ref) {
		t.Errorf("without folders: %v, want what was looked for", err)
	}
	empty := t.TempDir()
	FindModelsIn([]string{empty})
	if _, err := u.decoder(t.Context(), m); !errors.Is(err, checkpoint.ErrNotFound) || !strings.Contains(err.Error(), filepath.Join(empty, "llama")) {
		t.Errorf("with an empty folder: %v, want where it was looked for", err)
	}
	FindModelsIn([]string{empty, here})
	if _, err := u.decoder(t.Context(), m); err != nil {
		t.Errorf("in the second folder: %v", err)
	}
	text := m.Text()
	if _, err := text.Tokenizer(t.Context()); err != nil {
		t.Errorf("its tokenizer: %v", err)
	}
	other := m
	other.Ref = filepath.Join(filepath.Dir(m.Ref), "qwen2")
	if _, err := u.decoder(t.Context(), other); err == nil || !strings.Contains(err.Error(), "others than those of the run") {
		t.Errorf("another model of that name: %v, want it refused", err)
	}
	text.Ref = other.Ref
	if _, err := text.Tokenizer(t.Context()); err == nil || !strings.Contains(err.Error(), "others than those of the run") {
		t.Errorf("its tokenizer: %v, want it refused", err)
	}
}

// TestAnotherDeviceIsRefused has a run's recipes say another device than a worker has by that name.
func TestAnotherDeviceIsRefused(t *testing.T) {
	CloseModels()
	u := unit(toyStage("a", 1, toy{}), 0, openTest(t, t.TempDir()))
	m := modelOf(t, "tiny:llama")
	m.Device = "cuda/bfloat16/h100+jax"
	if _, err := u.decoder(t.Context(), m); err != nil {
		t.Errorf("in the process that began the run: %v", err)
	}
	u.release()
	CloseModels()
	u.run.elsewhere = true
	if _, err := u.decoder(t.Context(), m); !errors.Is(err, gpu.ErrNoDevice) || !strings.Contains(err.Error(), m.Device) || !strings.Contains(err.Error(), "cpu/float32") {
		t.Errorf("a run of another device: %v, want both named", err)
	}
}
