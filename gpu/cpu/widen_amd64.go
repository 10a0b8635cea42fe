package cpu

// The vector kernels for the types that files of our models have most; the others are widened by the
// generic way.

//go:noescape
func widenHalf(dst *float32, src *byte, n uintptr)

//go:noescape
func widenBrain(dst *float32, src *byte, n uintptr)

//go:noescape
func widenBytes(scale *[panel]float32, dst *float32, src *byte, n uintptr)

//go:noescape
func widenNibbles(scale, low *[panel]float32, dst *float32, src *byte, n, shift uintptr)

//go:noescape
func widenFours(scale, low *[panel]float32, dst *float32, src *byte, offset uintptr)

//go:noescape
func widenHigh(scale, low *[panel]float32, dst *float32, src, high *byte, n, shift, highShift, mask, offset uintptr)

//go:noescape
func widenFifth(scale, low *[panel]float32, dst *float32, src, tops *byte, n, shift, first, offset uintptr)

// A width is how wide the registers are of kernels that go through blocks alike.
type width bool

const (
	bits256 width = false
	bits512 width = true
)

// widening is what widens whole blocks, by the name of their type.
func (w width) widening() map[string]func(dst []float32, src []byte) {
	return map[string]func(dst []float32, src []byte){
		"F16":  func(dst []float32, src []byte) { widenHalf(&dst[0], &src[:2*len(dst)][0], uintptr(len(dst))) },
		"BF16": func(dst []float32, src []byte) { widenBrain(&dst[0], &src[:2*len(dst)][0], uintptr(len(dst))) },
		"Q8_0": w.q8_0, "Q4_0": w.q4_0, "Q4_1": w.q4_1, "Q5_0": w.q5_0, "Q5_1": w.q5_1,
		"Q4_K": w.q4_k, "Q5_K": w.q5_k, "Q6_K": w.q6_k,
	}
}

// halves reads a float16 of each output.
func halves(dst *[panel]float32, src []byte) { widenHalf(&dst[0], &src[:2*panel][0], panel) }

// minima reads them with the other sign, since what is called low is subtracted.
func minima(dst *[panel]float32, src []byte) {
	halves(dst, src)
	for i := range dst {
		dst[i] = -dst[i]
	}
}

func (w width) q8_0(dst []float32, src []byte) {
	var scale [panel]float32
	for ; len(dst) > 0; dst, src = dst[32*panel:], src[34*panel:] {
		_, _ = dst[:32*panel], src[:34*panel]
		halves(&scale, src)
		w.bytes(&scale, &dst[0], &src[2*panel], 32)
	}
}

func (w width) q4_0(dst []float32, src []byte) {
	var scale, low [panel]float32
	for ; len(dst) > 0; dst, src = dst[32*panel:], src[18*panel:] {
		_, _ = dst[:32*panel], src[:18*panel]
		halves(&scale, src)
		w.fours(&scale, &low, &dst[0], &src[2*panel], 8)
	}
}

func (w width) q4_1(dst []float32, src []byte) {
	var scale, low [panel]float32
	for ; len(dst) > 0; dst, src = dst[32*panel:], src[20*panel:] {
		_, _ = dst[:32*panel], src[:20*panel]
		halves(&scale, src)
		minima(&low, src[2*panel:])
		w.fours(&scale, &low, &dst[0], &src[4*panel], 0)
	}
}

func (w width) q5_0(dst []float32, src []byte) {
	var scale, low [panel]float32
	for ; len(dst) > 0; dst, src = dst[32*panel:], src[22*panel:] {
		_, _ = dst[:32*panel], src[:22*panel]
		halves(&scale, src)
		w.fifth(&scale, &low, &dst[0], &src[6*panel], &src[2*panel], 16, 0, 0, 16)
		w.fifth(&scale, &low, &dst[16*panel], &src[6*panel], &src[2*panel], 16, 4, 16, 16)
	}
}

func (w width) q5_1(dst []float32, src []byte) {
	var scale, low [panel]float32
	for ; len(dst) > 0; dst, src = dst[32*panel:], src[24*panel:] {
		_, _ = dst[:32*panel], src[:24*panel]
		halves(&scale, src)
		minima(&low, src[2*panel:])
		w.fifth(&scale, &low, &dst[0], &src[8*panel], &src[4*panel], 16, 0, 0, 0)
		w.fifth(&scale, &low, &dst[16*panel], &src[8*panel], &src[4*panel], 16, 4, 16, 0)
	}
}

// runs are scales and lows of the eight runs of 32 values of Q4_K and Q5_K: src begins with d, dmin and 12
// bytes of 6-bit numbers of each output.
func runs(scale, low *[8][panel]float32, src []byte) {
	var d, dmin [panel]float32
	halves(&d, src)
	halves(&dmin, src[2*panel:])
	at := func(i int) *[panel]byte { return (*[panel]byte)(src[(4+i)*panel:]) }
	for run := range 4 {
		s, m, more := at(run), at(run+4), at(run+8)
		for l := range panel {
			scale[run][l] = d[l] * float32(s[l]&63)
			low[run][l] = dmin[l] * float32(m[l]&63)
			scale[run+4][l] = d[l] * float32(more[l]&15|s[l]>>6<<4)
			low[run+4][l] = dmin[l] * float32(more[l]>>4|m[l]>>6<<4)
		}
	}
}

func (w width) q4_k(dst []float32, src []byte) {
	var scale, low [8][panel]float32
	for ; len(dst) > 0; dst, src = dst[256*panel:], src[144*panel:] {
		_, _ = dst[:256*panel], src[:144*panel]
		runs(&scale, &low, src)
		for run := range 8 {
			w.nibbles(&scale[run], &low[run], &dst[32*run*panel], &src[(16+run/2*32)*panel], 32, uintptr(run%2*4))
		}
	}
}

func (w width) q5_k(dst []float32, src []byte) {
	var scale, low [8][panel]float32
	for ; len(dst) > 0; dst, src = dst[256*panel:], src[176*panel:] {
		_, _ = dst[:256*panel], src[:176*panel]
		runs(&scale, &low, src)
		for run := range 8 {
			widenHigh(&scale[run], &low[run], &dst[32*run*panel], &src[(48+run/2*32)*panel], &src[16*panel], 32, uintptr(run%2*4), uintptr(run), 1, 0)
		}
	}
}

func (w width) q6_k(dst []float32, src []byte) {
	var d, scale, low [panel]float32
	for ; len(dst) > 0; dst, src = dst[256*panel:], src[210*panel:] {
		_, _ = dst[:256*panel], src[:210*panel]
		halves(&d, src[208*panel:])
		for run := range 16 {
			for l, s := range src[(192+run)*panel:][:panel] {
				scale[l] = d[l] * float32(int8(s))
			}
			quarter := run / 2 % 4
			l, h := run/8*64+quarter%2*32+run%2*16, 128+run/8*32+run%2*16
			widenHigh(&scale, &low, &dst[16*run*panel], &src[l*panel], &src[h*panel], 16, uintptr(quarter/2*4), uintptr(quarter*2), 3, 32)
		}
	}
}
