package transforms

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/cache"
)

// ReadTexts reads a stored list of texts.
func ReadTexts(ctx context.Context, s cache.Store, d cache.Digest) ([]Text, error) {
	b, err := s.Read(ctx, d)
	if err != nil {
		return nil, err
	}
	var texts []Text
	if err := json.Unmarshal(b, &texts); err != nil {
		return nil, fmt.Errorf("read texts %s: %w", d.Short(), artifacts.ErrFormat)
	}
	return texts, nil
}

// KindJSON is the kind of a report: JSON for people and programs.
const KindJSON = "json"

// EncodeJSON is the one way in which inputs of the configuration become bytes.
func EncodeJSON(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(fmt.Sprintf("transforms: encode %T: %v", v, err))
	}
	return b.Bytes()
}

func writeBytes(b []byte) func(io.Writer) error {
	return func(w io.Writer) error { _, err := w.Write(b); return err }
}
