package cpu

import "maps"

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

// wideWiden is vectorWiden with 512 bits for the types that files of our models have most.
var wideWiden = func() map[string]func(dst []float32, src []byte) {
	out := maps.Clone(vectorWiden)
	out["Q8_0"] = func(dst []float32, src []byte) {
		var scale [panel]float32
		for ; len(dst) > 0; dst, src = dst[32*panel:], src[34*panel:] {
			_, _ = dst[:32*panel], src[:34*panel]
			halves(&scale, src)
			widenBytesAVX512(&scale, &dst[0], &src[2*panel], 32)
		}
	}
	out["Q5_0"] = func(dst []float32, src []byte) {
		var scale, low [panel]float32
		for ; len(dst) > 0; dst, src = dst[32*panel:], src[22*panel:] {
			_, _ = dst[:32*panel], src[:22*panel]
			halves(&scale, src)
			widenFifthAVX512(&scale, &low, &dst[0], &src[6*panel], &src[2*panel], 16, 0, 0, 16)
			widenFifthAVX512(&scale, &low, &dst[16*panel], &src[6*panel], &src[2*panel], 16, 4, 16, 16)
		}
	}
	out["Q4_0"] = func(dst []float32, src []byte) {
		var scale, low [panel]float32
		for ; len(dst) > 0; dst, src = dst[32*panel:], src[18*panel:] {
			_, _ = dst[:32*panel], src[:18*panel]
			halves(&scale, src)
			widenFoursAVX512(&scale, &low, &dst[0], &src[2*panel], &signedNibbles)
		}
	}
	out["Q4_1"] = func(dst []float32, src []byte) {
		var scale, low [panel]float32
		for ; len(dst) > 0; dst, src = dst[32*panel:], src[20*panel:] {
			_, _ = dst[:32*panel], src[:20*panel]
			halves(&scale, src)
			minima(&low, src[2*panel:])
			widenFoursAVX512(&scale, &low, &dst[0], &src[4*panel], &nibbles)
		}
	}
	out["Q4_K"] = func(dst []float32, src []byte) {
		var scale, low [8][panel]float32
		for ; len(dst) > 0; dst, src = dst[256*panel:], src[144*panel:] {
			_, _ = dst[:256*panel], src[:144*panel]
			runs(&scale, &low, src)
			for run := range 8 {
				widenNibblesAVX512(&scale[run], &low[run], &dst[32*run*panel], &src[(16+run/2*32)*panel], 32, uintptr(run%2*4), &nibbles)
			}
		}
	}
	return out
}()
