package checkpoint

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// readFixture reads a safetensors fixture.
func readFixture(t *testing.T, name string) *Safetensors {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	s, err := ReadSafetensors(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	return s
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
	if len(h.tensors) != len(ggmlTypes) {
		t.Errorf("%d tensors for %d types", len(h.tensors), len(ggmlTypes))
	}
	for _, tensor := range h.tensors {
		w, err := want.Float32(tensor.Name)
		if err != nil {
			t.Fatal(err)
		}
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
		for _, info := range want.Tensors() {
			wantInfos = append(wantInfos, fmt.Sprint(info.Name, info.Shape))
			w, _ := want.Float32(info.Name)
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
		v.BOS != 1 || v.EOS != 2 || v.UNK != 0 || v.PAD != 0 || v.EOT != -1 || !v.AddBOS || v.AddEOS || !v.AddSpacePrefix {
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

// A ggufWriter builds small GGUF files, right or wrong.
type ggufWriter struct {
	version   uint32
	nTensors  uint64
	nMeta     uint64
	body      []byte
	values    []byte
	alignment int
}

func (w *ggufWriter) u32(v uint32) { w.body = binary.LittleEndian.AppendUint32(w.body, v) }
func (w *ggufWriter) u64(v uint64) { w.body = binary.LittleEndian.AppendUint64(w.body, v) }
func (w *ggufWriter) str(s string) { w.u64(uint64(len(s))); w.body = append(w.body, s...) }
func (w *ggufWriter) key(k string, kind uint32) {
	w.nMeta++
	w.str(k)
	w.u32(kind)
}
func (w *ggufWriter) text(k, v string)         { w.key(k, kindString); w.str(v) }
func (w *ggufWriter) num(k string, v uint32)   { w.key(k, kindUint32); w.u32(v) }
func (w *ggufWriter) real(k string, v float32) { w.key(k, kindFloat32); w.u32(math.Float32bits(v)) }

// tensor adds a tensor of zeros (ne innermost first); all metadata must come before.
func (w *ggufWriter) tensor(name string, kind uint32, ne ...uint64) {
	w.described(name, kind, uint64(len(w.values)), ne...)
	n := uint64(1)
	for _, d := range ne {
		n *= d
	}
	c := ggmlTypes[kind]
	w.values = append(w.values, make([]byte, n/uint64(c.block)*uint64(c.bytes))...)
	for len(w.values)%ggufAlignment != 0 {
		w.values = append(w.values, 0)
	}
}

func (w *ggufWriter) described(name string, kind uint32, offset uint64, ne ...uint64) {
	w.nTensors++
	w.str(name)
	w.u32(uint32(len(ne)))
	for _, d := range ne {
		w.u64(d)
	}
	w.u32(kind)
	w.u64(offset)
}

func (w *ggufWriter) bytes() []byte {
	out := append([]byte("GGUF"), 0, 0, 0, 0)
	if w.version == 0 {
		w.version = 3
	}
	binary.LittleEndian.PutUint32(out[4:], w.version)
	out = binary.LittleEndian.AppendUint64(out, w.nTensors)
	out = binary.LittleEndian.AppendUint64(out, w.nMeta)
	out = append(out, w.body...)
	for len(out)%ggufAlignment != 0 {
		out = append(out, 0)
	}
	return append(out, w.values...)
}

// small is a complete llama of one block.
func small(meta func(w *ggufWriter), tensors func(w *ggufWriter)) []byte {
	w := &ggufWriter{}
	w.text("general.architecture", "llama")
	for _, k := range []string{"embedding_length", "block_count", "feed_forward_length", "attention.head_count", "context_length"} {
		n := map[string]uint32{"embedding_length": 8, "feed_forward_length": 8, "block_count": 1, "attention.head_count": 2, "context_length": 64}[k]
		w.num("llama."+k, n)
	}
	if meta != nil {
		meta(w)
	}
	w.tensor("token_embd.weight", 0, 8, 4)
	w.tensor("output_norm.weight", 0, 8)
	w.tensor("blk.0.attn_q.weight", 0, 8, 8)
	if tensors != nil {
		tensors(w)
	}
	return w.bytes()
}

func openBytes(data []byte) (*Checkpoint, error) {
	return newGGUF(&blob{name: "test.gguf", size: int64(len(data)), data: data}, "test.gguf")
}

func TestBadGGUFIsRefused(t *testing.T) {
	good := small(nil, nil)
	if _, err := openBytes(good); err != nil {
		t.Fatal(err)
	}
	patch := func(at int, v uint64) []byte {
		out := slices.Clone(good)
		binary.LittleEndian.PutUint64(out[at:], v)
		return out
	}
	meta := func(f func(w *ggufWriter)) []byte { return small(f, nil) }
	tensors := func(f func(w *ggufWriter)) []byte { return small(nil, f) }
	tests := []struct {
		name string
		data []byte
		text string
	}{
		{"empty", nil, "not GGUF"},
		{"no GGUF", []byte("PK\x03\x04 and more of it, enough for a header"), "not GGUF"},
		{"version 1", (&ggufWriter{version: 1}).bytes(), "version 1"},
		{"version 9", (&ggufWriter{version: 9}).bytes(), "version 9"},
		{"big-endian", (&ggufWriter{version: 3 << 24}).bytes(), "big-endian"},
		{"absurd tensor count", patch(8, 1<<60), "a count of"},
		{"absurd metadata count", patch(16, math.MaxUint64), "a count of"},
		{"absurd string", patch(24, 1<<62), "a count of"},
		{"long key", patch(24, 70000), "a count of"},
		{"cut in the counts", good[:14], "end of the file"},
		{"cut in the header", good[:100], "a count of"},
		{"cut in the values", good[:len(good)-1], "beyond the end"},
		{"trailing", append(slices.Clone(good), make([]byte, 64)...), "after the last tensor"},
		{"no architecture", (&ggufWriter{}).bytes(), `architecture "" is not supported (supported: gemma2, gemma3, llama, phi3, qwen, qwen2, qwen3)`},
		{"same key twice", meta(func(w *ggufWriter) { w.num("a", 1); w.num("a", 1) }), `metadata "a" occurs twice`},
		{"unknown value type", meta(func(w *ggufWriter) { w.key("a", 99) }), "unknown type 99"},
		{"array of arrays", meta(func(w *ggufWriter) { w.key("a", kindArray); w.u32(kindArray); w.u64(0) }), "array of type 9"},
		{"absurd array", meta(func(w *ggufWriter) { w.key("a", kindArray); w.u32(kindUint8); w.u64(1 << 50) }), "a count of"},
		{"absurd text array", meta(func(w *ggufWriter) { w.key("a", kindArray); w.u32(kindString); w.u64(1); w.u64(1 << 50) }), "a count of"},
		{"bool of 2", meta(func(w *ggufWriter) { w.key("a", kindBool); w.body = append(w.body, 2) }), "a bool of 2"},
		{"alignment 0", meta(func(w *ggufWriter) { w.num("general.alignment", 0) }), "general.alignment"},
		{"alignment 48", meta(func(w *ggufWriter) { w.num("general.alignment", 48) }), "general.alignment"},
		{"split", meta(func(w *ggufWriter) { w.num("split.count", 2) }), "merge them first"},
		{"experts", meta(func(w *ggufWriter) { w.num("llama.expert_count", 8) }), "mixture of 8 experts"},
		{"no key heads", meta(func(w *ggufWriter) { w.num("llama.attention.head_count_kv", 0) }), "0 key heads"},
		{"number as text", meta(func(w *ggufWriter) { w.text("llama.attention.head_count_kv", "2") }), "not one number"},
		{"huge number", meta(func(w *ggufWriter) { w.num("llama.attention.key_length", math.MaxUint32) }), "not one number"},
		{"heads do not divide", meta(func(w *ggufWriter) { w.num("llama.attention.head_count_kv", 3) }), "share 3 key heads"},
		{"value heads", meta(func(w *ggufWriter) { w.num("llama.attention.value_length", 2) }), "4 for keys and 2 for values"},
		{"NaN", meta(func(w *ggufWriter) { w.real("llama.rope.freq_base", float32(math.NaN())) }), "not a positive float32"},
		{"tokens are numbers", meta(func(w *ggufWriter) { w.num("tokenizer.ggml.tokens", 5) }), "not a list"},
		{"vocabulary larger than embedding", meta(func(w *ggufWriter) {
			w.key("tokenizer.ggml.tokens", kindArray)
			w.u32(kindString)
			w.u64(5)
			for range 5 {
				w.str("x")
			}
		}), "5 tokens for an embedding of 4"},
		{"scores of another length", meta(func(w *ggufWriter) {
			w.key("tokenizer.ggml.scores", kindArray)
			w.u32(kindFloat32)
			w.u64(1)
			w.u32(0)
		}), "1 entries for 0 tokens"},
		{"EOS outside", meta(func(w *ggufWriter) { w.num("tokenizer.ggml.eos_token_id", 7) }), "eos_token_id is 7"},
		{"same tensor twice", tensors(func(w *ggufWriter) { w.tensor("output_norm.weight", 0, 8) }), "occurs twice"},
		{"unknown tensor", tensors(func(w *ggufWriter) { w.tensor("blk.0.ssm_a.weight", 0, 8) }), `"blk.0.ssm_a.weight" is not part of architecture llama`},
		{"block number with zero", tensors(func(w *ggufWriter) { w.tensor("blk.00.attn_k.weight", 0, 8, 8) }), "not part of"},
		{"unsupported type", tensors(func(w *ggufWriter) { w.described("blk.0.ffn_up.weight", 23, 0, 256) }), "blk.0.ffn_up.weight (IQ4_XS)"},
		{"unknown type", tensors(func(w *ggufWriter) { w.described("blk.0.ffn_up.weight", 77, 0, 256) }), "blk.0.ffn_up.weight (type 77)"},
		{"five dimensions", tensors(func(w *ggufWriter) { w.described("x", 0, 0, 1, 1, 1, 1, 1) }), "5 dimensions"},
		{"no dimension", tensors(func(w *ggufWriter) { w.described("x", 0, 0) }), "0 dimensions"},
		{"zero dimension", tensors(func(w *ggufWriter) { w.described("x", 0, 0, 0) }), "a dimension of 0"},
		{"huge dimension", tensors(func(w *ggufWriter) { w.described("x", 0, 0, 1<<63) }), "a dimension of"},
		{"product overflows", tensors(func(w *ggufWriter) { w.described("x", 0, 0, 1<<32, 1<<32) }), "too large"},
		{"partial block", tensors(func(w *ggufWriter) { w.described("x", 12, 0, 100) }), "Q4_K blocks of 256"},
		{"offset overlaps", tensors(func(w *ggufWriter) { w.described("x", 0, 32, 8) }), "begins at 32"},
		{"offset far away", tensors(func(w *ggufWriter) { w.described("x", 0, 1<<40, 8) }), "begins at"},
		{"offset too large", tensors(func(w *ggufWriter) { w.described("x", 0, 1<<63, 8) }), "too large"},
		{"beyond the end", tensors(func(w *ggufWriter) { w.described("x", 0, uint64(len(w.values)), 1<<40) }), "beyond the end"},
		{"rope factors of another length", tensors(func(w *ggufWriter) { w.tensor("rope_freqs.weight", 0, 7) }), "for 2 frequencies"},
		{"odd heads", tensors(func(w *ggufWriter) { w.tensor("blk.0.attn_k.weight", 0, 8, 6) }), "6 rows for 2 heads"},
	}
	for _, test := range tests {
		_, err := openBytes(test.data)
		if !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), test.text) || !strings.HasPrefix(err.Error(), "test.gguf: ") {
			t.Errorf("%s: %v; want %q, wrapping ErrFormat", test.name, err, test.text)
		}
	}
}

func TestOtherRopeFactorsAreKeptAsLongRope(t *testing.T) {
	data := small(nil, func(w *ggufWriter) {
		w.tensor("rope_freqs.weight", 0, 2)
		for i, f := range []float32{1, 3} {
			binary.LittleEndian.PutUint32(w.values[len(w.values)-32+4*i:], math.Float32bits(f))
		}
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
	c, err := openBytes(small(func(w *ggufWriter) { w.num("llama.attention.sliding_window", 16) }, nil))
	if err != nil {
		t.Fatal(err)
	}
	var config map[string]any
	if err := json.Unmarshal(c.Config(), &config); err != nil || config["model_type"] != "mistral" || config["sliding_window"] != 16.0 {
		t.Errorf("%v, %v", config, err)
	}
}

func FuzzGGUF(f *testing.F) {
	f.Add(small(nil, nil))
	f.Add(small(func(w *ggufWriter) {
		w.key("tokenizer.ggml.tokens", kindArray)
		w.u32(kindString)
		w.u64(2)
		w.str("a")
		w.str("b")
	}, func(w *ggufWriter) { w.tensor("blk.0.attn_v.weight", 8, 32, 2) }))
	for arch := range architectures {
		raw, err := os.ReadFile(filepath.Join("testdata", arch+".gguf"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := openBytes(data)
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Fatalf("%v does not wrap ErrFormat", err)
			}
			return
		}
		for _, info := range c.Tensors() {
			rows, width := c.tensors[info.Name].rows()
			if rows*width > 64*len(data) {
				t.Fatalf("%v in a file of %d bytes", info, len(data))
			}
			if err := c.ReadRows(info.Name, 0, rows, make([]float32, rows*width)); err != nil {
				t.Fatal(err)
			}
		}
	})
}
