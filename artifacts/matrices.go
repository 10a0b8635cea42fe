package artifacts

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
)

// A Matrix is a named block of float64, row-major. A number is a matrix of 1 × 1.
type Matrix struct {
	Name       string
	Rows, Cols int
	Data       []float64
}

// Matrices are named blocks that belong together: what the pairs of a fold add up to, or the sums of each text of
// a persona. Source and Target say what X and Y are; where there is no Y, Target is empty.
type Matrices struct {
	Source, Target Meta
	Notes          map[string]string
	Blocks         []Matrix
}

// Block returns the matrix of that name, or nil.
func (m *Matrices) Block(name string) *Matrix {
	for i := range m.Blocks {
		if m.Blocks[i].Name == name {
			return &m.Blocks[i]
		}
	}
	return nil
}

// Add appends a block. Data is kept, not copied.
func (m *Matrices) Add(name string, rows, cols int, data []float64) {
	m.Blocks = append(m.Blocks, Matrix{name, rows, cols, data})
}

// shape is a block's entry in the fact "blocks".
type shape struct {
	Name string `json:"name"`
	Rows int    `json:"rows"`
	Cols int    `json:"cols"`
}

// Encode writes the blocks as an Arrow file: the shapes as a fact, and one row per row of
// each block, in order; a row of more values than a batch may have goes on in the next. Values must be finite.
// Of the blocks it copies a batch at a time.
func (m *Matrices) Encode(w io.Writer) error {
	f := newFacts(KindMatrices)
	f.setNotes(m.Notes)
	err := m.Source.set(f, "source.")
	if err == nil {
		err = m.Target.set(f, "target.")
	}
	shapes := make([]shape, 0, len(m.Blocks))
	var rows [][]float64
	for _, b := range m.Blocks {
		if len(b.Data) != b.Rows*b.Cols {
			return fmt.Errorf("write matrices: %d values in %s of %d × %d", len(b.Data), b.Name, b.Rows, b.Cols)
		}
		shapes = append(shapes, shape{b.Name, b.Rows, b.Cols})
		for i := range b.Rows {
			rows = slices.AppendSeq(rows, slices.Chunk(b.Data[i*b.Cols:(i+1)*b.Cols], maxBatchValues))
		}
	}
	if err == nil {
		err = checkShapes(shapes)
	}
	if err == nil {
		var text []byte
		text, err = json.Marshal(shapes)
		f["blocks"] = string(text)
	}
	if err == nil {
		err = encodeTable(w, f, []column{lists[float64]{"values", &rows}})
	}
	if err != nil {
		return fmt.Errorf("write matrices: %w", err)
	}
	return nil
}

func checkShapes(shapes []shape) error {
	seen := make(map[string]bool)
	for _, s := range shapes {
		if s.Rows < 1 || s.Cols < 1 || s.Rows > math.MaxInt32 || s.Cols > math.MaxInt32 {
			return fmt.Errorf("block %.40q is %d × %d", s.Name, s.Rows, s.Cols)
		}
		if seen[s.Name] || s.Name == "" {
			return fmt.Errorf("block %.40q is named twice or not at all", s.Name)
		}
		seen[s.Name] = true
	}
	return nil
}

// DecodeMatrices reads what Encode wrote. Errors wrap [ErrFormat] or are the reader's own. Blocks grow as their
// rows arrive, to no more than their shape says; beside them there is one batch in memory.
func DecodeMatrices(r io.Reader) (*Matrices, error) {
	m := new(Matrices)
	var shapes []shape
	var rows [][]float64
	layout := func(f facts) (_ []column, err error) {
		m.Notes = f.notes()
		if m.Source, err = f.meta("source."); err == nil {
			m.Target, err = f.meta("target.")
		}
		if err == nil {
			shapes, err = takeShapes(f)
		}
		return []column{lists[float64]{"values", &rows}}, err
	}
	full := true // whether the last block has all of its rows
	take := func() (err error) {
		for i, row := range rows {
			if full && len(m.Blocks) == len(shapes) {
				return fmt.Errorf("%d rows belong to no block", len(rows)-i)
			}
			if full {
				next := shapes[len(m.Blocks)]
				m.Add(next.Name, next.Rows, next.Cols, nil)
			}
			if full, err = m.Blocks[len(m.Blocks)-1].extend(row); err != nil {
				return err
			}
		}
		rows = rows[:0]
		return nil
	}
	if err := decodeTable(r, KindMatrices, layout, take); err != nil {
		return nil, err
	}
	next := len(m.Blocks)
	if !full {
		next--
	}
	if next < len(shapes) {
		return nil, fmt.Errorf("read matrices: %w: rows of block %.40q are missing", ErrFormat, shapes[next].Name)
	}
	return m, nil
}

// extend appends what a row of the table holds: a row of the matrix or, of a long one, as much as a batch may have.
func (b *Matrix) extend(row []float64) (full bool, err error) {
	have, size := len(b.Data), b.Rows*b.Cols
	if want := min(b.Cols-have%b.Cols, maxBatchValues); len(row) != want {
		return false, fmt.Errorf("block %.40q has a row of %d", b.Name, len(row))
	}
	if have+len(row) > cap(b.Data) {
		b.Data = append(make([]float64, 0, min(size, max(2*have, have+len(row)))), b.Data...)
	}
	b.Data = append(b.Data, row...)
	return len(b.Data) == size, nil
}

// takeShapes accepts only the text that Encode writes.
func takeShapes(f facts) (shapes []shape, err error) {
	text, err := f.text("blocks")
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal([]byte(text), &shapes); err != nil {
		return nil, fmt.Errorf("fact \"blocks\": %w", err)
	}
	if again, err := json.Marshal(shapes); err != nil || shapes == nil || string(again) != text {
		return nil, fmt.Errorf("fact \"blocks\" is not in the one form that is written")
	}
	return shapes, checkShapes(shapes)
}
