package main

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// TestBarKeepsToItsLine draws on terminals of many widths: the line is never as wide as the terminal,
// says how far it is wherever there is room, and loses its bar before its words.
func TestBarKeepsToItsLine(t *testing.T) {
	const words = " generate 17/120, about 12m30s left"
	for columns := range 200 {
		for _, share := range []float64{0, .5, 1} {
			line := bar(share, words, columns)
			if n := utf8.RuneCountInString(line); n >= max(columns, 1) {
				t.Errorf("%d columns: a line of %d: %q", columns, n, line)
			}
		}
	}
	for columns, want := range map[int]string{
		80: strings.Repeat("█", 14) + strings.Repeat("░", 14) + "  50%" + words,
		50: "████░░░░░  50%" + words,
		30: "  50% generate 17/120, about ",
		3:  "  ",
	} {
		if got := bar(.5, words, columns); got != want {
			t.Errorf("%d columns: %q, want %q", columns, got, want)
		}
	}
}
