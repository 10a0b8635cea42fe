package main

import (
	"fmt"
	"math/rand/v2"

	"github.com/persona-transfer/runpipeline/gpu/tiny"
)

// Seeds of the corpus. The tokenizers, the training rows and the validation rows are
// drawn from the same grammar with different seeds.
const (
	tokenizerSeed  = 11
	trainSeed      = 1000
	validationSeed = 777
	shuffleSeed    = 3
)

const (
	tokenizerDocuments = 20_000
	validationTokens   = 40_000

	// rowTokens is the length of a row. All but the first are predicted, 128 of them.
	rowTokens = 129
)

// rows packs documents into rows of rowTokens until there are at least the given number of
// tokens. Every document is followed by eos. A row begins at the start of a document and
// holds whole ones, but for the last, whose end is cut off: then no row begins in the
// middle of a text, where a model could not know what it continues.
func rows(encode func(string) ([]int32, error), eos int32, seed uint64, tokens int) ([][]int32, error) {
	var packed [][]int32
	for n := tokens / 20; ; n *= 2 { // about 45 tokens a document
		packed = packed[:0]
		var row []int32
		for _, d := range tiny.Documents(seed, n) {
			ids, err := encode(d.Text)
			if err != nil {
				return nil, err
			}
			if len(ids) == 0 {
				return nil, fmt.Errorf("tokenize %q: no tokens", d.Text)
			}
			row = append(append(row, ids...), eos)
			if len(row) < rowTokens {
				continue
			}
			packed = append(packed, row[:rowTokens:rowTokens])
			row = nil
			if len(packed)*rowTokens >= tokens {
				return packed, nil
			}
		}
	}
}

// shuffle orders rows at random, the same way every time.
func shuffle(rows [][]int32) {
	r := rand.New(rand.NewPCG(shuffleSeed, 0))
	r.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
}
