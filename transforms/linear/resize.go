package linear

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// ZeroPad returns v with zeros appended, or its first e values where the target is narrower.
func ZeroPad(v []float32, e int) []float32 {
	out := make([]float32, e)
	copy(out, v)
	return out
}

// Interpolate resamples v [d] at e points, linear over the index with matched ends: output j is
// read at position j·(d−1)/(e−1). One output dimension reads position 0. It returns an error if v
// is empty or e is not positive.
func Interpolate(v []float32, e int) ([]float32, error) {
	if len(v) == 0 || e < 1 {
		return nil, fmt.Errorf("interpolate %d to %d dimensions", len(v), e)
	}
	out := make([]float32, e)
	for j := range out {
		at := 0.0
		if e > 1 {
			at = float64(j) * float64(len(v)-1) / float64(e-1)
		}
		i := min(int(at), len(v)-1)
		next := min(i+1, len(v)-1)
		part := at - float64(i)
		out[j] = float32((1-part)*float64(v[i]) + part*float64(v[next]))
	}
	return out, nil
}

// RandomProjection returns v·P for a Gaussian matrix P [d×e] with entries of variance 1/e, so that
// E‖vP‖² = ‖v‖² for any two widths (Johnson & Lindenstrauss 1984). P is drawn row by row from a
// ChaCha8 stream and depends only on (d, e, seed): vectors that share a seed share the matrix.
func RandomProjection(v []float32, e int, seed [32]byte) []float32 {
	r := rand.New(rand.NewChaCha8(seed))
	sum := make([]float64, e)
	for _, x := range v {
		for j := range sum {
			sum[j] += float64(x) * r.NormFloat64()
		}
	}
	for j := range sum {
		sum[j] /= math.Sqrt(float64(e))
	}
	return narrow(sum)
}
