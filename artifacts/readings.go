package artifacts

import (
	"fmt"
	"io"
)

// A Reading is what a probe of a persona makes of one text.
type Reading struct {
	Row     int32   `json:"row"` // of the texts
	Persona string  `json:"persona"`
	Logit   float64 `json:"logit" missing:"ok"`
	Status  string  `json:"status"` // empty, or why there is no logit
}

// Readings are those of the texts of one batch. Meta is of the model that read them, at the layer where the
// probes are; Texts is the digest of the texts as a list, whatever wrote them.
type Readings struct {
	Meta
	Texts string // digest, in hexadecimal
	Notes map[string]string
	Rows  []Reading
}

// Encode writes the readings as an Arrow file.
func (r *Readings) Encode(w io.Writer) error {
	return encodeRows(w, KindReadings, r.Notes, func(f facts) error {
		f["texts"] = r.Texts
		if err := r.Meta.set(f, ""); err != nil {
			return err
		}
		return r.validate()
	}, r.Rows)
}

func (r *Readings) validate() error {
	for i, row := range r.Rows {
		if row.Row < 0 || row.Persona == "" || (row.Logit != row.Logit) != (row.Status != "") {
			return fmt.Errorf("reading %d is of row %d, persona %.40q, logit %v, status %.40q", i, row.Row, row.Persona, row.Logit, row.Status)
		}
	}
	return nil
}

// DecodeReadings reads what Encode wrote. Errors wrap [ErrFormat] or are the reader's own.
func DecodeReadings(r io.Reader) (*Readings, error) {
	v := new(Readings)
	err := decodeRows(r, KindReadings, &v.Notes, func(f facts) (err error) {
		if v.Texts, err = f.text("texts"); err == nil {
			v.Meta, err = f.meta("")
		}
		return err
	}, &v.Rows)
	if err == nil {
		if err = v.validate(); err != nil {
			err = fmt.Errorf("read readings: %w: %w", ErrFormat, err)
		}
	}
	if err != nil {
		return nil, err
	}
	return v, nil
}
