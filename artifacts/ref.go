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
	KindScorer      = "scorer"
	KindEvaluation  = "evaluation"
)

// A Ref names stored content. It is what travels between the steps of a pipeline.
type Ref struct {
	Kind   string       `json:"kind"`
	Digest cache.Digest `json:"digest"`
	Rows   int64        `json:"rows"`
}

// RefOf returns the reference to an output of an action.
func RefOf(o cache.Output) Ref { return Ref{Kind: o.Kind, Digest: o.Digest, Rows: o.Rows} }

// String returns a short name for messages: "activations/3f9a12c4".
func (r Ref) String() string { return r.Kind + "/" + r.Digest.Short() }

// Fetch reads an artifact from a store with one of this package's decoders:
//
//	m, err := artifacts.Fetch(ctx, store, ref.Digest, artifacts.DecodeMap)
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
