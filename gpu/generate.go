package gpu

import (
	"context"
	"fmt"
	"slices"

	"github.com/persona-transfer/runpipeline/gpu/arch"
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

// Generate continues every row. The rows of one call are one batch: what their prompts have
// in common is computed once, and a row's tokens depend on the row and on the number of rows
// alone.
//
// The last prompt token is the first that response pushes reach; what comes before it is the
// same with and without steering.
func (d *Decoder) Generate(ctx context.Context, rows []Row, s Sampling) ([]Output, error) {
	if err := d.checkRows(rows, s); err != nil {
		return nil, fmt.Errorf("generate: %w", err)
	}
	if len(rows) == 0 {
		return nil, nil
	}
	release, err := d.dev.take(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	tasks := make([]task, len(rows))
	for i, r := range rows {
		tasks[i].Row = r
	}
	meter := newMeter(ctx, s.MaxNewTokens*lanesFor(d.config, len(rows)))
	for d.nextSegment(tasks, s) {
		if err := d.runSegment(ctx, tasks, s, meter); err != nil {
			return nil, fmt.Errorf("generate: %w", err)
		}
	}
	out := make([]Output, len(rows))
	for i, t := range tasks {
		out[i] = t.out
	}
	return out, nil
}

// A task is a row under way. Most are done in one segment; where the length of the text changes the
// position encoding of its tokens, another begins, from keys and values that are computed anew.
type task struct {
	Row
	out   Output
	text  []int32 // the prompt and what was generated before this segment
	until int     // length of out.Tokens at which the segment ends
	done  bool    // in this segment
}

// nextSegment prepares tasks for a segment and reports whether any needs one. Tasks that have
// ended keep their places, with a text of one token, so that a row's batch does not depend on
// its neighbours.
func (d *Decoder) nextSegment(tasks []task, s Sampling) bool {
	more := false
	for i := range tasks {
		t := &tasks[i]
		have := len(t.out.Tokens)
		if t.done = t.out.Ended || have == s.MaxNewTokens; t.done {
			t.text, t.Push = t.Prompt[:1], nil
			continue
		}
		more = true
		t.text = slices.Concat(t.Prompt, t.out.Tokens)
		t.until = min(s.MaxNewTokens, have+d.config.EncodedAlike(len(t.text)))
	}
	return more
}

// runSegment continues every task that is not done.
func (d *Decoder) runSegment(ctx context.Context, tasks []task, s Sampling, meter *meter) error {
	past, err := d.runPrefixes(ctx, tasks)
	if err != nil {
		return err
	}
	defer past.free()
	lanes := lanesFor(d.config, len(tasks))
	size := (len(tasks) + lanes - 1) / lanes
	return each(ctx, lanes, func(i int) error {
		from, to := min(i*size, len(tasks)), min((i+1)*size, len(tasks))
		l := &lane{d: d, past: past, tasks: tasks, sampling: s, size: size, from: from, to: to, meter: meter}
		return l.run(ctx)
	})
}

// narrow is the width of the residual stream below which a step is mostly operations that the
// backend runs on one core.
const narrow = 256

// lanesFor is the number of equal parts of a batch that run side by side. Two parts keep two
// cores busy in a small model. In a large one matrix products dominate; those use all cores,
// and each lane would prepare the weights for itself.
func lanesFor(c *arch.Config, rows int) int {
	if rows < 16 || c.Hidden >= narrow {
		return 1
	}
	return 2
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
