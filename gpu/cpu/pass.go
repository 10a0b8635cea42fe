package cpu

import (
	"context"

	"github.com/persona-transfer/runpipeline/gpu/engine"
)

// A pass is one run of a batch. Its rows are the new tokens of all items, one after the other; work on
// tokens sees one tall matrix, attention sees one item at a time. Rows leave as soon as nothing needs
// them: a text that is captured after block 3 has no row in block 4, and in block 3 only those of the
// tokens that are wanted.
type pass struct {
	m       *Model
	k       *kernels
	c       *crew
	items   []engine.Item
	results []engine.Result
	texts   []text
	rows    []row // all, in order

	live  []int32 // the rows that are left, as indices of rows: line i of the buffers is row live[i]
	place []int32 // line of each row, −1 if it has left
	wants [][]want
	edits [][]edit
	heads []headRow
	parts []span // lines of one text that attention takes together
	*space
}

// A text is what a pass knows of an item.
type text struct {
	from, to int       // rows
	past     int       // tokens before
	last     int       // block after which nothing is needed
	pages    [][]*page // of each block; the same ones for all if nothing is kept
}

type row struct {
	text int32
	at   int32 // position
	cos  [2][]float32
	sin  [2][]float32
}

// A want is a row whose residual goes to dst, an edit one to which a vector is added.
type want struct {
	row int
	dst []float32
}
type edit struct {
	from, to int // rows
	vector   []float32
}

// A span is some lines of one text.
type span struct {
	text     int
	from, to int
}

// space is memory that passes use one after the other. Lines are padded to whole panels.
type space struct {
	xs, hs, qs, ks, vs, atts, acts, ys []float32
}

// newPass prepares items for some threads.
func (m *Model) newPass(items []engine.Item, results []engine.Result, rooms []scratch, s *space) *pass {
	p := &pass{m: m, k: m.kernels, items: items, results: results, texts: make([]text, len(items)),
		wants: make([][]want, m.config.Layers), edits: make([][]edit, m.config.Layers), space: s}
	for i := range items {
		p.add(i)
	}
	p.place = make([]int32, len(p.rows))
	p.c = newCrew(len(rooms), rooms)
	return p
}

// add plans an item.
func (p *pass) add(i int) {
	it, t, c := &p.items[i], &p.texts[i], p.m.config
	t.from, t.to = len(p.rows), len(p.rows)+len(it.Tokens)
	prompt := it.Prompt
	if prompt == 0 {
		prompt = len(it.Tokens)
	}
	t.last = -1
	if s, ok := it.Sequence.(*sequence); ok {
		t.past, prompt, t.last = s.length, s.prompt, c.Layers-1
		s.reserve(len(it.Tokens), c.Layers)
		t.pages = s.pages
	}
	for j := range it.Tokens {
		r := row{text: int32(i), at: int32(t.past + j)}
		for e := range c.Ropes {
			r.cos[e], r.sin[e] = p.m.turns.At(e, prompt, t.past+j)
		}
		p.rows = append(p.rows, r)
	}
	p.plan(i)
	if it.Sequence == nil && t.last >= 0 {
		var pages []*page
		for range (len(it.Tokens) + pageTokens - 1) / pageTokens {
			pages = append(pages, p.m.pool.get())
		}
		t.pages = make([][]*page, t.last+1)
		for l := range t.pages {
			t.pages[l] = pages
		}
	}
}

