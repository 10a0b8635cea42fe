package kernel

// A triangle is a system t·x = b with t lower triangular, as it looks after exchanging rows, columns and
// their order: upper triangles are solved from their end.
type triangle struct {
	t       matrix
	n       int
	reverse bool // row i of t is its row n−1−i, and so is column i
	unit    bool // the diagonal counts as ones
}

// depth is how many rows are solved for at a time by substitution.
const depth = 24 * tileRows

// at is element (i, j).
func (s *triangle) at(i, j int) float64 {
	if s.unit && i == j {
		return 1
	}
	if s.reverse {
		i, j = s.n-1-i, s.n-1-j
	}
	return s.t.data[i*s.t.down+j*s.t.across]
}

// solve puts x in the place of b [n×cols].
func (s *triangle) solve(b matrix, cols int) { s.part(0, s.n, b, cols) }

// part solves for rows i to i+n, what is before them being taken off already: for the first half, then, less
// what that does to it, for the second.
func (s *triangle) part(i, n int, b matrix, cols int) {
	if n <= depth {
		s.substitute(i, n, b, cols)
		return
	}
	h := ceil(n/2, tileRows)
	s.part(i, h, b, cols)
	from, to, rest := i, i+h, n-h // of the solved rows, and of those that they change
	if s.reverse {
		from, to = s.n-i-h, s.n-i-n
	}
	t, x, y := s.t.from(to, from), b.from(from, 0), b.from(to, 0)
	if b.across == 1 {
		product(all, rest, cols, h, -1, t, x, 1, y.data, b.down)
	} else {
		product(all, cols, rest, h, -1, x.transposed(), t.transposed(), 1, y.data, b.across)
	}
	s.part(i+h, rest, b, cols)
}

// substitute solves for rows i to i+rows, those before them being taken off already.
func (s *triangle) substitute(i, rows int, b matrix, cols int) {
	padded := ceil(rows, tileRows)
	packed := room(padded * padded) // block rows: what is left of the diagonal [k][12], then the triangle [12][12]
	defer release(packed)
	clear(*packed)
	for r := 0; r < padded; r += tileRows {
		left, diagonal := s.blocks(*packed, r, padded)
		for y := range tileRows {
			if r+y >= rows {
				diagonal[y*tileRows+y] = 1 // rows that are not there
				continue
			}
			for k := range r {
				left[k*tileRows+y] = -s.at(i+r+y, i+k)
			}
			for k := range y + 1 {
				diagonal[y*tileRows+k] = s.at(i+r+y, i+r+k)
			}
		}
	}
	panels := (cols + tileCols - 1) / tileCols
	Each(panels, float64(rows)*float64(rows)*float64(cols), func(p int) {
		x := room(padded * tileCols)
		defer release(x)
		n := min(tileCols, cols-p*tileCols)
		s.move(*x, b, i, rows, p*tileCols, n, true)
		for r := 0; r < padded; r += tileRows {
			left, diagonal := s.blocks(*packed, r, padded)
			tile := (*x)[r*tileCols:]
			active.multiply(r, left, *x, tile, tileCols)
			active.substitute(diagonal, tile, tileCols)
		}
		s.move(*x, b, i, rows, p*tileCols, n, false)
	})
}

// blocks finds the parts of block row r among the packed ones.
func (s *triangle) blocks(packed []float64, r, padded int) (left, diagonal []float64) {
	row := packed[r*padded : (r+tileRows)*padded]
	return row[:r*tileRows], row[r*tileRows:][:tileRows*tileRows]
}

// move copies rows of b, from column j on, to a panel [rows][16] or back.
func (s *triangle) move(panel []float64, b matrix, i, rows, j, n int, in bool) {
	if in && (n < tileCols || rows%tileRows != 0) {
		clear(panel)
	}
	for r := range rows {
		row := i + r
		if s.reverse {
			row = s.n - 1 - row
		}
		line := panel[r*tileCols:][:n]
		from := b.data[row*b.down+j*b.across:]
		switch {
		case b.across == 1 && in:
			copy(line, from)
		case b.across == 1:
			copy(from, line)
		case in:
			for c := range line {
				line[c] = from[c*b.across]
			}
		default:
			for c, v := range line {
				from[c*b.across] = v
			}
		}
	}
}

// cholesky puts u, with uᵀu = a, in the place of the upper triangle of a [n×n]. It reports whether a is positive
// definite; if not, what is in its place is of no use.
func cholesky(n int, a []float64, lda int) bool {
	if n <= small {
		return choleskySmall(n, a, lda)
	}
	h := ceil(n/2, tileRows)
	right, rest := a[h:], a[h*lda+h:]
	if !cholesky(h, a, lda) {
		return false
	}
	s := &triangle{t: of(a, lda, true), n: h}
	s.solve(of(right, lda, false), n-h)
	u := of(right, lda, false)
	product(upper, n-h, n-h, h, -1, u.transposed(), u, 1, rest, lda)
	return cholesky(n-h, rest, lda)
}

// small is the order below which a decomposition goes row by row.
const small = 4 * tileRows
