package safetensors

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
)

// raw returns a file with this header text and n bytes of values.
func raw(header string, n int) []byte {
	out := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(out, header...), make([]byte, n)...)
}

func read(data []byte) (*File, error) { return Read(bytes.NewReader(data), int64(len(data))) }

// allocated returns how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
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
		{"half a character", raw(`{"__metadata__":{"a":"\ud800"}}`, 0), "half of a surrogate pair"},
		{"half a character in a name", raw(`{"\udc00":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 8), "half of a surrogate pair"},
		{"text after", raw(`{`+ok+`} x`, 8), "after its end"},
		{"truncated values", raw(`{`+ok+`}`, 7), "bytes [0, 8) of 7"},
		{"trailing values", raw(`{`+ok+`}`, 9), "1 bytes after the last tensor"},
		{"same name twice", raw(`{`+ok+`,`+ok+`}`, 8), "occurs twice"},
		{"same name in another spelling", raw(`{`+ok+`,"\u0077":{"dtype":"F32","shape":[0],"data_offsets":[8,8]}}`, 8), "occurs twice"},
		{"metadata twice", raw(`{"__metadata__":{},"__metadata__":{}}`, 0), "occurs twice"},
		{"metadata key twice", raw(`{"__metadata__":{"a":"","a":""}}`, 0), "occurs twice"},
		{"metadata is a list", raw(`{"__metadata__":[]}`, 0), "an object belongs"},
		{"half a byte", raw(`{"w":{"dtype":"F4","shape":[3],"data_offsets":[0,2]}}`, 2), "F4 [3] ends inside a byte"},
		{"metadata is a number", raw(`{"__metadata__":{"a":1}}`, 0), "not text"},
		{"overlap", raw(`{`+ok+`,"v":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}`, 12), "overlap"},
		{"same place", raw(`{`+ok+`,"v":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 8), "overlap"},
		{"inside of another", raw(`{`+ok+`,"v":{"dtype":"U8","shape":[1],"data_offsets":[3,4]}}`, 8), "overlap"},
		{"gap", raw(`{`+ok+`,"v":{"dtype":"F32","shape":[1],"data_offsets":[12,16]}}`, 16), "belong to no tensor"},
		{"gap at the start", raw(`{"w":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, 8), "belong to no tensor"},
		{"backwards", raw(`{"w":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}`, 8), "bytes [8, 0)"},
		{"wrong length", raw(`{"w":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}`, 8), "8 bytes for F32 [3]"},
		{"empty with bytes", raw(`{"w":{"dtype":"F32","shape":[0],"data_offsets":[0,8]}}`, 8), "8 bytes for F32 [0]"},
		{"unknown type", raw(`{"w":{"dtype":"F9","shape":[8],"data_offsets":[0,8]}}`, 8), `not known: "w" ("F9")`},
		{"product overflows", raw(`{"w":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]}}`, 8), "too large"},
		{"product overflows behind a zero", raw(`{"w":{"dtype":"F32","shape":[0,4294967296,4294967296],"data_offsets":[0,0]}}`, 0), "too large"},
		{"bytes overflow", raw(`{"w":{"dtype":"F32","shape":[4611686018427387906],"data_offsets":[0,8]}}`, 8), "too large"},
		{"negative dimension", raw(`{"w":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}`, 8), "not a size"},
		{"fraction", raw(`{"w":{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}}`, 8), "not a size"},
		{"offset too large", raw(`{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,99999999999999999999]}}`, 8), "not a size"},
		{"text as size", raw(`{"w":{"dtype":"F32","shape":["2"],"data_offsets":[0,8]}}`, 8), "not a number"},
		{"null as shape", raw(`{"w":{"dtype":"F32","shape":null,"data_offsets":[0,4]}}`, 4), "belongs"},
		{"one offset", raw(`{"w":{"dtype":"F32","shape":[2],"data_offsets":[0]}}`, 8), "fewer than two"},
		{"three offsets", raw(`{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8,9]}}`, 8), "more than 2"},
		{"no shape", raw(`{"w":{"dtype":"F32","data_offsets":[0,8]}}`, 8), "not all there"},
		{"no type", raw(`{"w":{"shape":[2],"data_offsets":[0,8]}}`, 8), "not all there"},
		{"other spelling", raw(`{"w":{"DType":"F32","shape":[2],"data_offsets":[0,8]}}`, 8), "unknown key"},
		{"a key more", raw(`{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":1}}`, 8), "more than 3 entries"},
		{"key twice", raw(`{"w":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 8), "occurs twice"},
		{"many dimensions", raw(`{"w":{"dtype":"U8","shape":[`+strings.Repeat("1,", 20)+`1],"data_offsets":[0,1]}}`, 1), "more than 16"},
		{"not an object", raw(`{"w":[]}`, 0), "belongs"},
	}
	for _, test := range tests {
		var err error
		if n := allocated(func() { _, err = read(test.data) }); n > 1<<20 {
			t.Errorf("%s: allocated %d bytes for a file of %d (T3)", test.name, n, len(test.data))
		}
		if err == nil || !strings.Contains(err.Error(), test.text) {
			t.Errorf("%s: %v; want %q", test.name, err, test.text)
		}
	}
	for name, data := range map[string][]byte{
		"padded":              raw(`{`+ok+"}  \n", 8),
		"no tensors":          raw("{}", 0),
		"metadata of nothing": raw(`{"__metadata__":null,`+ok+`}`, 8),
		"a whole character":   raw(`{"__metadata__":{"a":"\ud83d\ude00"}}`, 0),
		"empty at both ends":  raw(`{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},`+ok+`,"z":{"dtype":"F32","shape":[3,0],"data_offsets":[8,8]}}`, 8),
		"six bits":            raw(`{"w":{"dtype":"F6_E2M3","shape":[8],"data_offsets":[0,6]}}`, 6),
	} {
		if _, err := read(data); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestHostileFilesCostLittle reads files that were made to take time or memory. Each must be refused
// with one short message, or read, within bounds several times beyond what that needs.
func TestHostileFilesCostLittle(t *testing.T) {
	entries := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `,"t%d":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}`, i)
		}
		return "{" + b.String()[1:] + "}"
	}
	var pairs strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&pairs, `,"%d":""`, i)
	}
	long := strings.Repeat("n", 10<<20)
	for _, b := range []struct {
		what string
		data []byte
		heap uint64 // MiB allocated at most
		want string // of the error; "": it is read
	}{
		{"a million empty tensors", raw(entries(1_000_000), 0), 300, "more than 131072 entries"},
		{"as many tensors as are read", raw(entries(MaxTensors), 0), 500, ""},
		{"a name of 10 MB", raw(`{"`+long+`":{}}`, 0), 100, "a name of 10485760 bytes"},
		{"a type of 10 MB", raw(`{"w":{"dtype":"`+long+`","shape":[0],"data_offsets":[0,0]}}`, 0), 150, `not known: "w" ("nnn`},
		{"a size of 10 MB of digits", raw(`{"w":{"shape":[`+strings.Repeat("9", 10<<20)+`]}}`, 0), 150, "is not a size"},
		{"an unknown key of 10 MB", raw(`{"w":{"`+long+`":1}}`, 0), 100, "a name of 10485760 bytes"},
		{"a hundred thousand metadata", raw(`{"__metadata__":{`+pairs.String()[1:]+`}}`, 0), 100, "more than 16384 entries"},
		{"metadata nested deep", raw(`{"__metadata__":{"a":`+strings.Repeat("[", 10<<20)+`}}`, 0), 100, "is not text"},
		{"a shape nested deep", raw(`{"w":{"shape":`+strings.Repeat("[", 10<<20)+`}}`, 0), 100, "is not a number"},
		{"a shape of 5·10⁶ dimensions", raw(`{"w":{"shape":[`+strings.Repeat("1,", 5<<20)+`1]}}`, 0), 100, "more than 16 sizes"},
	} {
		var err error
		if got := allocated(func() { _, err = read(b.data) }) >> 20; got > b.heap {
			t.Errorf("%s: %d MiB allocated, want at most %d (T3)", b.what, got, b.heap)
		}
		if (err == nil) != (b.want == "") || err != nil && (!strings.Contains(err.Error(), b.want) || len(err.Error()) > 2000) {
			t.Errorf("%s: %.300v, want %q", b.what, err, b.want)
		}
	}
}

// A short file is one that ends before the size that was said.
type short struct{ *bytes.Reader }

func TestAFileThatEndsEarlyIsAnError(t *testing.T) {
	whole := raw(`{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 8)
	for n := range len(whole) {
		f, err := Read(short{bytes.NewReader(whole[:n])}, int64(len(whole)))
		if n < len(whole)-8 {
			if err == nil {
				t.Errorf("cut to %d bytes: the header was read", n)
			}
			continue
		}
		if err != nil { // values are not read before they are asked for (T4)
			t.Errorf("cut to %d bytes: %v", n, err)
		} else if _, err := f.Float32("w"); err == nil {
			t.Errorf("cut to %d bytes: the values were read", n)
		}
	}
}

func TestFloatsOfAllTypesAreRead(t *testing.T) {
	f := open(t, "foreign.safetensors")
	var want seen
	recorded(t, "foreign.safetensors", &want)
	read := 0
	for name, w := range want.Tensors {
		got, err := f.Float32(name)
		if decoded := w.Float32 != nil; decoded != (err == nil) {
			t.Errorf("%s: %v", name, err)
		} else if !decoded {
			continue
		}
		read++
		bits := make([]uint32, len(got))
		for i, x := range got {
			bits[i] = math.Float32bits(x)
		}
		if !reflect.DeepEqual(bits, w.Float32) {
			t.Errorf("%s = %v, want the bits %x", name, got, w.Float32)
		}
	}
	if read != 7 { // four types, a scalar, an empty one and one with an odd name
		t.Errorf("%d tensors read", read)
	}
	if _, err := f.Float32("nothing"); err == nil || !strings.Contains(err.Error(), `no tensor "nothing"`) {
		t.Errorf("%v", err)
	}
}

func open(t *testing.T, name string) *File {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	f, err := read(data)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return f
}

func FuzzRead(f *testing.F) {
	f.Add(raw(`{"__metadata__":{"a":"b"},"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 8))
	f.Add(raw(`{"w":{"dtype":"BF16","shape":[2,2],"data_offsets":[0,8]},"v":{"dtype":"U8","shape":[],"data_offsets":[8,9]}}`, 9))
	f.Add(raw(`{"w":{"dtype":"F4","shape":[2],"data_offsets":[0,1]},"__metadata__":null}`, 1))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := read(data)
		if err != nil {
			return
		}
		total := int64(0)
		var tensors []Tensor
		for _, e := range file.Entries {
			if e.Offset < 8 || e.Size < 0 || e.Offset+e.Size > int64(len(data)) {
				t.Fatalf("%+v in a file of %d bytes", e, len(data))
			}
			total += e.Size
			if _, err := file.Float32(e.Name); (err == nil) != (dtypes[e.DType].decode != nil) {
				t.Fatalf("%+v: %v", e, err)
			}
			tensors = append(tensors, Tensor{e.Name, e.DType, e.Shape, data[e.Offset:][:e.Size]})
		}
		if total > int64(len(data)) {
			t.Fatalf("%d bytes of values in a file of %d", total, len(data))
		}
		// What is read can be written, but for a tensor without a name, and comes back.
		var out bytes.Buffer
		if err := Write(&out, tensors, file.Metadata); err != nil {
			if strings.Contains(err.Error(), `"" is no name`) {
				return
			}
			t.Fatal(err)
		}
		again, err := read(out.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		for i, e := range again.Entries {
			want := tensors[i]
			if e.Name != want.Name || e.DType != want.DType || !reflect.DeepEqual(e.Shape, want.Shape) || !bytes.Equal(out.Bytes()[e.Offset:][:e.Size], want.Data.([]byte)) {
				t.Fatalf("%+v came back as %+v", want, e)
			}
		}
		if len(file.Metadata) > 0 && !reflect.DeepEqual(again.Metadata, file.Metadata) {
			t.Fatalf("metadata %v came back as %v", file.Metadata, again.Metadata)
		}
	})
}

var errFull = errors.New("no space left on device")

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }
