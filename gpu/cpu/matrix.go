package cpu

import (
	"fmt"

	"github.com/persona-transfer/runpipeline/gpu/arch"
)

// A matrix is a linear weight from in to out values, cut into panels of 32 outputs. Outputs beyond
// the last are zero.
type matrix struct {
	in, out int
	bias    []float32 // nil: none; as long as the panels are wide
	panels  []float32 // [out/32][in][32]
}

// padded is n rounded up to whole panels: the width of a row that products write.
func padded(n int) int { return (n + panel - 1) / panel * panel }

// count is the number of panels.
func (w *matrix) count() int { return padded(w.out) / panel }

// block is the values [from, from+n) along in of panel p: [n, 32]. It may lie in wide, which has room for
// them.
func (w *matrix) block(_ *kernels, wide []float32, p, from, n int) []float32 {
	at := (p*w.in + from) * panel
	return w.panels[at : at+n*panel]
}

// cut is how many values along in are multiplied with many rows before the next ones: a block of a panel
// that stays in the cache of a core, and a multiple of the longest quantised block.
const cut = 1024

// multiply computes panel p of rows a·w + bias: c [m, 32], a row every ldc.
func (w *matrix) multiply(k *kernels, s *scratch, c []float32, ldc int, a []float32, lda, m, p int) {
	wide := room(&s.wide, cut*panel)
	for from := 0; from < w.in; from += cut {
		n := min(cut, w.in-from)
		k.product(c, ldc, a[from:], lda, w.block(k, wide, p, from, n), m, n, from > 0)
	}
	if w.bias != nil {
		for i := range m {
			k.add(c[i*ldc:i*ldc+panel], w.bias[p*panel:(p+1)*panel])
		}
	}
}

// column writes output i's weights to dst [in]: a token's embedding if the matrix is a table.
func (w *matrix) column(k *kernels, s *scratch, dst []float32, i int) {
	wide := room(&s.wide, cut*panel)
	for from := 0; from < w.in; from += cut {
		n := min(cut, w.in-from)
		b := w.block(k, wide, i/panel, from, n)
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

// newMatrix reads stored rows as a matrix, panels on several threads.
func newMatrix(c *crew, src arch.Source, in int, stored []rows) (*matrix, error) {
	w := &matrix{in: in}
	for _, r := range stored {
		w.out += r.n
	}
	w.panels = make([]float32, padded(w.out)*in)
	errs := make([]error, w.count())
	c.each(w.count(), func(s *scratch, p int) {
		lines := room(&s.tile, panel*in)
		at := 0
		for _, r := range part(stored, p*panel, panel) {
			if errs[p] = src.ReadRows(r.tensor, r.from, r.n, lines[at*in:(at+r.n)*in]); errs[p] != nil {
				return
			}
			at += r.n
		}
		clear(lines[at*in:])
		transpose(w.panels[p*in*panel:(p+1)*in*panel], lines, in)
	})
	for _, err := range errs {
		if err != nil {
			return nil, fmt.Errorf("read a weight: %w", err)
		}
	}
	return w, nil
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
