package gpu_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/persona-transfer/runpipeline/gpu"
	"github.com/persona-transfer/runpipeline/gpu/arch"
	"github.com/persona-transfer/runpipeline/gpu/gputest"
	"github.com/persona-transfer/runpipeline/gpu/xla"
)

// An opener opens a decoder on weights.
type opener func(t testing.TB, config *arch.Config, src arch.Source) *gpu.Decoder

// engines are what decoders run on. Results of the graphs depend on the batch within rounding, so that they are
// compared with references and never with each other.
var engines = map[string]opener{
	"cpu": func(t testing.TB, config *arch.Config, src arch.Source) *gpu.Decoder {
		t.Helper()
		d, err := gpu.OpenSource(config, src, nil)
		if err != nil {
			t.Fatal(err)
		}
		return d
	},
	"xla": func(t testing.TB, config *arch.Config, src arch.Source) *gpu.Decoder {
		t.Helper()
		dev, err := xla.OpenGo()
		if err != nil {
			t.Fatal(err)
		}
		m, err := xla.Load(dev, config.Fitted(src.Tensors()), src, xla.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return gpu.OpenEngine(m)
	},
}

// eachEngine runs a test for every engine.
func eachEngine(t *testing.T, f func(t *testing.T, open opener)) {
	for name, open := range engines {
		t.Run(name, func(t *testing.T) { f(t, open) })
	}
}

// open makes a random model of a family and a decoder on it.
func open(t testing.TB, family string) (*gpu.Decoder, *gputest.Reference) {
	return openOn(t, engines["cpu"], family)
}

func openOn(t testing.TB, open opener, family string) (*gpu.Decoder, *gputest.Reference) {
	t.Helper()
	config, err := arch.ParseConfig([]byte(gputest.Configs[family]))
	if err != nil {
		t.Fatal(err)
	}
	r := gputest.Model(config, 7)
	d := open(t, config, r)
	t.Cleanup(func() { d.Close() })
	return d, r
}

// eachFamily runs a test for every family on gpu/cpu.
func eachFamily(t *testing.T, f func(t *testing.T, d *gpu.Decoder, r *gputest.Reference)) {
	eachFamilyOn(t, engines["cpu"], f)
}

// eachDecoder runs a test for every family on every engine.
func eachDecoder(t *testing.T, f func(t *testing.T, d *gpu.Decoder, r *gputest.Reference)) {
	eachEngine(t, func(t *testing.T, open opener) { eachFamilyOn(t, open, f) })
}

func eachFamilyOn(t *testing.T, open opener, f func(t *testing.T, d *gpu.Decoder, r *gputest.Reference)) {
	var names []string
	for name := range gputest.Configs {
		names = append(names, name)
	}
	slices.Sort(names)
	if testing.Short() {
		names = []string{"gemma3", "llama", "qwen2"}
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			d, r := openOn(t, open, name)
			f(t, d, r)
		})
	}
}

// relative is the largest difference relative to the largest value.
func relative(got []float32, want []float64) float64 {
	var diff, top float64
	for i := range want {
		diff = math.Max(diff, math.Abs(float64(got[i])-want[i]))
		top = math.Max(top, math.Abs(want[i]))
	}
	return diff / top
}

// A float32 forward of a few blocks loses about three of its seven digits at most; the
// promise to users is 1e-4.
const tolerance = 2e-5

func TestResidualsAreTheReferences(t *testing.T) {
	eachDecoder(t, func(t *testing.T, d *gpu.Decoder, r *gputest.Reference) {
		var sites []gpu.Site
		for l := range r.Config.Layers {
			sites = append(sites, gpu.Site{Layer: l})
		}
		var texts [][]int32
		var positions [][]int
		for i, n := range []int{1, 5, 16, 17, 23, 40, 3} {
			texts = append(texts, r.Text(n, uint64(i)))
			positions = append(positions, []int{n - 1, n / 2})
		}
		got, err := d.Capture(context.Background(), texts, positions, sites)
		if err != nil {
			t.Fatal(err)
		}
		for i, text := range texts {
			want := r.Forward(text, 0)
			for j, p := range positions[i] {
				for l := range sites {
					at := (j*len(sites) + l) * r.Config.Hidden
					if e := relative(got[i][at:at+r.Config.Hidden], want.Residual[l][p]); !(e < tolerance) {
						t.Errorf("text of %d tokens, token %d, %s: relative difference %.1e", len(text), p, sites[l], e)
					}
				}
			}
		}
	})
}

func TestLogitsAreTheReferences(t *testing.T) {
	eachDecoder(t, func(t *testing.T, d *gpu.Decoder, r *gputest.Reference) {
		texts := [][]int32{r.Text(1, 1), r.Text(12, 2), r.Text(33, 3)}
		v := r.Vector(2, 4)
		layer := r.Config.Layers - 2
		for _, positions := range []gpu.Positions{gpu.Response, gpu.All} {
			push := []gpu.Push{{Site: gpu.Site{Layer: layer}, Vector: v, Positions: positions}}
			got, err := d.Logits(context.Background(), texts, [][]gpu.Push{nil, push, push})
			if err != nil {
				t.Fatal(err)
			}
			for i, text := range texts {
				n := len(text)
				at := func(token int) bool { return i > 0 && (positions == gpu.All || token == n-1) }
				want := r.Forward(text, 0, gputest.Push{Layer: layer, Vector: v, At: at})
				if e := relative(got[i], want.Logits(n-1)); !(e < tolerance) {
					t.Errorf("text %d, %s: relative difference %.1e", i, positions, e)
				}
			}
		}
	})
}

