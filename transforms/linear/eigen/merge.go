package eigen

import (
	"slices"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
)

// A merger joins the solved parts lo to mid−1 and mid to hi−1. With their vectors as rows of Z, their values
// D and z the columns of Z beside the cut, what is to be solved is D + ρ·z·zᵀ: its vectors times Z are those
// of the whole.
type merger struct {
	*divide
	crew          *crew // nil: one thread
	lo, mid, rows int   // the first row, the second part's counted from there, and how many there are

	one       rankOne // counts rows from lo
	at        []int
	top, both int         // how many rows that are kept are of the first part alone, and of both
	first     []float64   // [top+both × mid−lo]: rows that are kept, in the columns of the first part
	second    []float64   // [len(kept)−top × rest]: the same of the second
	dropped   [][]float64 // rows whose values are solved as they are
}

func (t *divide) merge(lo, mid, hi int, c *crew) {
	m := &merger{divide: t, crew: c, lo: lo, mid: mid - lo, rows: hi - lo}
	m.one = m.deflate()
	m.collect()
	s := newSecular(&m.one, c)
	m.multiply(s)
	m.sort(s)
}

// vector returns row i of the two parts' vectors.
func (m *merger) vector(i int) []float64 { return m.z[(m.lo+i)*m.n+m.lo:][:m.rows] }

// deflate finds what the merged matrix has in common with its parts.
func (m *merger) deflate() rankOne {
	d := m.d[m.lo:][:m.rows]
	z := make([]float64, m.rows)
	for i := range z {
		if i < m.mid {
			z[i] = m.vector(i)[m.mid-1]
		} else {
			z[i] = m.vector(i)[m.mid]
		}
	}
	order := make([]int, 0, m.rows)
	a, b := m.order[m.lo:][:m.mid], m.order[m.lo+m.mid:][:m.rows-m.mid]
	for len(a) > 0 || len(b) > 0 {
		if len(b) == 0 || len(a) > 0 && d[a[0]] <= d[m.mid+b[0]] {
			order, a = append(order, a[0]), a[1:]
		} else {
			order, b = append(order, m.mid+b[0]), b[1:]
		}
	}
	return deflate(d, z, order, m.mid, m.e[m.lo+m.mid-1], m.vector)
}

// collect copies the vectors out of z, whose place the merged ones take. Rows that are kept are put in groups,
// those of the first part alone, of both, of the second alone, so that no product is with zeros; at[i] is
// where kept[i] comes.
func (m *merger) collect() {
	var counts [3]int
	for _, i := range m.one.kept {
		counts[m.one.part[i]]++
	}
	m.top, m.both = counts[firstPart], counts[bothParts]
	next := [3]int{firstPart: 0, bothParts: m.top, secondPart: m.top + m.both}
	m.at = make([]int, len(m.one.kept))
	for k, i := range m.one.kept {
		m.at[k] = next[m.one.part[i]]
		next[m.one.part[i]]++
	}
	left, right := m.mid, m.rows-m.mid
	room := m.spare[m.lo*m.n:]
	take := func(n int) (out []float64) { out, room = room[:n:n], room[n:]; return out }
	m.first, m.second = take((m.top+m.both)*left), take((len(m.one.kept)-m.top)*right)
	m.dropped = make([][]float64, len(m.one.drops))
	for k := range m.dropped {
		m.dropped[k] = take(m.rows)
	}
	m.crew.blocks(m.rows, copyRows, func(from, to int) {
		for k := from; k < to; k++ {
			if k >= len(m.one.kept) {
				copy(m.dropped[k-len(m.one.kept)], m.vector(m.one.drops[k-len(m.one.kept)]))
				continue
			}
			v, at := m.vector(m.one.kept[k]), m.at[k]
			if at < m.top+m.both {
				copy(m.first[at*left:][:left], v)
			}
			if at >= m.top {
				copy(m.second[(at-m.top)*right:], v[m.mid:])
			}
		}
	})
}

// copyRows is how many rows a thread copies, or makes the vectors of, at once.
const copyRows = 16

// multiply makes the merged vectors: those of rank one times those of the parts, then those that were dropped.
func (m *merger) multiply(s *secular) {
	kept, left, right := len(m.one.kept), m.mid, m.rows-m.mid
	chunk := m.chunk[m.lo*min(chunkRows, m.n):]
	for from := 0; from < kept; from += chunkRows {
		rows := min(chunkRows, kept-from)
		m.crew.blocks(rows, copyRows, func(a, b int) {
			for j := a; j < b; j++ {
				s.vector(from+j, chunk[j*kept:][:kept], m.at)
			}
		})
		out := m.z[(m.lo+from)*m.n+m.lo:]
		m.product(out, rows, left, chunk, m.top+m.both, m.first)
		m.product(out[m.mid:], rows, right, chunk[m.top:], kept-m.top, m.second)
	}
	m.crew.blocks(len(m.dropped), copyRows, func(a, b int) {
		for j := a; j < b; j++ {
			copy(m.vector(kept+j), m.dropped[j])
		}
	})
}

// product sets rows×columns values of z to x [rows×inner] times vectors [inner×columns].
func (m *merger) product(z []float64, rows, columns int, x []float64, inner int, vectors []float64) {
	if inner == 0 {
		for i := range rows {
			clear(z[i*m.n:][:columns])
		}
		return
	}
	blas64.Gemm(blas.NoTrans, blas.NoTrans, 1,
		blas64.General{Rows: rows, Cols: inner, Stride: len(m.one.kept), Data: x},
		blas64.General{Rows: inner, Cols: columns, Stride: columns, Data: vectors}, 0,
		blas64.General{Rows: rows, Cols: columns, Stride: m.n, Data: z})
}

// sort sets the values of the merged rows, and their order.
func (m *merger) sort(s *secular) {
	values := make([]float64, 0, m.rows)
	for j := range m.one.kept {
		values = append(values, s.value(j))
	}
	for _, i := range m.one.drops {
		values = append(values, m.one.d[i])
	}
	copy(m.d[m.lo:], values)
	order := m.order[m.lo:][:m.rows]
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		switch {
		case values[a] < values[b]:
			return -1
		case values[a] > values[b]:
			return 1
		}
		return a - b
	})
}
