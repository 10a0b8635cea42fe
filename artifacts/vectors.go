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
	Norm      float64   `json:"norm"`      // length of Values
	Values    []float32 `json:"values"`    // Meta.Hidden of them
}

// Scales are the lengths that an alpha may be a multiple of, in the unit of the residual stream at the
// layer that is steered. A length that has not been measured is 0.
type Scales struct {
	Residual float64 `json:"residual"` // mean ‖h‖ over the calibration texts
	Spread   float64 `json:"spread"`   // mean ‖h − mean h‖: the better unit where h is mostly its mean
	Native   float64 `json:"native"`   // Residual times the source vector's own share of its model's mean ‖h‖
}

// Vectors are the vectors of an experiment that share a model and a layer: persona vectors as
// extracted, which have no scales, or the condition vectors that the target is steered with. Meta says
// where they are to be applied.
type Vectors struct {
	Meta
	Scales Scales
	Notes  map[string]string
	Rows   []Vector
}

// Encode writes the vectors as an Arrow file.
func (v *Vectors) Encode(w io.Writer) error {
	return encodeRows(w, KindVectors, v.Notes, func(f facts) error {
		v.Scales.set(f)
		if err := v.Meta.set(f, ""); err != nil {
			return err
		}
		return v.validate()
	}, v.Rows)
}

// Named gives the scales under the names that they have in facts and in the manifests of files.
func (s *Scales) Named() map[string]*float64 {
	return map[string]*float64{"scale.residual": &s.Residual, "scale.spread": &s.Spread, "scale.native": &s.Native}
}

func (s Scales) set(f facts) {
	for key, length := range s.Named() {
		f[key] = formatFloat(*length)
	}
}

// Validate refuses what is no length.
func (s Scales) Validate() error {
	for key, length := range s.Named() {
		if *length < 0 || *length-*length != 0 {
			return fmt.Errorf("%s is %g", key, *length)
		}
	}
	return nil
}

// scales takes what set wrote.
func (f facts) scales() (s Scales, err error) {
	for key, length := range s.Named() {
		if *length, err = f.float(key); err != nil {
			return s, err
		}
	}
	return s, nil
}

func (v *Vectors) validate() error {
	if err := v.Scales.Validate(); err != nil {
		return err
	}
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

// DecodeVectors reads what Encode wrote. Errors wrap [ErrFormat] or are the reader's own.
func DecodeVectors(r io.Reader) (*Vectors, error) {
	v := new(Vectors)
	err := decodeRows(r, KindVectors, &v.Notes, func(f facts) (err error) {
		if v.Scales, err = f.scales(); err == nil {
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
