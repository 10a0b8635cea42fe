package jinja

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/persona-transfer/runpipeline/gpu/gputest/cputime"
)

// FuzzRender reads and renders whatever comes: nothing panics, and every render ends within its budget (J2).
func FuzzRender(f *testing.F) {
	var ref templates
	readGzip(f, "templates.json.gz", &ref)
	for _, source := range ref.Templates {
		f.Add(source)
	}
	var small expressions
	readGzip(f, "expressions.json.gz", &small)
	for i, c := range small.Cases {
		if i%20 == 0 || !strings.HasPrefix(c.Template, "{{ ") {
			f.Add(c.Template)
		}
	}
	for _, source := range bombs {
		if len(source) < 1000 {
			f.Add(source)
		}
	}
	f.Fuzz(func(t *testing.T, source string) {
		template, err := Parse(source)
		if err != nil {
			return
		}
		start := cputime.Now()
		first, firstErr := template.Render(context.Background(), ref.variables(10, true))
		if took := cputime.Now() - start; took > 10*time.Second {
			t.Fatalf("%q took %v", source, took)
		}
		again, againErr := template.Render(context.Background(), ref.variables(10, true))
		if first != again || (firstErr == nil) != (againErr == nil) {
			t.Fatalf("%q = %q, %v, then %q, %v", source, first, firstErr, again, againErr)
		}
	})
}
