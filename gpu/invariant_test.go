package gpu_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"runtime"
	"sync"
	"testing"

	"github.com/persona-transfer/runpipeline/gpu"
	"github.com/persona-transfer/runpipeline/gpu/gputest"
)

var greedy = gpu.Sampling{MaxNewTokens: 12}

func generate(t *testing.T, d *gpu.Decoder, rows []gpu.Row, s gpu.Sampling) []gpu.Output {
	t.Helper()
	out, err := d.Generate(context.Background(), rows, s)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// variedRows are n rows of many lengths, most of them steered.
func variedRows(r *gputest.Reference, n int, seed uint64) []gpu.Row {
	rng := rand.New(rand.NewPCG(seed, 1))
	var rows []gpu.Row
	for i := range n {
		row := gpu.Row{Prompt: r.Text(1+rng.IntN(30), rng.Uint64()), Noise: gpu.Noise{Seed: rng.Uint64()}}
		if rng.IntN(4) > 0 {
			row.Push = []gpu.Push{{
				Site:      gpu.Site{Layer: rng.IntN(r.Config.Layers)},
				Vector:    r.Vector(4*rng.Float64(), rng.Uint64()),
				Positions: gpu.Positions(i % 3),
			}}
		}
		rows = append(rows, row)
	}
	return rows
}

// TestNeighboursChangeNothing puts a row among others, at another place, with longer
// neighbours and with pushes around it: margins, which are differences of logits, must have
// the same bits.
func TestNeighboursChangeNothing(t *testing.T) {
	eachFamily(t, func(t *testing.T, d *gpu.Decoder, r *gputest.Reference) {
		for _, n := range []int{3, 16, 21} {
			rows := variedRows(r, n, 1)
			first := generate(t, d, rows, greedy)
			for _, moved := range []int{1, n / 2} {
				others := variedRows(r, n, uint64(100+moved))
				others[0].Prompt = r.Text(60, 3) // a larger cache for everyone
				for i := range n / 2 {
					others[(i+moved)%n] = rows[i]
				}
				got := generate(t, d, others, greedy)
				for i := range n / 2 {
					if j := (i + moved) % n; !reflect.DeepEqual(got[j], first[i]) {
						t.Errorf("%d rows: row %d became %v at place %d among other neighbours, want %v", n, i, got[j], j, first[i])
					}
				}
			}
		}
	})
}

func TestSampledTextsDependOnNoiseAlone(t *testing.T) {
	d, r := open(t, "llama")
	s := gpu.Sampling{MaxNewTokens: 10, Temperature: 0.9, TopP: 0.95, TopK: 50}
	rows := variedRows(r, 16, 2)
	first := generate(t, d, rows, s)
	rows[3].Noise.Seed++
	again := generate(t, d, rows, s)
	for i := range rows {
		if same := reflect.DeepEqual(first[i], again[i]); same != (i != 3) {
			t.Errorf("row %d: same text %t after only row 3 got other noise", i, same)
		}
	}
}

// TestZeroPushIsNoPush is the promise that alpha 0 is bit-identical to no steering.
func TestZeroPushIsNoPush(t *testing.T) {
	eachFamily(t, func(t *testing.T, d *gpu.Decoder, r *gputest.Reference) {
		rows := variedRows(r, 6, 3)
		for i := range rows {
			rows[i].Push = nil
		}
		want := generate(t, d, rows, greedy)
		texts := [][]int32{r.Text(9, 1), r.Text(20, 2)}
		wantLogits, err := d.Logits(context.Background(), texts, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, positions := range []gpu.Positions{gpu.Response, gpu.All, gpu.LastPrompt} {
			zero := []gpu.Push{{Site: gpu.Site{Layer: 1}, Vector: make([]float32, r.Config.Hidden), Positions: positions}}
			for i := range rows {
				rows[i].Push = zero
			}
			if got := generate(t, d, rows, greedy); !reflect.DeepEqual(got, want) {
				t.Errorf("%s: a push of zero changed generation", positions)
			}
			got, err := d.Logits(context.Background(), texts, [][]gpu.Push{zero, zero})
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, wantLogits) {
				t.Errorf("%s: a push of zero changed logits", positions)
			}
		}
	})
}

// TestExtractInject reads h at a site, adds −h there, and reads back exactly zero.
func TestExtractInject(t *testing.T) {
	eachFamily(t, func(t *testing.T, d *gpu.Decoder, r *gputest.Reference) {
		ctx := context.Background()
		text := [][]int32{r.Text(13, 1)}
		last := [][]int{{12}}
		for l := range r.Config.Layers {
			site := []gpu.Site{{Layer: l}}
			h, err := d.Capture(ctx, text, last, site)
			if err != nil {
				t.Fatal(err)
			}
			minus := make([]float32, len(h[0]))
			for i, v := range h[0] {
				minus[i] = -v
			}
			push := [][]gpu.Push{{{Site: site[0], Vector: minus}}}
			got, err := d.CaptureSteered(ctx, text, last, site, push)
			if err != nil {
				t.Fatal(err)
			}
			for i, v := range got[0] {
				if v != 0 {
					t.Fatalf("%s: element %d is %g after −h was added", site[0], i, v)
				}
			}
			others, err := d.CaptureSteered(ctx, text, [][]int{{11}}, site, push)
			if err != nil {
				t.Fatal(err)
			}
			want, err := d.Capture(ctx, text, [][]int{{11}}, site)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(others, want) {
				t.Errorf("%s: the push changed the token before the last", site[0])
			}
		}
	})
}

// TestCachedIsUncached follows a generated text with Logits, which has no cache.
func TestCachedIsUncached(t *testing.T) {
	eachDecoder(t, func(t *testing.T, d *gpu.Decoder, r *gputest.Reference) {
		switch r.Config.Ropes[0].Type {
		case "dynamic", "qwen":
			t.Skip("positions turn by the length of the prompt, and Logits takes the whole text for the prompt")
		}
		rows := variedRows(r, 5, 4)
		for i := range rows {
			rows[i].Push = nil // Logits steers the last token only
		}
		s := greedy
		s.StopAtEOS = true
		for i, out := range generate(t, d, rows, s) {
			text := rows[i].Prompt
			for j, token := range out.Tokens {
				logits, err := d.Logits(context.Background(), [][]int32{text}, nil)
				if err != nil {
					t.Fatal(err)
				}
				best, second := topTwo(logits[0])
				if best != token && out.Margins[j] > 1e-4 {
					t.Fatalf("row %d token %d: %d with a cache, %d without", i, j, token, best)
				}
				if margin := logits[0][best] - logits[0][second]; math.Abs(float64(margin-out.Margins[j])) > 1e-4 {
					t.Errorf("row %d token %d: margin %g with a cache, %g without", i, j, out.Margins[j], margin)
				}
				text = append(text[:len(text):len(text)], token)
			}
		}
	})
}

func topTwo(x []float32) (best, second int32) {
	best, second = 0, 1
	if x[1] > x[0] {
		best, second = 1, 0
	}
	for i := int32(2); int(i) < len(x); i++ {
		switch {
		case x[i] > x[best]:
			best, second = i, best
		case x[i] > x[second]:
			second = i
		}
	}
	return best, second
}

func TestEveryPushReachesEveryToken(t *testing.T) {
	d, r := open(t, "llama")
	plain := gpu.Row{Prompt: r.Text(8, 1)}
	strong := plain
	strong.Push = []gpu.Push{{Site: gpu.Site{Layer: r.Config.Layers - 1}, Vector: r.Vector(1000, 2)}}
	// The last block's residual is nearly the vector at every token, so every token is the same.
	out := generate(t, d, []gpu.Row{plain, strong}, greedy)
	for j, token := range out[1].Tokens {
		if token != out[1].Tokens[0] {
			t.Errorf("token %d is %d, want %d as all that follow the vector", j, token, out[1].Tokens[0])
		}
	}
	if reflect.DeepEqual(out[0].Tokens, out[1].Tokens) {
		t.Error("a strong push changed nothing")
	}
}

func TestCoresChangeNothing(t *testing.T) {
	d, r := open(t, "qwen2")
	rows := variedRows(r, 20, 5)
	want := generate(t, d, rows, greedy)
	for _, n := range []int{1, 2, 5} {
		old := runtime.GOMAXPROCS(n)
		got := generate(t, d, rows, greedy)
		runtime.GOMAXPROCS(old)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("GOMAXPROCS=%d changed the texts", n)
		}
	}
}

