package gpu

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
)

// Noise names a stream of random numbers, one for each step and token. Rows with equal noise see equal
// numbers whatever else distinguishes them, so that conditions can be compared in pairs.
type Noise struct {
	Seed   uint64
	Prompt [32]byte // digest of the prompt's text
}

// PromptDigest is the SHA-256 of a prompt's text.
func PromptDigest(text string) [32]byte { return sha256.Sum256([]byte(text)) }

// Words are the two words from which the numbers of all tokens at a step are made. They are a function of the
// noise and the step only: the first eight bytes of the digest (little endian), the seed and the step, mixed
// in this order by the finaliser of SplitMix64 (Steele, Lea & Flood 2014).
func (n Noise) Words(step int) (lo, hi uint32) {
	x := mix(binary.LittleEndian.Uint64(n.Prompt[:8]))
	x = mix(x ^ n.Seed)
	x = mix(x ^ uint64(step))
	return uint32(x), uint32(x >> 32)
}

// mix is one step of SplitMix64.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// mix32 is lowbias32 of Wellons (2018, https://nullprogram.com/blog/2018/07/31/): a permutation of the words
// in which a changed bit changes each other one about as often as not.
func mix32(x uint32) uint32 {
	x = (x ^ x>>16) * 0x7feb352d
	x = (x ^ x>>15) * 0x846ca68b
	return x ^ x>>16
}

// bitsOf are a token's own at the step of two words. Different tokens have different ones.
func bitsOf(lo, hi uint32, id int32) uint32 { return mix32(mix32(uint32(id)+lo) ^ hi) }

// uniform makes a number in (0, 1) of bits: the middle of one of 2³² parts, as far as a float32 goes. It is at
// least 2⁻³³, and at most 1 − 2⁻²⁴, the largest float32 below 1.
func uniform(bits uint32) float32 { return min((float32(bits)+0.5)*0x1p-32, 1-0x1p-24) }

// exponential makes a standard exponential variable of a uniform number. It is no less than v.
func exponential(v float32) float32 { return float32(-math.Log1p(-float64(v))) }
