package engine

import "context"

// A Writer is an engine that chooses tokens itself, many of each text before it answers: on a device that is
// not the processor, asking after every token would cost more than the token. Such an engine takes large
// batches, and computes whole texts as easily as their ends.
type Writer interface {
	Engine

	// Write continues texts. It tells which tokens it chose for one of them, in order, and, if it always takes
	// the most probable one, by how much their logits were above the second largest; a text is not continued
	// any more when told says so, or has all that it may have. The texts' sequences are empty afterwards.
	Write(ctx context.Context, texts []Text, how Choice, told func(text int, tokens []int32, margins []float32) (more bool)) error

	// Room is what the engine takes at a time: tokens of a Forward and texts of a Write. More is possible, and
	// is cut into parts.
	Room() Room
}

// A Room is a size of batches.
type Room struct {
	Tokens int // of a forward pass
	Texts  int // continued side by side
}

// A Text is one to continue.
type Text struct {
	Sequence Sequence // its tokens so far but the last
	Last     int32    // the last token
	Most     int      // new tokens at most
	Edits    []Constant

	// Noise gives the two words of which the noise of the text's new token i is made.
	Noise func(i int) (lo, hi uint32)
}

// A Constant is a vector that is added to the residual stream of a text that is continued.
type Constant struct {
	Layer  int
	Vector []float32
	Once   bool // at the text's last token alone; otherwise at it and at every new one
}

// Zero reports whether adding the vector changes nothing, as [Edit.Zero] does.
func (c Constant) Zero() bool { return zero(c.Vector) }

// A Choice says how tokens are chosen.
type Choice struct {
	Temperature float64 // 0: always the most probable token
	TopP        float64 // keep the fewest tokens that together reach this probability; 0 or 1: all
	TopK        int     // keep this many tokens; 0: all
	Barred      []int32 // tokens that cannot be chosen
}
