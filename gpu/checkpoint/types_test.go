package checkpoint

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/persona-transfer/runpipeline/format/gguf"
)

// retype gives tensors of a GGUF another type, in the description alone.
func retype(data []byte, name string, to gguf.Type) []byte {
	out := slices.Clone(data)
	at := bytes.Index(out, []byte(name)) + len(name)
	rank := int(binary.LittleEndian.Uint32(out[at:]))
	binary.LittleEndian.PutUint32(out[at+4+8*rank:], uint32(to))
	return out
}

// TestEveryTypeOfAGGUFIsReadOrRefusedByName goes through all numbers that a type may have: what has no
// decoder is refused with file, tensor and type, and with what is read, before anything is.
func TestEveryTypeOfAGGUFIsReadOrRefusedByName(t *testing.T) {
	const name = "blk.0.attn_k.weight"
	read := map[string]bool{}
	for kind := range gguf.Type(maxType + 2) {
		data := small(nil, func(w *ggufWriter) {
			if values, _ := kind.Block(); values != 0 {
				w.tensor(name, kind, 256, 8)
			} else {
				w.tensor(name, 0, 256, 8)
			}
		})
		c, err := openBytes(retype(data, name, kind))
		if _, decoded := LayoutOf(kind.String()); decoded && kind.String() != "F64" { // which no GGUF has weights of
			if err != nil {
				t.Errorf("%s: %v", kind, err)
				continue
			}
			read[kind.String()] = true
			if err := c.ReadRows("model.layers.0.self_attn.k_proj.weight", 0, 8, make([]float32, 8*256)); err != nil {
				t.Error(err)
			}
			continue
		}
		want := fmt.Sprintf("test.gguf: weights of stored types that are not supported: %s (%s); supported: F32, F16,", kind, name)
		if !errors.Is(err, ErrFormat) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v\nwant %s", kind, err, want)
		}
	}
	for _, want := range []string{"F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K"} {
		if !read[want] {
			t.Errorf("%s is not read", want)
		}
	}
}

// TestAllRefusedTypesAreInOneMessage mixes types without a decoder, such that are gone and such that nobody
// knows; of each some tensors are named, and how many more there are.
func TestAllRefusedTypesAreInOneMessage(t *testing.T) {
	data := small(nil, func(w *ggufWriter) {
		for _, part := range []string{"attn_k", "attn_v", "attn_output", "ffn_up", "ffn_down"} {
			w.tensor("blk.0."+part+".weight", 20, 32, 2)
		}
		w.tensor("blk.0.ffn_gate.weight", 34, 256)
		w.tensor("blk.0.attn_norm.weight", 0, 32)
		w.tensor("blk.0.ffn_norm.weight", 0, 32)
	})
	data = retype(retype(data, "blk.0.attn_norm.weight", 4), "blk.0.ffn_norm.weight", 77)
	_, err := openBytes(data)
	const want = "test.gguf: weights of stored types that are not supported: IQ4_NL (blk.0.attn_k.weight, blk.0.attn_output.weight, blk.0.attn_v.weight and 2 more), " +
		"Q4_2 (blk.0.attn_norm.weight), TQ1_0 (blk.0.ffn_gate.weight), type 77 (blk.0.ffn_norm.weight); supported: F32, "
	if err == nil || !strings.HasPrefix(err.Error(), want) || !errors.Is(err, ErrFormat) {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}
