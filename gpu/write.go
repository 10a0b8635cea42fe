package gpu

import (
	"context"
	"fmt"
	"slices"

	"github.com/persona-transfer/runpipeline/gpu/engine"
)

// write is Generate on an engine that chooses tokens itself.
func (d *Decoder) write(ctx context.Context, rows []Row, s Sampling) ([]Output, error) {
	out := make([]Output, len(rows))
	sampler := newSampler(s, d.ends())
	meter := newMeter(ctx, s.MaxNewTokens*len(rows))
	for from := 0; from < len(rows); {
		to := min(from+d.writer.Room().Texts, len(rows))
		p := &party{d: d, rows: rows[from:to], out: out[from:to], sampler: sampler, meter: meter}
		if err := p.run(ctx); err != nil {
			return nil, err
		}
		from = to
	}
	return out, nil
}

// A party is rows that are written side by side. Most are written in one go; where the length of the text
// changes the position encoding of its tokens, a row begins again from a sequence that is computed anew.
type party struct {
	d       *Decoder
	rows    []Row
	out     []Output
	sampler *sampler
	meter   *meter
}

func (p *party) run(ctx context.Context) error {
	live := make([]int, len(p.rows))
	for i := range live {
		live[i] = i
	}
	for len(live) > 0 {
		if err := p.round(ctx, live); err != nil {
			return err
		}
		live = slices.DeleteFunc(live, func(i int) bool {
			return p.out[i].Ended || len(p.out[i].Tokens) == p.sampler.s.MaxNewTokens
		})
	}
	return nil
}

// round continues rows as far as their sequences go.
func (p *party) round(ctx context.Context, live []int) error {
	texts := make([]text, len(live))
	whole := func(j int) []int32 { return slices.Concat(p.rows[live[j]].Prompt, p.out[live[j]].Tokens) }
	for j, i := range live {
		texts[j] = text{push: p.rows[i].Push, last: len(p.rows[i].Prompt) - 1}
	}
	defer freeAll(texts)
	if err := p.d.begin(ctx, texts, whole); err != nil {
		return err
	}
	lines := make([]engine.Text, len(live))
	for j, i := range live {
		all, made := whole(j), len(p.out[i].Tokens)
		lines[j] = engine.Text{Sequence: texts[j].seq, Last: all[len(all)-1], Most: min(p.sampler.s.MaxNewTokens-made, p.d.config.EncodedAlike(len(all))),
			Edits: constants(texts[j].push, len(all)-1, texts[j].last),
			Noise: func(step int) (lo, hi uint32) { return p.rows[i].Noise.Words(made + step) }}
	}
	how := engine.Choice{Temperature: p.sampler.s.Temperature, TopP: p.sampler.s.TopP, TopK: p.sampler.s.TopK}
	for _, id := range p.sampler.barred {
		if int(id) < p.d.config.Vocab {
			how.Barred = append(how.Barred, id)
		}
	}
	err := p.d.writer.Write(ctx, lines, how, func(j int, tokens []int32, margins []float32) bool { return p.take(live[j], tokens, margins) })
	if err != nil {
		return fmt.Errorf("%d rows: %w", len(live), err)
	}
	return nil
}

// take appends new tokens to a row, up to its end, and reports whether it goes on.
func (p *party) take(i int, tokens []int32, margins []float32) (more bool) {
	o := &p.out[i]
	for j, token := range tokens {
		margin := float32(0)
		if margins != nil {
			margin = margins[j]
		}
		if p.sampler.record(&p.rows[i], o, token, margin); o.Ended {
			p.meter.add(p.sampler.s.MaxNewTokens - len(o.Tokens))
			return false
		}
		p.meter.add(1)
	}
	return true
}

// constants are what pushes add to the token at place at of a text and to every later one; the prompt's last
// token is last.
func constants(push []Push, at, last int) (out []engine.Constant) {
	for _, p := range push {
		if from, to := p.Positions.span(last); from <= at && at < to {
			out = append(out, engine.Constant{Layer: p.Site.Layer, Vector: p.Vector, Once: to == at+1})
		}
	}
	return out
}
