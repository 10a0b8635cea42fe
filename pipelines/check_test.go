package pipelines

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/persona-transfer/runpipeline/format/safetensors"
	"github.com/persona-transfer/runpipeline/gpu/arch"
	"github.com/persona-transfer/runpipeline/gpu/gputest"
	"github.com/persona-transfer/runpipeline/transforms"
)

// alphabet is a vocabulary of single characters, as tokenizer.json.
const alphabet = `{"added_tokens": [], "model": {"type": "BPE", "merges": [], "vocab": {" ": 0, "a": 1, "b": 2, "c": 3, "d": 4, "e": 5,
	"f": 6, "g": 7, "h": 8, "i": 9, "k": 10, "l": 11, "m": 12, "n": 13, "o": 14, "r": 15, "s": 16, "t": 17, "u": 18, "w": 19, "y": 20, "A": 21, "M": 22, "O": 23, "T": 24, ".": 25}}}`

// TestCheckFindsTheOutputMatrixOfEveryLayout checks models whose output matrix is not where a LLaMA's is.
func TestCheckFindsTheOutputMatrixOfEveryLayout(t *testing.T) {
	eyes := `{"model_type": "gemma3", "text_config": ` + gputest.Configs["gemma3"] + `, "vision_config": {}}`
	for what, test := range map[string]struct{ family, config, from, to string }{
		"gemma 3 with eyes": {"gemma3", eyes, "model.", "language_model.model."},
		"the first Qwen":    {"qwen", gputest.Configs["qwen"], "", ""},
		"a base model":      {"llama", gputest.Configs["llama"], "model.", ""},
	} {
		plain, err := arch.ParseConfig([]byte(gputest.Configs[test.family]))
		if err != nil {
			t.Fatal(err)
		}
		fsys := gputest.Model(plain, 5).Folder([]byte(test.config), func(tensors []safetensors.Tensor) []safetensors.Tensor {
			for i := range tensors {
				if rest, ok := strings.CutPrefix(tensors[i].Name, test.from); ok {
					tensors[i].Name = test.to + rest
				}
			}
			return tensors
		}).(fstest.MapFS)
		fsys["tokenizer.json"] = &fstest.MapFile{Data: []byte(alphabet)}
		dir := t.TempDir()
		for name := range fsys {
			data, err := fs.ReadFile(fsys, name)
			if err == nil {
				err = os.WriteFile(filepath.Join(dir, name), data, 0o644)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		forced := ""
		e := &Experiment{device: onCPU}
		err = e.checkModel(t.Context(), transforms.Model{Ref: dir}, 1, func(r CheckResult) {
			if strings.HasSuffix(r.Name, "the vector is applied at every generated token") {
				forced = r.Detail
			}
		})
		if err != nil || !strings.Contains(forced, "forced: 12 of 12 steered") {
			t.Errorf("%s: %q, %v", what, forced, err)
		}
	}
}
