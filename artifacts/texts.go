package artifacts

import (
	"fmt"
	"io"
)

// A Text is one text that both models read.
type Text struct {
	Document string  `json:"document"` // texts of one document stay in one fold
	Text     string  `json:"text"`
	Ends     []int32 `json:"ends"`   // byte offsets in Text at which tokens of both models end, rising
	Fold     int32   `json:"fold"`   // the document's number, from 0; with K folds it is in fold Fold mod K
	Status   string  `json:"status"` // empty, or why the text is not used
}

// Texts are the calibration or persona texts of an experiment with the positions at which
// activations are taken.
type Texts struct {
	Notes map[string]string // for people; enters the bytes
	Rows  []Text
}

// Encode writes the texts as an Arrow file.
func (t *Texts) Encode(w io.Writer) error {
	return encodeRows(w, KindTexts, t.Notes, func(facts) error { return t.validate() }, t.Rows)
}

func (t *Texts) validate() error {
	for i, row := range t.Rows {
		last := int32(-1)
		for _, end := range row.Ends {
			if end <= last || int(end) > len(row.Text) {
				return fmt.Errorf("text %d of %d bytes has the ends %s", i, len(row.Text), cutList(row.Ends))
			}
			last = end
		}
		if row.Fold < 0 {
			return fmt.Errorf("text %d has fold %d", i, row.Fold)
		}
	}
	return nil
}

// DecodeTexts reads what Encode wrote. Errors wrap [ErrFormat] or are the reader's own.
func DecodeTexts(r io.Reader) (*Texts, error) {
	t := new(Texts)
	if err := decodeRows(r, KindTexts, &t.Notes, nil, &t.Rows); err != nil {
		return nil, err
	}
	if err := t.validate(); err != nil {
		return nil, fmt.Errorf("read texts: %w: %w", ErrFormat, err)
	}
	return t, nil
}
