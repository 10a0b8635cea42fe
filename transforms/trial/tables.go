package trial

import "math"

// A table holds one measure: for each persona and prompt the sum of the values that are there and
// their number.
type table struct {
	sum, count [][]float64
}

func newTable(personas, prompts int) table {
	t := table{make([][]float64, personas), make([][]float64, personas)}
	for k := range personas {
		t.sum[k], t.count[k] = make([]float64, prompts), make([]float64, prompts)
	}
	return t
}

// add enters a value unless it is missing.
func (t table) add(persona, prompt int, v float64) {
	if !isMissing(v) {
		t.sum[persona][prompt] += v
		t.count[persona][prompt]++
	}
}

// n returns how many values there are.
func (t table) n() int {
	n := 0.0
	for _, c := range t.count {
		for _, v := range c {
			n += v
		}
	}
	return int(n)
}

// prompts returns how many prompts have a value.
func (t table) prompts() int {
	m := 0
	for p := range t.count[0] {
		for k := range t.count {
			if t.count[k][p] > 0 {
				m++
				break
			}
		}
	}
	return m
}

// personaMean returns the mean of a persona's values; NaN if there are none.
func (t table) personaMean(k int) float64 {
	sum, count := 0.0, 0.0
	for p, c := range t.count[k] {
		sum += t.sum[k][p]
		count += c
	}
	return sum / count
}

// mean returns the mean over personas of their means: every persona counts the same, however many
// of its values are missing. Personas without a value are left out.
func (t table) mean() float64 {
	means := make([]float64, len(t.sum))
	for k := range t.sum {
		means[k] = t.personaMean(k)
	}
	return Mean(means)
}

// standardError returns the standard error of the mean, prompts being the units: √(m/(m−1)·Σ z²) with
// z the sum over personas of (sum − mean·count)/(number of values) of a prompt, divided by the number of
// personas. It is 0 for a single prompt.
func (t table) standardError() float64 {
	deviations, personas := make([]float64, len(t.count[0])), 0.0
	for k := range t.count {
		mean, n := t.personaMean(k), 0.0
		if isMissing(mean) {
			continue
		}
		personas++
		for _, c := range t.count[k] {
			n += c
		}
		for p, c := range t.count[k] {
			deviations[p] += (t.sum[k][p] - mean*c) / n
		}
	}
	m, squares := float64(t.prompts()), 0.0
	if m < 2 {
		return 0
	}
	for _, z := range deviations {
		squares += z * z
	}
	return math.Sqrt(m/(m-1)*squares) / personas
}
