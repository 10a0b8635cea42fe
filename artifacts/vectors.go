package artifacts

import (
	"fmt"
	"io"
)

// A Vector is one direction to steer along.
type Vector struct {
	Persona   string    `json:"persona"`
	Condition string    `json:"condition"` // how it came to be: "native", "ridge", "zero_pad", …
	Draw      int32     `json:"draw"`      // which random draw or permutation, from 0; 0 where nothing is drawn
	Scale     float64   `json:"scale"`     // the length that alpha 1 adds, in the unit of the residual stream; 0 where no dose has been chosen
	Norm      float64   `json:"norm"`      // length of Values
	Values    []float32 `json:"values"`    // Meta.Hidden of them
}

// Vectors are the vectors of an experiment that share a model and a layer: persona vectors
// as extracted, or the condition vectors that the target is steered with.
//
// Meta says where they are to be applied; Unit how Scale was chosen ("residual", "native",
// "spread", "absolute", or empty where no dose has been chosen yet).
type Vectors struct {
	Meta
	Unit  string
	Notes map[string]string
	Rows  []Vector
}

// Encode writes the vectors as an Arrow file.
func (v *Vectors) Encode(w io.Writer) error {
	return encodeRows(w, KindVectors, v.Notes, func(f facts) error {
		f["unit"] = v.Unit
		if err := v.Meta.set(f, ""); err != nil {
			return err
		}
		return v.validate()
	}, v.Rows)
}

func (v *Vectors) validate() error {
	for i, row := range v.Rows {
		if len(row.Values) != v.Hidden || v.Hidden < 1 {
			return fmt.Errorf("vector %d (%s, %s) has %d values, hidden is %d", i, row.Persona, row.Condition, len(row.Values), v.Hidden)
		}
		if row.Norm < 0 || row.Draw < 0 {
			return fmt.Errorf("vector %d (%s, %s) has norm %g, draw %d", i, row.Persona, row.Condition, row.Norm, row.Draw)
		}
	}
	return nil
}

// Find returns the vector of a persona, condition and draw; ok is false if there is none.
func (v *Vectors) Find(persona, condition string, draw int32) (found Vector, ok bool) {
	for _, row := range v.Rows {
		if row.Persona == persona && row.Condition == condition && row.Draw == draw {
			return row, true
		}
	}
	return Vector{}, false
}

// DecodeVectors reads what Encode wrote. Errors wrap [ErrFormat] or are the reader's own.
func DecodeVectors(r io.Reader) (*Vectors, error) {
	v := new(Vectors)
	err := decodeRows(r, KindVectors, &v.Notes, func(f facts) (err error) {
		if v.Unit, err = f.text("unit"); err == nil {
			v.Meta, err = f.meta("")
		}
		return err
	}, &v.Rows)
	if err == nil {
		if err = v.validate(); err != nil {
			err = fmt.Errorf("read vectors: %w: %w", ErrFormat, err)
		}
	}
	if err != nil {
		return nil, err
	}
	return v, nil
}
