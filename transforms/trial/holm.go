package trial

import "slices"

// holm adjusts p-values for being several (Holm 1979): the smallest is multiplied by their number, the next by
// one less, and none comes out below one before it. Missing ones count as tests and stay missing.
func holm(p []Number) []Number {
	order := make([]int, len(p))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case p[a].Missing() || p[b].Missing():
			return map[bool]int{true: 1, false: -1}[p[a].Missing()]
		case p[a] < p[b]:
			return -1
		case p[a] > p[b]:
			return 1
		}
		return 0
	})
	out, least := slices.Clone(p), Number(0)
	for i, k := range order {
		if p[k].Missing() {
			continue
		}
		least = max(least, min(1, p[k]*Number(len(p)-i)))
		out[k] = least
	}
	return out
}
