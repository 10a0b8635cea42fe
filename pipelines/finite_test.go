package pipelines

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/persona-transfer/runpipeline/gpu/tiny"
	"github.com/persona-transfer/runpipeline/transforms"
)

// spoil makes n values of a tensor NaN, beginning with the value at from.
func spoil(t *testing.T, folder, tensor string, from, n int) {
	t.Helper()
	path := filepath.Join(folder, "model.safetensors")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	header := binary.LittleEndian.Uint64(b)
	var entries map[string]struct {
		DType   string `json:"dtype"`
		Offsets [2]int `json:"data_offsets"`
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(b[8:8+header], &raw); err != nil {
		t.Fatal(err)
	}
	delete(raw, "__metadata__")
	again, err := json.Marshal(raw)
	if err == nil {
		err = json.Unmarshal(again, &entries)
	}
	e, ok := entries[tensor]
	size := map[string]int{"F32": 4, "F16": 2, "BF16": 2}[e.DType]
	if err != nil || !ok || size == 0 {
		t.Fatalf("tensor %s: %+v, %v", tensor, e, err)
	}
	at := 8 + int(header) + e.Offsets[0]
	for i := at + from*size; i < at+(from+n)*size; i++ {
		b[i] = 0xff
	}
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestWhatIsNoNumberIsAnError spoils a model in its middle, at its end and in one token's row alone.
// Sorting NaN among logits gives any order, and a sampler that compares leaves it out unseen.
func TestWhatIsNoNumberIsAnError(t *testing.T) {
	vector := filepath.Join(t.TempDir(), "v.json")
	if err := os.WriteFile(vector, []byte(`{"directions":[{"layer":1,"values":[`+strings.Repeat("1,", 127)+`1]}]}`), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		tensor  string
		from, n int
		probe   string
	}{
		{"model.layers.1.mlp.down_proj.weight", 0, 64, "residuals of text 1 hold NaN"},
		{"model.norm.weight", 0, 1, "logits of text 1 hold NaN"},
		{"model.embed_tokens.weight", 700 * 128, 128, "logits of text 1 hold NaN"},
	} {
		folder := copyModel(t, tiny.Target)
		spoil(t, folder, c.tensor, c.from, c.n)
		m, err := OpenModel(t.Context(), folder, onCPU)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range []int{0, 4} {
			if probes, err := m.Probe(t.Context(), ProbeOptions{Texts: []string{"The boat"}, Tokens: n}); err == nil || !strings.Contains(err.Error(), c.probe) {
				t.Errorf("%s: probe of %d tokens gives %+v, %v, want %q", c.tensor, n, probes, err, c.probe)
			}
		}
		s := Session{Model: m, Steer: Steering{File: vector, Layer: -1, Alpha: 1, Unit: "absolute"}, Sampling: transforms.Sampling{MaxNewTokens: 4, TopP: 1, Temperature: .8}}
		for _, steered := range []bool{false, true} {
			if text, err := s.Speak(t.Context(), "The boat", steered, func(string) {}); err == nil {
				t.Errorf("%s: steered %t: it says %q", c.tensor, steered, text)
			}
		}
		m.Close()
		e := small().with("source_model", "tiny:qwen2").with("target_model", folder).with("layer_idx", 1).with("positions", "last").experiment(t)
		passed := map[string]bool{}
		err = e.Check(t.Context(), func(r CheckResult) { passed[r.Name] = r.Pass })
		if name := modelName(folder) + ": alpha 0 leaves the logits bit-identical"; err == nil && passed[name] {
			t.Errorf("%s: %q passes", c.tensor, name)
		}
	}
}

// TestImmenseAlphasAreRefused: what overflows is not added.
func TestImmenseAlphasAreRefused(t *testing.T) {
	vector := filepath.Join(t.TempDir(), "v.json")
	if err := os.WriteFile(vector, []byte(`{"directions":[{"layer":1,"values":[`+strings.Repeat("3e38,", 127)+`1]}]}`), 0o644); err != nil {
		t.Fatal(err)
	}
	m, err := OpenModel(t.Context(), "tiny:llama", onCPU)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	s := Session{Model: m, Steer: Steering{File: vector, Layer: -1, Alpha: math.MaxFloat32, Unit: "absolute"}}
	if _, err := s.Resolve(); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), "times the vector's value 0 is +Inf") {
		t.Errorf("alpha %g: %v", s.Steer.Alpha, err)
	}
}
