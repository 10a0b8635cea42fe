package checkpoint

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A ggufWriter builds small GGUF files, right or wrong.
type ggufWriter struct {
	version  uint32
	nTensors uint64
	nMeta    uint64
	body     []byte
	values   []byte
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

// replace changes a number that is there already.
func (w *ggufWriter) replace(k string, v uint32) {
	at := bytes.Index(w.body, []byte(k)) + len(k) + 4
	binary.LittleEndian.PutUint32(w.body[at:], v)
}

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
		{"cut within the last tensor", good[:len(good)-8], "beyond the end"},
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
		{"more blocks than tensors", meta(func(w *ggufWriter) { w.replace("llama.block_count", 1<<30) }), "1073741824 blocks in 3 tensors"},
		{"number as text", meta(func(w *ggufWriter) { w.text("llama.attention.head_count_kv", "2") }), "not one number"},
		{"huge number", meta(func(w *ggufWriter) { w.num("llama.attention.key_length", math.MaxUint32) }), "not one number"},
		{"heads do not divide", meta(func(w *ggufWriter) { w.num("llama.attention.head_count_kv", 3) }), "share 3 key heads"},
		{"value heads", meta(func(w *ggufWriter) { w.num("llama.attention.value_length", 2) }), "4 for keys and 2 for values"},
		{"NaN", meta(func(w *ggufWriter) { w.real("llama.rope.freq_base", float32(math.NaN())) }), "not a positive float32"},
		{"tokens are numbers", meta(func(w *ggufWriter) { w.num("tokenizer.ggml.tokens", 5) }), "not a list"},
		{"scores of another length", meta(func(w *ggufWriter) {
			w.key("tokenizer.ggml.scores", kindArray)
			w.u32(kindFloat32)
			w.u64(1)
			w.u32(0)
		}), "1 entries for 0 tokens"},
		{"EOS is no whole number", meta(func(w *ggufWriter) { w.real("tokenizer.ggml.eos_token_id", 2) }), "eos_token_id is 2, not a whole number"},
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
		var err error
		if n := allocated(func() { _, err = openBytes(test.data) }); n > 1<<20 {
			t.Errorf("%s: allocated %d bytes for a file of %d (C3)", test.name, n, len(test.data))
		}
		if !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), test.text) || !strings.HasPrefix(err.Error(), "test.gguf: ") {
			t.Errorf("%s: %v; want %q, wrapping ErrFormat", test.name, err, test.text)
		}
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
