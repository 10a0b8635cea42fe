package cpu

//go:noescape
func singleQ4_1AVX512(c, a *float32, src *byte, blocks uintptr, table *[16]float32)

//go:noescape
func singleQ8_0AVX512(c, a *float32, src *byte, blocks uintptr)

// wideSingle multiplies one row with a panel of whole blocks, by the name of their type.
var wideSingle = map[string]func(c, a []float32, src []byte){
	"Q4_1": func(c, a []float32, src []byte) {
		blocks := len(a) / 32
		_, _ = c[:panel], src[:20*panel*blocks]
		singleQ4_1AVX512(&c[0], &a[0], &src[0], uintptr(blocks), &nibbles)
	},
	"Q8_0": func(c, a []float32, src []byte) {
		blocks := len(a) / 32
		_, _ = c[:panel], src[:34*panel*blocks]
		singleQ8_0AVX512(&c[0], &a[0], &src[0], uintptr(blocks))
	},
}
