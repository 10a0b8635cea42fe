package safetensors

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write ours.safetensors anew; then run testdata/python.py")

// sample has tensors of several types and metadata that JSON escapes.
func sample() ([]Tensor, map[string]string) {
	return []Tensor{
		{Name: "z", Shape: []int{2, 2}, Data: []float32{1, 2, 3, 4}},
		{Name: "a<é>", DType: "BF16", Shape: []int{3}, Data: []float32{1, -2.5, 1e-40}},
		{Name: "m", Shape: []int{2}, Data: []int32{-1, 1 << 30}},
		{Name: "raw", DType: "U8", Shape: []int{3}, Data: []byte{1, 2, 3}},
		{Name: "scalar", DType: "F16", Data: []float32{0.5}},
		{Name: "none", DType: "F64", Shape: []int{0, 7}, Data: []byte{}},
		{Name: "eight", DType: "F8_E4M3", Shape: []int{1}, Data: []byte{0x38}},
	}, map[string]string{"b": "2", "a": "1 \"quoted\" <&>", "c": "ü\n\u2028"}
}

func written(t *testing.T) []byte {
	t.Helper()
	tensors, metadata := sample()
	var out bytes.Buffer
	if err := Write(&out, tensors, metadata); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestWrittenBytesStayTheSame(t *testing.T) {
	path := filepath.Join("testdata", "ours.safetensors")
	if *update {
		if err := os.WriteFile(path, written(t), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(path); err != nil || !bytes.Equal(written(t), want) {
		t.Errorf("%d bytes, the golden file has %d, %v", len(written(t)), len(want), err)
	}
}

func TestWrittenFilesReadBackAndDependOnlyOnTheirContent(t *testing.T) {
	tensors, metadata := sample()
	first := written(t)
	slices.Reverse(tensors)
	var second bytes.Buffer
	if err := Write(&second, tensors, metadata); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first, second.Bytes()) {
		t.Error("the order of the tensors changed the bytes")
	}
	if n := binary.LittleEndian.Uint64(first); n%8 != 0 {
		t.Errorf("header of %d bytes, want a multiple of 8", n)
	}
	f, err := read(first)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]float32{"z": {1, 2, 3, 4}, "a<é>": {1, -2.5, 9.1835e-41}, "scalar": {0.5}, "none": {}} {
		if got, err := f.Float32(name); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s = %v, %v; want %v", name, got, err, want)
		}
	}
	for _, e := range f.Entries {
		if e.Offset%int64(dtypes[e.DType].bytes) != 0 {
			t.Errorf("%s begins at %d, not aligned", e.Name, e.Offset)
		}
	}
	if !reflect.DeepEqual(f.Metadata, metadata) {
		t.Errorf("metadata %q, want %q", f.Metadata, metadata)
	}
}

func TestImpossibleTensorsAreNotWritten(t *testing.T) {
	one := []float32{1}
	for name, tensors := range map[string][]Tensor{
		"too few values":  {{Name: "w", Shape: []int{3}, Data: []float32{1, 2}}},
		"too few bytes":   {{Name: "w", DType: "F32", Shape: []int{1}, Data: []byte{1, 2}}},
		"half a byte":     {{Name: "w", DType: "F4", Shape: []int{1}, Data: []byte{1}}},
		"no type":         {{Name: "w", Shape: []int{1}, Data: []byte{1}}},
		"unknown type":    {{Name: "w", DType: "Q4_K", Shape: []int{1}, Data: []byte{1}}},
		"floats as ints":  {{Name: "w", DType: "I32", Shape: []int{1}, Data: one}},
		"other data":      {{Name: "w", Shape: []int{1}, Data: []float64{1}}},
		"negative":        {{Name: "w", Shape: []int{-1}, Data: []float32{}}},
		"many dimensions": {{Name: "w", Shape: slices.Repeat([]int{1}, 17), Data: one}},
		"no name":         {{Shape: []int{1}, Data: one}},
		"name of another": {{Name: "__metadata__", Shape: []int{1}, Data: one}},
		"long name":       {{Name: strings.Repeat("n", 1025), Shape: []int{1}, Data: one}},
		"not UTF-8":       {{Name: "\xff", Shape: []int{1}, Data: one}},
		"twice":           {{Name: "w", Shape: []int{1}, Data: one}, {Name: "w", Shape: []int{1}, Data: []int32{1}}},
	} {
		if err := Write(&bytes.Buffer{}, tensors, nil); err == nil || !strings.HasPrefix(err.Error(), "write safetensors: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	many := make(map[string]string)
	for i := range maxMetadata + 1 {
		many[strconv.Itoa(i)] = ""
	}
	for name, metadata := range map[string]map[string]string{
		"key not UTF-8":  {"\xff": ""},
		"text not UTF-8": {"a": "\xff"},
		"too many":       many,
		"long key":       {strings.Repeat("k", 1025): ""},
	} {
		if err := Write(&bytes.Buffer{}, nil, metadata); err == nil || !strings.Contains(err.Error(), "metadata") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := Write(fullDisk{}, []Tensor{{Name: "w", Shape: []int{1}, Data: one}}, nil); !errors.Is(err, errFull) {
		t.Errorf("full disk: %v", err)
	}
}

// What Python's safetensors sees in a file.
type seen struct {
	Metadata map[string]string
	Tensors  map[string]struct {
		DType   string
		Shape   []int
		Offsets [2]int64
		Bytes   string
		Float32 []uint32
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
		err = json.Unmarshal(all[name], to)
	}
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// TestPythonReadsTheSame compares what is read here of a file of torch's and of one of ours with what
// Python's safetensors reads.
func TestPythonReadsTheSame(t *testing.T) {
	for name, tensors := range map[string]int{"foreign.safetensors": 22, "ours.safetensors": 7} {
		f := open(t, name)
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		var want seen
		recorded(t, name, &want)
		if !reflect.DeepEqual(f.Metadata, want.Metadata) || len(f.Entries) != len(want.Tensors) || len(f.Entries) != tensors {
			t.Errorf("%s: metadata %q and %d tensors, want %q and %d", name, f.Metadata, len(f.Entries), want.Metadata, len(want.Tensors))
		}
		start := 8 + int64(binary.LittleEndian.Uint64(data))
		for _, e := range f.Entries {
			w := want.Tensors[e.Name]
			at := [2]int64{e.Offset - start, e.Offset - start + e.Size}
			if e.DType != w.DType || !reflect.DeepEqual(e.Shape, w.Shape) || at != w.Offsets || hex.EncodeToString(data[e.Offset:][:e.Size]) != w.Bytes {
				t.Errorf("%s: %+v, want %+v", name, e, w)
			}
		}
	}
}
