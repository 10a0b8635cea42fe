package cpu

import (
	"fmt"

	"github.com/persona-transfer/runpipeline/gpu/arch"
	"github.com/persona-transfer/runpipeline/gpu/checkpoint"
)

// A matrix is a linear weight from in to out values, cut into panels of 32 outputs. Outputs beyond
// the last are zero.
type matrix struct {
	in, out int
	bias    []float32 // nil: none; as long as the panels are wide
	panels  []float32 // [out/32][in][32]; nil if the weights are kept as they are stored
	format  *format
	stored  []byte // [out/32] panels of the format
}

// padded is n rounded up to whole panels: the width of a row that products write.
func padded(n int) int { return (n + panel - 1) / panel * panel }

// count is the number of panels.
func (w *matrix) count() int { return padded(w.out) / panel }

// block is the values [from, from+n) along in of panel p: [n, 32]. Stored ones are widened into a
// thread's memory.
func (w *matrix) block(k *kernels, s *scratch, p, from, n int) []float32 {
	if w.format != nil {
		wide := room(&s.wide, n*panel)
		at := p*w.format.size(w.in) + w.format.size(from)
		w.format.widen(k, wide, w.stored[at:at+w.format.size(n)])
		return wide
	}
	at := (p*w.in + from) * panel
	return w.panels[at : at+n*panel]
}

// cut is how many values along in are multiplied with many rows before the next ones: a block of a panel
// that stays in the cache of a core, and a multiple of the longest quantised block.
const cut = 1024

// A few lines use each widened value so seldom that it should be near: narrow is cut for the innermost
// cache.
const (
	few    = 12
	narrow = 256
)

// multiply computes panel p of rows a·w + bias: c [m, 32], a row every ldc.
func (w *matrix) multiply(k *kernels, s *scratch, c []float32, ldc int, a []float32, lda, m, p int) {
	if !w.single(k, c, a, m, p) {
		step := cut
		if w.format != nil && m <= few {
			step = narrow
		}
		for from := 0; from < w.in; from += step {
			n := min(step, w.in-from)
			k.product(c, ldc, a[from:], lda, w.block(k, s, p, from, n), m, n, from > 0)
		}
	}
	if w.bias != nil {
		for i := range m {
			k.add(c[i*ldc:i*ldc+panel], w.bias[p*panel:(p+1)*panel])
		}
	}
}

// single multiplies one row with stored weights if there is a kernel for it.
func (w *matrix) single(k *kernels, c, a []float32, m, p int) bool {
	if m != 1 || w.format == nil || k.single[w.format.layout.DType] == nil {
		return false
	}
	size := w.format.size(w.in)
	k.single[w.format.layout.DType](c, a[:w.in], w.stored[p*size:(p+1)*size])
	return true
}

// column writes output i's weights to dst [in]: a token's embedding if the matrix is a table.
func (w *matrix) column(k *kernels, s *scratch, dst []float32, i int) {
	for from := 0; from < w.in; from += cut {
		n := min(cut, w.in-from)
		b := w.block(k, s, i/panel, from, n)
		for j := range n {
			dst[from+j] = b[j*panel+i%panel]
		}
	}
}

// rows are rows of a stored tensor; each becomes an output.
type rows struct {
	tensor  string
	from, n int
}

// part is the rows [from, from+n) of some lists put one after the other.
func part(all []rows, from, n int) []rows {
	var out []rows
	for _, r := range all {
		first, last := max(from, 0), min(from+n, r.n)
		if first < last {
			out = append(out, rows{r.tensor, r.from + first, last - first})
		}
		from -= r.n
	}
	return out
}

// A storedSource has weights as they are in a file; *checkpoint.Checkpoint is one.
type storedSource interface {
	Stored(name string) (checkpoint.Layout, bool)
	StoredRows(name string, from, n int, dst []byte) error
}

// A widened source has what a stored one has but for numbers of 16 bits, which are read as float32: a small
// model multiplies few rows at a time with all of its weights, and would widen them each time.
type widened struct {
	arch.Source
	stored storedSource
}

