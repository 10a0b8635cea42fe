package checkpoint

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestWhatIsForgottenCanBeRead: to forget changes nothing but memory, of a mapped file, of one in memory, and
// of a closed one.
func TestWhatIsForgottenCanBeRead(t *testing.T) {
	path := filepath.Join("testdata", "llama.gguf")
	mapped, err := Open(t.Context(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	inMemory, err := openBytes(data)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []*Checkpoint{mapped, inMemory} {
		for _, info := range c.Tensors() {
			n := 1
			for _, d := range info.Shape {
				n *= d
			}
			before, after := make([]float32, n), make([]float32, n)
			err := c.ReadRows(info.Name, 0, info.Shape[0], before)
			c.Forget()
			if err2 := c.ReadRows(info.Name, 0, info.Shape[0], after); err != nil || err2 != nil || !slices.Equal(before, after) {
				t.Errorf("%s: %s differs, %v %v", c.Name(), info.Name, err, err2)
			}
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		c.Forget()
	}
}