// TestGreedyIsTheReferences compares cached, steered decoding of a batch with decoding
// without a cache, text by text.
func TestGreedyIsTheReferences(t *testing.T) {
	eachDecoder(t, func(t *testing.T, d *gpu.Decoder, r *gputest.Reference) {
		const tokens = 10
		rows, layer := greedyRows(r)
		out, err := d.Generate(context.Background(), rows, gpu.Sampling{MaxNewTokens: tokens, StopAtEOS: true})
		if err != nil {
			t.Fatal(err)
		}
		for i, row := range rows {
			want, margins := referenceGreedy(r, row, layer, tokens)
			for j := range want {
				if j >= len(out[i].Tokens) || out[i].Tokens[j] != want[j] {
					if margins[j] > 1e-3 {
						t.Errorf("row %d (%v): got %v, want %v, which differs at a margin of %g", i, positionsOf(row), out[i].Tokens, want, margins[j])
					}
					break
				}
			}
		}
	})
}

func positionsOf(r gpu.Row) string {
	if len(r.Push) == 0 {
		return "not steered"
	}
	return fmt.Sprint(r.Push[0].Positions)
}

// greedyRows has every kind of steering, shared and different prompts, and prompts of one token.
func greedyRows(r *gputest.Reference) ([]gpu.Row, int) {
	layer := r.Config.Layers / 2
	var rows []gpu.Row
	for i := range 12 {
		row := gpu.Row{Prompt: r.Text([]int{1, 12, 19, 30}[i%4], uint64(i%4))}
		if i%3 > 0 {
			row.Push = []gpu.Push{{Site: gpu.Site{Layer: layer}, Vector: r.Vector(3, uint64(i)), Positions: gpu.Positions(i/2) % 3}}
		}
		if i == 11 {
			row.Push = append(row.Push, gpu.Push{Site: gpu.Site{Layer: 0}, Vector: r.Vector(3, 99), Positions: row.Push[0].Positions})
		}
		rows = append(rows, row)
	}
	return rows, layer
}

func referenceGreedy(r *gputest.Reference, row gpu.Row, _, tokens int) (out []int32, margins []float64) {
	n := len(row.Prompt)
	var pushes []gputest.Push
	for _, p := range row.Push {
		at := func(token int) bool { return token >= n-1 }
		switch p.Positions {
		case gpu.All:
			at = func(int) bool { return true }
		case gpu.LastPrompt:
			at = func(token int) bool { return token == n-1 }
		}
		pushes = append(pushes, gputest.Push{Layer: p.Site.Layer, Vector: p.Vector, At: at})
	}
	turns := n // the length that decides how tokens turn
	if r.Config.Ropes[0].Type == "longrope" {
		turns = 0 // the whole text's
	}
	text := slices.Clone(row.Prompt)
	for range tokens {
		logits := r.Forward(text, turns, pushes...).Logits(len(text) - 1)
		best, second := 0, math.Inf(-1)
		for i, v := range logits {
			if v > logits[best] {
				second, best = logits[best], i
			} else if i != best && v > second {
				second = v
			}
		}
		margins = append(margins, logits[best]-second)
		if slices.Contains(r.Config.EOS, int32(best)) {
			break
		}
		out = append(out, int32(best))
		text = append(text, int32(best))
	}
	return out, margins
}

func TestScoreIsTheReferences(t *testing.T) {
	eachDecoder(t, func(t *testing.T, d *gpu.Decoder, r *gputest.Reference) {
		var prompts, continuations [][]int32
		for i := range 9 {
			prompts = append(prompts, r.Text([]int{1, 6, 20}[i%3], uint64(i%3)))
			continuations = append(continuations, r.Text([]int{0, 1, 5, 28, 37}[i%5], uint64(10+i)))
		}
		got, err := d.NLL(context.Background(), prompts, continuations)
		if err != nil {
			t.Fatal(err)
		}
		for i := range prompts {
			if len(got[i]) != len(continuations[i]) {
				t.Fatalf("row %d: %d scores of %d tokens", i, len(got[i]), len(continuations[i]))
			}
			text := slices.Concat(prompts[i], continuations[i])
			pass := r.Forward(text, len(prompts[i]))
			for j, token := range continuations[i] {
				want := -logSoftmax(pass.Logits(len(prompts[i])-1+j), int(token))
				if diff := math.Abs(float64(got[i][j]) - want); diff > 1e-4 {
					t.Errorf("row %d token %d: −log p = %g, want %g", i, j, got[i][j], want)
				}
			}
		}
	})
}

func logSoftmax(x []float64, i int) float64 {
	top := slices.Max(x)
	var sum float64
	for _, v := range x {
		sum += math.Exp(v - top)
	}
	return x[i] - top - math.Log(sum)
}
