package cpu

// tall is the number of lines that are multiplied with a panel before the next panel: they stay in the
// cache of a core together with it. Panels that are widened first are worth more lines.
const (
	tall        = 192
	tallWidened = 768
)

// A product is the panels of c = a·w for the pass's lines; done, if not nil, follows each panel of some
// lines [from, to) while they are in the cache.
type product struct {
	w    *matrix
	a    []float32
	lda  int
	c    []float32 // nil: into a thread's tile [to − from, 32], for done to take
	ldc  int
	done func(s *scratch, tile []float32, panel, from, to int)
}

// multiply runs products of m lines side by side.
func (p *pass) multiply(m int, products ...product) {
	panels, tall := 0, tall
	for _, q := range products {
		panels += q.w.count()
		if q.w.format != nil {
			tall = tallWidened
		}
	}
	run := func(s *scratch, t int) {
		from, at := t/panels*tall, t%panels
		i := 0
		for at >= products[i].w.count() {
			at -= products[i].w.count()
			i++
		}
		q := &products[i]
		to := min(m, from+tall)
		c, ldc := q.c, q.ldc
		if c == nil {
			c, ldc = room(&s.tile, (to-from)*panel), panel
		} else {
			c = c[from*ldc+at*panel:]
		}
		q.w.multiply(p.k, s, c, ldc, q.a[from*q.lda:], q.lda, to-from, at)
		if q.done != nil {
			q.done(s, c, at, from, to)
		}
	}
	n, together := (m+tall-1)/tall*panels, 1
	if m <= few { // a thread that reads weights faster than it multiplies should read on in memory
		together = max(1, n/(4*p.c.threads))
	}
	p.c.each((n+together-1)/together, func(s *scratch, group int) {
		for t := group * together; t < min(n, (group+1)*together); t++ {
			run(s, t)
		}
	})
}

// block runs block l on the residual stream of the rows that are left.
func (p *pass) block(l int) {
	b, c := &p.m.blocks[l], p.m.config
	width, wq, wk, inner := padded(c.Hidden), padded(c.QueryDim()), padded(c.KVDim()), padded(c.Inner)
	n := len(p.live)
	p.hs = room(&p.hs, n*width)
	p.ks, p.vs, p.qs = room(&p.ks, n*wk), room(&p.vs, n*wk), room(&p.qs, n*wq)
	p.normed(b.attnNorm)
	k := product{w: b.k, a: p.hs, lda: width, c: p.ks, ldc: wk}
	v := product{w: b.v, a: p.hs, lda: width, c: p.vs, ldc: wk}
	whole := !p.leaves(l)
	if whole {
		p.multiply(n, product{w: b.q, a: p.hs, lda: width, c: p.qs, ldc: wq}, k, v)
	} else {
		p.multiply(n, k, v)
	}
	p.lines(n, func(_ *scratch, i int) { p.remember(l, i) })
	if !whole {
		p.leave(l)
		if n = len(p.live); n == 0 {
			return
		}
		p.multiply(n, product{w: b.q, a: p.hs, lda: width, c: p.qs, ldc: wq})
	}
	p.lines(n, func(_ *scratch, i int) { p.ask(l, i) })
	p.atts = room(&p.atts, n*wq)
	p.attend(l)
	p.join(b.o, p.atts, wq, b.postAttn)
	p.normed(b.mlpNorm)
	p.acts = room(&p.acts, n*inner)
	p.multiply(n, product{w: b.gate, a: p.hs, lda: width, c: p.acts, ldc: inner, done: func(s *scratch, gate []float32, at, from, to int) {
		up := room(&s.tile, (to-from)*panel)
		b.up.multiply(p.k, s, up, panel, p.hs[from*width:], width, to-from, at)
		for i := range to - from {
			b.activate(gate[i*inner:i*inner+panel], up[i*panel:(i+1)*panel])
		}
	}})
	p.join(b.down, p.acts, inner, b.postMLP)
	p.after(l)
}

// normed is hs = norm(xs).
func (p *pass) normed(gain []float32) {
	c, width := p.m.config, padded(p.m.config.Hidden)
	p.lines(len(p.live), func(_ *scratch, i int) {
		p.k.rmsNorm(p.hs[i*width:(i+1)*width], p.xs[i*width:(i+1)*width], gain, c.Hidden, c.NormEps)
	})
}

// join is xs += a·w, or xs += norm(a·w) where the family norms what blocks add.
func (p *pass) join(w *matrix, a []float32, lda int, gain []float32) {
	c, width, n := p.m.config, padded(p.m.config.Hidden), len(p.live)
	if gain == nil {
		p.multiply(n, product{w: w, a: a, lda: lda, done: func(_ *scratch, tile []float32, at, from, to int) {
			for i := range to - from {
				p.k.add(p.xs[(from+i)*width+at*panel:][:panel], tile[i*panel:(i+1)*panel])
			}
		}})
		return
	}
	p.ys = room(&p.ys, n*width)
	p.multiply(n, product{w: w, a: a, lda: lda, c: p.ys, ldc: width})
	p.lines(n, func(_ *scratch, i int) {
		y := p.ys[i*width : (i+1)*width]
		p.k.rmsNorm(y, y, gain, c.Hidden, c.NormEps)
		p.k.add(p.xs[i*width:i*width+c.Hidden], y[:c.Hidden])
	})
}

// leaves reports whether a row that is left needs nothing of block l but its keys and values.
func (p *pass) leaves(l int) bool {
	for _, r := range p.live {
		if p.texts[p.rows[r].text].last == l {
			return true
		}
	}
	return false
}

// leave drops the rows that nothing needs after block l.
func (p *pass) leave(l int) {
	wanted := make([]bool, len(p.rows))
	for _, w := range p.wants[l] {
		wanted[w.row] = true
	}
	if l == len(p.m.blocks)-1 {
		for _, h := range p.heads {
			wanted[h.row] = true
		}
	}
	p.keep(true, func(r int) bool { return p.texts[p.rows[r].text].last > l || wanted[r] })
}

// after adds what is to be added after block l and takes what is wanted there.
func (p *pass) after(l int) {
	width, d := padded(p.m.config.Hidden), p.m.config.Hidden
	for _, e := range p.edits[l] {
		for r := e.from; r < e.to; r++ {
			if i := int(p.place[r]); i >= 0 {
				p.k.add(p.xs[i*width:i*width+d], e.vector)
			}
		}
	}
	for _, w := range p.wants[l] {
		i := int(p.place[w.row])
		copy(w.dst, p.xs[i*width:i*width+d])
	}
}
