package rows

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/format/half"
	"github.com/persona-transfer/runpipeline/format/safetensors"
	"github.com/persona-transfer/runpipeline/transforms/linear"
)

func fixture(name string) string { return filepath.Join("testdata", name) }

// all reads a whole table.
func all(t *testing.T, name string) (*File, []float32) {
	t.Helper()
	f, err := Open(name)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	t.Cleanup(func() { f.Close() })
	values := make([]float32, f.Rows*f.Width)
	if err := f.Read(values, 0); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return f, values
}

// TestEveryFormatHasTheSameRows reads one table as NumPy, PyTorch and pyarrow wrote it.
func TestEveryFormatHasTheSameRows(t *testing.T) {
	_, want := all(t, fixture("x.npy"))
	whole := func(v float32) float32 { return v }
	for name, stored := range map[string]func(float32) float32{
		"x.safetensors": whole, "x.safetensors:h": whole, "parts.safetensors:h.*": whole, "x.arrow": whole, "x.arrow:h": whole,
		"x64.arrow": whole, "types.safetensors:f64": whole,
		"x16.arrow":              func(v float32) float32 { return half.Float32(half.Round(v)) },
		"types.safetensors:f16":  func(v float32) float32 { return half.Float32(half.Round(v)) },
		"types.safetensors:bf16": func(v float32) float32 { return half.BFloat32(half.BRound(v)) },
	} {
		f, got := all(t, fixture(name))
		if f.Rows != 60 || f.Width != 6 || f.Meta.Layer != artifacts.UnknownLayer {
			t.Errorf("%s: %d rows of %d at layer %d", name, f.Rows, f.Width, f.Meta.Layer)
			continue
		}
		for i, v := range want {
			if got[i] != stored(v) {
				t.Errorf("%s: value %d is %g, want %g", name, i, got[i], stored(v))
				break
			}
		}
		some := make([]float32, 3*f.Width)
		for _, from := range []int{0, 8, 23, 49, 57} { // across tensors and batches
			if err := f.Read(some, from); err != nil || !slices.Equal(some, got[from*f.Width:(from+3)*f.Width]) {
				t.Errorf("%s: rows from %d on are %v, %v", name, from, some, err)
			}
		}
	}
}

