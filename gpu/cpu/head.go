package cpu

import "math"

// A headRow is a row after whose last block logits are wanted, or the likelihood of the next token.
type headRow struct {
	row    int
	logits []float32 // nil: the likelihood
	next   int
	nll    *float32
}

// vocabPart is how many tokens' logits of a likelihood exist at a time, a multiple of a panel: with the
// lines of a tile they stay in the cache.
const (
	vocabPart = 1024
	headTile  = 48
)

// head computes what is wanted of the vocabulary.
func (p *pass) head() {
	c, width := p.m.config, padded(p.m.config.Hidden)
	if len(p.heads) == 0 {
		return
	}
	p.hs = room(&p.hs, len(p.heads)*width)
	p.lines(len(p.heads), func(_ *scratch, i int) {
		at := int(p.place[p.heads[i].row])
		p.k.rmsNorm(p.hs[i*width:(i+1)*width], p.xs[at*width:(at+1)*width], p.m.norm, c.Hidden, c.NormEps)
	})
	var likely, all []int
	for i, h := range p.heads {
		if h.logits == nil {
			likely = append(likely, i)
		} else {
			all = append(all, i)
		}
	}
	p.logits(all, p.gather(all))
	p.likelihoods(likely, p.gather(likely))
}

// gather puts some normed lines side by side.
func (p *pass) gather(which []int) []float32 {
	width := padded(p.m.config.Hidden)
	x := make([]float32, len(which)*width)
	for i, h := range which {
		copy(x[i*width:(i+1)*width], p.hs[h*width:])
	}
	return x
}

// logits fills the rows that want them all.
func (p *pass) logits(which []int, x []float32) {
	c, width := p.m.config, padded(p.m.config.Hidden)
	p.multiply(len(which), product{w: p.m.head, a: x, lda: width, done: func(_ *scratch, tile []float32, at, from, to int) {
		for i := range to - from {
			line := tile[i*panel : (i+1)*panel]
			if c.LogitCap > 0 {
				p.k.softcap(line, float32(c.LogitCap))
			}
			copy(p.heads[which[from+i]].logits[at*panel:], line)
		}
	}})
}

// likelihoods computes −log p of the next tokens, log Σ exp(logits) − logit: a part of the vocabulary at a
// time leaves its largest logit and the sum of the others' distances to it; the parts are put together in
// their order.
func (p *pass) likelihoods(which []int, x []float32) {
	c, width, w := p.m.config, padded(p.m.config.Hidden), p.m.head
	parts := (c.Vocab + vocabPart - 1) / vocabPart
	n := len(which)
	tops, sums, own := make([]float32, n*parts), make([]float32, n*parts), make([]float32, n)
	p.c.each(parts, func(s *scratch, t int) {
		size := min(vocabPart, c.Vocab-t*vocabPart)
		tile := room(&s.scores, headTile*vocabPart)
		for from := 0; from < n; from += headTile {
			to := min(n, from+headTile)
			for j := 0; j*panel < size; j++ {
				w.multiply(p.k, s, tile[j*panel:], vocabPart, x[from*width:], width, to-from, t*vocabPart/panel+j)
			}
			for i := from; i < to; i++ {
				line := tile[(i-from)*vocabPart:][:size]
				if c.LogitCap > 0 {
					p.k.softcap(line, float32(c.LogitCap))
				}
				if at := p.heads[which[i]].next - t*vocabPart; at >= 0 && at < size {
					own[i] = line[at]
				}
				tops[i*parts+t], sums[i*parts+t] = p.k.distances(line)
			}
		}
	})
	for i, h := range which {
		*p.heads[h].nll = negativeLog(tops[i*parts:(i+1)*parts], sums[i*parts:(i+1)*parts], own[i])
	}
}

// negativeLog is log Σ sumₜ·exp(topₜ) − logit.
func negativeLog(tops, sums []float32, logit float32) float32 {
	top := tops[0]
	for _, v := range tops[1:] {
		top = max(top, v)
	}
	var sum float64
	for t, v := range sums {
		sum += float64(v) * float64(exp(tops[t]-top))
	}
	return float32(math.Log(sum) + float64(top) - float64(logit))
}
