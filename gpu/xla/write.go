package xla

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/persona-transfer/runpipeline/gpu/engine"
)

var _ engine.Writer = (*Model)(nil)

const (
	// mostSteps bounds the tokens that a loop makes before the host sees them. Its caches are copied once a
	// call, and what a text has beyond its end is thrown away.
	mostSteps = 32

	mostTexts = 128 // side by side; more are hardly faster

	slotStep = 32 // caches have a multiple of this many slots
	rowStep  = 16 // and more than a few rows a multiple of this many
)

// Write continues texts in loops on the device. See [engine.Writer].
func (m *Model) Write(ctx context.Context, texts []engine.Text, how engine.Choice, told func(int, []int32, []float32) bool) error {
	wrap := func(err error) error { return fmt.Errorf("continue texts: %w", err) }
	if err := m.checkTexts(texts, how); err != nil {
		return wrap(err)
	}
	release, err := m.dev.take(ctx)
	if err != nil {
		return wrap(err)
	}
	defer release()
	defer func() {
		for _, t := range texts {
			t.Sequence.Free()
		}
	}()
	for _, w := range m.writings(texts, how) {
		if err := w.run(ctx, told); err != nil {
			return wrap(err)
		}
	}
	return nil
}

func (m *Model) checkTexts(texts []engine.Text, how engine.Choice) error {
	c := m.config
	seen := map[engine.Sequence]bool{}
	for i, t := range texts {
		if !m.owns(t.Sequence) || seen[t.Sequence] {
			return fmt.Errorf("text %d: its sequence is another model's or text's", i)
		}
		seen[t.Sequence] = true
		if t.Last < 0 || int(t.Last) >= c.Vocab || t.Most < 1 || how.Temperature > 0 && t.Noise == nil {
			return fmt.Errorf("text %d: token %d of %d, %d new ones, with noise: %t", i, t.Last, c.Vocab, t.Most, t.Noise != nil)
		}
		for _, e := range t.Edits {
			if e.Layer < 0 || e.Layer >= c.Layers || len(e.Vector) != c.Hidden {
				return fmt.Errorf("text %d: a vector of %d values after block %d: the model has %d and %d blocks", i, len(e.Vector), e.Layer, c.Hidden, c.Layers)
			}
		}
	}
	for _, t := range how.Barred {
		if t < 0 || int(t) >= c.Vocab {
			return fmt.Errorf("token %d is barred, the vocabulary has %d", t, c.Vocab)
		}
	}
	if !(how.Temperature >= 0) || !(how.TopP >= 0 && how.TopP <= 1) || how.TopK < 0 {
		return fmt.Errorf("temperature %g, top-p %g, top-k %d", how.Temperature, how.TopP, how.TopK)
	}
	return nil
}

// A writing is texts that are continued side by side.
type writing struct {
	m     *Model
	texts []engine.Text
	which []int // of texts, by row; rows beyond are padding
	how   engine.Choice
	kind  loopKind

	rows   int               // B
	slots  int               // T
	none   *kept             // of texts without tokens before the last
	fixed  []*tensors.Tensor // that no call changes
	caches []*tensors.Tensor
}

// writings groups texts whose sequences have room for equally many tokens: a program is compiled for each size.
func (m *Model) writings(texts []engine.Text, how engine.Choice) (out []*writing) {
	most := 1
	for _, t := range texts {
		most = max(most, t.Most)
	}
	calls := (most + m.stretch - 1) / m.stretch
	steps := (most + calls - 1) / calls
	open := map[int]*writing{}
	for i, t := range texts {
		before := max(leastAll, t.Sequence.(*sequence).slots())
		slots := roundUp(before+calls*steps, slotStep)
		w := open[before]
		if w == nil || len(w.which) >= m.texts(mostTexts, slots) {
			w = &writing{m: m, texts: texts, how: how, slots: slots, kind: loopKind{slots: before, steps: steps, choosing: choosingOf(how)}}
			out, open[before] = append(out, w), w
		}
		w.which = append(w.which, i)
	}
	for _, w := range out {
		if w.rows = len(w.which); w.rows > 1 {
			w.rows = roundUp(w.rows, rowStep)
		}
	}
	return out
}

func roundUp(n, step int) int { return (n + step - 1) / step * step }

