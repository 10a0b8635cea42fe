package cpu

import (
	"path/filepath"
	"testing"

	"github.com/persona-transfer/runpipeline/gpu/arch"
	"github.com/persona-transfer/runpipeline/gpu/engine/enginetest"
	"github.com/persona-transfer/runpipeline/gpu/gputest"
)

// openPretrained loads one of the models that scripts/fetch-models.sh fetches.
func openPretrained(t testing.TB, name string) *Model {
	t.Helper()
	f := gputest.OpenPretrained(t, filepath.Join("..", "..", "models"), name)
	c, err := arch.ParseConfig(f.Config())
	if err != nil {
		t.Fatal(err)
	}
	m, err := Load(c.Fitted(f.Tensors()), f, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestPretrainedGreedyEqualsTransformers continues 20 prompts with each of the two pretrained models.
func TestPretrainedGreedyEqualsTransformers(t *testing.T) {
	enginetest.Pretrained(t, opener(best(), 0), filepath.Join("..", "testdata", "pretrained.json"), filepath.Join("..", "..", "models"), 20)
}
