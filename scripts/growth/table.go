package main

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// write prints the table.
func write(w io.Writer, rows []row) error {
	var b strings.Builder
	b.WriteString("| varied | work | sizes | seconds | exponent: expected | measured | MiB | expected | measured |\n|---|---|---|---|---|---|---|---|---|\n")
	for _, r := range rows {
		mib := make([]float64, len(r.bytes))
		for i, v := range r.bytes {
			mib[i] = v / (1 << 20)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", r.varied, r.work, list(r.sizes, strconv.Itoa),
			list(r.seconds, short), r.time, shown(r.time, exponent(r.sizes, r.seconds)),
			list(mib, short), r.memory, shown(r.memory, exponent(r.sizes, r.bytes)))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// String is "1", or "0 to 1".
func (e expectation) String() string {
	if e.low == e.high {
		return short(e.low)
	}
	return short(e.low) + " to " + short(e.high)
}

// shown is a measured exponent, in bold if it is not as expected.
func shown(e expectation, measured float64) string {
	switch text := fmt.Sprintf("%.2f", measured); {
	case math.IsNaN(measured):
		return "–"
	case e.misses(measured):
		return "**" + text + "**"
	default:
		return text
	}
}

// short is a number with two digits that count.
func short(v float64) string {
	if v >= 10 {
		return strconv.FormatFloat(math.Round(v), 'f', -1, 64)
	}
	return strconv.FormatFloat(round(v), 'f', -1, 64)
}

// round leaves two digits that count.
func round(v float64) float64 {
	r, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'e', 1, 64), 64) // of its own making
	return r
}

func list[T any](values []T, text func(T) string) string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = text(v)
	}
	return strings.Join(out, ", ")
}
