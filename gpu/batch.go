package gpu

import (
	"math/bits"
	"slices"
)

// bucket rounds a length up so that few shapes occur: to a multiple of 16, and of a quarter
// of the largest power of two below it for long texts (at most a quarter is padding).
//
// Multiples of 16 are the width of the widest vector register. A padded position then adds
// exact zeros in its own lane and does not change the order in which the others are summed.
func bucket(n int) int {
	step := max(16, (1<<bits.Len(uint(max(n, 1)))>>1)/4)
	return (max(n, 1) + step - 1) / step * step
}

// fineBucket is bucket with steps of 4 up to 64, for continuations, which are many and short.
func fineBucket(n int) int {
	if n <= 64 {
		return (max(n, 1) + 3) / 4 * 4
	}
	return bucket(n)
}

// A batch is texts that run together: rows of equal padded length.
type batch struct {
	s       int   // padded length
	b       int   // rows; those beyond len(members) are padding
	members []int // indices of the texts
}

// planBatches groups texts by their bucket and cuts the groups so that a batch has at most limit
// tokens, or one row. The last batch of a group has the smallest power of two of rows that
// holds it. The plan follows from the lengths alone.
func planBatches(lengths []int, bucket func(int) int, limit int) []batch {
	groups := map[int][]int{}
	for i, n := range lengths {
		groups[bucket(n)] = append(groups[bucket(n)], i)
	}
	var out []batch
	for _, s := range sortedKeys(groups) {
		full := max(1, limit/s)
		for members := range slices.Chunk(groups[s], full) {
			out = append(out, batch{s: s, b: min(full, powerOfTwo(len(members))), members: members})
		}
	}
	return out
}

// tokensIn counts the tokens of all batches, padding included.
func tokensIn(plan []batch) (n int) {
	for _, b := range plan {
		n += b.b * b.s
	}
	return n
}

func powerOfTwo(n int) int { return 1 << bits.Len(uint(n-1)) }

func sortedKeys[V any](m map[int]V) []int {
	var keys []int
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
