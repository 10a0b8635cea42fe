package kernel

import "runtime"

// A matrix is a view of numbers: element (i, j) is at data[i·down + j·across]. One of the two steps is 1.
type matrix struct {
	data         []float64
	down, across int
}

// transposed is the same numbers with rows and columns exchanged.
func (m matrix) transposed() matrix { return matrix{m.data, m.across, m.down} }

// from is the view that begins at (i, j).
func (m matrix) from(i, j int) matrix {
	return matrix{m.data[min(i*m.down+j*m.across, len(m.data)):], m.down, m.across}
}

// of is a matrix as BLAS names it, transposed or not.
func of(data []float64, stride int, transposed bool) matrix {
	if transposed {
		return matrix{data, 1, stride}
	}
	return matrix{data, stride, 1}
}

// A part is which elements of a square result are wanted.
type part int

const (
	all   part = iota
	upper      // j ≥ i
	lower      // j ≤ i
)

// has says whether an element is wanted.
func (p part) has(i, j int) bool { return p == all || p == upper && j >= i || p == lower && j <= i }

// covers says whether all, and touches whether some, of the elements from (i, j) on are wanted, m × n of them.
func (p part) covers(i, j, m, n int) bool {
	return p == all || p == upper && j >= i+m-1 || p == lower && i >= j+n-1
}

func (p part) touches(i, j, m, n int) bool {
	return p == all || p == upper && j+n-1 >= i || p == lower && i+m-1 >= j
}

// The blocks of a product, whose sizes were found by trying: deep numbers of the inner index at a time; high
// rows of the left matrix, which fit the second cache beside a panel of the right one; wide columns, which fit
// the third.
const (
	deep = 512
	high = 8 * tileRows
	wide = 256 * tileCols
)

// product sets the wanted part of c [m×n], rows apart by ldc, to alpha·a·b + beta·c, with a [m×k] and b [k×n].
func product(wanted part, m, n, k int, alpha float64, a, b matrix, beta float64, c []float64, ldc int) {
	if m == 0 || n == 0 {
		return
	}
	if beta != 1 {
		scale(wanted, m, n, beta, c, ldc)
	}
	if k == 0 || alpha == 0 {
		return
	}
	work := float64(m) * float64(n) * float64(k)
	blocks := ceil((m+high-1)/high, runtime.GOMAXPROCS(0)) // as many for each thread
	height := ceil((m+blocks-1)/blocks, tileRows)
	panels := room(min(k, deep) * ceil(min(n, wide), tileCols))
	defer release(panels)
	for j := 0; j < n; j += wide {
		cols := min(wide, n-j)
		for p := 0; p < k; p += deep {
			inner := min(deep, k-p)
			count := ceil(cols, tileCols) / tileCols
			Each(count, work, func(t int) {
				at := t * tileCols
				pack((*panels)[at*inner:], b.from(p, j+at).transposed(), min(tileCols, cols-at), inner, tileCols, 1)
			})
			Each(blocks, work, func(t int) {
				i := t * height
				rows := min(height, m-i)
				if rows <= 0 || !wanted.touches(i, j, rows, cols) {
					return
				}
				block := room(ceil(rows, tileRows) * inner)
				defer release(block)
				for r := 0; r < rows; r += tileRows {
					pack((*block)[r*inner:], a.from(i+r, p), min(tileRows, rows-r), inner, tileRows, alpha)
				}
				multiplyBlock(wanted, i, j, rows, cols, inner, *block, *panels, c, ldc)
			})
		}
	}
}

// multiplyBlock adds the product of packed rows and packed columns to the part of c that begins at (i, j).
func multiplyBlock(wanted part, i, j, rows, cols, inner int, block, panels, c []float64, ldc int) {
	var edge [tileRows * tileCols]float64
	for q := 0; q < cols; q += tileCols {
		for r := 0; r < rows; r += tileRows {
			m, n := min(tileRows, rows-r), min(tileCols, cols-q)
			at := c[(i+r)*ldc+j+q:]
			a, b := block[r*inner:], panels[q*inner:]
			switch {
			case !wanted.touches(i+r, j+q, m, n):
			case m == tileRows && n == tileCols && wanted.covers(i+r, j+q, m, n):
				active.multiply(inner, a, b, at, ldc)
			default:
				for y := range m {
					copy(edge[y*tileCols:y*tileCols+n], at[y*ldc:])
				}
				active.multiply(inner, a, b, edge[:], tileCols)
				for y := range m {
					for x := range n {
						if wanted.has(i+r+y, j+q+x) {
							at[y*ldc+x] = edge[y*tileCols+x]
						}
					}
				}
			}
		}
	}
}

// pack writes the first rows of m, factor times, as [inner][width]; columns beyond them are zero.
func pack(dst []float64, m matrix, rows, inner, width int, factor float64) {
	dst = dst[:inner*width]
	if rows < width {
		clear(dst)
	}
	switch {
	case m.down == 1 && rows == tileCols && factor == 1:
		for p := range inner {
			*(*[tileCols]float64)(dst[p*tileCols:]) = *(*[tileCols]float64)(m.data[p*m.across:])
		}
	case m.down == 1 && rows == tileRows && width == tileRows:
		for p := range inner {
			line, from := (*[tileRows]float64)(dst[p*tileRows:]), (*[tileRows]float64)(m.data[p*m.across:])
			for r, v := range from {
				line[r] = factor * v
			}
		}
	case m.down == 1:
		for p := range inner {
			line := dst[p*width:][:rows]
			for r, v := range m.data[p*m.across:][:rows] {
				line[r] = factor * v
			}
		}
	case rows == tileRows && width == tileRows:
		packTwelve(dst, m, inner, factor)
	default:
		for r := range rows {
			for p, v := range m.data[r*m.down:][:inner] {
				dst[p*width+r] = factor * v
			}
		}
	}
}

// packTwelve is pack of a whole block whose rows are contiguous: four rows at a time, since so many streams are
// read well.
func packTwelve(dst []float64, m matrix, inner int, factor float64) {
	for r := 0; r < tileRows; r += 4 {
		a, b := m.data[r*m.down:][:inner], m.data[(r+1)*m.down:][:inner]
		c, d := m.data[(r+2)*m.down:][:inner], m.data[(r+3)*m.down:][:inner]
		out := dst[r:]
		for p := range a {
			four := (*[4]float64)(out[p*tileRows:])
			four[0], four[1], four[2], four[3] = factor*a[p], factor*b[p], factor*c[p], factor*d[p]
		}
	}
}

// scale multiplies the wanted part of c by beta; 0 makes zeros, whatever was there.
func scale(wanted part, m, n int, beta float64, c []float64, ldc int) {
	for i := range m {
		from, to := 0, n
		switch wanted {
		case upper:
			from = min(i, n)
		case lower:
			to = min(i+1, n)
		}
		row := c[i*ldc+from : i*ldc+to]
		if beta == 0 {
			clear(row)
			continue
		}
		for j := range row {
			row[j] *= beta
		}
	}
}

func ceil(n, step int) int { return (n + step - 1) / step * step }