// Stored is as in [storedSource].
func (w widened) Stored(name string) (checkpoint.Layout, bool) {
	l, ok := w.stored.Stored(name)
	return l, ok && l.Block > 1
}

// StoredRows is as in [storedSource].
func (w widened) StoredRows(name string, from, n int, dst []byte) error {
	return w.stored.StoredRows(name, from, n, dst)
}

// kept is the source of the weights as a model keeps them.
func kept(c *arch.Config, src arch.Source) arch.Source {
	if stored, ok := src.(storedSource); ok && isSmall(c) {
		return widened{src, stored}
	}
	return src
}

// formatOf is the format in which stored rows can be kept, nil if they must be read as float32.
func formatOf(src arch.Source, stored []rows) *format {
	from, ok := src.(storedSource)
	if !ok {
		return nil
	}
	var out *format
	for _, r := range stored {
		layout, ok := from.Stored(r.tensor)
		f := formats[layout.DType]
		if !ok || f == nil || out != nil && f != out {
			return nil
		}
		out = f
	}
	return out
}

// newMatrix reads stored rows as a matrix, panels on several threads.
func newMatrix(c *crew, src arch.Source, in int, stored []rows) (*matrix, error) {
	w := &matrix{in: in, format: formatOf(src, stored)}
	for _, r := range stored {
		w.out += r.n
	}
	fill := w.fill
	if w.format != nil {
		w.stored = make([]byte, w.count()*w.format.size(in))
		fill = w.fillStored
	} else {
		w.panels = make([]float32, padded(w.out)*in)
	}
	errs := make([]error, w.count())
	together := max(1, readTogether/(panel*in))
	for from := 0; from < w.count(); from += together {
		c.each(min(together, w.count()-from), func(s *scratch, i int) {
			p := from + i
			errs[p] = fill(s, src, part(stored, p*panel, panel), p)
		})
		if f, ok := src.(interface{ Forget() }); ok {
			f.Forget()
		}
	}
	for _, err := range errs {
		if err != nil {
			return nil, fmt.Errorf("read a weight: %w", err)
		}
	}
	return w, nil
}

// readTogether is how many values are read before their source is told to forget them: at most as much of a
// file is in memory beside its copy.
const readTogether = 1 << 24

// fill reads panel p from at most 32 rows.
func (w *matrix) fill(s *scratch, src arch.Source, stored []rows, p int) error {
	lines := room(&s.tile, panel*w.in)
	at := 0
	for _, r := range stored {
		if err := src.ReadRows(r.tensor, r.from, r.n, lines[at*w.in:(at+r.n)*w.in]); err != nil {
			return err
		}
		at += r.n
	}
	clear(lines[at*w.in:])
	transpose(w.panels[p*w.in*panel:(p+1)*w.in*panel], lines, w.in)
	return nil
}

// fillStored does so for weights that are kept as they are. Outputs beyond the last are zero bytes, which are
// zeros in every format.
func (w *matrix) fillStored(_ *scratch, src arch.Source, stored []rows, p int) error {
	l, size := w.format.layout, w.format.size(w.in)
	dst := w.stored[p*size : (p+1)*size]
	line := make([]byte, size/panel)
	at := 0
	for _, r := range stored {
		for i := range r.n {
			if err := src.(storedSource).StoredRows(r.tensor, r.from+i, 1, line); err != nil {
				return err
			}
			for b := 0; b*l.Bytes < len(line); b++ {
				w.format.turn(dst[b*l.Bytes*panel:], line[b*l.Bytes:(b+1)*l.Bytes], at)
			}
			at++
		}
	}
	return nil
}

// transpose turns 32 lines of n values into n lines of 32.
func transpose(dst, lines []float32, n int) {
	for i := range n {
		d := (*[panel]float32)(dst[i*panel:])
		for l := range d {
			d[l] = lines[l*n+i]
		}
	}
}
