package checkpoint

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
)

// raw returns a safetensors file with this header text and n bytes of values.
func raw(header string, n int) []byte {
	out := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(out, header...), make([]byte, n)...)
}

func TestBadHeadersAreRefused(t *testing.T) {
	ok := `"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}`
	tests := []struct {
		name string
		data []byte
		text string
	}{
		{"empty", nil, "too few"},
		{"seven bytes", make([]byte, 7), "too few"},
		{"header longer than the file", binary.LittleEndian.AppendUint64(nil, 1000), "header of 1000 bytes"},
		{"absurd header", append(binary.LittleEndian.AppendUint64(nil, math.MaxUint64), "{}"...), "header of 18446744073709551615 bytes"},
		{"negative as signed", append(binary.LittleEndian.AppendUint64(nil, 1<<63), "{}"...), "header of"},
		{"no header", raw("", 0), "does not begin with {"},
		{"a list", raw("[]", 0), "does not begin with {"},
		{"cut", raw(`{"w":{"dtype"`, 0), "header"},
		{"not UTF-8", raw("{\"\xff\":{}}", 0), "UTF-8"},
		{"text after", raw(`{`+ok+`} x`, 8), "after its end"},
		{"truncated values", raw(`{`+ok+`}`, 7), "bytes [0, 8) of 7"},
		{"trailing values", raw(`{`+ok+`}`, 9), "after the last tensor"},
		{"same name twice", raw(`{`+ok+`,`+ok+`}`, 8), "occurs twice"},
		{"metadata twice", raw(`{"__metadata__":{},"__metadata__":{}}`, 0), "occurs twice"},
		{"metadata key twice", raw(`{"__metadata__":{"a":"","a":""}}`, 0), "occurs twice"},
		{"metadata is a list", raw(`{"__metadata__":[]}`, 0), "an object belongs"},
		{"half a byte", raw(`{"w":{"dtype":"F4","shape":[3],"data_offsets":[0,2]}}`, 2), "2 bytes for F4 [3]"},
		{"metadata is a number", raw(`{"__metadata__":{"a":1}}`, 0), "not text"},
		{"overlap", raw(`{`+ok+`,"v":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}`, 12), "overlap"},
		{"same place", raw(`{`+ok+`,"v":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 8), "overlap"},
		{"gap", raw(`{`+ok+`,"v":{"dtype":"F32","shape":[1],"data_offsets":[12,16]}}`, 16), "belong to no tensor"},
		{"gap at the start", raw(`{"w":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, 8), "belong to no tensor"},
		{"backwards", raw(`{"w":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}`, 8), "bytes [8, 0)"},
		{"wrong length", raw(`{"w":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}`, 8), "8 bytes for F32 [3]"},
		{"unknown type", raw(`{"w":{"dtype":"F9","shape":[8],"data_offsets":[0,8]}}`, 8), `"F9" is not supported`},
		{"product overflows", raw(`{"w":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]}}`, 8), "too large"},
		{"bytes overflow", raw(`{"w":{"dtype":"F32","shape":[4611686018427387906],"data_offsets":[0,8]}}`, 8), "too large"},
		{"negative dimension", raw(`{"w":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}`, 8), "not a size"},
		{"fraction", raw(`{"w":{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}}`, 8), "not a size"},
		{"offset too large", raw(`{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,99999999999999999999]}}`, 8), "not a size"},
		{"text as size", raw(`{"w":{"dtype":"F32","shape":["2"],"data_offsets":[0,8]}}`, 8), "not a number"},
		{"one offset", raw(`{"w":{"dtype":"F32","shape":[2],"data_offsets":[0]}}`, 8), "fewer than two"},
		{"three offsets", raw(`{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8,9]}}`, 8), "more than two"},
		{"no shape", raw(`{"w":{"dtype":"F32","data_offsets":[0,8]}}`, 8), "not all there"},
		{"other spelling", raw(`{"w":{"DType":"F32","shape":[2],"data_offsets":[0,8]}}`, 8), "unknown key"},
		{"key twice", raw(`{"w":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 8), "occurs twice"},
		{"many dimensions", raw(`{"w":{"dtype":"U8","shape":[`+strings.Repeat("1,", 20)+`1],"data_offsets":[0,1]}}`, 1), "dimensions"},
		{"not an object", raw(`{"w":[]}`, 0), "belongs"},
	}
	for _, test := range tests {
		var err error
		if n := allocated(func() { _, err = ReadSafetensors(bytes.NewReader(test.data), int64(len(test.data))) }); n > 1<<20 {
			t.Errorf("%s: allocated %d bytes for a file of %d (C3)", test.name, n, len(test.data))
		}
		if !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), test.text) {
			t.Errorf("%s: %v; want %q, wrapping ErrFormat", test.name, err, test.text)
		}
	}
	for name, data := range map[string][]byte{"padded": raw(`{`+ok+"}  \n", 8), "no tensors": raw("{}", 0)} {
		if _, err := ReadSafetensors(bytes.NewReader(data), int64(len(data))); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWrittenFilesReadBackAndDependOnlyOnTheirContent(t *testing.T) {
	tensors := []Tensor{
		{Name: "z", Shape: []int{2, 2}, Data: ramp(4, 1)},
		{Name: "a<é>", DType: "BF16", Shape: []int{3}, Data: []float32{1, -2.5, 1e-40}},
		{Name: "m", Shape: []int{2}, Data: []int32{-1, 1 << 30}},
		{Name: "raw", DType: "U8", Shape: []int{3}, Data: []byte{1, 2, 3}},
		{Name: "scalar", DType: "F16", Data: []float32{0.5}},
		{Name: "none", DType: "F64", Shape: []int{0, 7}, Data: []byte{}},
	}
	meta := map[string]string{"b": "2", "a": "1 \"quoted\"", "c": "ü"}
	var first, second bytes.Buffer
	if err := WriteSafetensors(&first, tensors, meta); err != nil {
		t.Fatal(err)
	}
	slices.Reverse(tensors)
	if err := WriteSafetensors(&second, tensors, meta); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("the order of the tensors changed the bytes")
	}
	if n := binary.LittleEndian.Uint64(first.Bytes()); n%8 != 0 {
		t.Errorf("header of %d bytes, want a multiple of 8", n)
	}
	s, err := ReadSafetensors(bytes.NewReader(first.Bytes()), int64(first.Len()))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]float32{
		"z": ramp(4, 1), "a<é>": {1, -2.5, 9.1835e-41}, "m": {-1, 1 << 30}, "raw": {1, 2, 3}, "scalar": {0.5}, "none": {},
	} {
		if got, err := s.Float32(name); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s = %v, %v; want %v", name, got, err, want)
		}
	}
	for _, tensor := range s.tensors {
		if tensor.offset%int64(tensor.codec.bytes) != 0 {
			t.Errorf("%s begins at %d, not aligned", tensor.Name, tensor.offset)
		}
	}
	for k, v := range meta {
		if s.Metadata()[k] != v {
			t.Errorf("metadata %s = %q, want %q", k, s.Metadata()[k], v)
		}
	}
}

func TestImpossibleTensorsAreNotWritten(t *testing.T) {
	tests := map[string][]Tensor{
		"too few values":  {{Name: "w", Shape: []int{3}, Data: []float32{1, 2}}},
		"too few bytes":   {{Name: "w", DType: "F32", Shape: []int{1}, Data: []byte{1, 2}}},
		"no type":         {{Name: "w", Shape: []int{1}, Data: []byte{1}}},
		"unknown type":    {{Name: "w", DType: "Q4_K", Shape: []int{1}, Data: []byte{1}}},
		"floats as ints":  {{Name: "w", DType: "I32", Shape: []int{1}, Data: []float32{1}}},
		"other data":      {{Name: "w", Shape: []int{1}, Data: []float64{1}}},
		"negative":        {{Name: "w", Shape: []int{-1}, Data: []float32{}}},
		"no name":         {{Shape: []int{1}, Data: []float32{1}}},
		"name of another": {{Name: "__metadata__", Shape: []int{1}, Data: []float32{1}}},
		"twice":           {{Name: "w", Shape: []int{1}, Data: []float32{1}}, {Name: "w", Shape: []int{1}, Data: []int32{1}}},
	}
	for name, tensors := range tests {
		if err := WriteSafetensors(&bytes.Buffer{}, tensors, nil); err == nil {
			t.Errorf("%s: written", name)
		}
	}
	if err := WriteSafetensors(fullDisk{}, []Tensor{{Name: "w", Shape: []int{1}, Data: []float32{1}}}, nil); !errors.Is(err, errFull) {
		t.Errorf("full disk: %v", err)
	}
}

var errFull = errors.New("no space left on device")

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }

func TestHalfPrecisionIsExactAndRoundsAsNumPyAndPyTorchDo(t *testing.T) {
	var want struct {
		Half    string `json:"half_sha256"`
		Rounded [][3]uint32
	}
	readJSON(t, "testdata/dtypes.json", &want)
	var all []byte
	for h := range 1 << 16 {
		x := float16(uint16(h))
		if x != x {
			if h&0x7c00 != 0x7c00 || h&0x3ff == 0 {
				t.Fatalf("float16(%#x) is NaN", h)
			}
			continue
		}
		all = binary.LittleEndian.AppendUint32(all, math.Float32bits(x))
		if got := roundF16(x); got != uint16(h) {
			t.Fatalf("roundF16(float16(%#x)) = %#x", h, got)
		}
	}
	if sum := sha256.Sum256(all); hex.EncodeToString(sum[:]) != want.Half {
		t.Error("float16 numbers differ from NumPy's")
	}
	for _, w := range want.Rounded {
		x := math.Float32frombits(w[0])
		if h, b := roundF16(x), roundBF16(x); uint32(h) != w[1] || uint32(b) != w[2] {
			t.Errorf("%g (%#x) rounds to %#x and %#x, want %#x and %#x", x, w[0], h, b, w[1], w[2])
		}
	}
	nan := float32(math.NaN())
	if x := float16(roundF16(nan)); x == x {
		t.Error("NaN is a number in float16")
	}
	if b := roundBF16(math.Float32frombits(0x7f800001)); b&0x7fff <= 0x7f80 {
		t.Errorf("NaN became %#x in bfloat16", b)
	}
}

func FuzzSafetensors(f *testing.F) {
	f.Add(raw(`{"__metadata__":{"a":"b"},"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 8))
	f.Add(raw(`{"w":{"dtype":"BF16","shape":[2,2],"data_offsets":[0,8]},"v":{"dtype":"U8","shape":[],"data_offsets":[8,9]}}`, 9))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := ReadSafetensors(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Fatalf("%v does not wrap ErrFormat", err)
			}
			return
		}
		total := 0
		for _, info := range s.Tensors() {
			b, err := s.Bytes(info.Name)
			if err != nil {
				t.Fatal(err)
			}
			total += len(b)
			if _, err := s.Float32(info.Name); err != nil {
				t.Fatal(err)
			}
		}
		if total > len(data) {
			t.Fatalf("%d bytes of values in a file of %d", total, len(data))
		}
	})
}
