package gpu

import (
	"fmt"

	"github.com/persona-transfer/runpipeline/gpu/arch"
)

// headBlock is how many columns of the output matrix are kept together. The backend packs a
// wide matrix at every product; blocks of this size are 1.2 to 3 times faster from 50,000
// columns on, and no tensor of logits gets large.
const headBlock = 2048

// graphParams lists the params that graphs take, in their order: the output matrix comes last, in
// blocks of columns. It also returns the embedding's table.
func graphParams(c *arch.Config) (params []arch.Param, embed arch.Param) {
	var head arch.Param
	for _, s := range c.Params() {
		switch {
		case s.Kind != arch.Table:
			params = append(params, s)
		case s.Name == arch.Embed:
			embed, head = s, s
		default:
			head = s
		}
	}
	for i := range headBlocks(c) {
		p := head.Parts[0]
		p.From = i * headBlock
		p.N = min(headBlock, c.Vocab-p.From)
		params = append(params, arch.Param{Name: headParam(i), Dims: []int{c.Hidden, p.N}, Parts: []arch.Part{p}})
	}
	return params, embed
}

func headParam(i int) string { return fmt.Sprintf("%s.%d", arch.Head, i) }

// headBlocks is the number of blocks of the output matrix.
func headBlocks(c *arch.Config) int { return (c.Vocab + headBlock - 1) / headBlock }
