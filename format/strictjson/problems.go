package strictjson

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"
)

// A Problem is one thing that is wrong with a text.
type Problem struct {
	Path         string // "fit.method", "lambda_values[2]"; items are counted from 1; "" is the whole value
	Line, Column int    // from 1, in characters
	Text         string
	Malformed    bool // it is no JSON at all, and nothing behind it was read
}

// String is the place that helps most, then what is wrong there.
func (p Problem) String() string {
	switch {
	case p.Malformed:
		return fmt.Sprintf("line %d, column %d: %s", p.Line, p.Column, p.Text)
	case p.Path == "":
		return p.Text
	}
	return p.Path + ": " + p.Text
}

// Problems is everything that is wrong with a text, as far as it was kept: a text that is wrong in
// every line is described by its first ones.
type Problems []Problem

// maxProblems is more than anybody reads.
const maxProblems = 20

// Error lists the problems.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, one := range p {
		lines[i] = one.String()
	}
	return strings.Join(lines, "; ")
}

// report notes a problem with the value that is being read.
func (r *reader) report(offset int, format string, args ...any) {
	r.note(offset, false, format, args...)
}

// malformed notes a problem behind which nothing can be read.
func (r *reader) malformed(offset int, format string, args ...any) bool {
	r.note(offset, true, format, args...)
	return false
}

func (r *reader) note(offset int, malformed bool, format string, args ...any) {
	if len(r.problems) >= maxProblems && !malformed {
		r.more++
		return
	}
	before := r.text[:min(offset, len(r.text))]
	start := bytes.LastIndexByte(before, '\n') + 1
	r.problems = append(r.problems, Problem{Path: r.where(), Line: 1 + bytes.Count(before, []byte("\n")), Column: 1 + utf8.RuneCount(before[start:]),
		Text: fmt.Sprintf(format, args...), Malformed: malformed})
}

// where writes the path of the value that is being read. It is asked for once a problem, never once
// a value: paths of deep values in a long text would take more memory than the text.
func (r *reader) where() string {
	var path strings.Builder
	for _, step := range r.path {
		switch {
		case step.key == nil:
			fmt.Fprintf(&path, "[%d]", step.item)
		case path.Len() > 0:
			path.WriteByte('.')
			fallthrough
		default:
			path.WriteString(shorten(*step.key))
		}
		if path.Len() > maxShown {
			path.WriteString("…")
			break
		}
	}
	return path.String()
}

// maxShown bounds in bytes what a message repeats of a text.
const maxShown = 80

// shorten cuts a long piece of text at a character.
func shorten(text string) string {
	if len(text) <= maxShown {
		return text
	}
	end := maxShown
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "…"
}

// Nearest gives the known name with the smallest edit distance, for "did you mean"; "" if the name is
// too long to have been meant for one of them.
func Nearest(name string, known []string) string {
	best, distance := "", 1<<30
	if len(name) > maxShown {
		return ""
	}
	for _, k := range known {
		if d := edits(name, k); d < distance || d == distance && k < best {
			best, distance = k, d
		}
	}
	return best
}

// edits is the Levenshtein distance.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
