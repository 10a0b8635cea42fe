package artifacts

import (
	"fmt"
	"io"
	"strconv"
)

// Activations are residuals of one model at one layer, one row per position of a text.
// The slices are of equal length; Residual is row-major, rows × Dim.
type Activations struct {
	Meta
	Notes    map[string]string
	Dim      int // equals Meta.Hidden
	Document []string
	Text     []int32  // which text, by its index in the texts that were captured
	End      []int32  // byte offset in the text just after the token
	Token    []string // the token's own text, to see what was captured
	Fold     []int32  // of the text's document; see [Text]
	Residual []float32
}

// Rows returns the number of positions.
func (a *Activations) Rows() int { return len(a.Text) }

// Row returns the residual of one position. It shares memory with a.
func (a *Activations) Row(i int) []float32 { return a.Residual[i*a.Dim : (i+1)*a.Dim : (i+1)*a.Dim] }

func (a *Activations) columns() []column {
	return []column{
		texts{"document", &a.Document},
		numbers[int32]{"text", &a.Text, false},
		numbers[int32]{"end", &a.End, false},
		texts{"token", &a.Token},
		numbers[int32]{"fold", &a.Fold, false},
		vectors{"residual", a.Dim, &a.Residual},
	}
}

// Encode writes the activations as an Arrow file. It refuses NaN and infinities.
func (a *Activations) Encode(w io.Writer) error {
	f := newFacts(KindActivations)
	f.setNotes(a.Notes)
	f["dim"] = strconv.Itoa(a.Dim)
	err := a.Meta.set(f, "")
	if err == nil {
		err = a.validate()
	}
	if err == nil {
		err = encodeTable(w, f, a.columns())
	}
	if err != nil {
		return fmt.Errorf("write activations: %w", err)
	}
	return nil
}

// validate holds what the columns' own checks cannot see.
func (a *Activations) validate() error {
	if a.Dim < 1 || a.Dim > maxBatchValues || a.Dim != a.Hidden {
		return fmt.Errorf("dim is %d, hidden is %d", a.Dim, a.Hidden)
	}
	if len(a.Residual)%a.Dim != 0 {
		return fmt.Errorf("%d values in rows of %d", len(a.Residual), a.Dim)
	}
	for _, column := range [][]int32{a.Text, a.End, a.Fold} {
		for i, v := range column {
			if v < 0 {
				return fmt.Errorf("row %d has an index of %d", i, v)
			}
		}
	}
	return nil
}

// DecodeActivations reads what Encode wrote, all of it.
// Errors wrap [ErrFormat] or are the reader's own.
func DecodeActivations(r io.Reader) (*Activations, error) {
	all := new(Activations)
	err := ReadActivations(r, func(batch *Activations) error {
		all.Meta, all.Notes, all.Dim = batch.Meta, batch.Notes, batch.Dim
		all.Document = append(all.Document, batch.Document...)
		all.Text = append(all.Text, batch.Text...)
		all.End = append(all.End, batch.End...)
		all.Token = append(all.Token, batch.Token...)
		all.Fold = append(all.Fold, batch.Fold...)
		all.Residual = append(all.Residual, batch.Residual...)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// ReadActivations calls visit with one batch of rows after the other, at most 4,096 rows or
// about a million values each, so that a shard of any size is read in bounded memory. The
// batch is valid until visit returns; an error that visit returns ends the reading and is
// returned as it is. Only after ReadActivations has returned nil is it certain that the
// bytes of a stored shard were those of its digest.
func ReadActivations(r io.Reader, visit func(batch *Activations) error) error {
	var a Activations
	layout := func(f facts) (columns []column, err error) {
		a.Notes = f.notes()
		if a.Dim, err = f.integer("dim", 1); err == nil {
			a.Meta, err = f.meta("")
		}
		if err == nil {
			err = a.validate()
		}
		return a.columns(), err
	}
	return decodeTable(r, KindActivations, layout, func() error {
		if err := a.validate(); err != nil {
			return err
		}
		if err := visit(&a); err != nil {
			return visitorError{err}
		}
		a = Activations{Meta: a.Meta, Notes: a.Notes, Dim: a.Dim,
			Document: a.Document[:0], Text: a.Text[:0], End: a.End[:0], Token: a.Token[:0],
			Fold: a.Fold[:0], Residual: a.Residual[:0]}
		return nil
	})
}
