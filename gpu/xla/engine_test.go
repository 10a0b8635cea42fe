package xla

import (
	"path/filepath"
	"testing"

	"github.com/persona-transfer/runpipeline/gpu/arch"
	"github.com/persona-transfer/runpipeline/gpu/engine"
	"github.com/persona-transfer/runpipeline/gpu/engine/enginetest"
)

func open(t testing.TB, c *arch.Config, src arch.Source) engine.Engine {
	t.Helper()
	m, err := Load(c, src)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestEngine runs the suite of engines on the backend in Go.
func TestEngine(t *testing.T) {
	enginetest.Run(t, open, enginetest.Options{Parity: "../testdata/parity"})
}

// TestPretrainedGreedyEqualsTransformers continues some prompts with each of the two pretrained models.
func TestPretrainedGreedyEqualsTransformers(t *testing.T) {
	enginetest.Pretrained(t, open, filepath.Join("..", "testdata", "pretrained.json"), filepath.Join("..", "..", "models"), 5)
}

func FuzzEngine(f *testing.F) { enginetest.Fuzz(f, open, enginetest.Options{}) }
