package report

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/persona-transfer/runpipeline/pipelines"
	"github.com/persona-transfer/runpipeline/transforms"
)

// TestNothingIsWiderThanTheTerminal prints the table and a plan for terminals of several widths: no line
// is wider, every word of the wide one is there, in as few lines as it takes, and without a terminal the
// bytes are those of always.
func TestNothingIsWiderThanTheTerminal(t *testing.T) {
	plan := &pipelines.Plan{Steps: []pipelines.Step{
		{Stage: transforms.Stage{Name: "capture.source", Units: 10}, State: pipelines.Run, Why: []string{"lambda_values: [1] → [2]", "a reason that is much longer than the others: it has to be broken somewhere"}},
		{Stage: transforms.Stage{Name: "vectors", Units: 1}, State: pipelines.Open, Why: []string{"capture.source comes first"}},
	}}
	facts := []pipelines.Fact{{Name: "source", Value: "SmolLM2-135M-Instruct.Q4_1.gguf: llama, width 576, 30 blocks, vocabulary 49152, 135 million parameters (513 MiB in float32); layer 17"}}
	for name, print := range map[string]func(w *bytes.Buffer, columns int) error{
		"table": func(w *bytes.Buffer, columns int) error { return Table(w, invented(t, false), texts(), columns) },
		"plan": func(w *bytes.Buffer, columns int) error {
			return Plan(w, facts, plan, pipelines.Costs{"capture.source": {{Pace: "reading", Seconds: 95}}}, columns)
		},
	} {
		var wide bytes.Buffer
		if err := print(&wide, 0); err != nil {
			t.Fatal(err)
		}
		for _, columns := range []int{500, 110, 80, 50, 30} {
			var out bytes.Buffer
			if err := print(&out, columns); err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(out.String()) {
				if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > columns {
					t.Errorf("%s on %d columns: a line of %d: %q", name, columns, n, line)
				}
			}
			got, want := letters(out.String()), letters(wide.String())
			if got != want {
				t.Errorf("%s on %d columns says something else than without a terminal:\n%s\n%s", name, columns, &out, &wide)
			}
			if columns == 500 && out.String() != wide.String() {
				t.Errorf("%s on a wide terminal is not what it is in a file:\n%s", name, &out)
			}
		}
	}
}

// letters are the characters of a text but spaces, in their order by lines' columns: sorted, since a
// folded table has them in another order.
func letters(text string) string {
	all := []rune(strings.Join(strings.Fields(text), ""))
	slices.Sort(all)
	return string(all)
}

// TestAFoldedTableKeepsItsRowsTogether shows what a row becomes that is wider than the terminal.
func TestAFoldedTableKeepsItsRowsTogether(t *testing.T) {
	rows := [][]string{{"condition", "trait", "coherence", "alpha"}, {"none", "1.21 [1.12, 1.30]", "4.43 [4.35, 4.49]", ""}, {"ridge", "3.36 [3.13, 3.59]", "3.79 [3.67, 3.90]", "0.4…0.45"}}
	want := `
  condition  trait
    coherence          alpha
  none       1.21 [1.12, 1.30]
    4.43 [4.35, 4.49]
  ridge      3.36 [3.13, 3.59]
    3.79 [3.67, 3.90]  0.4…0.45
`
	var out bytes.Buffer
	(&printer{w: &out, width: 34}).columns(rows)
	if out.String() != want[1:] {
		t.Errorf("on 34 columns:\n%swant%s", &out, want)
	}
}

func TestWrap(t *testing.T) {
	for _, c := range []struct {
		line    string
		columns int
		want    []string
	}{
		{"a line of words", 0, []string{"a line of words"}},
		{"a line of words", 15, []string{"a line of words"}},
		{"a line of words that goes on", 15, []string{"a line of words", "    that goes", "    on"}},
		{"  set in, a line of words", 16, []string{"  set in, a line", "      of words"}},
		{strings.Repeat("ä", 20), 12, []string{strings.Repeat("ä", 12), "    " + strings.Repeat("ä", 8)}},
		{"", 5, []string{""}},
		{"ab cd", 1, []string{"a", "b", "c", "d"}},
	} {
		if got := Wrap(c.line, c.columns); !slices.Equal(got, c.want) {
			t.Errorf("%q on %d columns: %q, want %q", c.line, c.columns, got, c.want)
		}
	}
	for columns := 1; columns < 60; columns++ {
		line := fmt.Sprintf("%*s%s", columns%7, "", "words and averyverylongwordthatnobodywouldwrite, again words ") // trailing space
		for _, l := range Wrap(line, columns) {
			if utf8.RuneCountInString(l) > columns {
				t.Errorf("%d columns: %q", columns, l)
			}
		}
	}
}
