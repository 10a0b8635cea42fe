package jinja

import (
	"context"
	"errors"
	"runtime/metrics"
	"strings"
	"testing"
	"time"

	"github.com/persona-transfer/runpipeline/gpu/gputest/cputime"
)

// bombs are templates that would take all time or memory there is, by what they do.
var bombs = map[string]string{
	"nested loops over literals":      strings.Repeat("{% for a in [1,2,3,4,5,6,7,8,9,10] %}", 9) + "x" + strings.Repeat("{% endfor %}", 9),
	"nested loops that write nothing": strings.Repeat("{% for a in 'abcdefghijklmnopqrstuvwxyz' %}", 8) + strings.Repeat("{% endfor %}", 8),
	"loops over a range":              "{% for i in range(90000) %}{% for j in range(90000) %}{% endfor %}{% endfor %}",
	"doubling by ~":                   "{% set x = 'aaaaaaaa' %}" + strings.Repeat("{% set x = x ~ x %}", 40) + "{{ x }}",
	"doubling by +":                   "{% set x = 'aaaaaaaa' %}" + strings.Repeat("{% set x = x + x %}", 40) + "{{ x }}",
	"doubling a list":                 "{% set x = [1] %}" + strings.Repeat("{% set x = x + x %}", 40) + "{{ x|length }}",
	"doubling in a namespace":         "{% set ns = namespace(x='ab') %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
	"doubling by join":                "{% set x = 'ab' %}" + strings.Repeat("{% set x = [x, x]|join %}", 40),
	"doubling by set blocks":          "{% set x = 'ab' %}" + strings.Repeat("{% set x %}{{ x }}{{ x }}{% endset %}", 40),
	"doubling by a macro":             "{% macro f(x) %}{{ x }}{{ x }}{% endmacro %}{% set x = 'ab' %}" + strings.Repeat("{% set x = f(x) %}", 40),
	"doubling by format":              "{% set x = 'ab' %}" + strings.Repeat("{% set x = '%s%s' % (x, x) %}", 40),
	"doubling by replace":             "{% set x = 'aa' %}" + strings.Repeat("{% set x = x|replace('a', 'aa') %}", 40),
	"doubling a printed list":         "{% set x = [1] %}" + strings.Repeat("{% set x = [x, x] %}", 60) + "{{ x }}",
	"doubling a list as JSON":         "{% set x = [1] %}" + strings.Repeat("{% set x = [x, x] %}", 60) + "{{ x|tojson }}",
	"comparing doubled lists":         "{% set x = [1] %}{% set y = [1] %}" + strings.Repeat("{% set x = [x, x] %}{% set y = [y, y] %}", 60) + "{{ x == y }}",
	"ordering doubled lists":          "{% set x = [1] %}{% set y = [1] %}" + strings.Repeat("{% set x = [x, x] %}{% set y = [y, y] %}", 60) + "{{ x < y }}",
	"doubled tuples as keys":          "{% set x = (1,) %}" + strings.Repeat("{% set x = (x, x) %}", 60) + "{{ {x: 1} }}",
	"repeating a text":                "{{ 'a' * 10 ** 10 }}",
	"repeating a text in length":      "{{ ('a' * 10 ** 10)|length }}",
	"repeating a list":                "{{ ([1] * 10 ** 10)|length }}",
	"repeating nothing":               "{{ '' * 10 ** 18 }}{{ ([] * 10 ** 18)|length }}{{ 10 ** 30 }}",
	"repeating again and again":       "{{ 'a' * 9223372036854775807 * 2 }}",
	"a power of a power":              "{{ 10 ** 10 ** 10 }}",
	"a huge exponent":                 "{{ 3 ** 9223372036854775807 }}",
	"a huge exponent of one":          "{{ 1 ** 9223372036854775807 }}{{ 2 ** 64 }}",
	"center as filter":                "{{ 'a'|center(10 ** 9) }}",
	"center":                          "{{ 'a'.center(10 ** 9) }}",
	"ljust":                           "{{ 'a'.ljust(10 ** 18) }}",
	"zfill":                           "{{ 'a'.zfill(10 ** 12) }}",
	"expandtabs":                      "{{ ('\\t' * 1000).expandtabs(10 ** 9) }}",
	"indent by a number":              "{{ 'a\\nb'|indent(10 ** 9) }}",
	"indent of many lines":            "{{ ('\\n' * 100000)|indent(10000, true, true) }}",
	"slice":                           "{{ [1]|slice(10 ** 9)|list }}",
	"slice with a filling":            "{{ [1]|slice(10 ** 9, 'x')|list }}",
	"batch with a filling":            "{{ [1]|batch(10 ** 9, 'x')|list }}",
	"replacing what is empty":         "{{ ('a' * 100000).replace('', 'b' * 100000) }}",
	"replacing as filter":             "{{ ('a' * 100000)|replace('a', 'b' * 100000) }}",
	"joining with a long text":        "{{ range(100000)|join('x' * 100000) }}",
	"joining as method":               "{{ ('x' * 100000).join(['a'] * 100000) }}",
	"width of %":                      "{{ '%1000000000d' % 5 }}",
	"width of % from a value":         "{{ '%*d' % (10 ** 9, 5) }}",
	"digits of %":                     "{{ '%.1000000000f' % 5.0 }}",
	"digits of a number of %":         "{{ '%.1000000000d' % 5 }}",
	"width as filter":                 "{{ '%1000000000s'|format('a') }}",
	"width of format":                 "{{ '{:>1000000000}'.format('a') }}",
	"width of a number of format":     "{{ '{:01000000000d}'.format(5) }}",
	"width of format from a value":    "{{ '{:{}}'.format('a', 10 ** 9) }}",
	"digits of format":                "{{ '{:.1000000000f}'.format(1.5) }}",
	"macros that call each other":     "{% macro f() %}{{ g() }}{% endmacro %}{% macro g() %}{{ f() }}{% endmacro %}{{ f() }}",
	"a macro that calls itself twice": "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}",
	"a macro given to itself":         "{% macro f(g) %}{{ g(g) }}{% endmacro %}{{ f(f) }}",
	"callers without end":             "{% macro f() %}{% call f() %}{{ caller() }}{% endcall %}{% endmacro %}{{ f() }}",
	"a default that calls":            "{% macro f(a=1) %}{% endmacro %}{% macro g(a=f(g())) %}{% endmacro %}{{ g() }}",
	"a recursive loop":                "{% for x in [1] recursive %}{{ loop([x]) }}{% endfor %}",
	"lipsum":                          "{{ lipsum(10 ** 9) }}",
	"a long range":                    "{{ range(10 ** 9) }}",
	"many ranges as lists":            "{% for i in range(1000) %}{% set x = range(100000)|list %}{% endfor %}",
	"ranges looked through":           "{% for i in range(100000) %}{{ 'a' in range(100000) }}{% endfor %}",
	"brackets":                        "{{ " + strings.Repeat("(", 30000) + strings.Repeat(")", 30000) + " }}",
	"lists in lists":                  "{{ " + strings.Repeat("[", 30000) + strings.Repeat("]", 30000) + " }}",
	"subscripts in subscripts":        "{{ " + strings.Repeat("a[", 20000) + strings.Repeat("]", 20000) + " }}",
	"signs":                           "{{ " + strings.Repeat("-", 60000) + "1 }}",
	"not not":                         "{{ " + strings.Repeat("not ", 15000) + "1 }}",
	"a long sum":                      "{{ 1" + strings.Repeat("+1", 30000) + " }}",
	"a long chain of filters":         "{{ 1" + strings.Repeat("|e", 30000) + " }}",
	"a long chain of attributes":      "{{ a" + strings.Repeat(".a", 30000) + " }}",
	"a long chain of calls":           "{{ a" + strings.Repeat("()", 30000) + " }}",
	"conditions in conditions":        "{{ 1" + strings.Repeat(" if 1 else 1", 5000) + " }}",
	"ifs in ifs":                      strings.Repeat("{% if 1 %}", 6000),
	"elifs":                           "{% if 0 %}" + strings.Repeat("{% elif nothing.x.y %}", 2000) + "{% endif %}",
	"a deep list that is printed":     "{% set ns = namespace(x=[]) %}{% for i in range(10000) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}",
	"a deep list as JSON":             "{% set ns = namespace(x=[]) %}{% for i in range(10000) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x|tojson }}",
	"a deep list that is compared":    "{% set ns = namespace(x=[], y=[]) %}{% for i in range(10000) %}{% set ns.x = [ns.x] %}{% set ns.y = [ns.y] %}{% endfor %}{{ ns.x == ns.y }}",
	"a deep tuple as a key":           "{% set ns = namespace(x=()) %}{% for i in range(10000) %}{% set ns.x = (ns.x,) %}{% endfor %}{{ {ns.x: 1} }}",
	"JSON with a large indent":        "{% set ns = namespace(x=[]) %}{% for i in range(100) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x|tojson(indent=10 ** 6) }}",
	"JSON with a huge indent":         "{{ [1]|tojson(indent=10 ** 12) }}",
	"JSON with long separators":       "{{ ([1] * 10000)|tojson(separators=('x' * 10000, ':')) }}",
	"cycler in a loop":                "{% set c = cycler('a' * 100000, 'b' * 100000) %}{% for i in range(100000) %}{{ c.next() }}{% endfor %}",
	"joiner in a loop":                "{% set j = joiner('a' * 100000) %}{% for i in range(100000) %}{{ j() }}{% endfor %}",
	"building a text bit by bit":      "{% set ns = namespace(x='') %}{% for i in range(100000) %}{% set ns.x = ns.x + 'abcdefgh' %}{% endfor %}",
	"building a list bit by bit":      "{% set ns = namespace(x=[]) %}{% for i in range(100000) %}{% set ns.x = ns.x + [i] %}{% endfor %}",
	"building a dict bit by bit":      "{% set ns = namespace(x={}) %}{% for i in range(100000) %}{% set ns.x = dict(ns.x, **{'k' ~ i: i}) %}{% endfor %}",
	"many attributes":                 "{% set ns = namespace() %}{% for i in range(100000) %}{% set ns.l = dict({i: ns.l}) %}{% endfor %}",
	"many slices of a text":           "{% set x = 'a' * 1000000 %}{% for i in range(100000) %}{% set y = x[::-1] %}{% endfor %}",
	"many lengths of a text":          "{% set x = 'é' * 1000000 %}{% for i in range(100000) %}{% if x|length == 1 %}{% endif %}{% endfor %}",
	"many searches of a text":         "{% set x = 'a' * 1000000 %}{% for i in range(100000) %}{% if 'b' in x %}{% endif %}{{ x.find('ab') }}{% endfor %}",
	"many comparisons of texts":       "{% set x = 'a' * 1000000 %}{% set y = x ~ '' %}{% for i in range(100000) %}{% if x == y %}{% endif %}{% endfor %}",
	"many strips":                     "{% set x = ' ' * 1000000 %}{% for i in range(100000) %}{% set y = x.strip() %}{% endfor %}",
	"a strip of many characters":      "{% set x = 'a' * 1000000 %}{{ x.strip('b' * 1000000 ~ 'a') }}{% for i in range(100) %}{{ x.strip('b' * 100000 ~ 'a') }}{% endfor %}",
	"many sorts":                      "{% set x = range(10000)|reverse|list %}{% for i in range(100000) %}{% set y = x|sort %}{% endfor %}",
	"many splits":                     "{% set x = 'a ' * 100000 %}{% for i in range(1000) %}{% set y = x.split() %}{% endfor %}",
	"urlencode":                       "{% set x = '/é' * 100000 %}{% for i in range(1000) %}{% set y = x|urlencode %}{% endfor %}",
	"escaping":                        "{% set x = '<' * 1000000 %}" + strings.Repeat("{% set x = x|forceescape %}", 20),
	"many macros kept":                "{% set ns = namespace(l=none) %}{% for i in range(100000) %}{% macro f() %}{% endmacro %}{% set ns.l = [f, ns.l] %}{% endfor %}",
	"many generators kept":            "{% set ns = namespace(l=none) %}{% for i in range(100000) %}{% set ns.l = [[1]|map('abs'), ns.l] %}{% endfor %}",
	"generators of generators":        "{% set ns = namespace(l=[1]) %}{% for i in range(20000) %}{% set ns.l = ns.l|map('abs') %}{% endfor %}{{ ns.l|list }}",
	"wordwrap":                        "{{ ('a ' * 100000)|wordwrap(1, wrapstring='b' * 100000) }}",
	"arguments without end":           "{% macro f() %}{{ varargs|length }}{% endmacro %}{{ f(*range(100000)) }}" + strings.Repeat("{{ f(*range(100000)) }}", 50),
	"groupby":                         "{% for i in range(100) %}{% set x = range(100000)|groupby('real') %}{% endfor %}",
	"a with in a with":                strings.Repeat("{% with a = 1 %}", 5000),
	"long names":                      "{% for i in range(100000) %}{% for j in range(100) %}{{ " + strings.Repeat("a", 60000) + " }}{% endfor %}{% endfor %}",
	"long attributes":                 "{% set x = 'a' * 1000000 %}{% for i in range(100000) %}{{ 1|attr(x) }}{% endfor %}",
	"long names of filters":           "{% set x = 'a' * 1000000 %}{% for i in range(100000) %}{{ [1]|map(x)|list }}{% endfor %}",
	"long numbers":                    "{% set x = '1' * 1000000 %}{% for i in range(100000) %}{{ x|float }}{% endfor %}",
	"many names in a format":          "{% set ns = namespace(x={}) %}{{ ('{b}' * 100000).format(**dict([('a' ~ 1, 1)], b=1)) }}{% set d = dict(range(100000)|map('string')|batch(2)) %}{{ ('{99999}{b}{c}' * 100000).format_map(dict(d, b=1)) }}",
	"many named arguments":            "{% macro f(" + "a" + ") %}{{ kwargs|length }}{% endmacro %}{% set d = dict(range(20000)|map('string')|batch(2)) %}{% for i in range(100000) %}{{ f(**d) }}{% endfor %}",
	"quoting":                         "{% set x = '\\x00' * 1000000 %}{{ [x, x, x, x] }}",
	"slices of what is not ASCII":     "{% set x = 'é' * 1000000 %}{% for i in range(1000) %}{{ x[1:]|length }}{{ x[::-1]|length }}{% endfor %}",
	"many tags":                       "{% for i in range(100000) %}" + strings.Repeat("{{ i }}", 5000) + "{% endfor %}",
}

