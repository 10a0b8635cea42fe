package artifacts

import "io"

// A Text is one text that both models read.
type Text struct {
	Document string  `json:"document"` // texts of one document stay in one fold
	Text     string  `json:"text"`
	Ends     []int32 `json:"ends"`   // byte offsets in Text at which tokens of both models end, rising
	Fold     int32   `json:"fold"`   // cross-validation fold, from 0
	Status   string  `json:"status"` // empty, or why the text is not used
}

// Texts are the calibration or persona texts of an experiment with the positions at which
// activations are taken.
type Texts struct {
	Notes map[string]string // for people; enters the bytes
	Rows  []Text
}

// Encode writes the texts as an Arrow file.
func (t *Texts) Encode(w io.Writer) error { return encodeRows(w, KindTexts, t.Notes, nil, t.Rows) }

// DecodeTexts reads what Encode wrote. Errors wrap [ErrFormat] or are the reader's own.
func DecodeTexts(r io.Reader) (*Texts, error) {
	t := new(Texts)
	if err := decodeRows(r, KindTexts, &t.Notes, nil, &t.Rows); err != nil {
		return nil, err
	}
	return t, nil
}
