package checkpoint

import (
	"errors"
	"os"
	"slices"
	"testing"
)

// TestStoredRowsDecodeToTheValues compares the two ways to a tensor's values, for every type of the
// fixtures, quantised and plain, and rows that GGUF keeps in another order.
func TestStoredRowsDecodeToTheValues(t *testing.T) {
	c := &Checkpoint{name: "fixture", tensors: map[string]*tensor{}}
	for _, file := range []string{"quants.gguf", "dtypes.safetensors"} {
		b, err := openBlob(os.DirFS("testdata"), file)
		if err != nil {
			t.Fatal(err)
		}
		defer b.close()
		var tensors []*tensor
		if file == "quants.gguf" {
			h, err := readGGUF(b)
			if err != nil {
				t.Fatal(err)
			}
			tensors = h.tensors
		} else if tensors, err = readSafetensors(b); err != nil {
			t.Fatal(err)
		}
		for _, x := range tensors {
			c.tensors[x.Name] = x
		}
	}
	types := map[string]bool{}
	for name, x := range c.tensors {
		layout, ok := c.Stored(name)
		rows, width := x.rows()
		if whole := x.codec.decode != nil && width%x.codec.block == 0; ok != whole {
			t.Errorf("%s (%s) has a layout: %t", name, x.DType, ok)
		}
		if !ok || rows*width == 0 {
			continue
		}
		types[layout.DType] = true
		if named, ok := LayoutOf(x.DType); !ok || named.Block != layout.Block || named.Bytes != layout.Bytes {
			t.Errorf("%s: blocks of %d values in %d bytes, by its name %d in %d", x.DType, layout.Block, layout.Bytes, named.Block, named.Bytes)
		}
		for _, turned := range []bool{false, true} {
			if turned {
				x.row = func(row int) int { return rows - 1 - row }
			}
			want, got := make([]float32, rows*width), make([]float32, rows*width)
			if err := c.ReadRows(name, 0, rows, want); err != nil {
				t.Fatal(err)
			}
			src := make([]byte, rows*width/layout.Block*layout.Bytes)
			if err := c.StoredRows(name, 0, rows, src); err != nil {
				t.Fatal(err)
			}
			layout.Decode(got, src)
			if i := slices.IndexFunc(got, func(v float32) bool { return v != v }); i < 0 && !slices.Equal(got, want) {
				t.Errorf("%s (%s), turned %t: other values than ReadRows has", name, x.DType, turned)
			}
		}
		if err := c.StoredRows(name, rows, 1, nil); err == nil {
			t.Errorf("%s: a row beyond the last was read", name)
		}
		if err := c.StoredRows(name, 0, rows, nil); err == nil {
			t.Errorf("%s: rows were read into nothing", name)
		}
		x.add = 1
		if _, ok := c.Stored(name); ok {
			t.Errorf("%s: a tensor that is changed while it is read has a layout", name)
		}
	}
	for _, want := range []string{"F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K"} {
		if !types[want] {
			t.Errorf("no fixture of type %s", want)
		}
	}
	if err := c.StoredRows("nothing", 0, 1, nil); !errors.Is(err, ErrFormat) {
		t.Errorf("a tensor that is not there: %v", err)
	}
}
