package gpu

import "encoding/binary"

// Words are two words of noise for a step.
func (n Noise) Words(step int) (lo, hi uint32) {
	x := mix(binary.LittleEndian.Uint64(n.Prompt[:8]))
	x = mix(x ^ n.Seed)
	x = mix(x ^ uint64(step))
	return uint32(x), uint32(x >> 32)
}
