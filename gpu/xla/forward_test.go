package xla

import (
	"math"
	"slices"
	"testing"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/persona-transfer/runpipeline/gpu/arch"
	"github.com/persona-transfer/runpipeline/gpu/gputest"
)

// residuals runs rows of tokens [B, S] through all blocks: the residual stream [B·S, d] after each.
func residuals(t *testing.T, c *arch.Config, src arch.Source, b, s int, tokens []int32) [][]float32 {
	t.Helper()
	dev, err := openDevice()
	if err != nil {
		t.Fatal(err)
	}
	params := c.Params()
	values, err := loadWeights(dev, src, params)
	if err != nil {
		t.Fatal(err)
	}
	p, err := dev.newProgram("residuals", func(in []*node) []*node {
		g := in[0].Graph()
		f := &forward{c: c, w: bind(params, in[1:]), b: b, s: s, masks: map[int]*node{}}
		for _, window := range c.WindowSizes() {
			f.masks[window] = causalMask(g, c, b, s, window)
		}
		for i := range c.Ropes {
			cos, sin := anglesOf(c, i, b, s)
			f.ropes = append(f.ropes, newAngles(c, graph.Const(g, cos), graph.Const(g, sin)))
		}
		if c.LognBase > 0 {
			var logn [][]float32
			for m := range b * s {
				logn = append(logn, []float32{c.LogN(m % s)})
			}
			f.logn = graph.Const(g, logn)
		}
		x := graph.Gather(f.w[arch.Embed], graph.Reshape(in[0], b*s, 1))
		if c.EmbedScale != 0 {
			x = graph.MulScalar(x, float64(c.EmbedScale))
		}
		var out []*node
		for l := range c.Layers {
			x = f.block(l, x)
			out = append(out, x)
		}
		return out
	})
	if err != nil {
		t.Fatal(err)
	}
	call := &call{dev: dev}
	call.ints(func(x []int32) { copy(x, tokens) }, b, s)
	call.keep(values...)
	out, err := call.run(p)
	if err != nil {
		t.Fatal(err)
	}
	defer free(out)
	all := make([][]float32, len(out))
	for l, o := range out {
		if err := read(o, func(x []float32) { all[l] = slices.Clone(x) }); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// A float32 forward of a few blocks loses about three of its seven digits at most.
const tolerance = 2e-5

// TestForwardIsTheReferences holds the blocks of every family to the reference in float64.
func TestForwardIsTheReferences(t *testing.T) {
	for family, text := range gputest.Configs {
		t.Run(family, func(t *testing.T) {
			config, err := arch.ParseConfig([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			const b, s = 2, 23
			r := gputest.Model(config, 7)
			tokens := r.Text(b*s, 1)
			got := residuals(t, config, r, b, s, tokens)
			for row := range b {
				want := r.Forward(tokens[row*s:(row+1)*s], 0)
				for l := range config.Layers {
					for j := range s {
						at := (row*s + j) * config.Hidden
						if e := relative(got[l][at:at+config.Hidden], want.Residual[l][j]); !(e < tolerance) {
							t.Fatalf("row %d, token %d, block %d: relative difference %.1e", row, j, l, e)
						}
					}
				}
			}
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
