package gpu

import (
	"context"
	"fmt"
	"slices"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// A lane continues tasks [from, to) in a batch of size rows; the rows beyond are padding.
type lane struct {
	d        *Decoder
	past     *prefixes
	tasks    []task
	sampling Sampling
	size     int
	from, to int
	meter    *meter // of new tokens, one a lane and step

	s, t    int // cache slots of the prefixes; cache slots in all
	cache   []*tensors.Tensor
	newest  []int32
	steer   *pushTable
	sampler *sampler
}

func (l *lane) run(ctx context.Context) error {
	l.s = l.past.longest()
	l.t = l.s + min(slotsFor(l.sampling.MaxNewTokens), firstSlots)
	if l.finished() {
		return nil
	}
	defer func() { free(l.cache) }()
	if err := l.fillCache(); err != nil {
		return err
	}
	l.newest = make([]int32, l.size)
	for i := l.from; i < l.to; i++ {
		text := l.tasks[i].text
		l.newest[i-l.from] = text[len(text)-1]
	}
	l.steer = newPushTable(l.d.config.Hidden, l.size, func(row int) []Push {
		if l.from+row >= l.to {
			return nil
		}
		return l.tasks[l.from+row].Push
	})
	l.sampler = newSampler(l.sampling, l.d.ends())
	for step := range l.sampling.MaxNewTokens {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := l.makeRoom(step); err != nil {
			return fmt.Errorf("token %d: %w", step, err)
		}
		logits, err := l.step(step)
		if err != nil {
			return fmt.Errorf("token %d: %w", step, err)
		}
		err = l.choose(logits)
		free(logits)
		l.meter.add(1)
		if err != nil || l.finished() {
			return err
		}
	}
	return nil
}

// fillCache makes the cache of every layer, keys [B·K, h, T] and values [B·K, T, h], from
// the rows' prefixes.
func (l *lane) fillCache() error {
	c := l.d.config
	size := c.KVHeads * c.HeadDim * l.t
	for layer := range c.Layers {
		var keys, values []float32
		cl := &call{dev: l.d.dev}
		cl.floats(func(x []float32) { keys = x }, l.size*c.KVHeads, c.HeadDim, l.t)
		cl.floats(func(x []float32) { values = x }, l.size*c.KVHeads, l.t, c.HeadDim)
		l.cache = append(l.cache, cl.own...)
		if cl.err != nil {
			return cl.err
		}
		for i := l.from; i < l.to; i++ {
			at := (i - l.from) * size
			if err := l.past.copyTransposed(c, layer, i, keys[at:at+size], values[at:at+size], l.t); err != nil {
				return err
			}
		}
	}
	return nil
}

// firstSlots is the number of new tokens that a lane has room for at first. More is made as texts grow,
// so that a large limit takes no memory before it is needed. Tests change it.
var firstSlots = 512

// slotsFor is the number of slots for n new tokens, a multiple of 16 (see bucket).
func slotsFor(n int) int { return (n + 15) / 16 * 16 }

// makeRoom doubles the slots for new tokens if a step needs more than there are. More slots do not change
// what a step computes: those that are not used are masked.
func (l *lane) makeRoom(step int) error {
	if l.s+step < l.t {
		return nil
	}
	c, old := l.d.config, l.t
	l.t = l.s + min(slotsFor(l.sampling.MaxNewTokens), 2*(l.t-l.s))
	for i, from := range l.cache {
		lines, width := l.size*c.KVHeads*c.HeadDim, 1 // keys: a line of slots for each value of a head
		dims := []int{l.size * c.KVHeads, c.HeadDim, l.t}
		if i%2 == 1 {
			lines, width = l.size*c.KVHeads, c.HeadDim
			dims = []int{l.size * c.KVHeads, l.t, c.HeadDim}
		}
		cl := &call{dev: l.d.dev}
		var err error
		cl.floats(func(to []float32) {
			err = read(from, func(x []float32) {
				for j := range lines {
					copy(to[j*l.t*width:], x[j*old*width:(j+1)*old*width])
				}
			})
		}, dims...)
		if err = firstError(cl.err, err); err != nil {
			free(cl.own)
			return err
		}
		free([]*tensors.Tensor{from})
		l.cache[i] = cl.own[0]
	}
	return nil
}

// step runs the newest token of every row and returns the logits in blocks [B, ≤2048].
func (l *lane) step(step int) ([]*tensors.Tensor, error) {
	d := l.d
	push := l.steer.at(l.size, 1, func(p Positions, row, _ int) bool {
		t := &l.tasks[l.from+row]
		return p.reach(len(t.text)-1+step, len(t.Prompt)-1)
	})
	program, err := d.step.get(d.dev, variant{pushed: push != nil})
	if err != nil {
		return nil, err
	}
	c := &call{dev: d.dev}
	width := d.config.Hidden
	c.floats(func(x []float32) {
		for b, t := range l.newest {
			d.embed.put(x[b*width:(b+1)*width], t)
		}
	}, l.size, width)
	at, prompt := make([]int, l.size), make([]int, l.size)
	for b := range l.size {
		at[b], prompt[b] = l.prefixLength(b)+step, l.prefixLength(b)+1
	}
	d.addPositions(c, at, prompt)
	for _, window := range d.config.WindowSizes() {
		l.addMask(c, step, window)
	}
	push.add(c)
	c.index(l.s + step)
	c.donate(l.cache...)
	l.cache = nil
	c.keep(d.values...)
	out, err := c.run(program)
	if err != nil {
		return nil, err
	}
	blocks := headBlocks(d.config)
	l.cache = out[blocks:]
	return out[:blocks], nil
}

// prefixLength is the length of the prefix of the lane's row b, 0 for padding.
func (l *lane) prefixLength(b int) int {
	if l.from+b >= l.to {
		return 0
	}
	return l.past.length[l.past.of[l.from+b]]
}

// addMask adds the mask [B·K, G, T] of a step: a row sees its prefix, in the first slots, and
// its response so far, from slot s on; of both what the window covers.
func (l *lane) addMask(c *call, step, window int) {
	n := l.d.config.Heads
	c.floats(func(x []float32) {
		for b := range l.size {
			line := x[b*n*l.t : (b*n+1)*l.t]
			length := l.prefixLength(b)
			oldest := 0 // position of the oldest token that is seen
			if window > 0 {
				oldest = length + step - window + 1
			}
			for j := range line {
				pos := j
				if j >= l.s {
					pos = length + j - l.s
				}
				seen := j < length || j >= l.s && j <= l.s+step
				if !seen || pos < oldest {
					line[j] = masked
				}
			}
			for i := 1; i < n; i++ {
				copy(x[(b*n+i)*l.t:], line)
			}
		}
	}, l.size*l.d.config.KVHeads, n/l.d.config.KVHeads, l.t)
}

// choose appends a token to every row that is not done.
func (l *lane) choose(logits []*tensors.Tensor) error {
	errs := make([]error, l.to-l.from)
	err := readBlocks(logits, l.size, func(row func(b int) [][]float32) {
		parallel(l.to-l.from, func(b int) {
			if !l.tasks[l.from+b].done {
				errs[b] = l.chooseRow(b, row(b))
			}
		})
	})
	return firstError(append(errs, err)...)
}

func (l *lane) chooseRow(b int, logits [][]float32) error {
	t := &l.tasks[l.from+b]
	o := &t.out
	token, margin, err := l.sampler.choose(logits, t.Noise, len(o.Tokens))
	if err != nil {
		return fmt.Errorf("row %d: %w", l.from+b, err)
	}
	if l.sampler.ends[token] {
		t.done, o.Ended = true, true
		return nil
	}
	l.newest[b] = token
	o.Tokens = append(o.Tokens, token)
	if t.OnToken != nil {
		t.OnToken(token)
	}
	if l.sampling.Temperature == 0 {
		o.Margins = append(o.Margins, margin)
	}
	t.done = len(o.Tokens) == t.until
	return nil
}

func (l *lane) finished() bool {
	return !slices.ContainsFunc(l.tasks[l.from:l.to], func(t task) bool { return !t.done })
}

// buildStep is the graph of a generation step.
func (d *Decoder) buildStep(v variant) (string, func([]*graph.Node) []*graph.Node) {
	return "step", func(nodes []*graph.Node) []*graph.Node {
		in := &inputs{nodes}
		x := in.next()
		f := in.forward(d.config, x.Shape().Dimensions[0], 1, true, v.pushed)
		cache := &slotCache{slot: in.next(), kv: in.take(2 * d.config.Layers)}
		f.w, f.cache = bind(d.params, in.nodes), cache
		for l := range d.config.Layers {
			x = f.block(l, x)
		}
		return append(f.logits(x), cache.after...)
	}
}
