package rows

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/persona-transfer/runpipeline/transforms/linear"
)

// A Summary is what one pass over a table finds.
type Summary struct {
	MeanNorm float64 // mean ‖h‖
	Rounded  bool    // values are F64 that float32 does not have
}

// Check reads all rows once. The error tells the first value that is not finite, or not in the range of
// float32, in which rows are fitted, and how many more there are.
func (t *File) Check(ctx context.Context) (s Summary, err error) {
	var values []float32
	var bad, last string
	others := 0
	norms := 0.0
	err = t.each(0, t.Rows, func(row int, raw []byte) error {
		n := len(raw) / t.size
		if values == nil {
			values = make([]float32, n)
		}
		got := values[:n]
		t.decode(got, raw)
		if t.DType == "F64" && !s.Rounded {
			s.Rounded = rounded(got, raw)
		}
		for i := 0; i < n; i += t.Width {
			norm := linear.Norm(got[i : i+t.Width])
			norms += norm
			if norm-norm == 0 { // squares of finite float32 have a finite sum in float64
				continue
			}
			for j, v := range got[i : i+t.Width] {
				if v-v == 0 {
					continue
				}
				last = fmt.Sprintf("row %d, value %d is %v", row+i/t.Width, j, t.stored(raw, i+j))
				if bad == "" {
					bad = last
				} else {
					others++
				}
			}
		}
		return ctx.Err()
	})
	switch {
	case err != nil:
		return s, err
	case others > 0:
		return s, fmt.Errorf("%s; %d more values are not finite in float32, the last: %s", bad, others, last)
	case bad != "":
		return s, fmt.Errorf("%s", bad)
	}
	s.MeanNorm = norms / float64(t.Rows)
	return s, nil
}

// rounded reports whether any float64 is changed by being a float32.
func rounded(got []float32, raw []byte) bool {
	for i, v := range got {
		if float64(v) != math.Float64frombits(binary.LittleEndian.Uint64(raw[8*i:])) {
			return true
		}
	}
	return false
}

// stored writes a value as the file has it: a number that is too large for float32 is none that is infinite.
func (t *File) stored(raw []byte, i int) string {
	if t.DType == "F64" {
		if v := math.Float64frombits(binary.LittleEndian.Uint64(raw[8*i:])); !math.IsInf(v, 0) && !math.IsNaN(v) {
			return fmt.Sprintf("%g, beyond the range of float32", v)
		}
	}
	var v [1]float32
	t.decode(v[:], raw[i*t.size:(i+1)*t.size])
	return fmt.Sprint(v[0])
}
