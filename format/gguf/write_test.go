package gguf

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write ours.gguf anew; then run testdata/python.py")

// sample has a value and a list of every kind, and tensors of several types.
func sample() ([]Pair, []Tensor) {
	pairs := []Pair{
		{"text", "ü ♪"}, {"texts", []string{"", "bc ♪"}}, {"yes", true}, {"no", false}, {"flags", []bool{true, false, true}},
		{"u8", uint8(255)}, {"i8", int8(-128)}, {"u16", uint16(math.MaxUint16)}, {"i16", int16(math.MinInt16)},
		{"u32", uint32(math.MaxUint32)}, {"i32", int32(math.MinInt32)}, {"u64", uint64(math.MaxUint64)}, {"i64", int64(math.MinInt64)},
		{"f32", float32(0.1)}, {"f64", 0.1},
		{"u8s", []uint8{1, 2}}, {"i8s", []int8{-1, 2}}, {"u16s", []uint16{1, 2}}, {"i16s", []int16{-1, 2}}, {"u32s", []uint32{1, 2}},
		{"i32s", []int32{-1, 2}}, {"u64s", []uint64{1, 2}}, {"i64s", []int64{-1, 2}}, {"f32s", []float32{0.5, 1e-40}}, {"f64s", []float64{0.1}},
	}
	q4 := make([]byte, 2*2*18)
	for i := range q4 {
		q4[i] = byte(i)
	}
	return pairs, []Tensor{
		{"z", F32, []int{2, 3}, []float32{1, -2.5, 1e-40, 3.4e38, 0, 1.0 / 3}},
		{"half", F16, []int{3}, []byte{0, 0x3c, 0, 0xc0, 1, 0}},
		{"q", 2, []int{2, 64}, q4},
		{"four", F32, []int{1, 2, 1, 1}, []float32{5, 6}},
	}
}

