package artifacts

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"runtime"
	"strings"
	"testing"
)

// ramp is n rising numbers.
func ramp(n int) []float64 {
	v := make([]float64, n)
	for i := range v {
		v[i] = float64(i)
	}
	return v
}

// TestLongRowsGoOnInTheNextBatch stores rows of more values than a batch may have among short ones.
func TestLongRowsGoOnInTheNextBatch(t *testing.T) {
	m := &Matrices{}
	m.Add("before", 1, 2, []float64{1, 2})
	m.Add("long", 2, maxBatchValues+3, ramp(2*(maxBatchValues+3)))
	m.Add("full", 1, maxBatchValues, ramp(maxBatchValues))
	m.Add("after", 2, 1, []float64{3, 4})
	content := encoded(t, m.Encode)
	got, err := DecodeMatrices(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got.Blocks, m.Blocks) {
		t.Error("the blocks are others than were stored")
	}
	var out strings.Builder
	if err := Show(&out, bytes.NewReader(content), KindMatrices, 3); err != nil || !strings.Contains(out.String(), "(1048576)\n") {
		t.Errorf("shown as %s, %v", out.String(), err)
	}
}

// TestRowsMustFitTheirBlock changes the shapes that a file claims, not the rows that it has.
func TestRowsMustFitTheirBlock(t *testing.T) {
	for want, blocks := range map[string]string{
		`rows of block "b" are missing`: `[{"name":"a","rows":2,"cols":2},{"name":"b","rows":2,"cols":1}]`,
		`rows of block "c" are missing`: `[{"name":"a","rows":2,"cols":2},{"name":"b","rows":1,"cols":1},{"name":"c","rows":1,"cols":1}]`,
		`block "b" has a row of 1`:      `[{"name":"a","rows":2,"cols":2},{"name":"b","rows":1,"cols":9}]`,
		`block "a" has a row of 2`:      `[{"name":"a","rows":2147483647,"cols":2147483647},{"name":"b","rows":1,"cols":1}]`,
		`1 rows belong to no block`:     `[{"name":"a","rows":2,"cols":2}]`,
		`block "a" is 1 × 2147483648`:   `[{"name":"a","rows":1,"cols":2147483648}]`,
	} {
		f := newFacts(KindMatrices)
		for _, prefix := range []string{"source.", "target."} {
			if err := (Meta{}).set(f, prefix); err != nil {
				t.Fatal(err)
			}
		}
		f["blocks"] = blocks
		rows := [][]float64{{1, 2}, {3, 4}, {5}}
		content := encoded(t, func(w io.Writer) error { return encodeTable(w, f, []column{lists[float64]{"values", &rows}}) })
		if _, err := DecodeMatrices(bytes.NewReader(content)); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), want) {
			t.Errorf("blocks %s: %v, want %q", blocks, err, want)
		}
	}
}

// A meter counts the bytes that are alive when some of a file pass, and keeps the most.
type meter struct {
	w      io.Writer
	r      io.Reader
	passed int
	most   uint64
}

func (m *meter) look(n int) {
	if m.passed += n; m.passed < 8*maxBatchValues && m.most > 0 {
		return
	}
	m.passed = 0
	m.most = max(m.most, alive())
}

func (m *meter) Write(p []byte) (int, error) { m.look(len(p)); return m.w.Write(p) }
func (m *meter) Read(p []byte) (n int, err error) {
	n, err = m.r.Read(p)
	m.look(n)
	return n, err
}

func alive() uint64 {
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return s.HeapAlloc
}

// TestMatricesAreNotCopied: writing a block of twelve batches takes few batches beside it; reading it, no more than
// the half again that a growing slice has where it moves.
func TestMatricesAreNotCopied(t *testing.T) {
	const batches = 12
	m := &Matrices{}
	m.Add("long", 1, batches*maxBatchValues, make([]float64, batches*maxBatchValues))
	batch, before := uint64(8*maxBatchValues), alive()
	out := &meter{w: io.Discard}
	if err := m.Encode(out); err != nil {
		t.Fatal(err)
	}
	if more := out.most - before; more > 4*batch {
		t.Errorf("writing takes %d MiB beside the block of %d", more>>20, batches*batch>>20)
	}
	content := encoded(t, m.Encode)
	runtime.KeepAlive(m)
	m = nil
	before = alive()
	in := &meter{r: bytes.NewReader(content)}
	got, err := DecodeMatrices(in)
	if err != nil || len(got.Blocks[0].Data) != batches*maxBatchValues {
		t.Fatal(err)
	}
	if more := in.most - before; more > batches*batch*3/2+4*batch {
		t.Errorf("reading a block of %d MiB takes %d", batches*batch>>20, more>>20)
	}
	if c := cap(got.Blocks[0].Data); c != batches*maxBatchValues {
		t.Errorf("the block has room for %d values, %d are used", c, batches*maxBatchValues)
	}
	runtime.KeepAlive(content)
}
