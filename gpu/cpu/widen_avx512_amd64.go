package cpu

//go:noescape
func widenNibblesAVX512(scale, low *[panel]float32, dst *float32, src *byte, n, shift uintptr, table *[16]float32)

//go:noescape
func widenFoursAVX512(scale, low *[panel]float32, dst *float32, src *byte, table *[16]float32)

//go:noescape
func widenBytesAVX512(scale *[panel]float32, dst *float32, src *byte, n uintptr)

//go:noescape
func widenFifthAVX512(scale, low *[panel]float32, dst *float32, src, tops *byte, n, shift, first, offset uintptr)

// nibbles are the values of four bits, signedNibbles those of Q4_0.
var nibbles, signedNibbles = func() (plain, signed [16]float32) {
	for i := range plain {
		plain[i], signed[i] = float32(i), float32(i-8)
	}
	return
}()

func (w width) bytes(scale *[panel]float32, dst *float32, src *byte, n uintptr) {
	if w == bits512 {
		widenBytesAVX512(scale, dst, src, n)
	} else {
		widenBytes(scale, dst, src, n)
	}
}

func (w width) nibbles(scale, low *[panel]float32, dst *float32, src *byte, n, shift uintptr) {
	if w == bits512 {
		widenNibblesAVX512(scale, low, dst, src, n, shift, &nibbles)
	} else {
		widenNibbles(scale, low, dst, src, n, shift)
	}
}

// fours takes 0 or 8 from each number.
func (w width) fours(scale, low *[panel]float32, dst *float32, src *byte, offset uintptr) {
	switch {
	case w == bits256:
		widenFours(scale, low, dst, src, offset)
	case offset == 0:
		widenFoursAVX512(scale, low, dst, src, &nibbles)
	default:
		widenFoursAVX512(scale, low, dst, src, &signedNibbles)
	}
}

func (w width) fifth(scale, low *[panel]float32, dst *float32, src, tops *byte, n, shift, first, offset uintptr) {
	if w == bits512 {
		widenFifthAVX512(scale, low, dst, src, tops, n, shift, first, offset)
	} else {
		widenFifth(scale, low, dst, src, tops, n, shift, first, offset)
	}
}
