package report

import (
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	hang     = 4  // how far the rest of a line that was broken is set in
	narrowed = 24 // the last column is text, and broken between its words, if it keeps this width
)

// Wrap breaks a line between words so that no part is wider than columns; the parts behind the first are
// set in. A word that is wider is broken where it must be. Columns of 0 or less are no limit.
func Wrap(line string, columns int) []string {
	if columns <= 0 || utf8.RuneCountInString(line) <= columns {
		return []string{line}
	}
	margin := len(line) - len(strings.TrimLeft(line, " ")) + hang
	if margin > columns/2 {
		margin = 0
	}
	var out []string
	rest := []rune(line)
	for indent := 0; len(rest) > columns-indent; indent = margin {
		cut := columns - indent
		at := cut
		for at > 0 && rest[at] != ' ' {
			at--
		}
		if strings.TrimSpace(string(rest[:at])) == "" {
			at = cut
		}
		out = append(out, strings.Repeat(" ", indent)+strings.TrimRight(string(rest[:at]), " "))
		rest = []rune(strings.TrimLeft(string(rest[at:]), " "))
	}
	if len(rest) > 0 {
		out = append(out, strings.Repeat(" ", margin)+string(rest))
	}
	return out
}

// widths gives the width of each column of rows.
func widths(rows [][]string) (width []int) {
	for _, row := range rows {
		for i, cell := range row {
			if i == len(width) {
				width = append(width, 0)
			}
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	return width
}

// columns prints rows with aligned columns: the first is the row's name, and is set in. What does not fit
// into the terminal continues in lines of its own below its row: the text of a last column between its
// words, other columns as a whole.
func (p *printer) columns(rows [][]string) {
	const gap = 2
	width := widths(rows)
	all := 0
	for _, w := range width {
		all += gap + w
	}
	if p.width <= 0 || all <= p.width {
		for _, row := range rows {
			p.print(join(row, width, gap))
		}
		return
	}
	if last := len(width) - 1; last > 0 && p.width-(all-width[last]) >= narrowed {
		p.broken(rows, width, gap, p.width-(all-width[last]))
		return
	}
	for _, row := range rows {
		for k, part := range folded(width, gap, p.width) {
			indent := gap
			if k > 0 {
				indent = hang
			}
			cells := row[min(part[0], len(row)):min(part[1], len(row))]
			if line := join(cells, width[part[0]:part[1]], indent); k == 0 || strings.TrimSpace(line) != "" {
				for _, l := range Wrap(strings.TrimRight(line, " "), p.width) {
					p.print(l)
				}
			}
		}
	}
}

// join sets cells beside each other.
func join(cells []string, width []int, indent int) string {
	text := strings.Repeat(" ", indent)
	for i, cell := range cells {
		text += cell + strings.Repeat(" ", width[i]-utf8.RuneCountInString(cell)+2)
	}
	return text
}

// folded cuts columns into parts that fit into a line each.
func folded(width []int, gap, columns int) (parts [][2]int) {
	from, used := 0, gap
	for i, w := range width {
		if i > from && used+w > columns {
			parts, from, used = append(parts, [2]int{from, i}), i, hang
		}
		used += w + gap
	}
	return append(parts, [2]int{from, len(width)})
}

// broken prints rows whose last column is broken between words, to a width.
func (p *printer) broken(rows [][]string, width []int, gap, room int) {
	last := len(width) - 1
	for _, row := range rows {
		if len(row) <= last {
			p.print(join(row, width, gap))
			continue
		}
		lines := Wrap(row[last], room)
		for k, text := range lines {
			cells := slices.Clone(row)
			cells[last] = text
			if k > 0 {
				cells = make([]string, len(row))
				cells[last] = strings.TrimLeft(text, " ")
			}
			shortened := slices.Clone(width)
			shortened[last] = utf8.RuneCountInString(cells[last])
			p.print(join(cells, shortened, gap))
		}
	}
}
