package cpu

// The vector kernels take whole groups of 16 values; the generic twins, whose bits are the same, take
// the rest.

//go:noescape
func squaresAVX2(sum *[16]float32, x *float32, n uintptr)

//go:noescape
func mostAVX2(top *[16]float32, x *float32, n uintptr)

//go:noescape
func expsAVX2(sum *[16]float32, x *float32, n uintptr, top, s float32)

//go:noescape
func distancesAVX2(x *float32, n uintptr) (top, sum float32)

//go:noescape
func addAVX2(y, x *float32, n uintptr)

//go:noescape
func scaleAVX2(y *float32, n uintptr, s float32)

//go:noescape
func normAVX2(y, x, gain *float32, n uintptr, s float32)

//go:noescape
func siluAVX2(gate, up *float32, n uintptr)

//go:noescape
func geluTanhAVX2(gate, up *float32, n uintptr)

//go:noescape
func softcapAVX2(x *float32, n uintptr, limit, inverse float32)

//go:noescape
func rotateAVX2(a, b, cos, sin *float32, n uintptr)

func squaresVector(x []float32) float32 {
	var lanes [16]float32
	n := len(x) &^ 15
	if n > 0 {
		squaresAVX2(&lanes, &x[0], uintptr(n))
	}
	squares(&lanes, x[n:])
	return total(&lanes)
}

func largestVector(x []float32) float32 {
	lanes := none
	n := len(x) &^ 15
	if n > 0 {
		mostAVX2(&lanes, &x[0], uintptr(n))
	}
	most(&lanes, x[n:])
	return largest(&lanes)
}

func expsVector(x []float32, top, s float32) float32 {
	var lanes [16]float32
	n := len(x) &^ 15
	if n > 0 {
		expsAVX2(&lanes, &x[0], uintptr(n), top, s)
	}
	exps(&lanes, x[n:], top, s)
	return total(&lanes)
}

func distancesVector(x []float32) (top, sum float32) {
	if n := len(x); n > 0 && n%16 == 0 {
		return distancesAVX2(&x[0], uintptr(n))
	}
	top = largestVector(x)
	return top, expsVector(x, top, 1)
}

func addVector(y, x []float32) {
	x = x[:len(y)]
	n := len(y) &^ 15
	if n > 0 {
		addAVX2(&y[0], &x[0], uintptr(n))
	}
	add(y[n:], x[n:])
}

func scaleVector(y []float32, s float32) {
	n := len(y) &^ 15
	if n > 0 {
		scaleAVX2(&y[0], uintptr(n), s)
	}
	scale(y[n:], s)
}

func normVector(y, x, gain []float32, s float32) {
	x, gain = x[:len(y)], gain[:len(y)]
	n := len(y) &^ 15
	if n > 0 {
		normAVX2(&y[0], &x[0], &gain[0], uintptr(n), s)
	}
	norm(y[n:], x[n:], gain[n:], s)
}

func siluVector(gate, up []float32) {
	up = up[:len(gate)]
	n := len(gate) &^ 15
	if n > 0 {
		siluAVX2(&gate[0], &up[0], uintptr(n))
	}
	silu(gate[n:], up[n:])
}

func geluTanhVector(gate, up []float32) {
	up = up[:len(gate)]
	n := len(gate) &^ 15
	if n > 0 {
		geluTanhAVX2(&gate[0], &up[0], uintptr(n))
	}
	geluTanh(gate[n:], up[n:])
}

func softcapVector(x []float32, limit float32) {
	n := len(x) &^ 15
	if n > 0 {
		softcapAVX2(&x[0], uintptr(n), limit, 1/limit)
	}
	softcap(x[n:], limit)
}

func rotateVector(a, b, cos, sin []float32) {
	b, cos, sin = b[:len(a)], cos[:len(a)], sin[:len(a)]
	n := len(a) &^ 15
	if n > 0 {
		rotateAVX2(&a[0], &b[0], &cos[0], &sin[0], uintptr(n))
	}
	rotate(a[n:], b[n:], cos[n:], sin[n:])
}
