package artifacts

import (
	"context"
	"io"

	"github.com/persona-transfer/runpipeline/cache"
)

// Kinds of artifacts: what the bytes of a blob mean.
const (
	KindTexts       = "texts"
	KindActivations = "activations"
	KindMatrices    = "matrices"
	KindVectors     = "vectors"
	KindMap         = "map"
	KindGenerations = "generations"
	KindScores      = "scores"
	KindJudgements  = "judgements"
	KindReadings    = "readings"
	KindScorer      = "scorer" // JSON, opaque here: its meaning is the business of whoever fitted it
	KindEvaluation  = "evaluation"
)

// Fetch reads an artifact from a store with one of this package's decoders:
//
//	m, err := artifacts.Fetch(ctx, store, o.Digest, artifacts.DecodeMap)
//
// The content is verified against its digest before it is returned.
func Fetch[T any](ctx context.Context, s cache.Store, d cache.Digest, decode func(io.Reader) (T, error)) (T, error) {
	var none T
	r, err := s.Open(ctx, d)
	if err != nil {
		return none, err
	}
	defer r.Close()
	v, err := decode(r)
	if err != nil {
		return none, err
	}
	return v, nil
}