// run continues the texts to their ends.
func (w *writing) run(ctx context.Context, told func(int, []int32, []float32) bool) error {
	defer func() {
		free(w.fixed)
		free(w.caches)
	}()
	w.m.tidy()
	tables, places, err := w.m.tables(w.prompts(), w.slots)
	if err != nil {
		return err
	}
	if err := w.addFixed(places); err != nil {
		return err
	}
	last := make([]int32, w.rows)
	for b, i := range w.which {
		last[b] = w.texts[i].Last
	}
	seed, err := w.prepareSeed()
	if err != nil {
		return err
	}
	next, err := w.prepare(0, last, tables)
	if err != nil {
		return err
	}
	err = w.compile(seed, next)
	if err == nil {
		w.caches, err = seed.run()
	}
	if err != nil {
		seed.drop()
		next.drop()
		return err
	}
	live := make([]bool, len(w.which))
	for b := range live {
		live[b] = true
	}
	for made := 0; ; {
		if err := ctx.Err(); err != nil {
			next.drop()
			return err
		}
		s, err := w.call(next)
		if err != nil {
			return err
		}
		if err := w.tell(made, s, live, told); err != nil {
			return err
		}
		if !slices.Contains(live, true) {
			return nil
		}
		made += w.kind.steps
		copy(last, s.tokens[(w.kind.steps-1)*w.rows:])
		if next, err = w.prepare(made, last, tables); err != nil {
			return err
		}
	}
}

// A stretch is what a call makes, [N, B] each.
type stretch struct {
	tokens        []int32
	margins, tops []float32
}

// tell shows what was made to whoever wants it, and forgets rows that are done.
func (w *writing) tell(made int, s stretch, live []bool, told func(int, []int32, []float32) bool) error {
	for b, i := range w.which {
		n := min(w.kind.steps, w.texts[i].Most-made)
		if !live[b] || n <= 0 {
			live[b] = false
			continue
		}
		tokens := make([]int32, n)
		var margins []float32
		for j := range n {
			at := j*w.rows + b
			if top := float64(s.tops[at]); math.IsNaN(top) || math.IsInf(top, 0) {
				return fmt.Errorf("text %d: token %d: the largest logit is %g", i, made+j, top)
			}
			tokens[j] = s.tokens[at]
			if w.kind.greedy {
				margins = append(margins, s.margins[at])
			}
		}
		live[b] = told(i, tokens, margins) && made+n < w.texts[i].Most
	}
	return nil
}

// row is what row b continues; padding repeats the first.
func (w *writing) row(b int) *engine.Text {
	if b >= len(w.which) {
		b = 0
	}
	return &w.texts[w.which[b]]
}

func (w *writing) prompts() []int {
	out := make([]int, w.rows)
	for b := range out {
		out[b] = w.row(b).Sequence.(*sequence).prompt
	}
	return out
}

// prepareSeed gathers what makes the caches from what the texts' sequences hold.
func (w *writing) prepareSeed() (*call, error) {
	which, begin, lines := make([]int32, w.rows), map[*kept]int{}, 0
	var sources []*tensors.Tensor
	for b := range which {
		k, row, err := w.keptOf(b)
		if err != nil {
			return nil, err
		}
		if _, ok := begin[k]; !ok {
			begin[k] = lines
			lines += k.rows
			sources = append(sources, k.tensors...)
		}
		which[b] = int32(begin[k] + row)
	}
	program, err := w.m.program(seedKind{w.slots}, func(in *inputs) []*node { return w.m.buildSeed(in, w.slots) })
	if err != nil {
		return nil, err
	}
	c := &call{dev: w.m.dev, program: program}
	c.ints(func(x []int32) { copy(x, which) }, w.rows)
	c.keep(sources...)
	return c, c.err
}

// compile compiles the programs of the seed and of a call that does not have its caches yet.
func (w *writing) compile(seed, next *call) error {
	c := w.m.config
	withCaches := *next
	withCaches.shapes = append(slices.Clone(next.shapes), slices.Repeat([]shapes.Shape{shapes.Make(w.m.forms.matrix, w.rows*c.KVHeads, w.slots, c.HeadDim)}, 2*c.Layers)...)
	return compileAll(seed, &withCaches)
}

