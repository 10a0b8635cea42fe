package gputest

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"

	"github.com/persona-transfer/runpipeline/format/gguf"
	"github.com/persona-transfer/runpipeline/format/half"
)

// A Quantised is the shape of a Qwen2 whose random weights are stored as llama.cpp's Q4_K_M has them: Q6_K for
// the output and, in half of the blocks, for attn_v and ffn_down; Q4_K for all other matrices.
type Quantised struct{ Hidden, Inner, Layers, Heads, KVHeads, Vocab int }

// SevenB is the shape of Qwen2-7B: a file of 4.7 GB.
var SevenB = Quantised{Hidden: 3584, Inner: 18944, Layers: 28, Heads: 28, KVHeads: 4, Vocab: 152064}

const (
	q4K gguf.Type = 12
	q6K gguf.Type = 14
)

// Write writes the model as a GGUF file that commands can open: its vocabulary is the 256 bytes and tokens that
// no text has.
func (q Quantised) Write(w io.Writer, seed uint64) error {
	pools := map[gguf.Type][]byte{}
	rng := rand.New(rand.NewPCG(seed, 3))
	var tensors []gguf.Tensor
	matrix := func(name string, kind gguf.Type, out, in int) {
		values, size := kind.Block()
		n := out * in / values * size
		if len(pools[kind]) < n {
			pools[kind] = blocks(rng, kind, max(out*in, q.Vocab*q.Hidden)/values)
		}
		from := 0
		if spare := (len(pools[kind]) - n) / size; spare > 0 {
			from = rng.IntN(spare) * size
		}
		tensors = append(tensors, gguf.Tensor{Name: name + ".weight", Type: kind, Shape: []int{out, in}, Data: pools[kind][from : from+n]})
	}
	vector := func(name string, n int, value float32) {
		v := make([]float32, n)
		for i := range v {
			v[i] = value
		}
		tensors = append(tensors, gguf.Tensor{Name: name, Type: gguf.F32, Shape: []int{n}, Data: v})
	}
	kv := q.Hidden / q.Heads * q.KVHeads
	matrix("token_embd", q4K, q.Vocab, q.Hidden)
	for l := range q.Layers {
		name := func(part string) string { return fmt.Sprintf("blk.%d.%s", l, part) }
		more := q4K // which blocks have more bits: llama.cpp's use_more_bits
		if l < q.Layers/8 || l >= 7*q.Layers/8 || (l-q.Layers/8)%3 == 2 {
			more = q6K
		}
		vector(name("attn_norm.weight"), q.Hidden, 1)
		matrix(name("attn_q"), q4K, q.Hidden, q.Hidden)
		vector(name("attn_q.bias"), q.Hidden, 0)
		matrix(name("attn_k"), q4K, kv, q.Hidden)
		vector(name("attn_k.bias"), kv, 0)
		matrix(name("attn_v"), more, kv, q.Hidden)
		vector(name("attn_v.bias"), kv, 0)
		matrix(name("attn_output"), q4K, q.Hidden, q.Hidden)
		vector(name("ffn_norm.weight"), q.Hidden, 1)
		matrix(name("ffn_gate"), q4K, q.Inner, q.Hidden)
		matrix(name("ffn_up"), q4K, q.Inner, q.Hidden)
		matrix(name("ffn_down"), more, q.Hidden, q.Inner)
	}
	vector("output_norm.weight", q.Hidden, 1)
	matrix("output", q6K, q.Vocab, q.Hidden)
	out := bufio.NewWriterSize(w, 1<<20)
	if err := gguf.Write(out, q.metadata(), tensors); err != nil {
		return err
	}
	return out.Flush()
}

// metadata is what a converted Qwen2 says of itself.
func (q Quantised) metadata() []gguf.Pair {
	tokens := make([]string, q.Vocab)
	next := rune(256)
	for b := range 256 { // a byte's character in byte-level vocabularies: itself if it can be seen
		c := rune(b)
		if !(c > ' ' && c <= '~' || c > 0xa0 && c != 0xad) {
			c = next
			next++
		}
		tokens[b] = string(c)
	}
	for i := 256; i < len(tokens); i++ {
		tokens[i] = fmt.Sprintf("<unused%d>", i)
	}
	return []gguf.Pair{
		{Key: "general.architecture", Value: "qwen2"},
		{Key: "qwen2.embedding_length", Value: uint32(q.Hidden)},
		{Key: "qwen2.feed_forward_length", Value: uint32(q.Inner)},
		{Key: "qwen2.block_count", Value: uint32(q.Layers)},
		{Key: "qwen2.attention.head_count", Value: uint32(q.Heads)},
		{Key: "qwen2.attention.head_count_kv", Value: uint32(q.KVHeads)},
		{Key: "qwen2.attention.layer_norm_rms_epsilon", Value: float32(1e-6)},
		{Key: "qwen2.context_length", Value: uint32(32768)},
		{Key: "qwen2.rope.freq_base", Value: float32(1e6)},
		{Key: "tokenizer.ggml.model", Value: "gpt2"},
		{Key: "tokenizer.ggml.pre", Value: "qwen2"},
		{Key: "tokenizer.ggml.tokens", Value: tokens},
		{Key: "tokenizer.ggml.merges", Value: []string{}},
		{Key: "tokenizer.ggml.eos_token_id", Value: uint32(q.Vocab - 1)},
	}
}

// blocks makes n blocks of a type, whose values scatter around zero by about a fiftieth.
func blocks(rng *rand.Rand, kind gguf.Type, n int) []byte {
	_, size := kind.Block()
	out := make([]byte, (n*size+7)/8*8)
	for i := 0; i < len(out); i += 8 {
		binary.LittleEndian.PutUint64(out[i:], rng.Uint64())
	}
	out = out[:n*size]
	put := func(at int, x float32) { binary.LittleEndian.PutUint16(out[at:], half.Round(x)) }
	const spread = .02
	for at := 0; at < len(out); at += size {
		switch kind {
		case q4K: // scales and minima from 0 to 63, values from 0 to 15: y = d·scale·q − dmin·min
			put(at, spread/(31.5*4.6))
			put(at+2, spread/(31.5*4.6)*7.5)
		case q6K: // scales from −128 to 127, values from −32 to 31: y = d·scale·q
			put(at+size-2, spread/(74*18.5))
		}
	}
	return out
}
