package checkpoint

import (
	"bytes"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/persona-transfer/runpipeline/format/gguf"
)

// A ggufWriter builds small GGUF files that are right as files and may be wrong as models.
type ggufWriter struct {
	meta    []gguf.Pair
	tensors []gguf.Tensor
}

// set adds a value to the metadata, or changes it.
func (w *ggufWriter) set(key string, value any) {
	for i := range w.meta {
		if w.meta[i].Key == key {
			w.meta[i].Value = value
			return
		}
	}
	w.meta = append(w.meta, gguf.Pair{Key: key, Value: value})
}

// tensor adds a tensor of zeros, innermost dimension first as in the file.
func (w *ggufWriter) tensor(name string, kind gguf.Type, ne ...int) {
	n := 1
	for _, d := range ne {
		n *= d
	}
	values, size := kind.Block()
	shape := slices.Clone(ne)
	slices.Reverse(shape)
	w.tensors = append(w.tensors, gguf.Tensor{Name: name, Type: kind, Shape: shape, Data: make([]byte, n/values*size)})
}

func (w *ggufWriter) bytes() []byte {
	var out bytes.Buffer
	if err := gguf.Write(&out, w.meta, w.tensors); err != nil {
		panic(err)
	}
	return out.Bytes()
}

// small is a complete llama of one block.
func small(meta func(w *ggufWriter), tensors func(w *ggufWriter)) []byte {
	w := &ggufWriter{}
	w.set("general.architecture", "llama")
	for _, k := range []string{"embedding_length", "block_count", "feed_forward_length", "attention.head_count", "context_length"} {
		n := map[string]uint32{"embedding_length": 8, "feed_forward_length": 8, "block_count": 1, "attention.head_count": 2, "context_length": 64}[k]
		w.set("llama."+k, n)
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
	if _, err := openBytes(small(nil, nil)); err != nil {
		t.Fatal(err)
	}
	meta := func(f func(w *ggufWriter)) []byte { return small(f, nil) }
	tensors := func(f func(w *ggufWriter)) []byte { return small(nil, f) }
	tests := []struct {
		name string
		data []byte
		text string
	}{
		{"no GGUF", []byte("PK\x03\x04 and more of it, enough for a header"), "not GGUF"},
		{"cut in the values", bytes.TrimSuffix(small(nil, nil), []byte{0}), "beyond the end"},
		{"no architecture", (&ggufWriter{}).bytes(), `architecture "" is not supported (supported: gemma2, gemma3, llama, phi3, qwen, qwen2, qwen3)`},
		{"array of arrays", listOfLists(), "an array of type 9"},
		{"split", meta(func(w *ggufWriter) { w.set("split.count", uint32(2)) }), "merge them first"},
		{"experts", meta(func(w *ggufWriter) { w.set("llama.expert_count", uint32(8)) }), "mixture of 8 experts"},
		{"no key heads", meta(func(w *ggufWriter) { w.set("llama.attention.head_count_kv", uint32(0)) }), "0 key heads"},
		{"more blocks than tensors", meta(func(w *ggufWriter) { w.set("llama.block_count", uint32(1<<30)) }), "1073741824 blocks in 3 tensors"},
		{"number as text", meta(func(w *ggufWriter) { w.set("llama.attention.head_count_kv", "2") }), "not one number"},
		{"huge number", meta(func(w *ggufWriter) { w.set("llama.attention.key_length", uint32(math.MaxUint32)) }), "not one number"},
		{"heads do not divide", meta(func(w *ggufWriter) { w.set("llama.attention.head_count_kv", uint32(3)) }), "share 3 key heads"},
		{"value heads", meta(func(w *ggufWriter) { w.set("llama.attention.value_length", uint32(2)) }), "4 for keys and 2 for values"},
		{"NaN", meta(func(w *ggufWriter) { w.set("llama.rope.freq_base", float32(math.NaN())) }), "not a positive float32"},
		{"tokens are numbers", meta(func(w *ggufWriter) { w.set("tokenizer.ggml.tokens", uint32(5)) }), "not a list"},
		{"scores of another length", meta(func(w *ggufWriter) { w.set("tokenizer.ggml.scores", []float32{0}) }), "1 entries for 0 tokens"},
		{"scores of another type", meta(func(w *ggufWriter) { w.set("tokenizer.ggml.scores", []float64{}) }), "not a list of the right type"},
		{"EOS is no whole number", meta(func(w *ggufWriter) { w.set("tokenizer.ggml.eos_token_id", float32(2)) }), "eos_token_id is 2, not a whole number"},
		{"unknown tensor", tensors(func(w *ggufWriter) { w.tensor("blk.0.ssm_a.weight", 0, 8) }), `"blk.0.ssm_a.weight" is not part of architecture llama`},
		{"block number with zero", tensors(func(w *ggufWriter) { w.tensor("blk.00.attn_k.weight", 0, 8, 8) }), "not part of"},
		{"types that are not decoded", tensors(func(w *ggufWriter) {
			w.tensor("blk.0.ffn_up.weight", 23, 256)
			w.tensor("blk.0.ffn_gate.weight", 26, 8)
		}), "stored types that are not supported: I32 (blk.0.ffn_gate.weight), IQ4_XS (blk.0.ffn_up.weight); supported: F32, F16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, BF16"},
		{"rope factors of another length", tensors(func(w *ggufWriter) { w.tensor("rope_freqs.weight", 0, 7) }), "for 2 frequencies"},
		{"odd heads", tensors(func(w *ggufWriter) { w.tensor("blk.0.attn_k.weight", 0, 8, 6) }), "6 rows for 2 heads"},
	}
	for _, test := range tests {
		var err error
		if n := allocated(func() { _, err = openBytes(test.data) }); n > 1<<20 {
			t.Errorf("%s: allocated %d bytes for a file of %d (C3)", test.name, n, len(test.data))
		}
		if !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), test.text) || !strings.HasPrefix(err.Error(), "test.gguf: ") {
			t.Errorf("%s: %v; want %q, wrapping ErrFormat", test.name, err, test.text)
		}
	}
}

// listOfLists is a GGUF with one value, a list of no lists.
func listOfLists() []byte {
	return []byte("GGUF\x03\x00\x00\x00" + "\x00\x00\x00\x00\x00\x00\x00\x00" + "\x01\x00\x00\x00\x00\x00\x00\x00" +
		"\x01\x00\x00\x00\x00\x00\x00\x00a" + "\x09\x00\x00\x00" + "\x09\x00\x00\x00" + "\x00\x00\x00\x00\x00\x00\x00\x00")
}

func FuzzGGUF(f *testing.F) {
	f.Add(small(nil, nil))
	f.Add(small(func(w *ggufWriter) { w.set("tokenizer.ggml.tokens", []string{"a", "b"}) }, func(w *ggufWriter) { w.tensor("blk.0.attn_v.weight", 8, 32, 2) }))
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