func written(t testing.TB) []byte {
	t.Helper()
	var out bytes.Buffer
	pairs, tensors := sample()
	if err := Write(&out, pairs, tensors); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestWrittenBytesStayTheSame(t *testing.T) {
	path := filepath.Join("testdata", "ours.gguf")
	if *update {
		if err := os.WriteFile(path, written(t), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(path); err != nil || !bytes.Equal(written(t), want) {
		t.Errorf("%d bytes, the golden file has %d, %v", len(written(t)), len(want), err)
	}
}

func TestWrittenFilesReadBack(t *testing.T) {
	pairs, tensors := sample()
	data := written(t)
	f, err := read(data)
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Metadata) != len(pairs) || len(f.Entries) != len(tensors) || f.Rest != 0 {
		t.Errorf("%d values and %d tensors, %d bytes behind them", len(f.Metadata), len(f.Entries), f.Rest)
	}
	for _, p := range pairs {
		got := f.Metadata[p.Key]
		if a, ok := got.(Array); ok {
			kind, list := kindOf(p.Value)
			if !list || a.Kind != kind || a.Len != reflect.ValueOf(p.Value).Len() {
				t.Errorf("%s: %v of kind %d, want %T", p.Key, a, a.Kind, p.Value)
			}
			switch want := p.Value.(type) {
			case []string:
				got, err = a.Strings()
			case []float32:
				got, err = a.Float32s()
			case []float64, []bool:
				got = want // no reader asks for them
			default:
				all, err := a.Ints()
				if fmt.Sprint(all) != fmt.Sprint(want) {
					t.Errorf("%s: %v, %v; want %v", p.Key, all, err, want)
				}
				continue
			}
		}
		if err != nil || !reflect.DeepEqual(got, p.Value) {
			t.Errorf("%s: %v, %v; want %v", p.Key, got, err, p.Value)
		}
	}
	for i, want := range tensors {
		e := f.Entries[i]
		if e.Name != want.Name || e.Type != want.Type || !reflect.DeepEqual(e.Shape, want.Shape) || e.Offset%alignment != 0 {
			t.Errorf("%+v, want %+v", e, want)
		}
		switch values := want.Data.(type) {
		case []float32:
			if got, err := f.Float32(e.Name); err != nil || !reflect.DeepEqual(got, values) {
				t.Errorf("%s = %v, %v; want %v", e.Name, got, err, values)
			}
		case []byte:
			if got := data[e.Offset:][:e.Size]; !bytes.Equal(got, values) {
				t.Errorf("%s = %x, want %x", e.Name, got, values)
			}
		}
	}
}

func TestImpossibleFilesAreNotWritten(t *testing.T) {
	one := []float32{1}
	for name, c := range map[string]struct {
		pairs   []Pair
		tensors []Tensor
		want    string
	}{
		"a value of no kind":  {[]Pair{{"a", 1}}, nil, "a value of type int"},
		"a list of no kind":   {[]Pair{{"a", []any{1}}}, nil, "a value of type []interface"},
		"nothing":             {[]Pair{{"a", nil}}, nil, "a value of type <nil>"},
		"a key twice":         {[]Pair{{"a", true}, {"a", true}}, nil, "twice"},
		"no key":              {[]Pair{{"", true}}, nil, "no key"},
		"a key not in UTF-8":  {[]Pair{{"\xff", true}}, nil, "no key"},
		"a long key":          {[]Pair{{strings.Repeat("k", 1<<16), true}}, nil, "no key"},
		"an alignment":        {[]Pair{{"general.alignment", uint32(64)}}, nil, "aligned at 32"},
		"too many texts":      {[]Pair{{"a", make([]string, maxStrings+1)}}, nil, "texts"},
		"too many keys":       {make([]Pair, maxKeys+1), nil, "metadata"},
		"too many tensors":    {nil, make([]Tensor, maxTensors+1), "tensors"},
		"a name twice":        {nil, []Tensor{{"w", F32, []int{1}, one}, {"w", F32, []int{1}, one}}, "twice"},
		"no name":             {nil, []Tensor{{"", F32, []int{1}, one}}, "no name"},
		"a long name":         {nil, []Tensor{{strings.Repeat("n", 257), F32, []int{1}, one}}, "no name"},
		"no dimension":        {nil, []Tensor{{"w", F32, nil, one}}, "0 dimensions"},
		"five dimensions":     {nil, []Tensor{{"w", F32, []int{1, 1, 1, 1, 1}, one}}, "5 dimensions"},
		"an empty dimension":  {nil, []Tensor{{"w", F32, []int{0}, []float32{}}}, "a dimension of 0"},
		"a negative one":      {nil, []Tensor{{"w", F32, []int{-1}, one}}, "a dimension of"},
		"a product too large": {nil, []Tensor{{"w", F32, []int{1 << 32, 1 << 32}, one}}, "too large"},
		"too few values":      {nil, []Tensor{{"w", F32, []int{2}, one}}, "4 bytes do not fill F32 [2]"},
		"half a block":        {nil, []Tensor{{"w", 2, []int{16}, make([]byte, 9)}}, "Q4_0 blocks of 32"},
		"an unknown type":     {nil, []Tensor{{"w", 99, []int{1}, []byte{1}}}, "type 99"},
		"floats as halves":    {nil, []Tensor{{"w", F16, []int{1}, one}}, "cannot be stored as F16"},
		"other data":          {nil, []Tensor{{"w", F32, []int{1}, []float64{1}}}, "data of type []float64"},
	} {
		var out bytes.Buffer
		if err := Write(&out, c.pairs, c.tensors); err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "write GGUF: ") || out.Len() > 0 {
			t.Errorf("%s: %v and %d bytes, want %q and none", name, err, out.Len(), c.want)
		}
	}
	errFull := errors.New("no space left on device")
	pairs, tensors := sample()
	if err := Write(&fullDisk{errFull}, pairs, tensors); !errors.Is(err, errFull) {
		t.Errorf("full disk: %v", err)
	}
}

type fullDisk struct{ err error }

func (d *fullDisk) Write([]byte) (int, error) { return 0, d.err }

// What gguf-py sees in a file.
type seen struct {
	Fields map[string]struct {
		Kinds []string
		Value any
	}
	Tensors map[string]struct {
		Type         string
		Shape        []int
		Offset, Size int64
		SHA256       string
	}
}

// recorded reads a part of what testdata/python.py wrote.
func recorded(t *testing.T, name string, to any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "python.json"))
	all := make(map[string]json.RawMessage)
	if err == nil {
		err = json.Unmarshal(text, &all)
	}
	if err == nil {
		dec := json.NewDecoder(bytes.NewReader(all[name]))
		dec.UseNumber() // an int64 is more than a float64 holds
		err = dec.Decode(to)
	}
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// pythonNames are the kinds as gguf-py calls them.
var pythonNames = []string{"UINT8", "INT8", "UINT16", "INT16", "UINT32", "INT32", "FLOAT32", "BOOL", "STRING", "ARRAY", "UINT64", "INT64", "FLOAT64"}

