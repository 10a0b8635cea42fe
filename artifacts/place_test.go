package artifacts

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
)

// numbersAt reads what a place says is there.
func numbersAt(t *testing.T, content []byte, p *Place) (values []float32, batches int) {
	t.Helper()
	for _, b := range p.Batches {
		for i := range b.Rows * p.Width {
			at := b.Offset + int64(i)*floatSizes[p.DType]
			if p.DType == "F64" {
				values = append(values, float32(math.Float64frombits(binary.LittleEndian.Uint64(content[at:]))))
			} else {
				values = append(values, math.Float32frombits(binary.LittleEndian.Uint32(content[at:])))
			}
		}
	}
	return values, len(p.Batches)
}

// TestPlacedVectorsAreThoseThatAreRead compares the two ways to the rows of stored activations, which take
// several batches.
func TestPlacedVectorsAreThoseThatAreRead(t *testing.T) {
	const rows, dim = 5000, 3
	a := &Activations{Meta: Meta{Layer: 1, Hidden: dim}, Dim: dim}
	for i := range rows {
		a.Document, a.Token = append(a.Document, fmt.Sprint("document ", i/7)), append(a.Token, "x")
		a.Text, a.End, a.Fold = append(a.Text, int32(i)), append(a.End, 1), append(a.Fold, 0)
		a.Residual = append(a.Residual, float32(i), -float32(i), .5)
	}
	content := encoded(t, a.Encode)
	p, err := FindVectors(bytes.NewReader(content), int64(len(content)), "")
	if err != nil || p.Column != "residual" || p.Kind != KindActivations || p.Width != dim || p.DType != "F32" {
		t.Fatalf("%+v, %v", p, err)
	}
	got, batches := numbersAt(t, content, p)
	if batches != 2 || len(got) != rows*dim {
		t.Fatalf("%d values in %d batches", len(got), batches)
	}
	for i, v := range a.Residual {
		if got[i] != v {
			t.Fatalf("value %d is %g, want %g", i, got[i], v)
		}
	}
	if _, err := FindVectors(bytes.NewReader(content), int64(len(content)), "residuals"); !errors.Is(err, ErrFormat) {
		t.Errorf("a column that is not there: %v", err)
	}
	for cut := range len(content) {
		if cut > 3000 && cut < len(content)-3000 && cut%997 > 0 {
			continue
		}
		if _, err := FindVectors(bytes.NewReader(content[:cut]), int64(cut), ""); !errors.Is(err, ErrFormat) {
			t.Fatalf("cut at byte %d of %d: %v", cut, len(content), err)
		}
	}
}

// FuzzFindVectors starts from files of pyarrow. What is found lies inside of the file.
func FuzzFindVectors(f *testing.F) {
	for _, name := range []string{"x.arrow", "x16.arrow", "x64.arrow"} {
		content, err := os.ReadFile("../pipelines/rows/testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(content)
	}
	expectsLeaks = true
	f.Fuzz(func(t *testing.T, content []byte) {
		p, err := FindVectors(bytes.NewReader(content), int64(len(content)), "")
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Fatalf("%v, want ErrFormat", err)
			}
			return
		}
		for _, b := range p.Batches {
			if wide := int64(p.Width) * floatSizes[p.DType]; b.Rows < 1 || b.Offset < 0 || int64(b.Rows) > (int64(len(content))-b.Offset)/wide {
				t.Fatalf("%d rows of %d bytes at %d of %d", b.Rows, wide, b.Offset, len(content))
			}
		}
	})
}

// TestWhatArrowFilesMayNotHaveIsSaid: columns of other types do not stop at "not what is written here".
func TestWhatArrowFilesMayNotHaveIsSaid(t *testing.T) {
	expectsLeaks = true
	column := func(content []byte) []byte { // an attribute of the first column, which has none
		content = bytes.Clone(content)
		f := &flat{b: content[16:][:binary.LittleEndian.Uint32(content[12:])]}
		schema := f.indirect(f.field(f.indirect(0), messageHeader))
		columns, _ := f.vector(schema, schemaFields, 4)
		f.b[f.field(f.indirect(columns), fieldKind)] = 19 // large binary
		return content
	}
	content, err := os.ReadFile("../pipelines/rows/testdata/x.arrow")
	if err != nil {
		t.Fatal(err)
	}
	content = column(content)
	_, err = FindVectors(bytes.NewReader(content), int64(len(content)), "")
	if !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), "write the column of vectors alone") {
		t.Errorf("a column of another type: %v", err)
	}
	_, err = FindVectors(bytes.NewReader(content[:100]), 100, "")
	if !errors.Is(err, ErrFormat) || strings.Contains(err.Error(), "alone") {
		t.Errorf("a file that is cut: %v", err)
	}
}
