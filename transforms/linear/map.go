package linear

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"

	"github.com/persona-transfer/runpipeline/transforms/linear/eigen"
)

// A Map carries activations of one model to another: y ≈ MeanY + (x − MeanX)·W.
type Map struct {
	Rows, Cols   int       // d and e
	W            []float64 // [d×e] row-major
	MeanX, MeanY []float64 // [d], [e]; zero where the fit was not centred

	Spec             Spec    // how it was fitted
	N                int     // rows it was fitted on
	Lambda           float64 // penalty added to the diagonal, absolute; 0 where the method has none
	Condition        float64 // estimated condition number of the matrix solved; 0 where none was
	DegreesOfFreedom float64 // Σ s/(s+λ) per target dimension; 0 where undefined
}

// NewMap returns the map with the given matrix, as it comes back from storage. The means may be
// nil, which means zero. It returns an error if a length does not fit or a value is not finite.
func NewMap(rows, cols int, w []float32, meanX, meanY []float64) (*Map, error) {
	if err := checkMatrix(rows, cols, w); err != nil {
		return nil, err
	}
	if meanX == nil {
		meanX = make([]float64, rows)
	}
	if meanY == nil {
		meanY = make([]float64, cols)
	}
	if len(meanX) != rows || len(meanY) != cols {
		return nil, fmt.Errorf("map: means of %d and %d dimensions for %d×%d", len(meanX), len(meanY), rows, cols)
	}
	m := &Map{Rows: rows, Cols: cols, W: make([]float64, len(w)), MeanX: meanX, MeanY: meanY}
	widen(m.W, w)
	return m, nil
}

// checkMatrix says what is wrong with a matrix as it comes back from storage.
func checkMatrix(rows, cols int, w []float32) error {
	if rows <= 0 || cols <= 0 || len(w) != rows*cols {
		return fmt.Errorf("map: %d values for %d×%d", len(w), rows, cols)
	}
	if i := notFinite(w); i >= 0 {
		return fmt.Errorf("map: row %d, column %d is %v", i/cols, i%cols, w[i])
	}
	return nil
}

// Matrix returns W [rows×cols] row-major, rounded to float32, as it is stored.
func (m *Map) Matrix() (rows, cols int, w []float32) {
	w = make([]float32, len(m.W))
	for i, v := range m.W {
		w[i] = float32(v)
	}
	return m.Rows, m.Cols, w
}

// Apply maps a difference of activations, such as a persona vector: v·W, without the means, which
// cancel in a difference. Ridge shrinks, so the result's length means nothing: steering sets it.
func (m *Map) Apply(v []float32) ([]float32, error) {
	if len(v) != m.Rows {
		return nil, fmt.Errorf("map %d×%d: vector of %d dimensions", m.Rows, m.Cols, len(v))
	}
	sum := make([]float64, m.Cols)
	for i, x := range v {
		m.addRow(sum, i, float64(x))
	}
	return narrow(sum), nil
}

// Carry is [Map.Apply] of several vectors, by a matrix [rows×cols] as it is stored: one product, which widens some
// rows of the matrix at a time. It returns an error if a length does not fit or a value of the matrix is not finite.
func Carry(rows, cols int, w []float32, vectors [][]float32) ([][]float32, error) {
	if err := checkMatrix(rows, cols, w); err != nil {
		return nil, err
	}
	for _, v := range vectors {
		if len(v) != rows {
			return nil, fmt.Errorf("map %d×%d: vector of %d dimensions", rows, cols, len(v))
		}
	}
	n := len(vectors)
	if n == 0 {
		return nil, nil
	}
	sums := general(n, cols, make([]float64, n*cols))
	some := min(rows, blockRows)
	part, block := make([]float64, n*some), make([]float64, some*cols)
	for from := 0; from < rows; from += some {
		some := min(some, rows-from)
		for k, v := range vectors {
			widen(part[k*some:(k+1)*some], v[from:])
		}
		widen(block[:some*cols], w[from*cols:])
		blas64.Gemm(blas.NoTrans, blas.NoTrans, 1, general(n, some, part), general(some, cols, block), 1, sums)
	}
	out := make([][]float32, n)
	for k := range out {
		out[k] = narrow(sums.Data[k*cols : (k+1)*cols])
	}
	return out, nil
}

// Predict maps an activation: MeanY + (x − MeanX)·W.
func (m *Map) Predict(x []float32) ([]float32, error) {
	if len(x) != m.Rows {
		return nil, fmt.Errorf("map %d×%d: activation of %d dimensions", m.Rows, m.Cols, len(x))
	}
	sum := make([]float64, m.Cols)
	copy(sum, m.MeanY)
	for i, v := range x {
		m.addRow(sum, i, float64(v)-m.MeanX[i])
	}
	return narrow(sum), nil
}

// addRow adds c times row i of W to sum.
func (m *Map) addRow(sum []float64, i int, c float64) {
	for j, w := range m.W[i*m.Cols : (i+1)*m.Cols] {
		sum[j] += c * w
	}
}

// Spectrum returns the singular values of W in decreasing order. How fast they fall says how many
// directions the map really carries. They are the roots of the eigenvalues of WWᵀ or WᵀW: values below about
// 10⁻⁷ of the largest have few digits left, and those that are nothing but rounding are 0.
func (m *Map) Spectrum() ([]float64, error) {
	square, n := m.square()
	values, err := eigen.Values(square, n)
	if err != nil {
		return nil, fmt.Errorf("singular values: %w", err)
	}
	slices.Reverse(values)
	for i, v := range values {
		if v <= float64(n)*0x1p-52*values[0] {
			clear(values[i:])
			break
		}
	}
	for i, v := range values {
		values[i] = math.Sqrt(v)
	}
	return values, nil
}

func narrow(v []float64) []float32 {
	out := make([]float32, len(v))
	for i, x := range v {
		out[i] = float32(x)
	}
	return out
}
