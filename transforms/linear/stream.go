package linear

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// A Stream takes activations [n×dim] in blocks, in a fixed order, and keeps only what steering needs of
// them: their number, their mean and mean norm, and one random direction per seed. See [Stream.Direction].
type Stream struct {
	dim   int
	n     int
	sum   []float64 // Σ h
	norms float64   // Σ ‖h‖
	draws []draw
}

// A draw accumulates Σ g·h and Σ g for standard normal g, one per row.
type draw struct {
	rand *rand.Rand
	sum  []float64
	g    float64
}

// NewStream returns an empty stream with one random direction per seed. It panics unless dim is
// positive.
func NewStream(dim int, seeds ...[32]byte) *Stream {
	if dim <= 0 {
		panic(fmt.Sprintf("linear: stream of %d dimensions", dim))
	}
	s := &Stream{dim: dim, sum: make([]float64, dim)}
	for _, seed := range seeds {
		s.draws = append(s.draws, draw{rand: rand.New(rand.NewChaCha8(seed)), sum: make([]float64, dim)})
	}
	return s
}

// Add takes a block of rows. How rows are cut into blocks does not change the result; their order
// does.
func (s *Stream) Add(rows []float32) error {
	if err := checkRows(s.dim, rows); err != nil {
		return fmt.Errorf("stream: %w", err)
	}
	for ; len(rows) > 0; rows = rows[s.dim:] {
		row := rows[:s.dim]
		for j, v := range row {
			s.sum[j] += float64(v)
		}
		s.norms += Norm(row)
		for k := range s.draws {
			d := &s.draws[k]
			g := d.rand.NormFloat64()
			d.g += g
			for j, v := range row {
				d.sum[j] += g * float64(v)
			}
		}
		s.n++
	}
	return nil
}

func checkRows(dim int, rows []float32) error {
	if len(rows)%dim != 0 {
		return fmt.Errorf("%d values are not rows of %d", len(rows), dim)
	}
	if i := notFinite(rows); i >= 0 {
		return fmt.Errorf("row %d, dimension %d is %v", i/dim, i%dim, rows[i])
	}
	return nil
}

// Mean returns the mean row; zero if there was none.
func (s *Stream) Mean() []float64 {
	mean := slices.Clone(s.sum)
	for j := range mean {
		mean[j] /= float64(max(s.n, 1))
	}
	return mean
}

// MeanNorm returns the mean of ‖h‖, the unit of alpha called residual; 0 if there was no row.
func (s *Stream) MeanNorm() float64 { return s.norms / float64(max(s.n, 1)) }

// Direction returns random direction k,
//
//	u = Σ gᵢ·(hᵢ − mean h)/√n,  gᵢ ~ N(0, 1) from the ChaCha8 stream of seed k,
//
// whose covariance is that of the activations: unlike an isotropic direction it points where the
// model's activations really vary. It has the length it happens to have. The mean need not be
// known beforehand, since Σ g(h − m) = Σ g·h − m·Σ g.
func (s *Stream) Direction(k int) []float32 {
	d, root := s.draws[k], math.Sqrt(float64(max(s.n, 1)))
	out := make([]float32, s.dim)
	for j, m := range s.Mean() {
		out[j] = float32((d.sum[j] - m*d.g) / root)
	}
	return out
}

// A Spread is the second pass over activations: the mean of ‖h − mean h‖, the unit of alpha called
// spread.
type Spread struct {
	mean []float64
	n    int
	sum  float64
}

// NewSpread returns the spread about the given mean; see [Stream.Mean].
func NewSpread(mean []float64) *Spread { return &Spread{mean: slices.Clone(mean)} }

// Add takes a block of rows [n×len(mean)].
func (s *Spread) Add(rows []float32) error {
	if err := checkRows(len(s.mean), rows); err != nil {
		return fmt.Errorf("spread: %w", err)
	}
	for ; len(rows) > 0; rows = rows[len(s.mean):] {
		squares := 0.0
		for j, m := range s.mean {
			d := float64(rows[j]) - m
			squares += d * d
		}
		s.sum += math.Sqrt(squares)
		s.n++
	}
	return nil
}

// Value returns the spread; 0 if there was no row.
func (s *Spread) Value() float64 { return s.sum / float64(max(s.n, 1)) }

// LargestVariance returns the k target dimensions that vary most in g, most first, equal ones by
// index: the dimensions that one leaves out of a cosine to see whether they alone make it.
func (g *Gram) LargestVariance(k int) []int {
	order := make([]int, g.E)
	for i := range order {
		order[i] = i
	}
	if g.N > 0 {
		_, my := g.means()
		variance := make([]float64, g.E)
		for j := range variance {
			variance[j] = g.YtY[j] - float64(g.N)*my[j]*my[j]
		}
		slices.SortStableFunc(order, func(a, b int) int {
			switch {
			case variance[a] > variance[b]:
				return -1
			case variance[a] < variance[b]:
				return 1
			}
			return 0
		})
	}
	return order[:min(k, g.E)]
}
