package gpu

import (
	"context"

	"github.com/persona-transfer/runpipeline/gpu/arch"
	"github.com/persona-transfer/runpipeline/gpu/engine"
	"github.com/persona-transfer/runpipeline/gpu/tokenizer"
)

// OpenSource opens a decoder on weights that are not in a checkpoint.
func OpenSource(c *arch.Config, src arch.Source, tok *tokenizer.Tokenizer) (*Decoder, error) {
	d, err := newDecoder(c, src, "cpu")
	if err == nil {
		d.tok = tok
	}
	return d, err
}

// OpenEngine makes a decoder without a tokenizer on an engine.
func OpenEngine(e engine.Engine) *Decoder {
	d := &Decoder{config: e.Config(), turn: Device{Platform: cpuPlatform}.turn()}
	d.setEngine(e)
	return d
}

// ReadGeneration returns the ends that a generation_config.json names.
func ReadGeneration(c *arch.Config, file func(name string) ([]byte, error)) ([]int32, error) {
	out := *c
	err := out.ReadGeneration(file)
	return out.EOS, err
}

// Ends are the tokens that end a text.
func (d *Decoder) Ends() []int32 { return d.ends() }

// Take takes a device as a measurement does.
func Take(ctx context.Context, name string) (free func(), err error) {
	_, free, err = takeDevice(ctx, name)
	return free, err
}

// ChipOf is what recipes call a chip.
func ChipOf(kind string) string { return chipOf(kind) }

// CompilerFlags is what the environment tells a device's compiler.
var CompilerFlags = compilerFlags

// HeldBytes is what the collector is told of.
func HeldBytes() int {
	held.Lock()
	defer held.Unlock()
	return held.bytes
}

// Others are the cards of these names beside d.
func (d Device) Others(names []string) []Device { return d.others(names) }
