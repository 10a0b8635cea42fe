package main

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/persona-transfer/runpipeline/transforms/linear"
)

const (
	gramRows  = 1024 // rows where the width is varied
	gramWidth = 256  // width where the rows are
	gramBatch = 256  // rows that are added at a time
	folds     = 3
)

// mapQuantities are of the maps' part: random activations of d dimensions in both models.
func mapQuantities() []quantity {
	widths := []int{64, 128, 256, 512, 1024}
	return []quantity{
		// 2·N·d·(d+e) operations for each row; the products are all that is kept.
		{varied: "pairs N", work: fmt.Sprintf("Gram, d = %d", gramWidth), sizes: []int{1024, 2048, 4096, 8192, 16384}, time: power(1), memory: power(0),
			open: func(_ context.Context, n int) (*job, error) { return gramJob(gramWidth, n), nil }},
		{varied: "width d", work: fmt.Sprintf("Gram, N = %d", gramRows), sizes: widths, time: power(2), memory: expectation{1, 2},
			open: func(_ context.Context, d int) (*job, error) { return gramJob(d, gramRows), nil }},
		// A Cholesky decomposition of d³/3 and d right-hand sides of 2·d² each.
		{varied: "width d", work: "ridge fit", sizes: widths, time: power(3), memory: power(2),
			open: func(_ context.Context, d int) (*job, error) {
				g, err := gramOf(d, gramRows)
				return &job{run: func(context.Context) error {
					_, err := linear.Fit(g, linear.Spec{Method: linear.Ridge, Centre: true, Lambda: .01, Unit: linear.Relative})
					return err
				}}, err
			}},
		// An eigendecomposition for each fold, and products of d×d matrices for each penalty.
		{varied: "width d", work: fmt.Sprintf("cross-validation, %d folds, 3 penalties", folds), sizes: []int{48, 96, 192, 384}, time: power(3), memory: power(2),
			open: func(_ context.Context, d int) (*job, error) {
				fold := make([]int, folds*gramRows)
				for i := range fold {
					fold[i] = i % folds
				}
				pairs, err := linear.NewTable(d, d, activations(d, len(fold), 1), activations(d, len(fold), 2), fold)
				return &job{run: func(context.Context) error {
					_, err := linear.CrossValidate(pairs, []float64{.01, .1, 1}, linear.Spec{Method: linear.Ridge, Centre: true, Unit: linear.Relative})
					return err
				}}, err
			}},
	}
}

// gramJob adds n pairs of rows, some at a time, as a stage does with its shards.
func gramJob(d, n int) *job {
	x, y := activations(d, gramBatch, 1), activations(d, gramBatch, 2)
	return &job{run: func(context.Context) error {
		g := linear.NewGram(d, d)
		for range n / gramBatch {
			if err := g.Add(x, y); err != nil {
				return err
			}
		}
		return nil
	}}
}

// gramOf is the Gram of n pairs of rows.
func gramOf(d, n int) (*linear.Gram, error) {
	g := linear.NewGram(d, d)
	return g, g.Add(activations(d, n, 1), activations(d, n, 2))
}

// activations are n random rows of d values.
func activations(d, n int, seed uint64) []float32 {
	draws := rand.New(rand.NewPCG(seed, 0))
	out := make([]float32, n*d)
	for i := range out {
		out[i] = float32(draws.NormFloat64())
	}
	return out
}
