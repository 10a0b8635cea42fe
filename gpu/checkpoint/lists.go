package checkpoint

import (
	"fmt"
	"strings"
)

// most is how many names a message lists.
const most = 20

// some lists the first names, and how many more there are.
func some(names []string) string { return join(names, ", ") }

// join lists the first of parts, each cut where it is long, and how many more there are.
func join(parts []string, separator string) string {
	const longest = 400
	shown := make([]string, 0, min(len(parts), most)+1)
	for _, p := range parts[:min(len(parts), most)] {
		if len(p) > longest {
			p = strings.ToValidUTF8(p[:longest], "") + "…"
		}
		shown = append(shown, p)
	}
	if n := len(parts) - most; n > 0 {
		shown = append(shown, fmt.Sprintf("and %d more", n))
	}
	return strings.Join(shown, separator)
}

// show writes a value of a file for a message.
func show(v any) string { return fmt.Sprintf("%.100s", fmt.Sprint(v)) }