// heap returns the bytes of all objects on the heap, dead ones that are not collected yet included.
func heap() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// TestBombsEndWithinTheBudget tests J2: every bomb is refused within seconds (milliseconds on a machine
// that does nothing else) and with little memory.
func TestBombsEndWithinTheBudget(t *testing.T) {
	const most = 64 << 20
	for name, source := range bombs {
		before, peak := heap(), uint64(0)
		done := make(chan struct{})
		stopped := make(chan struct{})
		go func() {
			defer close(stopped)
			for {
				peak = max(peak, heap())
				select {
				case <-done:
					return
				case <-time.After(2 * time.Millisecond):
				}
			}
		}()
		start := cputime.Now()
		text, err := render(source, nil)
		took := cputime.Now() - start
		peak = max(peak, heap())
		close(done)
		<-stopped
		if err == nil {
			t.Errorf("%s: %.40q, want an error", name, text)
		}
		if took > 5*time.Second {
			t.Errorf("%s: refused after %v: %v", name, took, err)
		}
		if peak > before+most {
			t.Errorf("%s: %d MiB of heap: %v", name, (peak-before)>>20, err)
		}
		if testing.Verbose() {
			t.Logf("%-32s %6.0f ms %4d MiB  %.90v", name, took.Seconds()*1e3, int64(peak-before)>>20, err)
		}
	}
}

// TestRendersEndWithTheirContext tests the rest of J2.
func TestRendersEndWithTheirContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	template, err := Parse("{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}")
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := template.Render(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled render: %v, want %v", err, context.Canceled)
	}
}

// TestTheBudgetGrowsWithTheConversation renders a conversation of megabytes, and a long one, by a template
// that looks at all of it many times.
func TestTheBudgetGrowsWithTheConversation(t *testing.T) {
	source := "{% for m in messages %}{% set c = m.content|trim %}{% set c = c.split('</think>')[-1].lstrip() %}" +
		"{{ '<|im_start|>' + m.role + '\n' + c + '<|im_end|>' + '\n' }}{% endfor %}"
	for _, turns := range []int{4, 20000} {
		messages := make([]any, turns)
		for i := range messages {
			messages[i] = Pairs{{"role", "user"}, {"content", strings.Repeat("word ", 1<<20/turns)}}
		}
		got, err := render(source, Pairs{{"messages", messages}})
		if err != nil || len(got) < 4<<20 {
			t.Errorf("%d turns: %d bytes, %v", turns, len(got), err)
		}
	}
}
