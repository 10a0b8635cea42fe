package checkpoint

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/persona-transfer/runpipeline/format/gguf"
)

// A fixture is the tensors of a safetensors file of testdata.
type fixture map[string]*tensor

func readFixture(t *testing.T, name string) fixture {
	t.Helper()
	b, err := openBlob(os.DirFS("testdata"), name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.close() })
	tensors, err := readSafetensors(b)
	if err != nil {
		t.Fatal(err)
	}
	f := make(fixture)
	for _, tensor := range tensors {
		f[tensor.Name] = tensor
	}
	return f
}

// values returns all values of a tensor.
func (f fixture) values(t *testing.T, name string) []float32 {
	t.Helper()
	rows, width := f[name].rows()
	out := make([]float32, rows*width)
	if err := f[name].readRows(0, rows, out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestDequantisedValuesAreThoseOfGGUFPy(t *testing.T) {
	b, err := openBlob(os.DirFS("testdata"), "quants.gguf")
	if err != nil {
		t.Fatal(err)
	}
	defer b.close()
	h, err := readGGUF(b)
	if err != nil {
		t.Fatal(err)
	}
	want := readFixture(t, "quants.safetensors")
	if got, want := len(h.tensors), len(quantised)+3; got != want { // F32, F16, BF16
		t.Errorf("%d tensors for %d types", got, want)
	}
	for _, tensor := range h.tensors {
		w := want.values(t, tensor.Name)
		got := make([]float32, len(w))
		if err := tensor.readRows(0, 3, got); err != nil {
			t.Fatal(err)
		}
		for i := range w {
			if math.Float32bits(got[i]) != math.Float32bits(w[i]) {
				t.Errorf("%s[%d] = %g, want %g", tensor.Name, i, got[i], w[i])
				break
			}
		}
		part := make([]float32, 512)
		if err := tensor.readRows(1, 1, part); err != nil || !slices.Equal(part, got[512:1024]) {
			t.Errorf("%s: row 1 alone differs from row 1 of all, %v", tensor.Name, err)
		}
	}
}

// A row that begins and ends inside blocks, as in a tensor narrower than a block would.
func TestPartOfABlockCanBeRead(t *testing.T) {
	b, err := openBlob(os.DirFS("testdata"), "quants.gguf")
	if err != nil {
		t.Fatal(err)
	}
	defer b.close()
	h, err := readGGUF(b)
	if err != nil {
		t.Fatal(err)
	}
	for _, tensor := range h.tensors {
		whole := make([]float32, 3*512)
		if err := tensor.readRows(0, 3, whole); err != nil {
			t.Fatal(err)
		}
		narrow := *tensor
		narrow.Shape = []int{3 * 512 / 24, 24}
		got := make([]float32, 40*24)
		if err := narrow.readRows(5, 40, got); err != nil || !slices.Equal(got, whole[5*24:45*24]) {
			t.Errorf("%s: narrow rows differ, %v", tensor.Name, err)
		}
	}
}

func TestEveryArchitectureReadsAsTheModelItWasMadeOf(t *testing.T) {
	for arch := range architectures {
		c, err := Open(t.Context(), filepath.Join("testdata", arch+".gguf"), Options{})
		if err != nil {
			t.Error(err)
			continue
		}
		defer c.Close()
		want := readFixture(t, arch+".safetensors")
		var gotInfos, wantInfos []string
		for _, info := range c.Tensors() {
			gotInfos = append(gotInfos, fmt.Sprint(info.Name, info.Shape))
		}
		for _, name := range slices.Sorted(maps.Keys(want)) {
			info := want[name].TensorInfo
			wantInfos = append(wantInfos, fmt.Sprint(info.Name, info.Shape))
			w := want.values(t, name)
			got := make([]float32, len(w))
			if err := c.ReadRows(info.Name, 0, info.Shape[0], got); err != nil || !slices.Equal(got, w) {
				t.Errorf("%s: %s differs, %v", arch, info.Name, err)
			}
			last := len(w) / info.Shape[0]
			if err := c.ReadRows(info.Name, info.Shape[0]-1, 1, got[:last]); err != nil || !slices.Equal(got[:last], w[len(w)-last:]) {
				t.Errorf("%s: last row of %s differs, %v", arch, info.Name, err)
			}
		}
		if !slices.Equal(gotInfos, wantInfos) {
			t.Errorf("%s: tensors %v, want %v", arch, gotInfos, wantInfos)
		}
		compareConfig(t, arch, c.Config())
	}
}

// compareConfig checks that config says what the original configuration says.
func compareConfig(t *testing.T, arch string, config []byte) {
	t.Helper()
	var got, want map[string]any
	readJSON(t, filepath.Join("testdata", arch+".json"), &want)
	if err := json.Unmarshal(config, &got); err != nil {
		t.Errorf("%s: %v", arch, err)
	}
	for key, w := range want {
		g, ok := got[key]
		if key == "rope_scaling" {
			for k, v := range w.(map[string]any) {
				if !reflect.DeepEqual(g.(map[string]any)[k], v) {
					t.Errorf("%s: rope_scaling.%s = %v, want %v", arch, k, g.(map[string]any)[k], v)
				}
			}
			continue
		}
		if !ok || !reflect.DeepEqual(g, w) {
			t.Errorf("%s: %s = %v, want %v", arch, key, g, w)
		}
	}
}

func TestGGUFHasItsVocabularyAndNoFiles(t *testing.T) {
	c, err := Open(t.Context(), "testdata/gemma3.gguf", Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	v := c.GGUF()
	if len(v.Tokens) != 24 || v.Tokens[3] != "a" || v.Scores[23] != -23 || v.Types[0] != 2 || v.Model != "llama" ||
		v.BOS != 1 || v.EOS != 2 || v.UNK != 0 || v.PAD != 0 || !slices.Equal(v.Ends, []int{2}) || !v.AddBOS || v.AddEOS || !v.AddSpacePrefix {
		t.Errorf("vocabulary %+v", v)
	}
	if _, err := c.File("tokenizer.json"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("File: %v", err)
	}
	raw, err := os.ReadFile("testdata/gemma3.gguf")
	if err != nil {
		t.Fatal(err)
	}
	want := textPart("", raw).digest // sha256sum of the file
	if got, err := c.Digest(); got != want || err != nil {
		t.Errorf("Digest = %s, %v; want %s", got, err, want)
	}
}

func TestOtherRopeFactorsAreKeptAsLongRope(t *testing.T) {
	data := small(nil, func(w *ggufWriter) {
		w.tensors = append(w.tensors, gguf.Tensor{Name: "rope_freqs.weight", Shape: []int{2}, Data: []float32{1, 3}})
	})
	c, err := openBytes(data)
	if err != nil {
		t.Fatal(err)
	}
	if config := string(bytes.Join(bytes.Fields(c.Config()), nil)); !strings.Contains(config, `"long_factor":[1,3]`) ||
		!strings.Contains(config, `"short_factor":[1,3]`) || !strings.Contains(config, `"attention_factor":1,`) || strings.Contains(config, "llama3") {
		t.Errorf("config %s", config)
	}
	for _, info := range c.Tensors() {
		if info.Name == "rope_freqs.weight" {
			t.Error("rope_freqs.weight is listed")
		}
	}
}

func TestMistralIsToldByItsWindow(t *testing.T) {
	c, err := openBytes(small(func(w *ggufWriter) { w.set("llama.attention.sliding_window", uint32(16)) }, nil))
	if err != nil {
		t.Fatal(err)
	}
	var config map[string]any
	if err := json.Unmarshal(c.Config(), &config); err != nil || config["model_type"] != "mistral" || config["sliding_window"] != 16.0 {
		t.Errorf("%v, %v", config, err)
	}
}