// keptOf are the keys and values of row b's text, and which row of theirs it is; zeros if it has none.
func (w *writing) keptOf(b int) (*kept, int, error) {
	s := w.row(b).Sequence.(*sequence)
	if s.kept != nil {
		return s.kept, s.row, nil
	}
	if w.none == nil {
		c := w.m.config
		zeros, err := w.m.zeros(w.m.forms.matrix, c.KVHeads, w.kind.slots, c.HeadDim)
		if err != nil {
			return nil, 0, err
		}
		w.none = &kept{tensors: slices.Repeat([]*tensors.Tensor{zeros}, 2*c.Layers), rows: 1, slots: w.kind.slots}
	}
	return w.none, 0, nil
}

// addFixed moves to the device what stays for all calls.
func (w *writing) addFixed(places [][]int32) error {
	c := &call{dev: w.m.dev}
	config := w.m.config
	c.ints(func(x []int32) {
		for b := range x {
			x[b] = int32(w.row(b).Sequence.Len())
		}
	}, w.rows)
	c.intRows(places)
	first, rest := newEdits(config.Layers, w.rows), newEdits(config.Layers, w.rows)
	for b, i := range w.which {
		for _, e := range w.texts[i].Edits {
			if e.Zero() {
				continue
			}
			first.put(e.Layer, b, b+1, e.Vector)
			if !e.Once {
				rest.put(e.Layer, b, b+1, e.Vector)
			}
		}
	}
	shift := int32(len(first.vectors))
	for _, line := range rest.index {
		for b := range line {
			if line[b] > 0 {
				line[b] += shift - 1
			}
		}
	}
	first.vectors = append(first.vectors, rest.vectors[1:]...)
	first.addVectors(c, config.Hidden)
	c.intRows(first.index)
	c.intRows(rest.index)
	c.floats(func(x []float32) {
		// A temperature too small for float32 would make 0·∞ of the best token.
		x[0] = float32(min(1/w.how.Temperature, math.MaxFloat32))
		x[1], x[2] = float32(w.how.TopP), float32(w.how.TopK)
	}, 3)
	c.floats(func(x []float32) {
		for _, t := range w.how.Barred {
			x[t] = float32(math.Inf(-1))
		}
	}, 1, config.Vocab)
	w.fixed = c.own
	return c.err
}

// prepare gathers what makes the next tokens of all rows, of which the last ones are given, but the caches.
func (w *writing) prepare(made int, last []int32, tables []*tensors.Tensor) (*call, error) {
	params, values := w.m.params, w.m.values
	program, err := w.m.program(w.kind, func(in *inputs) []*node { return w.m.buildLoop(in.nodes, params, w.kind) })
	if err != nil {
		return nil, err
	}
	c := &call{dev: w.m.dev, program: program}
	c.ints(func(x []int32) { copy(x, last) }, w.rows)
	c.keep(w.fixed...)
	w.addNoise(c, made)
	c.ints(func(x []int32) { x[0] = int32(made) })
	c.keep(tables...)
	c.keep(values...)
	return c, c.err
}

// call makes the next tokens.
func (w *writing) call(c *call) (out stretch, err error) {
	c.donate(w.caches...)
	w.caches = nil
	results, err := c.run()
	if err != nil {
		return out, err
	}
	w.caches = results[3:]
	defer free(results[:3])
	if err := results[0].ConstFlatData(func(flat any) { out.tokens = slices.Clone(flat.([]int32)) }); err != nil {
		return out, err
	}
	err1 := read(results[1], func(x []float32) { out.margins = slices.Clone(x) })
	err2 := read(results[2], func(x []float32) { out.tops = slices.Clone(x) })
	return out, firstError(err1, err2)
}

// addNoise adds the words of the next steps, [2·N, B].
func (w *writing) addNoise(c *call, made int) {
	c.words(func(x []uint32) {
		for i := range w.kind.steps {
			for b := range w.rows {
				if noise := w.row(b).Noise; noise != nil {
					x[2*i*w.rows+b], x[(2*i+1)*w.rows+b] = noise(made + i)
				}
			}
		}
	}, 2*w.kind.steps, w.rows)
}

// Room is what the model takes at a time. The memory of texts that are continued is planned for each group.
func (m *Model) Room() engine.Room { return engine.Room{Tokens: 4 * m.sizes.tokens, Texts: mostTexts} }
