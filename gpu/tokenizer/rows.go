package tokenizer

import "fmt"

// Limit makes texts that need a token of this id or above an error. Some vocabularies are longer than
// their model's embedding: Gemma 3 1B has a token for images that it cannot see.
func (t *Tokenizer) Limit(rows int) { t.rows = rows }

// within reports a token of text that the model has no row for.
func (t *Tokenizer) within(text string, ids []int32) error {
	for _, id := range ids {
		if t.rows > 0 && int(id) >= t.rows {
			return fmt.Errorf("%.40q needs the token %.40q with id %d, and the model's embedding has %d rows: the model cannot read it", text, t.Token(id), id, t.rows)
		}
	}
	return nil
}
