package gpu

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// batchTokens bounds a batch of whole texts: enough rows for the matrix kernels, and
// activations of a few MiB in small models.
const batchTokens = 2048

// Capture records the residual stream of texts: for text i at the token indices
// positions[i], after the layers of sites. out[i] is [len(positions[i]), len(sites), Hidden].
//
// It runs no block after the last that is asked for and computes no logits. The error names
// the first text that does not fit the model.
func (d *Decoder) Capture(ctx context.Context, tokens [][]int32, positions [][]int, sites []Site) ([][]float32, error) {
	return d.CaptureSteered(ctx, tokens, positions, sites, nil)
}

// CaptureSteered is Capture with push[i], if push is not nil, steering text i; its last token
// counts as the last prompt token. What is read at a site includes what
// a push adds there.
func (d *Decoder) CaptureSteered(ctx context.Context, tokens [][]int32, positions [][]int, sites []Site, push [][]Push) ([][]float32, error) {
	if err := d.checkCapture(tokens, positions, sites); err != nil {
		return nil, fmt.Errorf("capture: %w", err)
	}
	if err := checkTextPushes(d.config, len(tokens), push); err != nil {
		return nil, fmt.Errorf("capture: %w", err)
	}
	free, err := d.dev.take(ctx)
	if err != nil {
		return nil, err
	}
	defer free()
	lengths := make([]int, len(tokens))
	out := make([][]float32, len(tokens))
	for i, t := range tokens {
		lengths[i] = len(t)
		out[i] = make([]float32, len(positions[i])*len(sites)*d.config.Hidden)
	}
	layers := layersOf(sites)
	plan := planBatches(lengths, bucket, batchTokens)
	meter := newMeter(ctx, tokensIn(plan))
	err = each(ctx, len(plan), func(i int) error {
		defer meter.add(plan[i].b * plan[i].s)
		return d.captureBatch(plan[i], tokens, positions, sites, layers, push, out)
	})
	if err != nil {
		return nil, fmt.Errorf("capture: %w", err)
	}
	return out, nil
}

func (d *Decoder) checkCapture(tokens [][]int32, positions [][]int, sites []Site) error {
	if len(tokens) != len(positions) {
		return fmt.Errorf("%d texts with %d lists of positions", len(tokens), len(positions))
	}
	if len(sites) == 0 {
		return fmt.Errorf("no site is asked for")
	}
	for _, s := range sites {
		if err := checkSite(d.config, s); err != nil {
			return err
		}
	}
	for i, t := range tokens {
		if err := checkTokens(d.config, t); err != nil {
			return fmt.Errorf("text %d: %w", i, err)
		}
		for _, p := range positions[i] {
			if p < 0 || p >= len(t) {
				return fmt.Errorf("text %d: position %d of %d tokens", i, p, len(t))
			}
		}
	}
	return nil
}

// layersOf lists the layers of sites in order, each once.
func layersOf(sites []Site) []int {
	var layers []int
	for _, s := range sites {
		layers = append(layers, s.Layer)
	}
	slices.Sort(layers)
	return slices.Compact(layers)
}

func (d *Decoder) captureBatch(plan batch, tokens [][]int32, positions [][]int, sites []Site, layers []int, push [][]Push, out [][]float32) error {
	residuals, err := d.runFull(plan, tokens, layers, d.textPushes(plan, tokens, push))
	if err != nil {
		return err
	}
	defer free(residuals)
	width := d.config.Hidden
	for j, site := range sites {
		i, _ := slices.BinarySearch(layers, site.Layer)
		err := read(residuals[i], func(x []float32) {
			for row, text := range plan.members {
				for k, p := range positions[text] {
					to := (k*len(sites) + j) * width
					copy(out[text][to:to+width], x[(row*plan.s+p)*width:])
				}
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// runFull runs a batch of whole texts and returns the residual stream [M, d] after each of
// layers, which must be in order. push adds steering inputs; nil: none.
func (d *Decoder) runFull(plan batch, tokens [][]int32, layers []int, push *pushInputs) ([]*tensors.Tensor, error) {
	v := variant{layers: joinInts(layers), last: layers[len(layers)-1], pushed: push != nil}
	program, err := d.full.get(d.dev, v)
	if err != nil {
		return nil, err
	}
	c := &call{dev: d.dev}
	d.addTexts(c, plan, tokens, 0)
	push.add(c)
	c.keep(d.values...)
	return c.run(program)
}

// addTexts adds the embedded texts [B, S, d] and their positions. The prompts that the texts
// belong to are more tokens longer.
func (d *Decoder) addTexts(c *call, plan batch, tokens [][]int32, more int) {
	width := d.config.Hidden
	c.floats(func(x []float32) {
		for row, text := range plan.members {
			for j, t := range tokens[text] {
				at := (row*plan.s + j) * width
				d.embed.put(x[at:at+width], t)
			}
		}
	}, plan.b, plan.s, width)
	at, prompt := make([]int, plan.b*plan.s), make([]int, plan.b*plan.s)
	for row := range plan.b {
		for j := range plan.s {
			at[row*plan.s+j] = j
			if row < len(plan.members) {
				prompt[row*plan.s+j] = len(tokens[plan.members[row]]) + more
			}
		}
	}
	d.addPositions(c, at, prompt)
}

// buildFull is the graph of runFull.
func (d *Decoder) buildFull(v variant) (string, func([]*graph.Node) []*graph.Node) {
	layers := splitInts(v.layers)
	return "residuals after layers " + v.layers, func(nodes []*graph.Node) []*graph.Node {
		in := &inputs{nodes}
		x := in.next()
		dims := x.Shape().Dimensions
		f := in.forward(d.config, dims[0], dims[1], false, v.pushed)
		f.w, f.cache = bind(d.params, in.nodes), &noPast{}
		x = graph.Reshape(x, dims[0]*dims[1], dims[2])
		var out []*node
		for l := range v.last + 1 {
			x = f.block(l, x)
			if slices.Contains(layers, l) {
				out = append(out, x)
			}
		}
		return out
	}
}

func joinInts(x []int) string {
	var parts []string
	for _, v := range x {
		parts = append(parts, strconv.Itoa(v))
	}
	return strings.Join(parts, ",")
}

func splitInts(s string) []int {
	var out []int
	for _, part := range strings.Split(s, ",") {
		v, _ := strconv.Atoi(part) // written by joinInts
		out = append(out, v)
	}
	return out
}