func TestManyCallersOneDevice(t *testing.T) {
	d, r := open(t, "llama")
	rows := variedRows(r, 8, 6)
	want := generate(t, d, rows, greedy)
	var wg sync.WaitGroup
	errs := make([]error, 4)
	for i := range errs {
		wg.Go(func() {
			got, err := d.Generate(context.Background(), rows, greedy)
			if err == nil && !reflect.DeepEqual(got, want) {
				err = errors.New("other texts than alone")
			}
			errs[i] = err
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
}

func TestCancelled(t *testing.T) {
	d, r := open(t, "llama")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := d.Generate(ctx, variedRows(r, 2, 1), greedy); !errors.Is(err, context.Canceled) {
		t.Errorf("generate: %v", err)
	}
	if _, err := d.Capture(ctx, [][]int32{{1}}, [][]int{{0}}, []gpu.Site{{}}); !errors.Is(err, context.Canceled) {
		t.Errorf("capture: %v", err)
	}
}

func TestEndOfText(t *testing.T) {
	d, r := open(t, "llama")
	row := gpu.Row{Prompt: r.Text(5, 1)}
	// Find a text that ends by making whatever comes first the end.
	first := generate(t, d, []gpu.Row{row}, greedy)[0].Tokens[0]
	config := *r.Config
	config.EOS = []int32{first}
	e, err := gpu.OpenSource(&config, r, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	stop := greedy
	stop.StopAtEOS = true
	if out := generate(t, e, []gpu.Row{row}, stop)[0]; !out.Ended || len(out.Tokens) != 0 {
		t.Errorf("a text that ends at once became %v", out)
	}
	out := generate(t, e, []gpu.Row{row}, greedy)[0]
	if out.Ended || len(out.Tokens) != greedy.MaxNewTokens {
		t.Errorf("a text that must not end became %v", out)
	}
	for _, token := range out.Tokens {
		if token == first {
			t.Errorf("the end-of-text token %d was generated", first)
		}
	}
}

func TestBadArguments(t *testing.T) {
	d, r := open(t, "llama")
	ctx := context.Background()
	v := r.Vector(1, 1)
	nan := append([]float32{float32(math.NaN())}, v[1:]...)
	row := func(p gpu.Push) []gpu.Row { return []gpu.Row{{Prompt: []int32{1}, Push: []gpu.Push{p}}} }
	for name, rows := range map[string][]gpu.Row{
		"empty prompt":   {{}},
		"token":          {{Prompt: []int32{100000}}},
		"negative token": {{Prompt: []int32{-1}}},
		"layer":          row(gpu.Push{Site: gpu.Site{Layer: 9}, Vector: v}),
		"width":          row(gpu.Push{Vector: v[1:]}),
		"NaN":            row(gpu.Push{Vector: nan}),
		"positions":      row(gpu.Push{Vector: v, Positions: 7}),
	} {
		if _, err := d.Generate(ctx, rows, greedy); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	for name, s := range map[string]gpu.Sampling{
		"no tokens": {}, "temperature": {MaxNewTokens: 1, Temperature: -1}, "top-p": {MaxNewTokens: 1, TopP: 2},
		"NaN": {MaxNewTokens: 1, Temperature: math.NaN()}, "top-k": {MaxNewTokens: 1, TopK: -1},
	} {
		if _, err := d.Generate(ctx, []gpu.Row{{Prompt: []int32{1}}}, s); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := d.Capture(ctx, [][]int32{{1}}, [][]int{{1}}, []gpu.Site{{}}); err == nil {
		t.Error("a position past the end was accepted")
	}
	if _, err := d.Capture(ctx, [][]int32{{1}}, [][]int{{0}}, []gpu.Site{{Layer: -1}}); err == nil {
		t.Error("a negative layer was accepted")
	}
	if out, err := d.NLL(ctx, [][]int32{{1}}, [][]int32{nil}); err != nil || len(out[0]) != 0 {
		t.Errorf("an empty continuation: %v, %v", out, err)
	}
}

func ExampleSite() {
	fmt.Println(gpu.Site{Layer: 14})
	// Output: resid_post.14
}
