package checkpoint

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// realModel returns the path of a pretrained model's file; the test is skipped if it is
// not there. PERSONA_MODELS names the folder, models/ of this repository by default.
func realModel(t *testing.T, name string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("reads hundreds of megabytes")
	}
	folder := os.Getenv("PERSONA_MODELS")
	if folder == "" {
		folder = "../../models"
	}
	path := filepath.Join(folder, name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("%s is not there; scripts/fetch-models.sh fetches it", name)
	}
	return path
}

func TestPretrainedModelsReadAsGGUFPyReadsThem(t *testing.T) {
	var files map[string]map[string]struct {
		Type   string
		Shape  []int
		SHA256 string
	}
	readJSON(t, "testdata/real.json", &files)
	digests := map[string]string{
		"SmolLM2-135M-Instruct.Q4_1.gguf": "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
		"gemma-3-270m.Q4_K_M.gguf":        "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
	}
	for name, want := range files {
		t.Run(name, func(t *testing.T) {
			c, err := Open(t.Context(), realModel(t, name), Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if got := len(c.Tensors()); got != len(want) {
				t.Errorf("%d tensors, want %d", got, len(want))
			}
			for _, info := range c.Tensors() {
				w := want[info.Name]
				if info.DType != w.Type || !slices.Equal(info.Shape, w.Shape) {
					t.Errorf("%v, want %s %v", info, w.Type, w.Shape)
				}
				if w.SHA256 == "" {
					continue
				}
				rows, width := c.tensors[info.Name].rows()
				if info.Name == "model.embed_tokens.weight" {
					rows = 64
				}
				values := make([]float32, rows*width)
				if err := c.ReadRows(info.Name, 0, rows, values); err != nil {
					t.Error(err)
				} else if got := hashFloats(values); got != w.SHA256 {
					t.Errorf("%s: values differ from gguf-py's", info.Name)
				}
			}
			if got, err := c.Digest(); err != nil || got != digests[name] {
				t.Errorf("Digest = %s, %v", got, err)
			}
			if again, err := c.Digest(); err != nil || again != digests[name] {
				t.Errorf("remembered Digest = %s, %v", again, err)
			}
		})
	}
}

func hashFloats(values []float32) string {
	h := sha256.New()
	var buf [4]byte
	for _, x := range values {
		binary.LittleEndian.PutUint32(buf[:], math.Float32bits(x))
		h.Write(buf[:])
	}
	return hex.EncodeToString(h.Sum(nil))
}

func BenchmarkReadRows(b *testing.B) {
	for _, bench := range []struct{ file, tensor string }{
		{"SmolLM2-135M-Instruct.Q4_1.gguf", "model.layers.0.mlp.up_proj.weight"},      // Q4_1
		{"SmolLM2-135M-Instruct.Q4_1.gguf", "model.layers.0.self_attn.q_proj.weight"}, // Q4_1, rows in another order
		{"gemma-3-270m.Q4_K_M.gguf", "model.layers.0.mlp.up_proj.weight"},             // Q5_0
		{"gemma-3-270m.Q4_K_M.gguf", "model.layers.0.mlp.down_proj.weight"},           // Q6_K
		{"gemma-3-270m.Q4_K_M.gguf", "model.layers.0.self_attn.o_proj.weight"},        // Q4_K
	} {
		path := filepath.Join("../../models", bench.file)
		if _, err := os.Stat(path); err != nil {
			b.Skipf("%s is not there; scripts/fetch-models.sh fetches it", bench.file)
		}
		c, err := Open(b.Context(), path, Options{})
		if err != nil {
			b.Fatal(err)
		}
		defer c.Close()
		t := c.tensors[bench.tensor]
		b.Run(t.DType+"/"+bench.tensor, func(b *testing.B) {
			rows, width := t.rows()
			dst := make([]float32, rows*width)
			for b.Loop() {
				if err := c.ReadRows(bench.tensor, 0, rows, dst); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(dst))*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mvalues/s")
		})
	}
}
