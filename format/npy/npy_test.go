package npy

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"testing"
)

// file is a file of that version and header with n bytes of values.
func file(version byte, header string, n int) []byte {
	b := append([]byte(Magic), version, 0)
	if version == 1 {
		b = binary.LittleEndian.AppendUint16(b, uint16(len(header)))
	} else {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(header)))
	}
	return append(append(b, header...), make([]byte, n)...)
}

// dict is a header as numpy.save writes it.
func dict(descr, fortran, shape string) string {
	return fmt.Sprintf("{'descr': %s, 'fortran_order': %s, 'shape': %s, }          \n", descr, fortran, shape)
}

func read(b []byte) (*Array, error) { return Read(bytes.NewReader(b), int64(len(b))) }

func TestHeadersOfEveryVersion(t *testing.T) {
	for _, c := range []struct {
		version byte
		header  string
		n       int
		want    Array
	}{
		{1, dict("'<f4'", "False", "(2, 3)"), 24, Array{"F32", []int{2, 3}, 0}},
		{2, dict("'<f8'", "False", "(2, 3)"), 48, Array{"F64", []int{2, 3}, 0}},
		{3, dict("'<f2'", "False", "(5,)"), 10, Array{"F16", []int{5}, 0}},
		{1, dict("'<i8'", "False", "(1,)"), 8, Array{"I64", []int{1}, 0}},
		{1, dict("'|u1'", "False", "(3,)"), 3, Array{"U8", []int{3}, 0}},
		{1, dict("'|b1'", "False", "(3,)"), 3, Array{"BOOL", []int{3}, 0}},
		{1, dict("'<f4'", "False", "()"), 4, Array{"F32", []int{}, 0}},
		{1, dict("'<f4'", "False", "(0, 7)"), 0, Array{"F32", []int{0, 7}, 0}},
		{1, dict("'<f4'", "True", "(3,)"), 12, Array{"F32", []int{3}, 0}}, // one dimension has one order
		{1, `{"shape":(1,2),"descr":"<f4","fortran_order":False}`, 8, Array{"F32", []int{1, 2}, 0}},
	} {
		b := file(c.version, c.header, c.n)
		c.want.Offset = int64(len(b) - c.n)
		got, err := read(b)
		if err != nil || !reflect.DeepEqual(*got, c.want) {
			t.Errorf("version %d, %s: %+v, %v; want %+v", c.version, c.header, got, err, c.want)
		}
	}
}

func TestWhatIsNotReadIsNamed(t *testing.T) {
	ok := dict("'<f4'", "False", "(2, 3)")
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"nothing", nil, "does not begin like a .npy file"},
		{"another file", []byte("PK\x03\x04 and more of it"), "does not begin like a .npy file"},
		{"version 4", file(4, ok, 24), "version 4.0"},
		{"cut before the header's length", file(2, "", 0)[:11], "cut inside its header"},
		{"cut in the header", file(1, ok, 0)[:40], "header of"},
		{"an absurd header", file(2, strings.Repeat(" ", 1<<17), 0), "header of 131072 bytes"},
		{"columns", file(1, dict("'<f4'", "True", "(2, 3)"), 24), "Fortran order"},
		{"big-endian", file(1, dict("'>f4'", "False", "(2, 3)"), 24), `big-endian values (">f4"); save a.astype("<f4")`},
		{"a pickle", file(1, dict("'|O'", "False", "(1,)"), 30), "pickle and never read"},
		{"structured", file(1, dict("[('a', '<f4'), ('b', '<i4')]", "False", "(1,)"), 8), "structured array"},
		{"complex", file(1, dict("'<c8'", "False", "(1,)"), 8), `type "<c8"`},
		{"texts", file(1, dict("'<U3'", "False", "(1,)"), 12), `type "<U3"`},
		{"native order", file(1, dict("'=f4'", "False", "(1,)"), 4), `type "=f4"`},
		{"no type", file(1, dict("''", "False", "(1,)"), 4), "an empty type"},
		{"cut", file(1, ok, 23), "cut short: F32 [2 3] takes 24 bytes, there are 23"},
		{"more", file(1, ok, 25), "1 bytes after the end"},
		{"too large", file(1, dict("'<f8'", "False", "(4611686018427387904, 4)"), 0), "too large"},
		{"negative", file(1, dict("'<f4'", "False", "(-1, 4)"), 0), "where a size belongs"},
		{"a size beyond all", file(1, dict("'<f4'", "False", "(99999999999999999999,)"), 0), "where a size belongs"},
		{"33 dimensions", file(1, dict("'<f4'", "False", "("+strings.Repeat("1,", 33)+")"), 4), "more than 32 dimensions"},
		{"a key twice", file(1, "{'descr': '<f4', 'descr': '<f4'}", 0), "occurs twice"},
		{"a key too many", file(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (), 'x': 1}", 4), "unknown key"},
		{"a key too few", file(1, "{'descr': '<f4', 'shape': ()}", 4), "not all there"},
		{"a call", file(1, dict("'<f4'", "print(1)", "()"), 4), "belongs"},
		{"text after", file(1, ok+"x", 24), "text after"},
		{"no end", file(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2,", 8), "belongs"},
	} {
		_, err := read(c.data)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

// FuzzRead holds N1 to N4: whatever is read fits its file, and little memory is taken to see it.
func FuzzRead(f *testing.F) {
	for _, header := range []string{dict("'<f4'", "False", "(2, 3)"), dict("[('a', '<f4')]", "True", "()"), "{'shape': (1,)", ""} {
		for version := range byte(4) {
			f.Add(file(version, header, 24))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		a, err := read(b)
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; got > 1<<20+16*uint64(len(b)) {
			t.Fatalf("%d bytes allocated for a file of %d", got, len(b))
		}
		if err != nil {
			return
		}
		values := int64(1)
		for _, n := range a.Shape {
			if n < 0 {
				t.Fatalf("shape %v", a.Shape)
			}
			values *= int64(n)
		}
		left := int64(len(b)) - a.Offset
		if left < 0 || values > left || values > 0 && left%values != 0 || values == 0 && left != 0 {
			t.Fatalf("%s %v in %d bytes", a.DType, a.Shape, left)
		}
	})
}
