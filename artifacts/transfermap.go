package artifacts

import (
	"fmt"
	"io"
	"strconv"
)

// A Map carries residuals of the source to the target: y = xW + Intercept for a residual,
// and vW for a difference of residuals, which is what a persona vector is (Chen et al.,
// arXiv 2506.06609).
type Map struct {
	Source, Target Meta
	Method         string    // "ridge", "ols", "procrustes", …
	Lambda         float64   // ridge penalty as used, absolute; 0 where the method has none
	Rows, Cols     int       // widths of source and target
	W              []float32 // Rows × Cols, row-major
	Intercept      []float32 // Cols values, or none
	Notes          map[string]string
}

// Accepts reports whether v, a persona vector taken where its Meta says, may be carried by
// m. The error wraps [ErrMismatch].
func (m *Map) Accepts(v Meta) error {
	if theirs, mine, ok := v.difference(m.Source); !ok {
		return fmt.Errorf("vector was taken at %s, the map starts at %s: %w", theirs, mine, ErrMismatch)
	}
	return nil
}

// Delivers reports whether what m returns may be used where target says. The error wraps
// [ErrMismatch].
func (m *Map) Delivers(target Meta) error {
	if mine, theirs, ok := m.Target.difference(target); !ok {
		return fmt.Errorf("the map ends at %s, steering is at %s: %w", mine, theirs, ErrMismatch)
	}
	return nil
}

const (
	partMatrix    = "w"
	partIntercept = "intercept"
)

// Encode writes the map as an Arrow file: one row per row of W, then the intercept.
func (m *Map) Encode(w io.Writer) error {
	f := newFacts(KindMap)
	f.setNotes(m.Notes)
	f["method"] = m.Method
	f["lambda"] = formatFloat(m.Lambda)
	f["rows"] = strconv.Itoa(m.Rows)
	f["cols"] = strconv.Itoa(m.Cols)
	err := m.validate()
	if err == nil {
		err = m.Source.set(f, "source.")
	}
	if err == nil {
		err = m.Target.set(f, "target.")
	}
	if err == nil {
		parts, flat := m.parts()
		err = encodeTable(w, f, mapColumns(&parts, &flat, m.Cols))
	}
	if err != nil {
		return fmt.Errorf("write map: %w", err)
	}
	return nil
}

func mapColumns(parts *[]string, flat *[]float32, cols int) []column {
	return []column{texts{"part", parts}, vectors{"values", cols, flat}}
}

func (m *Map) parts() (parts []string, flat []float32) {
	for range m.Rows {
		parts = append(parts, partMatrix)
	}
	if len(m.Intercept) == 0 {
		return parts, m.W
	}
	return append(parts, partIntercept), append(m.W[:len(m.W):len(m.W)], m.Intercept...)
}

func (m *Map) validate() error {
	switch {
	case m.Rows < 1 || m.Cols < 1 || m.Rows > maxBatchValues || m.Cols > maxBatchValues:
		return fmt.Errorf("a map of %d × %d", m.Rows, m.Cols)
	case len(m.W) != m.Rows*m.Cols || len(m.Intercept) != 0 && len(m.Intercept) != m.Cols:
		return fmt.Errorf("%d values and an intercept of %d in a map of %d × %d", len(m.W), len(m.Intercept), m.Rows, m.Cols)
	case m.Source.Hidden != m.Rows || m.Target.Hidden != m.Cols:
		return fmt.Errorf("a map of %d × %d from %d to %d dimensions", m.Rows, m.Cols, m.Source.Hidden, m.Target.Hidden)
	case m.Lambda-m.Lambda != 0:
		return fmt.Errorf("lambda is %v", m.Lambda)
	}
	return nil
}

// DecodeMap reads what Encode wrote. Errors wrap [ErrFormat] or are the reader's own.
func DecodeMap(r io.Reader) (*Map, error) {
	m := new(Map)
	var parts []string
	var flat []float32
	err := decodeTable(r, KindMap, func(f facts) ([]column, error) {
		if err := m.take(f); err != nil {
			return nil, err
		}
		return mapColumns(&parts, &flat, m.Cols), nil
	}, nil)
	if err != nil {
		return nil, err
	}
	if err := m.assemble(parts, flat); err != nil {
		return nil, fmt.Errorf("read map: %w: %w", ErrFormat, err)
	}
	return m, nil
}

func (m *Map) take(f facts) (err error) {
	m.Notes = f.notes()
	if m.Method, err = f.text("method"); err != nil {
		return err
	}
	if m.Lambda, err = f.float("lambda"); err != nil {
		return err
	}
	if m.Rows, err = f.integer("rows", 1); err != nil {
		return err
	}
	if m.Cols, err = f.integer("cols", 1); err != nil {
		return err
	}
	if m.Cols > maxBatchValues {
		return fmt.Errorf("a map of %d × %d", m.Rows, m.Cols)
	}
	if m.Source, err = f.meta("source."); err != nil {
		return err
	}
	m.Target, err = f.meta("target.")
	return err
}

// assemble splits the rows of the table into W and the intercept.
func (m *Map) assemble(parts []string, flat []float32) error {
	if len(parts) != m.Rows && len(parts) != m.Rows+1 {
		return fmt.Errorf("%d rows in a map of %d × %d", len(parts), m.Rows, m.Cols)
	}
	for i, part := range parts {
		if want := part == partMatrix; want != (i < m.Rows) || !want && part != partIntercept {
			return fmt.Errorf("row %d is part %.40q", i, part)
		}
	}
	m.W = flat[: m.Rows*m.Cols : m.Rows*m.Cols]
	if len(parts) > m.Rows {
		m.Intercept = flat[m.Rows*m.Cols:]
	}
	return m.validate()
}