func write(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func tensors(t *testing.T, meta map[string]string, list ...safetensors.Tensor) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := safetensors.Write(&b, list, meta); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestFilesThatAreNoTablesAreRefused(t *testing.T) {
	npy, err := os.ReadFile(fixture("x.npy"))
	if err != nil {
		t.Fatal(err)
	}
	arrow, err := os.ReadFile(fixture("x.arrow"))
	if err != nil {
		t.Fatal(err)
	}
	ints := safetensors.Tensor{Name: "tokens", DType: "I32", Shape: []int{2, 2}, Data: []int32{1, 2, 3, 4}}
	none := safetensors.Tensor{Name: "h", Shape: []int{0, 4}, Data: []float32{}}
	two := []safetensors.Tensor{{Name: "resid.0", Shape: []int{2, 2}, Data: make([]float32, 4)}, {Name: "resid.1", Shape: []int{2, 2}, Data: make([]float32, 4)}}
	odd := []safetensors.Tensor{two[0], {Name: "resid.1", Shape: []int{1, 4}, Data: make([]float32, 4)}}
	for _, c := range []struct{ name, part, want string }{
		{write(t, "empty", nil), "", "an empty file"},
		{t.TempDir(), "", "a folder"},
		{write(t, "text.npy", []byte("1 2 3\n4 5 6\n")), "", "neither .npy nor safetensors nor Arrow"},
		{write(t, "a.npz", []byte("PK\x03\x04 and so on")), "", "a zip archive"},
		{write(t, "cut.npy", npy[:len(npy)-1]), "", "cut short"},
		{write(t, "cut.arrow", arrow[:len(arrow)-1]), "", "does not end like an Arrow file"},
		{fixture("groups.npy"), "", "shape [60]; want two dimensions"},
		{fixture("x.npy"), ":h", "one array"},
		{fixture("types.safetensors"), "", `several tensors of two dimensions, "bf16", "f16", "f64"`},
		{fixture("types.safetensors"), ":f32", `no tensor "f32"`},
		{fixture("types.safetensors"), ":*", `tensor "bf16" is BF16 [60 6], tensor "f16" is F16`},
		{fixture("x.safetensors"), ":mean", "shape [6]; want two dimensions"},
		{fixture("x.arrow"), ":id", `no column "id"`},
		{write(t, "ints", tensors(t, nil, ints)), "", "values of type I32"},
		{write(t, "none", tensors(t, nil, none)), "", "0 rows of 4 values"},
		{write(t, "odd", tensors(t, nil, odd...)), ":resid.*", "[1 4]"},
		{write(t, "probe", tensors(t, map[string]string{"layers": "[3 4]"}, two...)), ":resid.*", "run probe with one -layers"},
	} {
		f, err := Open(c.name + c.part)
		if err == nil {
			f.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s%s: %v, want %q", c.name, c.part, err, c.want)
		}
	}
	if _, err := Open("nowhere.npy"); !os.IsNotExist(err) {
		t.Errorf("a file that is not there: %v", err)
	}
	one := []safetensors.Tensor{{Name: "resid.10", Shape: []int{1, 2}, Data: []float32{5, 6}}, {Name: "resid.9", Shape: []int{1, 2}, Data: []float32{3, 4}}}
	f, got := all(t, write(t, "probed", tensors(t, map[string]string{"layers": "[3]", "model": "tiny:llama"}, one...))+":resid.*")
	if !slices.Equal(got, []float32{3, 4, 5, 6}) || f.Meta.Layer != 3 || f.Meta.Model != "tiny:llama" {
		t.Errorf("what probe wrote: %v of %+v", got, f.Meta)
	}
}

func TestCheckFindsWhatCannotBeFitted(t *testing.T) {
	table := func(v ...float64) *File {
		header := fmt.Sprintf("{'descr': '<f8', 'fortran_order': False, 'shape': (%d, 2)}", len(v)/2)
		b := append([]byte("\x93NUMPY\x01\x00"), byte(len(header)), 0)
		b = append(b, header...)
		for _, x := range v {
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(x))
		}
		f, _ := all(t, write(t, "t.npy", b))
		return f
	}
	s, err := table(3, 4, 6, 8, 0, 0).Check(t.Context())
	if err != nil || s.MeanNorm != 5 || s.Rounded {
		t.Errorf("%+v, %v; want a mean norm of 5", s, err)
	}
	if s, err = table(3, .1).Check(t.Context()); err != nil || !s.Rounded {
		t.Errorf("0.1 of float64: %+v, %v", s, err)
	}
	for _, c := range []struct {
		f    *File
		want string
	}{
		{table(1, 2, 3, math.NaN()), "row 1, value 1 is NaN"},
		{table(1, 1e39, 3, 4, math.Inf(-1), 5), "row 0, value 1 is 1e+39, beyond the range of float32; 1 more values are not finite in float32, the last: row 2, value 0 is -Inf"},
	} {
		if _, err := c.f.Check(t.Context()); err == nil || err.Error() != c.want {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}

// TestDealingIsScikitLearns: with groups of different sizes there is nothing to draw, and the folds are those
// of GroupKFold, whatever the seed.
func TestDealingIsScikitLearns(t *testing.T) {
	var fits struct {
		Grouped []int `json:"grouped"`
	}
	b, err := os.ReadFile(fixture("fits.json"))
	if err == nil {
		err = json.Unmarshal(b, &fits)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"groups.npy", "groups.txt", "groups.json"} {
		groups, err := ReadGroups(fixture(name), 60)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for seed := range uint64(3) {
			if fold, err := Deal(groups, 3, seed); err != nil || !slices.Equal(fold, fits.Grouped) {
				t.Errorf("%s: folds %v, %v; want %v", name, fold, err, fits.Grouped)
			}
		}
	}
}

// TestDealingKeepsGroupsWholeAndFoldsEven: with groups of one size the seed decides, folds differ by one group.
func TestDealingKeepsGroupsWholeAndFoldsEven(t *testing.T) {
	var groups []int
	for i := range 230 {
		groups = append(groups, i/10)
	}
	first, err := Deal(groups, 5, 1)
	if err != nil {
		t.Fatal(err)
	}
	sizes := make([]int, 5)
	for i, k := range first {
		if sizes[k]++; k != first[i/10*10] {
			t.Fatalf("row %d of group %d is in fold %d, its first row in %d", i, i/10, k, first[i/10*10])
		}
	}
	if slices.Min(sizes) != 40 || slices.Max(sizes) != 50 {
		t.Errorf("folds of %v rows", sizes)
	}
	again, _ := Deal(groups, 5, 1)
	other, _ := Deal(groups, 5, 2)
	if !slices.Equal(first, again) || slices.Equal(first, other) {
		t.Error("the seed does not decide")
	}
	if _, err := Deal([]int{0, 0, 1}, 3, 1); err == nil || !strings.Contains(err.Error(), "2 groups for 3 folds") {
		t.Errorf("too few groups: %v", err)
	}
	if got := Blocks(8, 3); !slices.Equal(got, []int{0, 0, 0, 1, 1, 1, 2, 2}) {
		t.Errorf("blocks %v", got)
	}
}

func TestGroupsThatAreNoneAreRefused(t *testing.T) {
	for _, c := range []struct{ name, want string }{
		{fixture("x.npy"), "type F32; want integers"},
		{fixture("make.py"), "want a .npy of integers"},
		{fixture("groups.txt"), "60 groups of rows; there are 61 rows"},
		{write(t, "g.txt", []byte("a\n\nb\n")), "line 2 is empty"},
		{write(t, "g.txt", []byte("a\n\xff\n")), "UTF-8"},
		{write(t, "g.json", []byte(`["a", 1.5]`)), "item 2 is 1.5"},
		{write(t, "g.json", []byte(`["a", null]`)), "item 2 is null"},
		{write(t, "g.json", []byte(`{"a": 1}`)), "want a list"},
		{write(t, "g.json", []byte(`["a"`)), ""},
	} {
		if _, err := ReadGroups(c.name, 61); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	groups, err := ReadGroups(write(t, "g.json", []byte(`["1", 1, "1", 2]`)), 4)
	if err != nil || !slices.Equal(groups, []int{0, 1, 0, 2}) {
		t.Errorf("a text is no number: %v, %v", groups, err)
	}
}

// TestFoldsOfFilesAreThoseOfMemory: sums and rows of each fold are to the bit those of the same rows in memory,
// with runs that are shorter and longer than a block.
func TestFoldsOfFilesAreThoseOfMemory(t *testing.T) {
	const n, d, e, folds = 3000, 5, 3, 3
	xs, ys := make([]float32, n*d), make([]float32, n*e)
	for i := range xs {
		xs[i] = float32(math.Sin(float64(i)))
	}
	for i := range ys {
		ys[i] = float32(math.Cos(float64(i * i)))
	}
	x, _ := all(t, write(t, "x", tensors(t, nil, safetensors.Tensor{Name: "h", Shape: []int{n, d}, Data: xs})))
	y, _ := all(t, write(t, "y", tensors(t, nil, safetensors.Tensor{Name: "h", Shape: []int{n, e}, Data: ys})))
	fold := make([]int, n)
	for i := range fold {
		switch {
		case i < 700:
			fold[i] = 1
		default:
			fold[i] = i * i % 7 % folds
		}
	}
	paired, err := Pair(t.Context(), x, y, fold, folds)
	if err != nil {
		t.Fatal(err)
	}
	table, err := linear.NewTable(d, e, xs, ys, fold)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(paired.Sizes(), table.Sizes()) {
		t.Errorf("sizes %v, want %v", paired.Sizes(), table.Sizes())
	}
	for k := range folds {
		px, py, err := paired.Rows(k)
		tx, ty, _ := table.Rows(k)
		if err != nil || !slices.Equal(px, tx) || !slices.Equal(py, ty) {
			t.Errorf("fold %d: other rows, %v", k, err)
		}
		pg, tg := linear.NewGram(d, e), linear.NewGram(d, e)
		if err := paired.AddTo(pg, k); err != nil {
			t.Fatal(err)
		}
		if err := table.AddTo(tg, k); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(pg.Flat(), tg.Flat()) {
			t.Errorf("fold %d: other sums", k)
		}
	}
	if _, err := Pair(t.Context(), x, y, fold[:n-1], folds); err == nil {
		t.Error("folds of fewer rows are taken")
	}
}

func TestPlacesMustAgree(t *testing.T) {
	x := &File{Places: []Place{{"a", 0, 5}, {"a", 0, 9}, {"b", 1, 4}}}
	y := &File{Places: slices.Clone(x.Places)}
	if err := SamePlaces(x, y); err != nil || !slices.Equal(x.Documents(), []int{0, 0, 1}) {
		t.Errorf("%v, documents %v", err, x.Documents())
	}
	if y.Places[1].End = 8; SamePlaces(x, &File{}) != nil {
		t.Error("a table without places has other ones")
	}
	if err := SamePlaces(x, y); err == nil || !strings.Contains(err.Error(), "row 1 is text 0") {
		t.Errorf("other places: %v", err)
	}
}

// BenchmarkCheck is a pass over a table of each type, from the system's own copy of the file.
func BenchmarkCheck(b *testing.B) {
	const n, width = 4096, 4096
	for descr, size := range map[string]int{"<f2": 2, "<f4": 4, "<f8": 8} {
		b.Run(descr[1:], func(b *testing.B) {
			header := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%d, %d)}", descr, n, width)
			content := append([]byte("\x93NUMPY\x01\x00"), byte(len(header)), 0)
			content = append(append(content, header...), make([]byte, n*width*size)...)
			path := filepath.Join(b.TempDir(), "t.npy")
			if err := os.WriteFile(path, content, 0o644); err != nil {
				b.Fatal(err)
			}
			f, err := Open(path)
			if err != nil {
				b.Fatal(err)
			}
			defer f.Close()
			b.SetBytes(int64(n * width * size))
			for b.Loop() {
				if _, err := f.Check(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkRead is a pass without looking at the values, as each of the sums takes.
func BenchmarkRead(b *testing.B) {
	const n, width = 16384, 1024
	path := filepath.Join(b.TempDir(), "t.safetensors")
	var content bytes.Buffer
	if err := safetensors.Write(&content, []safetensors.Tensor{{Name: "h", Shape: []int{n, width}, Data: make([]float32, n*width)}}, nil); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(path, content.Bytes(), 0o644); err != nil {
		b.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	rows := make([]float32, blockRows*width)
	b.SetBytes(4 * n * width)
	for b.Loop() {
		for from := 0; from < n; from += blockRows {
			if err := f.Read(rows, from); err != nil {
				b.Fatal(err)
			}
		}
	}
}
