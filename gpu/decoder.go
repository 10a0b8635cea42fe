package gpu

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/persona-transfer/runpipeline/gpu/arch"
	"github.com/persona-transfer/runpipeline/gpu/checkpoint"
	"github.com/persona-transfer/runpipeline/gpu/tokenizer"
)

// A Decoder is a language model on a device.
type Decoder struct {
	config *arch.Config
	tok    *tokenizer.Tokenizer
	dev    *device
	notes  []string

	params []arch.Param      // those that graphs take, in order
	values []*tensors.Tensor // of params
	bytes  int               // of all weights
	embed  embedding

	positions    positionsOf
	lastPrefixes *prefixStore // of the last call; belongs to the call that has the device

	full, prefix, step, extend, head lazyProgram
}

// Open loads a checkpoint onto a device. The tokenizer may be nil; it is then made from the
// checkpoint's files. Only "cpu" is a device at present.
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
	dev, err := openDevice(deviceName)
	if err != nil {
		return nil, err
	}
	config = config.Fitted(src.Tensors())
	if _, err := config.CheckTensors(src.Tensors()); err != nil {
		return nil, err
	}
	d := &Decoder{config: config, dev: dev, bytes: 4 * config.Parameters()}
	hold(d.bytes)
	if err := d.load(src); err != nil {
		hold(-d.bytes)
		return nil, err
	}
	return d, nil
}

// load reads the weights and prepares the programs.
func (d *Decoder) load(src arch.Source) (err error) {
	config := d.config
	var embed arch.Param
	d.params, embed = graphParams(config)
	if !config.Tied {
		d.embed.rows = make([]float32, embed.Size())
		if err := fillParam(d.embed.rows, src, embed); err != nil {
			return err
		}
	}
	if d.values, err = loadWeights(d.dev, src, d.params); err != nil {
		return err
	}
	if err := d.embed.init(config, d.params, d.values); err != nil {
		return err
	}
	d.positions.c = config
	d.full.build, d.prefix.build, d.step.build = d.buildFull, d.buildPrefix, d.buildStep
	d.extend.build, d.head.build = d.buildExtend, d.buildHead
	return nil
}

// Config is the model's architecture; it must not be changed.
func (d *Decoder) Config() *arch.Config { return d.config }

// Notes describe oddities in the model's files that do no harm, one line each.
func (d *Decoder) Notes() []string { return slices.Clone(d.notes) }

// Tokenizer is the model's tokenizer.
func (d *Decoder) Tokenizer() *tokenizer.Tokenizer { return d.tok }

// Close releases the weights. The decoder must not be used afterwards.
func (d *Decoder) Close() error {
	var errs []error
	d.lastPrefixes.free()
	d.lastPrefixes = nil
	for _, p := range d.values {
		errs = append(errs, p.FinalizeAll())
	}
	for _, p := range []*lazyProgram{&d.full, &d.prefix, &d.step, &d.extend, &d.head} {
		for _, q := range p.made {
			q.exec.Finalize()
		}
		p.made = nil
	}
	d.values, d.embed = nil, embedding{}
	hold(-d.bytes)
	d.bytes = 0
	return errors.Join(errs...)
}

// ends are the end-of-text tokens: the configuration's, or the tokenizer's if the configuration does not
// mention any.
func (d *Decoder) ends() []int32 {
	if d.config.EOS != nil || d.tok == nil {
		return d.config.EOS
	}
	return d.tok.Ends()
}

// A variant is everything about a program's graph that the shapes of its inputs do not determine.
type variant struct {
	layers string // layers to record, or ""
	last   int    // last layer to run
	pushed bool   // has inputs for steering
}

// lazyProgram makes a program's variants when they are first needed.
type lazyProgram struct {
	build func(variant) (name string, build func([]*graph.Node) []*graph.Node)

	mu   sync.Mutex
	made map[variant]*program
}

func (p *lazyProgram) get(dev *device, v variant) (*program, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if q, ok := p.made[v]; ok {
		return q, nil
	}
	q, err := dev.newProgram(p.build(v))
	if err != nil {
		return nil, err
	}
	if p.made == nil {
		p.made = map[variant]*program{}
	}
	p.made[v] = q
	return q, nil
}
