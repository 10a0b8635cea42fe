package cache

import (
	"fmt"
	"unicode/utf8"
)

// shownWidth is how much of a value a person reads in a line of progress.
const shownWidth = 60

// Diff says in words how two recipe texts differ, in the order of the new one's fields and
// then those that are gone. It is empty if they are equal.
//
//	lambda_values: [0.01 0.1] → [0.01 0.1 1]
//	source changed                               an input, or anything else given by digest
//	centre: true (new)
//	whiten: false (gone)
//
// Long values are cut to where they begin to differ.
func Diff(old, new string) []string {
	if old == new {
		return nil
	}
	before, errOld := ParseRecipe(old)
	after, errNew := ParseRecipe(new)
	if errOld != nil || errNew != nil {
		return []string{"recipe changed"}
	}
	was := make(map[string]string)
	for _, f := range before.fields {
		was[f.Name] = f.Value
	}
	var lines []string
	for _, f := range after.fields {
		switch value, ok := was[f.Name]; {
		case !ok:
			lines = append(lines, fmt.Sprintf("%s: %s (new)", f.Name, shown(f.Value, 0)))
		case value == f.Value:
		case isHexDigest(value) && isHexDigest(f.Value):
			lines = append(lines, f.Name+" changed")
		default:
			from := firstDifference(value, f.Value)
			lines = append(lines, fmt.Sprintf("%s: %s → %s", f.Name, shown(value, from), shown(f.Value, from)))
		}
	}
	for _, f := range before.fields {
		if !after.taken[f.Name] {
			lines = append(lines, fmt.Sprintf("%s: %s (gone)", f.Name, shown(f.Value, 0)))
		}
	}
	if lines == nil { // the same fields in another order: still another text
		lines = []string{"order of fields changed"}
	}
	return lines
}

// shown cuts value to a width that keeps its byte at from, and escapes what would break a
// line of progress.
func shown(value string, from int) string {
	if isHexDigest(value) {
		return value[:8]
	}
	start, end := 0, len(value)
	if end > shownWidth {
		start = max(0, min(from-shownWidth/4, end-shownWidth))
		end = start + shownWidth
	}
	for start > 0 && start < len(value) && !utf8.RuneStart(value[start]) {
		start--
	}
	for end < len(value) && !utf8.RuneStart(value[end]) {
		end++
	}
	cut := fmt.Sprintf("%q", value[start:end])
	cut = cut[1 : len(cut)-1]
	if start > 0 {
		cut = "…" + cut
	}
	if end < len(value) {
		cut += "…"
	}
	return cut
}

func firstDifference(a, b string) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}
