package artifacts

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
)

// A Scorer is a fitted trait scorer as JSON. What is inside is the business of whoever
// fitted it; this package promises that it is one JSON value and comes back as it was.
type Scorer struct{ JSON json.RawMessage }

// maxScorer bounds what a decoder keeps: a vocabulary of a million n-grams fits ten times.
const maxScorer = 512 << 20

// Encode writes the scorer's JSON and a newline.
func (s *Scorer) Encode(w io.Writer) error {
	if !json.Valid(s.JSON) {
		return fmt.Errorf("write scorer: not valid JSON")
	}
	_, err := w.Write(append(s.JSON[:len(s.JSON):len(s.JSON)], '\n'))
	return err
}

// DecodeScorer reads what Encode wrote. Errors wrap [ErrFormat] or are the reader's own.
func DecodeScorer(r io.Reader) (*Scorer, error) {
	content, err := io.ReadAll(io.LimitReader(r, maxScorer+1))
	if err != nil {
		return nil, fmt.Errorf("read scorer: %w", err)
	}
	body, ok := bytes.CutSuffix(content, []byte("\n"))
	if !ok || len(content) > maxScorer || !json.Valid(body) {
		return nil, fmt.Errorf("read scorer: %w: not one JSON value and a newline", ErrFormat)
	}
	return &Scorer{JSON: body}, nil
}
