package cpu

import "math"

// genericKernels define what the others compute, to the bit. A conversion to float32 around a product
// keeps compilers from fusing it with an addition.
var genericKernels = kernels{
	name: "generic", product: productGeneric, squares: squaresGeneric, largest: largestGeneric, exps: expsGeneric,
	distances: distancesGeneric, add: add, scale: scale, norm: norm, silu: silu, geluTanh: geluTanh, softcap: softcap, rotate: rotate,
}

func productGeneric(c []float32, ldc int, a []float32, lda int, b []float32, m, k int, more bool) {
	for i := range m {
		sum := (*[panel]float32)(c[i*ldc:])
		if !more {
			clear(sum[:])
		}
		for j, x := range a[i*lda : i*lda+k] {
			line := (*[panel]float32)(b[j*panel:])
			for l := range sum {
				sum[l] = fma(x, line[l], sum[l])
			}
		}
	}
}

// none are 16 lanes of a maximum before the first value.
var none = func() (lanes [16]float32) {
	for i := range lanes {
		lanes[i] = float32(math.Inf(-1))
	}
	return
}()

func squaresGeneric(x []float32) float32 {
	var lanes [16]float32
	squares(&lanes, x)
	return total(&lanes)
}

func largestGeneric(x []float32) float32 {
	lanes := none
	most(&lanes, x)
	return largest(&lanes)
}

func expsGeneric(x []float32, top, s float32) float32 {
	var lanes [16]float32
	exps(&lanes, x, top, s)
	return total(&lanes)
}

func distancesGeneric(x []float32) (top, sum float32) {
	top = largestGeneric(x)
	return top, expsGeneric(x, top, 1)
}

func squares(sum *[16]float32, x []float32) {
	for i, v := range x {
		sum[i%16] += float32(v * v)
	}
}

func most(top *[16]float32, x []float32) {
	for i, v := range x {
		if v > top[i%16] {
			top[i%16] = v
		}
	}
}

func exps(sum *[16]float32, x []float32, top, s float32) {
	for i, v := range x {
		x[i] = exp(float32((v - top) * s))
		sum[i%16] += x[i]
	}
}

func add(y, x []float32) {
	for i, v := range x[:len(y)] {
		y[i] += v
	}
}

func scale(y []float32, s float32) {
	for i := range y {
		y[i] *= s
	}
}

func norm(y, x, gain []float32, s float32) {
	x, gain = x[:len(y)], gain[:len(y)]
	for i := range y {
		y[i] = float32(x[i]*s) * gain[i]
	}
}

func silu(gate, up []float32) {
	up = up[:len(gate)]
	for i, x := range gate {
		gate[i] = x / (1 + exp(-x)) * up[i]
	}
}

// geluTanh uses ½·(1 + tanh u) = σ(2u).
func geluTanh(gate, up []float32) {
	up = up[:len(gate)]
	for i, x := range gate {
		u := x + float32(float32(float32(x*x)*x)*geluCubic)
		gate[i] = x / (1 + exp(float32(u*geluInner))) * up[i]
	}
}

// geluErf is gate = gate·Φ(gate)·up; no kernel of it is vectorised.
func geluErf(gate, up []float32) {
	up = up[:len(gate)]
	for i, x := range gate {
		gate[i] = float32(float64(x)*0.5*math.Erfc(-float64(x)/math.Sqrt2)) * up[i]
	}
}

func softcap(x []float32, limit float32) {
	inverse := 1 / limit
	for i, v := range x {
		x[i] = limit * tanh(float32(v*inverse))
	}
}

func rotate(a, b, cos, sin []float32) {
	b, cos, sin = b[:len(a)], cos[:len(a)], sin[:len(a)]
	for i := range a {
		x, y := a[i], b[i]
		a[i] = float32(x*cos[i]) - float32(y*sin[i])
		b[i] = float32(y*cos[i]) + float32(x*sin[i])
	}
}
