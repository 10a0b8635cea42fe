package gpu

import (
	"github.com/persona-transfer/runpipeline/gpu/tokenizer"

	"github.com/persona-transfer/runpipeline/gpu/arch"
)

// OpenSource opens a decoder on weights that are not in a checkpoint.
func OpenSource(c *arch.Config, src arch.Source, tok *tokenizer.Tokenizer) (*Decoder, error) {
	d, err := newDecoder(c, src, "cpu")
	if err == nil {
		d.tok = tok
	}
	return d, err
}

// FirstSlots changes the room for new tokens that a generation begins with, and returns what it was.
func FirstSlots(n int) int {
	old := firstSlots
	firstSlots = n
	return old
}

// ReadGeneration returns the ends that a generation_config.json names.
func ReadGeneration(c *arch.Config, file func(name string) ([]byte, error)) ([]int32, error) {
	out := *c
	err := out.ReadGeneration(file)
	return out.EOS, err
}

// Ends are the tokens that end a text.
func (d *Decoder) Ends() []int32 { return d.ends() }

// Gradient returns the mean loss of rows of tokens and its gradient by every stored tensor,
// at the weights of src.
func Gradient(c *arch.Config, src arch.Source, rows, length int, tokens []int32) (float64, map[string][]float32, error) {
	o := DefaultTrain()
	o.Rows, o.Length, o.Steps = rows, length, 1
	t, err := newTrainer(c, o)
	if err != nil {
		return 0, nil, err
	}
	weights, err := loadWeights(t.dev, src, t.params)
	if err != nil {
		return 0, nil, err
	}
	p, err := t.dev.newProgram("gradient", func(in []*node) []*node {
		tape := newTape()
		w := bind(t.params, in[1:])
		out := []*node{t.loss(tape, w, in[0])}
		for _, x := range in[1:] {
			out = append(out, tape.grads[x])
		}
		return out
	})
	if err != nil {
		return 0, nil, err
	}
	call := &call{dev: t.dev}
	call.ints(func(x []int32) { copy(x, tokens) }, rows, length+1)
	call.keep(weights...)
	out, err := call.run(p)
	if err != nil {
		return 0, nil, err
	}
	var loss float64
	err = read(out[0], func(x []float32) { loss = float64(x[0]) })
	t.state = out[1:]
	grads, err2 := t.tensors()
	return loss, grads, firstError(err, err2)
}
