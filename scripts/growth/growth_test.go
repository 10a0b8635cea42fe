package main

import (
	"bytes"
	"context"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestExponentOfAPower: values c·size^p have the exponent p, whatever c, p and the sizes.
func TestExponentOfAPower(t *testing.T) {
	for _, sizes := range [][]int{{1, 2}, {3, 5, 11}, {8, 16, 32, 64, 128}, {1, 2, 4, 8, 16, 32, 64, 128}} {
		for _, p := range []float64{-1, 0, .5, 1, 2, 3} {
			for _, c := range []float64{1e-6, 1, 1e9} {
				values := make([]float64, len(sizes))
				for i, n := range sizes {
					values[i] = c * math.Pow(float64(n), p)
				}
				// Logarithms here are below 30; a slope divides a few of their roundings by at least log 2.
				if got := exponent(sizes, values); !(math.Abs(got-p) < 1e-12) {
					t.Errorf("sizes %v, %g·n^%g: exponent %g", sizes, c, p, got)
				}
			}
		}
	}
}

// TestExponentByHand: log₂ of sizes 0, 1, 2 and of values 0, 2, 2 have the least-squares slope 1.
func TestExponentByHand(t *testing.T) {
	if got := exponent([]int{1, 2, 4}, []float64{1, 4, 4}); math.Abs(got-1) > 1e-12 {
		t.Errorf("exponent %g, want 1", got)
	}
}

// TestExponentIsOfTheUpperSizes: what small sizes take decides nothing, and what the third largest takes does.
func TestExponentIsOfTheUpperSizes(t *testing.T) {
	sizes := []int{1, 2, 4, 8, 16, 32}
	if got := exponent(sizes, []float64{900, 3, 0, 8, 16, 32}); math.Abs(got-1) > 1e-12 {
		t.Errorf("with other small sizes: %g, want 1", got)
	}
	if got := exponent(sizes, []float64{1, 2, 4, 32, 16, 32}); math.Abs(got) > 1e-12 {
		t.Errorf("with another third largest: %g, want 0", got)
	}
	for n, want := range map[int]int{1: 1, 2: 2, 3: 3, 4: 3, 5: 3, 6: 3, 7: 4, 8: 4} {
		if got := upper(n); got != want {
			t.Errorf("of %d sizes %d decide, want %d", n, got, want)
		}
	}
}

// TestNoExponent: there is none of one size or of nothing.
func TestNoExponent(t *testing.T) {
	for _, c := range []struct {
		sizes  []int
		values []float64
	}{{[]int{4}, []float64{1}}, {[]int{1, 2, 4}, []float64{1, 0, 2}}, {nil, nil}} {
		if got := exponent(c.sizes, c.values); !math.IsNaN(got) {
			t.Errorf("%v at %v: exponent %g, want none", c.values, c.sizes, got)
		}
	}
}

// TestMisses: an exponent needs a word beyond the tolerance on both sides of what was expected.
func TestMisses(t *testing.T) {
	for _, c := range []struct {
		e    expectation
		at   float64
		want bool
	}{{power(1), .81, false}, {power(1), 1.19, false}, {power(1), .79, true}, {power(1), 1.21, true},
		{expectation{0, 1}, .5, false}, {expectation{0, 1}, -.21, true}, {expectation{0, 1}, 1.21, true}} {
		if got := c.e.misses(c.at); got != c.want {
			t.Errorf("%v misses %g: %t, want %t", c.e, c.at, got, c.want)
		}
	}
}

// TestPeakIsWhatIsAlive: memory that is held counts, with what was there before left out; memory that was
// dropped before does not.
func TestPeakIsWhatIsAlive(t *testing.T) {
	const mib = 1 << 20
	there := make([]byte, 128*mib)
	got, err := peak(t.Context(), func(context.Context) error {
		for range 8 { // one after the other
			held := make([]byte, 32*mib)
			for begun := time.Now(); time.Since(begun) < sampled/8; {
				held[0]++
			}
		}
		return nil
	})
	there[0]++
	if err != nil || got < 32*mib || got > 130*mib { // others may come while the collector counts one
		t.Errorf("peak %.1f MiB (%v), want 32, or a few times that", got/mib, err)
	}
}

// TestMeasureTakesTheLeast of all rounds, at each size by itself, and opens and closes in turn.
func TestMeasureTakesTheLeast(t *testing.T) {
	open, runs := 0, map[int]int{}
	q := quantity{sizes: []int{1, 2}, open: func(_ context.Context, size int) (*job, error) {
		if open++; open != 1 {
			t.Errorf("%d jobs are open", open)
		}
		return &job{
			run: func(context.Context) error {
				if runs[size]++; runs[size] != 3 { // the others are slow
					time.Sleep(timed + sampled)
				}
				return nil
			},
			close: func() { open-- },
		}, nil
	}}
	r, err := measure(t.Context(), q, 3)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range r.seconds {
		if least := (timed + sampled).Seconds(); s >= least || s <= 0 {
			t.Errorf("size %d: %g s, want what the fast run took, less than %g", q.sizes[i], s, least)
		}
	}
	if open != 0 || runs[1] < 4 {
		t.Errorf("%d jobs are open at the end, after %v runs", open, runs)
	}
}

// TestTable prints two rows.
func TestTable(t *testing.T) {
	var b bytes.Buffer
	err := write(&b, []row{
		{quantity{varied: "texts", work: "reading", sizes: []int{1, 2, 4}, time: power(1), memory: expectation{0, 1}}, []float64{.0123, .0246, .0492}, []float64{1 << 20, 1 << 20, 1 << 20}},
		{quantity{varied: "cores", work: "all", sizes: []int{1, 2}, time: power(-1), memory: power(0)}, []float64{12.3, 12.3}, []float64{1 << 20, 0}},
	})
	want := `| texts | reading | 1, 2, 4 | 0.012, 0.025, 0.049 | 1 | 1.00 | 1, 1, 1 | 0 to 1 | 0.00 |
| cores | all | 1, 2 | 12, 12 | -1 | **0.00** | 1, 0 | 0 | – |
`
	_, body, _ := strings.Cut(b.String(), "|---|\n")
	if err != nil || body != want {
		t.Errorf("error %v, got\n%s\nwant\n%s", err, body, want)
	}
}

// TestEverythingThatIsMeasuredRuns does each kind of work once at its smallest size.
func TestEverythingThatIsMeasuredRuns(t *testing.T) {
	for _, q := range quantities(embedded) {
		if testing.Short() && strings.Contains(q.work, "experiment") {
			continue
		}
		if !slices.IsSorted(q.sizes) || q.time.low > q.time.high || q.memory.low > q.memory.high {
			t.Errorf("%s: sizes %v, expected %v and %v", q, q.sizes, q.time, q.memory)
		}
		j, err := q.open(t.Context(), q.sizes[0])
		if err != nil {
			t.Fatalf("%s: %v", q, err)
		}
		if err := j.run(t.Context()); err != nil {
			t.Errorf("%s: %v", q, err)
		}
		if j.close != nil {
			j.close()
		}
	}
}

// TestCommandRefuses what it cannot do, and lists what it can.
func TestCommandRefuses(t *testing.T) {
	for _, c := range []struct{ flag, value, want string }{
		{"-run", "(", "-run: "}, {"-run", "nothing at all", `nothing matches -run "nothing at all"`}, {"-repeat", "0", "-repeat 0: want 1 or more"},
	} {
		if err := command(t.Context(), []string{c.flag, c.value}, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %s: %v, want %q", c.flag, c.value, err, c.want)
		}
	}
	var out, told bytes.Buffer
	if err := command(t.Context(), []string{"-list", "-run", "^width", "-model", "gone.gguf"}, &out, &told); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "width d, ridge fit [") || strings.Contains(out.String(), "texts N") {
		t.Errorf("-run ^width lists\n%s", &out)
	}
	if !strings.Contains(told.String(), "gone.gguf") {
		t.Errorf("nothing is said of a model that is not there: %q", &told)
	}
}
