package gpu

import (
	"fmt"
	"slices"

	"github.com/persona-transfer/runpipeline/gpu/arch"
	"github.com/persona-transfer/runpipeline/gpu/checkpoint"
	"github.com/persona-transfer/runpipeline/gpu/engine"
	"github.com/persona-transfer/runpipeline/gpu/tokenizer"
)

// A Decoder is a language model on a device.
type Decoder struct {
	config *arch.Config
	tok    *tokenizer.Tokenizer
	engine engine.Engine
	writer engine.Writer // the engine, if it chooses tokens itself; else nil
	notes  []string
	held   int           // bytes of weights that Go's collector sees
	batch  int           // new tokens of a forward pass at most
	turn   chan struct{} // of its device

	kept map[string]engine.Sequence // prefixes of the last call; belongs to the call that has the device
}

// Open loads a checkpoint onto a device. The tokenizer may be nil; it is then made from the
// checkpoint's files. The device is named as [ParseDevice] reads it, or as [WithPlugin] gives it.
//
// The checkpoint is not needed after Open returns. The error lists everything about the
// configuration or the tensors that does not fit.
func Open(c *checkpoint.Checkpoint, tok *tokenizer.Tokenizer, deviceName string) (*Decoder, error) {
	wrap := func(err error) error { return fmt.Errorf("open model %s: %w", c.Name(), err) }
	config, notes, err := examine(c)
	if err != nil {
		return nil, wrap(err)
	}
	if tok == nil {
		if tok, err = OpenTokenizer(c); err != nil {
			return nil, wrap(err)
		}
	}
	if c.GGUF() != nil { // whose metadata name one end, its vocabulary all
		config.EOS = tok.Ends()
	}
	if n := tok.Size(); n > config.Vocab {
		notes = append(notes, fmt.Sprintf("the tokenizer has ids up to %d, the embedding %d rows: texts that need a token beyond are refused", n-1, config.Vocab))
	}
	d, err := newDecoder(config, c, deviceName)
	if err != nil {
		return nil, wrap(err)
	}
	d.tok, d.notes = tok, notes
	return d, nil
}

// newDecoder loads weights from a source.
func newDecoder(config *arch.Config, src arch.Source, deviceName string) (*Decoder, error) {
	config = config.Fitted(src.Tensors())
	if _, err := config.CheckTensors(src.Tensors()); err != nil {
		return nil, err
	}
	device, err := parseWith(deviceName)
	if err != nil {
		return nil, err
	}
	d := &Decoder{config: config, turn: device.turn()}
	if device.Platform == cpuPlatform { // XLA has its memory from elsewhere
		d.held = device.weightBytes(config, src)
	}
	hold(d.held)
	e, err := openEngine(device, config, src)
	if err != nil {
		hold(-d.held)
		return nil, err
	}
	d.setEngine(e)
	return d, nil
}

// setEngine makes an engine the decoder's.
func (d *Decoder) setEngine(e engine.Engine) {
	d.engine, d.batch = e, batchTokens(d.config)
	if w, ok := e.(engine.Writer); ok {
		d.writer, d.batch = w, w.Room().Tokens
	}
}

// Config is the model's architecture; it must not be changed.
func (d *Decoder) Config() *arch.Config { return d.config }

// Notes describe oddities in the model's files that do no harm, one line each.
func (d *Decoder) Notes() []string { return slices.Clone(d.notes) }

// Tokenizer is the model's tokenizer.
func (d *Decoder) Tokenizer() *tokenizer.Tokenizer { return d.tok }

// Close releases the weights. The decoder must not be used afterwards.
func (d *Decoder) Close() error {
	d.keep(nil)
	hold(-d.held)
	d.held = 0
	return d.engine.Close()
}

// ends are the end-of-text tokens: the configuration's, or the tokenizer's if the configuration does not
// mention any.
func (d *Decoder) ends() []int32 {
	if d.config.EOS != nil || d.tok == nil {
		return d.config.EOS
	}
	return d.tok.Ends()
}
