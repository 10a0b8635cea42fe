// Package engine is what lies between whoever cuts work into batches and whoever computes them: a
// decoder's forward pass over ragged batches. It computes nothing itself.
package engine

import (
	"context"
	"math"

	"github.com/persona-transfer/runpipeline/gpu/arch"
)

// An Engine holds a decoder's weights and runs it. Any number of goroutines may use it. What an item
// becomes depends on the item alone: not on what else is in its batch, nor on which parts of a sequence
// were computed before. The package of an engine says how closely, to the last bit or within rounding;
// package enginetest holds it to that.
type Engine interface {
	// Config is the model's architecture; it must not be changed.
	Config() *arch.Config

	// NewSequence begins a text. prompt is the length of its prompt, which decides the position encodings
	// of some models for all of its tokens.
	NewSequence(prompt int) Sequence

	// Forward runs a batch: no block after the last that is needed, no logits that are not wanted. Sequences
	// have grown by their tokens if the error is nil, and are as they were if it is not.
	Forward(ctx context.Context, items []Item) ([]Result, error)

	// Close releases the weights. The engine must not be used afterwards.
	Close() error
}

// A Sequence is a text under way: the keys and values of its tokens so far. It must not be used by two
// goroutines at a time, nor by another engine than made it.
type Sequence interface {
	Len() int       // tokens so far
	Fork() Sequence // a text that begins with the same tokens; they are not computed again
	Free()          // gives the memory back; the sequence is empty afterwards
}

// An Item is what one text brings to a batch: its new tokens, what is added to the residual stream on
// the way, and what is wanted of it. The items of a batch may be of any lengths and kinds.
type Item struct {
	// Sequence holds the tokens before and takes the new ones' keys and values. Nil: the text begins
	// here and nothing of it is kept.
	Sequence Sequence
	Prompt   int // with a nil Sequence: as in NewSequence; 0: all of Tokens
	Tokens   []int32

	Edits     []Edit
	Residuals []Place // where the residual stream is wanted, edits included
	Logits    []int   // after which of Tokens logits are wanted

	// Into, if not nil, is where Logits go, [Vocab] each: memory of the caller that he uses again.
	Into [][]float32

	// Next, if not nil, has for each of Tokens the one whose likelihood after it is wanted, −1 for none.
	Next []int32
}

// An Edit adds a vector [Hidden] to the residual stream after a block, at Tokens [From, To).
type Edit struct {
	Layer    int
	From, To int
	Vector   []float32
}

// Zero reports whether adding the vector changes nothing. Engines do not add it then, so that it is no edit
// to the last bit: −0 + 0 is 0.
func (e Edit) Zero() bool { return zero(e.Vector) }

func zero(vector []float32) bool {
	for _, x := range vector {
		if math.Float32bits(x)<<1 != 0 {
			return false
		}
	}
	return true
}

// A Place is the residual stream of one of an item's tokens after a block.
type Place struct{ Token, Layer int }

// A Result is what was wanted of an item, each list in the item's order.
type Result struct {
	Residuals [][]float32 // [Hidden] each
	Logits    [][]float32 // [Vocab] each
	NLL       []float32   // −log p in nats for each of Next, 0 where none was wanted; nil if Next is
}
