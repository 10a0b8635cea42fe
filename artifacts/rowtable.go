package artifacts

import (
	"fmt"
	"io"
)

// encodeRows writes a kind whose content is rows of one struct. more adds facts.
func encodeRows[T any](w io.Writer, kind string, notes map[string]string, more func(facts) error, rows []T) error {
	f := newFacts(kind)
	f.setNotes(notes)
	columns, _ := rowColumns(&rows)
	var err error
	if more != nil {
		err = more(f)
	}
	if err == nil {
		err = encodeTable(w, f, columns)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", kind, err)
	}
	return nil
}

// decodeRows reads what encodeRows wrote; more takes the facts that its counterpart added.
func decodeRows[T any](r io.Reader, kind string, notes *map[string]string, more func(facts) error, rows *[]T) error {
	columns, fill := rowColumns(rows)
	err := decodeTable(r, kind, func(f facts) ([]column, error) {
		*notes = f.notes()
		if more == nil {
			return columns, nil
		}
		return columns, more(f)
	}, nil)
	if err == nil {
		fill()
	}
	return err
}
