package cpu

// remember writes keys, normed and rotated, and values of line i to its text's pages.
func (p *pass) remember(l, i int) {
	b, c := &p.m.blocks[l], p.m.config
	r := &p.rows[p.live[i]]
	pg := p.texts[r.text].pages[l][r.at/pageTokens]
	slot := int(r.at) % pageTokens
	width, h := padded(c.KVDim()), c.HeadDim
	for head := range c.KVHeads {
		key, value := p.ks[i*width+head*h:][:h], p.vs[i*width+head*h:][:h]
		p.turn(b, r, key, b.kNorm)
		keys, values := p.m.keys(pg, head)
		for j, x := range key {
			keys[j*pageTokens+slot] = x
		}
		for j := 0; j < h; j += panel {
			copy(values[(j+slot)*panel:(j+slot+1)*panel], value[j:min(h, j+panel)])
		}
	}
}

// ask norms, rotates and scales the queries of line i.
func (p *pass) ask(l, i int) {
	b, c := &p.m.blocks[l], p.m.config
	r := &p.rows[p.live[i]]
	q := p.qs[i*padded(c.QueryDim()):][:c.QueryDim()]
	for head := range c.Heads {
		p.turn(b, r, q[head*c.HeadDim:(head+1)*c.HeadDim], b.qNorm)
	}
	p.k.scale(q, float32(c.QueryScale))
	if c.LognBase > 0 {
		p.k.scale(q, c.LogN(int(r.at)))
	}
}

// turn norms a head where the family does and rotates it by its position.
func (p *pass) turn(b *block, r *row, x, gain []float32) {
	if gain != nil {
		p.k.rmsNorm(x, x, gain, len(x), p.m.config.NormEps)
	}
	cos, sin := r.cos[b.rope], r.sin[b.rope]
	half := len(cos)
	p.k.rotate(x[:half], x[half:2*half], cos, sin)
}

// attend is grouped-query attention of every line over its text: atts = softmax(q·kᵀ)·v.
func (p *pass) attend(l int) {
	heads := p.m.config.KVHeads
	p.c.each(len(p.parts)*heads, func(s *scratch, t int) { p.attendHead(s, l, p.parts[t/heads], t%heads) })
}

// attendHead does so for the queries of one key head and the lines of a span. A page of keys is a panel
// of 32 tokens, one of values a panel for each 32 elements: scores and sums over values are products,
// whose order is that of positions however the queries are grouped (B1, B2).
func (p *pass) attendHead(s *scratch, l int, part span, head int) {
	c, b, k := p.m.config, &p.m.blocks[l], p.k
	h, g, width, wide := c.HeadDim, c.Heads/c.KVHeads, padded(c.QueryDim()), padded(c.HeadDim)
	n := (part.to - part.from) * g // queries
	q := room(&s.query, n*(h+wide))
	q, o := q[:n*h], q[n*h:]
	for i := range part.to - part.from {
		copy(q[i*g*h:(i+1)*g*h], p.qs[(part.from+i)*width+head*g*h:])
	}
	from, to := p.first(b, part.from)/pageTokens, p.at(part.to-1)/pageTokens+1
	pages := p.texts[part.text].pages[l][from:to]
	seen := len(pages) * pageTokens
	scores := room(&s.scores, n*seen)
	for j, pg := range pages {
		keys, _ := p.m.keys(pg, head)
		k.product(scores[j*pageTokens:], seen, q, h, keys, n, h, false)
	}
	for i := range n {
		line := scores[i*seen : (i+1)*seen]
		if c.AttnCap > 0 {
			k.softcap(line, float32(c.AttnCap))
		}
		at := part.from + i/g
		inverse := k.softmax(line, p.first(b, at)-from*pageTokens, p.at(at)+1-from*pageTokens)
		q[i] = inverse // the queries are not needed any more
	}
	for j, pg := range pages {
		_, values := p.m.keys(pg, head)
		for e := 0; e < wide; e += panel {
			k.product(o[e:], wide, scores[j*pageTokens:], seen, values[e*pageTokens:(e+panel)*pageTokens], n, pageTokens, j > 0)
		}
	}
	for i := range n {
		out := p.atts[(part.from+i/g)*width+(head*g+i%g)*h:][:h]
		copy(out, o[i*wide:])
		k.scale(out, q[i])
	}
}

// at is the position of a line.
func (p *pass) at(line int) int { return int(p.rows[p.live[line]].at) }

// first is the first position that a line sees.
func (p *pass) first(b *block, line int) int {
	if b.window == 0 {
		return 0
	}
	return max(0, p.at(line)-b.window+1)
}
