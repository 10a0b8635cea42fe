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

// A scoring is a cross-validation of random activations.
type scoring struct{ pairs, source, target, penalties int }

// mapQuantities are of the maps' part: random activations of d dimensions in both models.
func mapQuantities() []quantity {
	widths := []int{64, 128, 256, 512, 1024}
	usual := scoring{pairs: 4096, source: 512, target: 512, penalties: 4}
	few := scoring{pairs: 1536, source: 768, target: 512, penalties: 4}
	return []quantity{
		// d·(d+2·e) operations for each row; the products are all that is kept.
		{varied: "pairs N", work: fmt.Sprintf("Gram, d = %d", gramWidth), sizes: []int{1024, 2048, 4096, 8192, 16384}, time: power(1), memory: power(0),
			open: func(_ context.Context, n int) (*job, error) { return gramJob(gramWidth, n), nil }},
		{varied: "width d", work: fmt.Sprintf("Gram, N = %d", gramRows), sizes: widths, time: power(2), memory: expectation{1, 2},
			open: func(_ context.Context, d int) (*job, error) { return gramJob(d, gramRows), nil }},
		// A Cholesky decomposition of d³/3 and d right-hand sides of 2·d² each.
		{varied: "width d", work: "ridge fit", sizes: append(widths, 2048), time: power(3), memory: power(2),
			open: func(_ context.Context, d int) (*job, error) {
				g, err := gramOf(d, gramRows)
				return &job{run: func(context.Context) error {
					_, err := linear.Fit(g, linear.Spec{Method: linear.Ridge, Centre: true, Lambda: .01, Unit: linear.Relative})
					return err
				}}, err
			}},
		// Of many pairs only the Gram grows; d³ is one decomposition a fold, whatever the number of penalties.
		scores("pairs N", "512 × 512", []int{4096, 8192, 16384, 32768}, expectation{0, 1}, power(0), func(n int) scoring { s := usual; s.pairs = n; return s }),
		scores("width d", "many pairs, 512 targets", []int{256, 512, 1024, 2048}, expectation{2, 3}, expectation{1, 2}, func(n int) scoring { s := usual; s.source = n; return s }),
		scores("width e", "many pairs, 512 sources", []int{512, 1024, 2048, 4096}, expectation{0, 1}, power(1), func(n int) scoring { s := usual; s.target = n; return s }),
		scores("penalties", "many pairs, 512 × 512", []int{16, 32, 64, 128}, expectation{0, 1}, expectation{0, 1}, func(n int) scoring { s := usual; s.penalties = n; return s }),
		// Few rows are solved for, penalty by penalty, up to some nine of them.
		scores("penalties", "few pairs, 768 → 512", []int{1, 2, 4, 8}, expectation{0, 1}, power(0), func(n int) scoring { s := few; s.penalties = n; return s }),
		// Fewer rows than dimensions are seen from the rows: the width is in the products of rows alone.
		scores("width d", "384 pairs, 512 targets", []int{512, 1024, 2048}, expectation{1, 2}, expectation{1, 2}, func(n int) scoring { s := usual; s.pairs, s.source = 384, n; return s }),
		{varied: "cores", work: "cross-validation, 4096 pairs, 1024 × 1024, 4 penalties", sizes: cores(), time: power(-1), memory: expectation{0, 1},
			open: onCores(func(context.Context) (*job, error) { return scoringJob(scoring{4096, 1024, 1024, 4}) })},
	}
}

// scores is a cross-validation in which one size is varied.
func scores(varied, work string, sizes []int, time, memory expectation, at func(n int) scoring) quantity {
	return quantity{varied: varied, work: "cross-validation, " + work, sizes: sizes, time: time, memory: memory,
		open: func(_ context.Context, n int) (*job, error) { return scoringJob(at(n)) }}
}

func scoringJob(s scoring) (*job, error) {
	fold, penalties := make([]int, s.pairs), make([]float64, s.penalties)
	for i := range fold {
		fold[i] = i * folds / s.pairs
	}
	for i := range penalties {
		penalties[i] = float64(i+1) / 100
	}
	pairs, err := linear.NewTable(s.source, s.target, activations(s.source, s.pairs, 1), activations(s.target, s.pairs, 2), fold)
	return &job{run: func(context.Context) error {
		_, err := linear.CrossValidate(pairs, penalties, linear.Spec{Method: linear.Ridge, Centre: true, Unit: linear.Relative})
		return err
	}}, err
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
