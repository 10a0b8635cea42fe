package xla

import (
	"errors"
	"fmt"

	"github.com/gomlx/compute/dtypes"

	"github.com/persona-transfer/runpipeline/gpu/arch"
)

// ErrMemory reports that a device has too little memory for a model.
var ErrMemory = errors.New("too little memory on the device")

// ofMemory is the share of a device's memory that is planned with: allocators leave gaps, and compilers take room
// to try out kernels.
const ofMemory = 0.85

// A footprint is how much of a device's memory a model takes, in bytes, as it is planned: about what the largest
// values that exist at a time take.
type footprint struct {
	weights int64
	token   int64 // of a pass, beside its scores
	scores  int64 // of attention and of the vocabulary, at most
	slot    int64 // of a text that is continued: keys and values of one token, as often as they exist
	text    int64 // of such a text beside its slots
}

// footprintOf plans the memory of a model.
func footprintOf(c *arch.Config, f forms, s sizes) (out footprint) {
	matrix := int64(f.matrix.Size())
	for _, p := range c.Params() {
		out.weights += int64(p.Bytes(f.matrix.Size()))
	}
	// The residual stream before and after, its norm, and the widest part of a block: queries, keys and values as
	// products and turned, or gate, up and their product.
	wide := max(c.QueryDim()+2*c.KVDim(), 2*c.Inner)
	out.token = int64(3*c.Hidden)*4 + int64(wide)*(4+matrix)
	// Scores and probabilities; logits and what becomes of them.
	out.scores = 4 * 2 * int64(max(s.scores, headFloats))
	// A loop has the caches that it is given, those that it changes and those that it gives back.
	out.slot = 3 * 2 * int64(c.Layers*c.KVDim()) * matrix
	out.text = 4 * 4 * int64(c.Vocab)
	return out
}

// pass is what a pass of so many tokens needs.
func (f footprint) pass(tokens int) int64 { return f.weights + f.scores + int64(tokens)*f.token }

// loop is what so many texts need that are continued, with so many slots each, and before that in a pass.
func (f footprint) loop(texts, slots int) int64 {
	return f.weights + int64(texts)*(int64(slots)*f.slot+f.text)
}

// leastTokens is the least number of tokens of a pass that is worth a device.
const leastTokens = 512

// fit makes passes and groups of texts as small as the device's memory asks for, of which other models may have
// some. Where the device does not say how much it has, nothing is known.
func (m *Model) fit() error {
	facts, err := m.dev.Facts()
	if err != nil || facts.Memory.Limit == 0 {
		return nil
	}
	m.memory = max(1, int64(float64(facts.Memory.Limit)*ofMemory)-facts.Memory.Used)
	return m.shrink()
}

// shrink cuts passes until they fit into memory, if that is known.
func (m *Model) shrink() error {
	m.need = footprintOf(m.config, m.forms, m.sizes)
	for m.need.pass(m.sizes.tokens) > m.memory && m.sizes.tokens > leastTokens {
		m.sizes.tokens /= 2
		m.sizes.scores = min(m.sizes.scores, m.sizes.tokens<<15)
		m.need = footprintOf(m.config, m.forms, m.sizes)
	}
	if n := m.need.pass(m.sizes.tokens); n > m.memory {
		return fmt.Errorf("%w: %s of weights in %s and %s beside them, of %s that may be used", ErrMemory,
			gib(m.need.weights), typeName(m.forms.matrix), gib(n-m.need.weights), gib(m.memory))
	}
	return nil
}

// texts is how many texts of so many slots are continued side by side, at most as many as are wanted.
func (m *Model) texts(want, slots int) int {
	for m.memory > 0 && want > rowStep && m.need.loop(want, slots) > m.memory {
		want -= rowStep
	}
	return want
}

func typeName(t dtypes.DType) string {
	if t == bf16 {
		return "bfloat16"
	}
	return "float32"
}

func gib(n int64) string { return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30)) }
