package cpu

import (
	"context"
	"errors"
	"testing"

	"github.com/persona-transfer/runpipeline/gpu/arch"
	"github.com/persona-transfer/runpipeline/gpu/checkpoint"
)

// TestAddedIsTheSum: a measurement of reading must read everything.
func TestAddedIsTheSum(t *testing.T) {
	x := make([]uint64, 64)
	want := uint64(0)
	for i := range x {
		x[i] = uint64(i*i + 1)
		want += x[i]
	}
	if got := added(x); got != want {
		t.Errorf("the sum is %d, want %d", got, want)
	}
}

// TestPeaksArePositiveAndEnd: what they are depends on the machine. No processor computes a thousand
// operations in a nanosecond on each core, or reads a terabyte in a second.
func TestPeaksArePositiveAndEnd(t *testing.T) {
	products, err := PeakProducts(t.Context())
	if err != nil || !(products > 1e6 && products < 1e15) {
		t.Errorf("products: %g operations a second (%v)", products, err)
	}
	read, copied, err := PeakMemory(t.Context())
	if err != nil || !(read > 1e7 && read < 1e13) || !(copied > 1e7 && copied < 1e13) {
		t.Errorf("memory: %g and %g bytes a second (%v)", read, copied, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := PeakProducts(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("products of a cancelled measurement: %v", err)
	}
	if _, _, err := PeakMemory(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("memory of a cancelled measurement: %v", err)
	}
}

// storedAs is a source of weights that are all stored as one type.
type storedAs struct {
	anyWeights
	dtype string
}

func (s storedAs) Stored(string) (checkpoint.Layout, bool) { return checkpoint.LayoutOf(s.dtype) }
func (s storedAs) StoredRows(string, int, int, []byte) error {
	return errors.New("only the sizes are asked for")
}

// TestTokenBytesAreThoseCountedByHand: Q4_1 has 20 bytes for 32 weights, and norms are float32 in any file.
func TestTokenBytesAreThoseCountedByHand(t *testing.T) {
	const config = `{"model_type": "llama", "vocab_size": 96, "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
		"num_key_value_heads": 1, "intermediate_size": 96, "max_position_embeddings": 64, "rms_norm_eps": 1e-6, "tie_word_embeddings": `
	const (
		block = 64*64 + 2*64*32 + 64*64 + 3*64*96
		head  = 64 * 96
		norms = 2*2*64 + 64
	)
	for _, tied := range []string{"true", "false"} {
		c, err := arch.ParseConfig([]byte(config + tied + "}"))
		if err != nil {
			t.Fatal(err)
		}
		if got, want := TokenBytes(c, anyWeights{c}), 4*(2*block+head+norms); got != want {
			t.Errorf("float32, tied %s: %d bytes, want %d", tied, got, want)
		}
		if got, want := TokenBytes(c, storedAs{anyWeights{c}, "Q4_1"}), (2*block+head)*20/32+4*norms; got != want {
			t.Errorf("Q4_1, tied %s: %d bytes, want %d", tied, got, want)
		}
	}
}
