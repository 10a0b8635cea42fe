package cpu

import (
	"context"
	"runtime"
	"sync/atomic"
	"time"
)

// peakShapes are the weights [in, out] of the products that are measured: small models', and larger ones.
var peakShapes = [][2]int{{576, 1536}, {1024, 1024}, {2048, 2048}}

const (
	peakLines = 1024                  // of a product at most
	peakRun   = 10 * time.Millisecond // it has fewer where these take longer
	peakTime  = 50 * time.Millisecond // for each shape
)

// PeakProducts measures how many float32 operations a second the kernels reach on all cores, a
// multiplication and an addition as two: the most that any of a few large products does.
func PeakProducts(ctx context.Context) (float64, error) {
	rooms := make([]scratch, runtime.GOMAXPROCS(0))
	crew := newCrew(len(rooms), rooms)
	defer crew.dismiss()
	p, most, lines := &pass{k: best(), c: crew}, 0., 12
	for _, shape := range peakShapes {
		w := &matrix{in: shape[0], out: shape[1], panels: filled(shape[0] * padded(shape[1]))}
		a, c := filled(peakLines*w.in), filled(peakLines*padded(w.out))
		for begun := time.Now(); time.Since(begun) < peakTime; {
			if err := ctx.Err(); err != nil {
				return 0, err
			}
			at := time.Now()
			p.multiply(lines, product{w: w, a: a, lda: w.in, c: c, ldc: padded(w.out)})
			took := time.Since(at)
			most = max(most, 2*float64(lines*w.in*w.out)/took.Seconds())
			if took < peakRun {
				lines = min(2*lines, peakLines)
			}
		}
	}
	return most, nil
}

// filled is n small numbers. They are written so that the memory is there.
func filled(n int) []float32 {
	out := make([]float32, n)
	for i := range out {
		out[i] = 0x1p-7
	}
	return out
}

const (
	// PeakBytes is the memory that PeakMemory reads and copies: more than caches hold of it.
	PeakBytes = 256 << 20

	peakPart  = 1 << 17 // values that a core takes at a time
	peakTries = 3
)

// PeakMemory measures how many bytes a second all cores together read from memory, and how many they move
// when they copy, read and written ones together: the most of a few tries.
func PeakMemory(ctx context.Context) (read, copied float64, err error) {
	rooms := make([]scratch, runtime.GOMAXPROCS(0))
	crew := newCrew(len(rooms), rooms)
	defer crew.dismiss()
	values := make([]uint64, PeakBytes/8)
	parts := len(values) / peakPart
	part := func(i int) []uint64 { return values[i*peakPart : (i+1)*peakPart] }
	crew.each(parts, func(_ *scratch, i int) {
		for j := range part(i) {
			part(i)[j] = uint64(j)
		}
	})
	var sum atomic.Uint64 // what is read must be used
	rate := func(tasks int, do func(i int)) float64 {
		at := time.Now()
		crew.each(tasks, func(_ *scratch, i int) { do(i) })
		return PeakBytes / time.Since(at).Seconds()
	}
	for range peakTries {
		if err := ctx.Err(); err != nil {
			return 0, 0, err
		}
		read = max(read, rate(parts, func(i int) { sum.Add(added(part(i))) }))
		copied = max(copied, rate(parts/2, func(i int) { copy(part(i), part(parts/2+i)) }))
	}
	return read, copied, nil
}

// added is the sum of values whose number divides by 8, in four sums so that none waits for the last.
func added(x []uint64) uint64 {
	var a, b, c, d uint64
	for ; len(x) >= 8; x = x[8:] {
		a += x[0] + x[4]
		b += x[1] + x[5]
		c += x[2] + x[6]
		d += x[3] + x[7]
	}
	return a + b + c + d
}
