package transforms

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"

	"github.com/persona-transfer/runpipeline/gpu"
)

// A model is loaded when the first unit that needs it asks, and closed when no stage of the run needs it any more, or,
// while nobody computes with it, when another one needs its place. So two models that do not fit side by side take
// turns; two that do, or that are computed with at the same time, are both open.

// decoders are those of this process.
var decoders pool

// A pool has the models that are open.
type pool struct {
	mu   sync.Mutex
	open map[string]*opened
	uses int // so far

	told func(event string) // of what is opened and closed, for tests: nil or called with mu held
}

// An opened is a model with what decides when it is closed.
type opened struct {
	decoder  *gpu.Decoder
	ref      string
	device   gpu.Device
	bytes    int  // of its weights, where they rest
	users    int  // units that compute with it
	used     int  // which use was the last
	unneeded bool // by the run: closed with its last user
}

// key tells models of a process apart.
func (m Model) key() string { return m.Digest + m.Ref + m.Open + m.Date }

// decoder loads the model, once per process, and keeps it open until the unit's end. It is called on the first miss,
// never before: a run that finds everything loads nothing.
func (u *Unit) decoder(ctx context.Context, m Model) (*gpu.Decoder, error) {
	decoders.mu.Lock()
	defer decoders.mu.Unlock()
	o := decoders.open[m.key()]
	if o == nil {
		u.note("loading %s", m.Ref)
		var err error
		if u.run.elsewhere {
			if err := sameDevice(m); err != nil {
				return nil, err
			}
		}
		if o, err = decoders.load(ctx, m); err != nil {
			return nil, err
		}
	}
	if u.models == nil {
		u.models = map[string]bool{}
	}
	if !u.models[m.key()] {
		u.models[m.key()] = true
		o.users++
	}
	decoders.uses++
	o.used, o.unneeded = decoders.uses, false
	return o.decoder, nil
}

// release ends the unit's use of its models.
func (u *Unit) release() {
	decoders.mu.Lock()
	defer decoders.mu.Unlock()
	for key := range u.models {
		if o := decoders.open[key]; o != nil {
			if o.users--; o.users == 0 && o.unneeded {
				decoders.close(key)
			}
		}
	}
	u.models = nil
}

// load opens a model. The caller holds mu.
func (p *pool) load(ctx context.Context, m Model) (*opened, error) {
	c, _, err := openHere(ctx, m.Ref, false)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	if digest, err := c.Digest(); err != nil {
		return nil, err
	} else if digest != m.Digest {
		return nil, othersThan(m.Ref, m.Digest, digest)
	}
	t, err := openTokenizer(c, m.Date)
	if err != nil {
		return nil, fmt.Errorf("open model %s: %w", m.Ref, err)
	}
	o := &opened{ref: m.Ref}
	if o.device, err = gpu.DeviceFor(m.Open); err != nil {
		return nil, err
	}
	if o.bytes, err = gpu.WeightBytes(c, o.device); err != nil {
		return nil, err
	}
	p.makeRoom(ctx, o)
	if err := fits(ctx, c, o.device, o.bytes); err != nil {
		return nil, err
	}
	if o.decoder, err = gpu.Open(c, t, m.Open); err != nil {
		return nil, err
	}
	if p.open == nil {
		p.open = map[string]*opened{}
	}
	p.open[m.key()] = o
	p.tell("open " + o.ref)
	return o, nil
}

// makeRoom closes models that nobody computes with, first that which was used longest ago, until there is room for
// another or none is left. The caller holds mu.
func (p *pool) makeRoom(ctx context.Context, next *opened) {
	for !p.room(ctx, next) {
		oldest := ""
		for key, o := range p.open {
			if o.users == 0 && o.device.SharesMemory(next.device) && (oldest == "" || o.used < p.open[oldest].used) {
				oldest = key
			}
		}
		if oldest == "" {
			return
		}
		p.close(oldest)
	}
}

// cardShare is how much of a card's memory weights may take side by side: keys and values, what passes compute and
// what compilers try out need the rest.
const cardShare = .6

// room tells whether a model's weights fit beside those that are open, as far as anybody knows.
func (p *pool) room(ctx context.Context, next *opened) bool {
	if !next.device.OwnMemory() {
		return Available(ctx).Enough(next.bytes)
	}
	sum := next.bytes
	for _, o := range p.open {
		if o.device.SharesMemory(next.device) {
			sum += o.bytes
		}
	}
	return next.device.Memory == 0 || float64(sum) <= cardShare*float64(next.device.Memory)
}

// close frees a model. The caller holds mu.
func (p *pool) close(key string) {
	o := p.open[key]
	delete(p.open, key)
	o.decoder.Close()
	p.tell("close " + o.ref)
	if o.device.Collected() { // what the system counts as taken until then
		debug.FreeOSMemory()
	}
}

func (p *pool) tell(event string) {
	if p.told != nil {
		p.told(event)
	}
}

// closeModel frees a model's decoder, if it is open, when no unit computes with it any more.
func closeModel(m Model) {
	decoders.mu.Lock()
	defer decoders.mu.Unlock()
	if o := decoders.open[m.key()]; o != nil && o.users > 0 {
		o.unneeded = true
	} else if o != nil {
		decoders.close(m.key())
	}
}

// CloseModels frees the decoders of this process.
func CloseModels() {
	decoders.mu.Lock()
	defer decoders.mu.Unlock()
	for key := range decoders.open {
		decoders.close(key)
	}
}