// TestPythonReadsTheSame compares what is read here of a file of gguf-py's and of one of ours with what
// gguf-py reads.
func TestPythonReadsTheSame(t *testing.T) {
	for _, name := range []string{"foreign.gguf", "ours.gguf"} {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		f, err := read(data)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var want seen
		recorded(t, name, &want)
		if len(f.Metadata) != len(want.Fields) || len(f.Entries) != len(want.Tensors) {
			t.Errorf("%s: %d values and %d tensors, want %d and %d", name, len(f.Metadata), len(f.Entries), len(want.Fields), len(want.Tensors))
		}
		for key, w := range want.Fields {
			compare(t, name+": "+key, f.Metadata[key], w.Kinds, w.Value)
		}
		for _, e := range f.Entries {
			w := want.Tensors[e.Name]
			sum := sha256.Sum256(data[e.Offset:][:e.Size])
			if e.Type.String() != w.Type || !reflect.DeepEqual(e.Shape, w.Shape) || e.Offset != w.Offset || e.Size != w.Size || hex.EncodeToString(sum[:]) != w.SHA256 {
				t.Errorf("%s: %+v, want %+v", name, e, w)
			}
		}
	}
}

// compare compares a value of the metadata with gguf-py's.
func compare(t *testing.T, key string, got any, kinds []string, want any) {
	t.Helper()
	a, list := got.(Array)
	if !list {
		if kind, _ := kindOf(got); len(kinds) != 1 || pythonNames[kind] != kinds[0] || !same(got, want) {
			t.Errorf("%s: %T %v, want %v %v", key, got, got, kinds, want)
		}
		return
	}
	items := want.([]any)
	if flattened := a.Kind == KindArray; len(kinds) < 2 || kinds[0] != "ARRAY" || pythonNames[a.Kind] != kinds[1] || a.Len != len(items) && !flattened { // gguf-py flattens lists of lists
		t.Errorf("%s: %v of %s, want %v of %d", key, a, pythonNames[a.Kind], kinds, len(items))
		return
	}
	var values []any
	if texts, err := a.Strings(); err == nil {
		for _, v := range texts {
			values = append(values, v)
		}
	} else if floats, err := a.Float32s(); err == nil {
		for _, v := range floats {
			values = append(values, v)
		}
	} else if ints, err := a.Ints(); err == nil {
		for _, v := range ints {
			values = append(values, v)
		}
	} else if k := a.Kind; k != KindArray && k != KindBool && k != KindFloat64 {
		t.Errorf("%s: a list of kind %d: %v", key, k, err)
	}
	for i, v := range values {
		if !same(v, items[i]) {
			t.Errorf("%s[%d] = %v, want %v", key, i, v, items[i])
		}
	}
}

// same compares a value with one of JSON.
func same(got, want any) bool {
	switch want := want.(type) {
	case json.Number:
		if n, ok := got.(uint64); ok {
			return strconv.FormatUint(n, 10) == want.String()
		}
		if n, ok := Int(got); ok {
			return strconv.FormatInt(n, 10) == want.String()
		}
		w, err := want.Float64()
		switch x := got.(type) {
		case float32:
			return err == nil && float64(x) == w
		case float64:
			return err == nil && x == w
		}
		return false
	default:
		return got == want
	}
}

func TestTypesAreThoseOfGGUFPy(t *testing.T) {
	var blocks map[string][3]int
	recorded(t, "blocks", &blocks)
	known := 0
	for kind := range types {
		if values, _ := kind.Block(); values > 0 {
			known++
		}
	}
	if known != len(blocks) {
		t.Errorf("%d types, want %d", known, len(blocks))
	}
	for name, want := range blocks {
		kind := Type(want[0])
		if values, size := kind.Block(); kind.String() != name || values != want[1] || size != want[2] {
			t.Errorf("type %d: %s in blocks of %d and %d bytes, want %s %v", want[0], kind, values, size, name, want)
		}
	}
}

func TestTheSameFileIsWrittenTwice(t *testing.T) {
	if !bytes.Equal(written(t), written(t)) {
		t.Error("the same content gave other bytes")
	}
	if err := Write(io.Discard, nil, nil); err != nil {
		t.Errorf("an empty file: %v", err)
	}
}