// plan lists what is wanted of an item and what is added to it.
func (p *pass) plan(i int) {
	it, t, out := &p.items[i], &p.texts[i], &p.results[i]
	for _, w := range it.Residuals {
		dst := make([]float32, p.m.config.Hidden)
		out.Residuals = append(out.Residuals, dst)
		p.wants[w.Layer] = append(p.wants[w.Layer], want{t.from + w.Token, dst})
		t.last = max(t.last, w.Layer)
	}
	out.Logits = it.Into
	if it.Into == nil {
		for range it.Logits {
			out.Logits = append(out.Logits, make([]float32, p.m.config.Vocab))
		}
	}
	for i, at := range it.Logits {
		p.heads = append(p.heads, headRow{row: t.from + at, logits: out.Logits[i]})
	}
	if it.Next != nil {
		out.NLL = make([]float32, len(it.Next))
		for at, next := range it.Next {
			if next >= 0 {
				p.heads = append(p.heads, headRow{row: t.from + at, next: int(next), nll: &out.NLL[at]})
			}
		}
	}
	if n := len(p.heads); n > 0 && p.heads[n-1].row >= t.from {
		t.last = p.m.config.Layers - 1
	}
	for _, e := range it.Edits {
		if e.From < e.To && !e.Zero() {
			p.edits[e.Layer] = append(p.edits[e.Layer], edit{t.from + e.From, t.from + e.To, e.Vector})
		}
	}
}

// end gives back what only the pass used.
func (p *pass) end() {
	p.c.dismiss()
	for i, t := range p.texts {
		if p.items[i].Sequence == nil && len(t.pages) > 0 {
			for _, pg := range t.pages[0] {
				p.m.pool.put(pg)
			}
		}
	}
}

func (p *pass) run(ctx context.Context) error {
	p.begin()
	for l := range p.m.blocks {
		if err := ctx.Err(); err != nil {
			return err
		}
		if p.keep(false, func(r int) bool { return p.texts[p.rows[r].text].last >= l }); len(p.live) == 0 {
			return nil
		}
		p.block(l)
	}
	p.head()
	return nil
}

// begin fills the residual stream with the tokens' embeddings.
func (p *pass) begin() {
	c := p.m.config
	p.live = make([]int32, len(p.rows))
	for i := range p.live {
		p.live[i] = int32(i)
	}
	p.moved()
	width := padded(c.Hidden)
	x := room(&p.xs, len(p.rows)*width)
	p.xs = x
	p.lines(len(p.rows), func(s *scratch, i int) {
		line := x[i*width : (i+1)*width]
		clear(line[c.Hidden:])
		t := &p.texts[p.rows[i].text]
		p.m.embed.column(p.k, s, line[:c.Hidden], int(p.items[p.rows[i].text].Tokens[i-t.from]))
		if c.EmbedScale != 0 {
			p.k.scale(line, c.EmbedScale)
		}
	})
}

// keep drops the rows that f does not want from the residual stream, and from hs if it is in use.
func (p *pass) keep(normed bool, f func(row int) bool) {
	width := padded(p.m.config.Hidden)
	n := 0
	for i, r := range p.live {
		if !f(int(r)) {
			continue
		}
		if n < i {
			p.live[n] = r
			copy(p.xs[n*width:(n+1)*width], p.xs[i*width:(i+1)*width])
			if normed {
				copy(p.hs[n*width:(n+1)*width], p.hs[i*width:(i+1)*width])
			}
		}
		n++
	}
	if n < len(p.live) {
		p.live = p.live[:n]
		p.moved()
	}
}

// moved finds the rows' lines anew, and the lines that attention takes together.
func (p *pass) moved() {
	for i := range p.place {
		p.place[i] = -1
	}
	most := max(1, 48/(p.m.config.Heads/p.m.config.KVHeads)) // about 48 queries share a head's keys
	p.parts = p.parts[:0]
	for i, r := range p.live {
		p.place[r] = int32(i)
		t := int(p.rows[r].text)
		if n := len(p.parts); n > 0 && p.parts[n-1].text == t && i-p.parts[n-1].from < most {
			p.parts[n-1].to = i + 1
		} else {
			p.parts = append(p.parts, span{t, i, i + 1})
		}
	}
}

// lines does something with each of n lines, eight at a time.
func (p *pass) lines(n int, do func(s *scratch, i int)) {
	const together = 8
	p.c.each((n+together-1)/together, func(s *scratch, t int) {
		for i := t * together; i < min(n, (t+1)*together); i++ {
			do(s, i)
		}
	})
}
