package gpu

import (
	"context"
	"fmt"
	"slices"

	"github.com/persona-transfer/runpipeline/gpu/arch"
	"github.com/persona-transfer/runpipeline/gpu/engine"
)

// A Row is one text to generate.
type Row struct {
	Prompt []int32 // at least one token
	Push   []Push
	Noise  Noise

	// OnToken, if set, is told each token as it is chosen, for output that streams. It must not
	// block: the whole batch waits for it.
	OnToken func(token int32)
}

// Sampling says how tokens are chosen.
type Sampling struct {
	MaxNewTokens int
	Temperature  float64 // 0: always the most probable token
	TopP         float64 // keep the fewest tokens that together reach this probability; 0 or 1: all
	TopK         int     // keep this many tokens; 0: all
	StopAtEOS    bool    // false: end-of-text cannot be chosen
}

// An Output is what a row became.
type Output struct {
	Tokens  []int32   // generated tokens, without the end-of-text that ended them
	Ended   bool      // the model chose end-of-text
	Margins []float32 // greedy only: best minus second-best logit at each token
}

// Generate continues every row. A row's tokens depend on the row alone: rows of a call share batches and
// what their prompts have in common, and one that ends makes room for the next.
//
// The last prompt token is the first that response pushes reach; what comes before it is the
// same with and without steering.
func (d *Decoder) Generate(ctx context.Context, rows []Row, s Sampling) ([]Output, error) {
	wrap := func(err error) ([]Output, error) { return nil, fmt.Errorf("generate: %w", err) }
	if err := d.checkRows(rows, s); err != nil {
		return wrap(err)
	}
	if len(rows) == 0 {
		return nil, nil
	}
	free, err := take(ctx, d.turn)
	if err != nil {
		return nil, err
	}
	defer free()
	if d.writer != nil {
		out, err := d.write(ctx, rows, s)
		if err != nil {
			return wrap(err)
		}
		return out, nil
	}
	texts := make([]text, len(rows))
	for i, r := range rows {
		last := len(r.Prompt) - 1
		texts[i] = text{tokens: r.Prompt[last:], push: r.Push, last: last}
	}
	defer freeAll(texts)
	if err := d.begin(ctx, texts, func(i int) []int32 { return rows[i].Prompt }); err != nil {
		return wrap(err)
	}
	w := &writer{d: d, rows: rows, texts: texts, out: make([]Output, len(rows)), until: make([]int, len(rows)), sampling: s,
		sampler: newSampler(s, d.ends()), meter: newMeter(ctx, s.MaxNewTokens*len(rows))}
	if err := w.run(ctx); err != nil {
		return wrap(err)
	}
	return w.out, nil
}

// A writer continues rows. Most are written in one go; where the length of the text changes the
// position encoding of its tokens, a row begins again from a sequence that is computed anew.
type writer struct {
	d        *Decoder
	rows     []Row
	texts    []text
	out      []Output
	until    []int // the number of a row's new tokens with which its sequence can go no further
	sampling Sampling
	sampler  *sampler
	logits   [][]float32 // of a step, [Vocab] each
	meter    *meter      // of new tokens
}

// Bounds of the rows that are under way at a time: beyond manyRows a row costs as much in any batch, and
// their logits take memory, manyLogits at most: 128 MiB.
const (
	manyRows   = 256
	manyLogits = 1 << 25
)

func (w *writer) run(ctx context.Context) error {
	most := max(1, min(manyRows, manyLogits/w.d.config.Vocab))
	var live []int // rows under way, those that have waited longest first
	next := 0
	for {
		for ; len(live) < most && next < len(w.rows); next++ {
			w.start(next, len(w.rows[next].Prompt))
			live = append(live, next)
		}
		if len(live) == 0 {
			return nil
		}
		waiting, chosen, err := w.step(ctx, live)
		if err != nil {
			return err
		}
		live = append(waiting, w.sift(chosen)...)
	}
}

// start begins a row's sequence for a text of n tokens.
func (w *writer) start(i, n int) {
	w.until[i] = min(w.sampling.MaxNewTokens, len(w.out[i].Tokens)+w.d.config.EncodedAlike(n))
}

// step runs tokens of as many rows as a batch may have and chooses a token for each whose text is complete.
// It returns the rows that still wait, then those that were chosen for.
func (w *writer) step(ctx context.Context, live []int) (waiting, chosen []int, err error) {
	var items []engine.Item
	left := w.d.batch
	for _, i := range live {
		if left == 0 {
			waiting = append(waiting, i)
			continue
		}
		t := &w.texts[i]
		it := t.take(left)
		left -= len(it.Tokens)
		if len(t.tokens) > 0 {
			waiting = append(waiting, i)
		} else {
			it.Logits = []int{len(it.Tokens) - 1}
			if len(w.logits) == len(chosen) {
				w.logits = append(w.logits, make([]float32, w.d.config.Vocab))
			}
			it.Into = w.logits[len(chosen) : len(chosen)+1]
			chosen = append(chosen, i)
		}
		items = append(items, it)
	}
	if _, err := w.d.engine.Forward(ctx, items); err != nil {
		return nil, nil, err
	}
	errs := make([]error, len(chosen))
	parallel(len(chosen), func(j int) { errs[j] = w.choose(chosen[j], w.logits[j]) })
	for _, err := range errs {
		if err != nil { // of one row: a broken model breaks all in the same way
			return nil, nil, err
		}
	}
	return waiting, chosen, nil
}

// choose appends a token to a row, or ends it.
func (w *writer) choose(i int, logits []float32) error {
	r, o := &w.rows[i], &w.out[i]
	token, margin, err := w.sampler.choose(logits, r.Noise, len(o.Tokens))
	if err != nil {
		return fmt.Errorf("row %d: token %d: %w", i, len(o.Tokens), err)
	}
	w.sampler.record(r, o, token, margin)
	return nil
}

// sift drops the rows that have ended and prepares the others for their next token.
func (w *writer) sift(chosen []int) (live []int) {
	counted := 0
	for _, i := range chosen {
		t, o := &w.texts[i], &w.out[i]
		n := len(o.Tokens)
		switch {
		case o.Ended:
			counted += w.sampling.MaxNewTokens - n
			t.seq.Free()
			continue
		case n == w.sampling.MaxNewTokens:
			t.seq.Free()
		case n == w.until[i]:
			t.seq.Free()
			t.tokens = slices.Concat(w.rows[i].Prompt, o.Tokens)
			t.seq = w.d.engine.NewSequence(len(t.tokens))
			w.start(i, len(t.tokens))
			live = append(live, i)
		default:
			t.tokens = o.Tokens[n-1 : n : n]
			live = append(live, i)
		}
		counted++
	}
	w.meter.add(counted)
	return live
}

func (d *Decoder) checkRows(rows []Row, s Sampling) error {
	if s.MaxNewTokens < 1 || s.MaxNewTokens > arch.MaxDim {
		return fmt.Errorf("%d new tokens, want 1 to %d", s.MaxNewTokens, arch.MaxDim)
	}
	if !(s.Temperature >= 0) || !(s.TopP >= 0 && s.TopP <= 1) || s.TopK < 0 {
		return fmt.Errorf("temperature %g, top-p %g, top-k %d: want at least 0, and top-p at most 1", s.Temperature, s.TopP, s.TopK)
	}
	for i, r := range rows {
		if err := checkTokens(d.config, r.Prompt); err != nil {
			return fmt.Errorf("row %d: prompt: %w", i, err)
		}
		if err := checkPushes(d.config, r.Push); err != nil {
			return fmt.Errorf("row %d: %w", i, err)
		}
	}
	return nil
}
