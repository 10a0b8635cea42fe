package report

import (
	"fmt"
	"io"
	"slices"

	"github.com/persona-transfer/runpipeline/pipelines"
)

// Bench prints how fast a model runs, for a terminal of so many columns; 0: for no terminal.
func Bench(w io.Writer, b *pipelines.Bench, columns int) error {
	p := &printer{w: w, width: columns}
	device, peak := fmt.Sprintf("%s, %d cores", b.Device, b.Cores), "not measured: there is no measure of cards"
	if b.Kernels != "" {
		device = fmt.Sprintf("%s, kernels %s, %d cores", b.Device, b.Kernels, b.Cores)
	}
	if b.PeakGFLOPs > 0 {
		peak = fmt.Sprintf("%.1f GFLOP/s in float32 products; memory: %.1f GB/s read, %.1f GB/s copied", b.PeakGFLOPs, b.PeakRead, b.PeakCopied)
	}
	top := [][]string{
		{"model", fmt.Sprintf("%s (%s), %d blocks, %.4g million parameters; a pass of one token reads %s of weights", b.Model, b.Digest, b.Layers, float64(b.Parameters)/1e6, pipelines.Size(b.TokenBytes))},
		{"device", device},
		{"peak", peak},
	}
	if b.Start != nil {
		top = append(top, []string{"start", fmt.Sprintf("%.1f s until something was captured: digest of the files %.1f, loading %.1f, the first capture, which compiles, %.1f", b.Start.Total, b.Start.Digest, b.Start.Load, b.Start.Capture)})
	}
	if b.MemoryPeak > 0 {
		top = append(top, []string{"memory", fmt.Sprintf("%s of the device's used at most, of %s", pipelines.Size(int(b.MemoryPeak)), pipelines.Size(int(b.MemoryLimit)))})
	}
	p.columns(top)
	p.line("")
	rows := [][]string{{"work", "texts × tokens", "seconds", "tokens/s", "best", "of the peak"}}
	if b.PeakGFLOPs == 0 {
		rows[0][5] = "products"
	}
	for _, x := range b.Work {
		row := []string{x.Name, "", fmt.Sprintf("%.3f", x.Median), "", "", ""}
		if x.Texts > 0 {
			row[1] = fmt.Sprintf("%d × %d", x.Texts, x.Tokens)
			row[3], row[4] = perSecond(x.Rate), perSecond(x.Best)
		}
		switch {
		case b.PeakGFLOPs == 0 && x.GFLOPs > 0:
			row[5] = operations(x.GFLOPs)
		case x.Read > 0:
			row[5] = fmt.Sprintf("%.0f%% (%.1f GB/s of weights)", 100*x.OfReading, x.Read)
		case x.GFLOPs > 0:
			row[5] = fmt.Sprintf("%.0f%% (%s)", 100*x.OfPeak, operations(x.GFLOPs))
		}
		rows = append(rows, row)
	}
	more := ""
	if b.Start != nil {
		rows[0] = slices.Insert(rows[0], 2, "first")
		for i, x := range b.Work {
			first := ""
			if x.First > 0 {
				first = fmt.Sprintf("%.3f", x.First)
			}
			rows[i+1] = slices.Insert(rows[i+1], 2, first)
		}
		more = "; first is the first call in seconds, compiling included, and the model is loaded once"
	}
	p.columns(rows)
	p.line("")
	p.line("captured, and steered, after block %d of 0 to %d; seconds and tokens/s are the median of %d, best is the fastest%s", b.Layer, b.Layers-1, b.Repeat, more)
	return p.err
}

// operations writes so many billions of operations a second.
func operations(giga float64) string {
	if giga < 1000 {
		return fmt.Sprintf("%.1f GFLOP/s", giga)
	}
	return fmt.Sprintf("%.1f TFLOP/s", giga/1000)
}

// perSecond writes a rate with three digits at least.
func perSecond(x float64) string {
	if x < 100 {
		return fmt.Sprintf("%.1f", x)
	}
	return fmt.Sprintf("%.0f", x)
}
