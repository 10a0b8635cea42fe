package gguf

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// A builder makes small files, right or wrong.
type builder struct {
	version       uint32
	tensors, keys uint64
	body          []byte
	values        []byte
}

func (b *builder) u32(v uint32)  { b.body = binary.LittleEndian.AppendUint32(b.body, v) }
func (b *builder) u64(v uint64)  { b.body = binary.LittleEndian.AppendUint64(b.body, v) }
func (b *builder) text(s string) { b.u64(uint64(len(s))); b.body = append(b.body, s...) }
func (b *builder) key(k string, kind Kind) {
	b.keys++
	b.text(k)
	b.u32(uint32(kind))
}
func (b *builder) num(k string, v uint32) { b.key(k, KindUint32); b.u32(v) }
func (b *builder) list(k string, kind Kind, n uint64) {
	b.key(k, KindArray)
	b.u32(uint32(kind))
	b.u64(n)
}

// tensor adds a tensor of zeros (innermost dimension first); all metadata must come before.
func (b *builder) tensor(name string, kind Type, ne ...uint64) {
	b.described(name, kind, uint64(len(b.values)), ne...)
	n := uint64(1)
	for _, d := range ne {
		n *= d
	}
	block, size := kind.Block()
	b.values = append(b.values, make([]byte, n/uint64(block)*uint64(size))...)
	for len(b.values)%alignment != 0 {
		b.values = append(b.values, 0)
	}
}

func (b *builder) described(name string, kind Type, offset uint64, ne ...uint64) {
	b.tensors++
	b.text(name)
	b.u32(uint32(len(ne)))
	for _, d := range ne {
		b.u64(d)
	}
	b.u32(uint32(kind))
	b.u64(offset)
}

func (b *builder) bytes() []byte {
	if b.version == 0 {
		b.version = 3
	}
	out := binary.LittleEndian.AppendUint32([]byte(Magic), b.version)
	out = binary.LittleEndian.AppendUint64(out, b.tensors)
	out = binary.LittleEndian.AppendUint64(out, b.keys)
	out = append(out, b.body...)
	for len(out)%alignment != 0 {
		out = append(out, 0)
	}
	return append(out, b.values...)
}

// small is a file with a number, a list of texts and two tensors.
func small(meta, tensors func(b *builder)) []byte {
	b := &builder{}
	b.num("n", 7)
	b.list("texts", KindString, 2)
	b.text("a")
	b.text("bc")
	if meta != nil {
		meta(b)
	}
	b.tensor("x", F32, 8, 4)
	b.tensor("y", F16, 3)
	if tensors != nil {
		tensors(b)
	}
	return b.bytes()
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

func TestBadFilesAreRefused(t *testing.T) {
	good := small(nil, nil)
	if f, err := read(good); err != nil || f.Rest != 0 || len(f.Entries) != 2 {
		t.Fatalf("%+v, %v", f, err)
	}
	patch := func(at int, v uint64) []byte {
		out := slices.Clone(good)
		binary.LittleEndian.PutUint64(out[at:], v)
		return out
	}
	meta := func(f func(b *builder)) []byte { return small(f, nil) }
	tensors := func(f func(b *builder)) []byte { return small(nil, f) }
	tests := []struct {
		name string
		data []byte
		text string
	}{
		{"empty", nil, "not GGUF"},
		{"three bytes", []byte("GGU"), "not GGUF"},
		{"no GGUF", []byte("PK\x03\x04 and more of it, enough for a header"), "not GGUF"},
		{"version 0", append([]byte(Magic), make([]byte, 20)...), "version 0"},
		{"version 1", (&builder{version: 1}).bytes(), "version 1"},
		{"version 9", (&builder{version: 9}).bytes(), "version 9"},
		{"big-endian", (&builder{version: 3 << 24}).bytes(), "big-endian"},
		{"absurd tensor count", patch(8, 1<<60), "a count of"},
		{"absurd metadata count", patch(16, math.MaxUint64), "a count of"},
		{"absurd key", patch(24, 1<<62), "a count of"},
		{"long key", meta(func(b *builder) { b.key(strings.Repeat("k", 70000), KindUint8) }), "a name of 70000 bytes"},
		{"cut in the magic", good[:3], "not GGUF"},
		{"cut in the counts", good[:14], "end of the file"},
		{"cut in the header", good[:60], "a count of"},
		{"cut within the last tensor", good[:len(good)-31], "beyond the end"},
		{"same key twice", meta(func(b *builder) { b.num("a", 1); b.num("a", 1) }), `metadata "a" occurs twice`},
		{"unknown kind", meta(func(b *builder) { b.key("a", 99) }), "unknown type 99"},
		{"bool of 2", meta(func(b *builder) { b.key("a", KindBool); b.body = append(b.body, 2) }), "a bool of 2"},
		{"absurd array", meta(func(b *builder) { b.list("a", KindUint8, 1<<50) }), "a count of"},
		{"absurd array of numbers", meta(func(b *builder) { b.list("a", KindUint64, 1<<61) }), "a count of"},
		{"absurd text in an array", meta(func(b *builder) { b.list("a", KindString, 1); b.u64(1 << 50) }), "a count of"},
		{"array of nothing known", meta(func(b *builder) { b.list("a", 99, 0) }), "an array of type 99"},
		{"absurd array of arrays", meta(func(b *builder) { b.list("a", KindArray, 1<<60) }), "a count of"},
		{"arrays nested deep", meta(func(b *builder) {
			b.key("a", KindArray)
			for range 100 {
				b.u32(uint32(KindArray))
				b.u64(1)
			}
		}), "an array of type 9"},
		{"alignment 0", meta(func(b *builder) { b.num("general.alignment", 0) }), "general.alignment is 0"},
		{"alignment 48", meta(func(b *builder) { b.num("general.alignment", 48) }), "general.alignment is 48"},
		{"alignment of 4 GiB", meta(func(b *builder) { b.num("general.alignment", 1<<31) }), "general.alignment is 2147483648"},
		{"alignment as a list", meta(func(b *builder) { b.list("general.alignment", KindUint8, 3); b.body = append(b.body, 1, 2, 3) }), "general.alignment is a list of 3 values"},
		{"same tensor twice", tensors(func(b *builder) { b.tensor("x", F32, 8) }), "occurs twice"},
		{"a long name", tensors(func(b *builder) { b.tensor(strings.Repeat("n", 257), F32, 8) }), "a name of 257 bytes"},
		{"types that are gone or unknown", tensors(func(b *builder) { b.described("z", 31, 0, 32); b.described("zz", 77, 0, 256) }), "z (Q4_0_4_4), zz (type 77)"},
		{"five dimensions", tensors(func(b *builder) { b.described("z", 0, 0, 1, 1, 1, 1, 1) }), "5 dimensions"},
		{"no dimension", tensors(func(b *builder) { b.described("z", 0, 0) }), "0 dimensions"},
		{"zero dimension", tensors(func(b *builder) { b.described("z", 0, 0, 0) }), "a dimension of 0"},
		{"huge dimension", tensors(func(b *builder) { b.described("z", 0, 0, 1<<63) }), "a dimension of"},
		{"product overflows", tensors(func(b *builder) { b.described("z", 0, 0, 1<<32, 1<<32) }), "too large"},
		{"bytes overflow", tensors(func(b *builder) { b.described("z", 0, 0, 1<<62) }), "too large"},
		{"product wraps to a small number", tensors(func(b *builder) { b.described("z", 0, 0, 1<<32, 1<<32, 3) }), "too large"},
		{"partial block", tensors(func(b *builder) { b.described("z", 12, 0, 100) }), "Q4_K blocks of 256"},
		{"offset overlaps", tensors(func(b *builder) { b.described("z", 0, 32, 8) }), "begins at 32"},
		{"shared values", tensors(func(b *builder) { b.described("z", 0, 0, 8) }), "begins at 0 of the values, want 160"},
		{"gap", tensors(func(b *builder) { b.described("z", 0, 192, 8) }), "begins at 192"},
		{"offset far away", tensors(func(b *builder) { b.described("z", 0, 1<<40, 8) }), "begins at"},
		{"offset too large", tensors(func(b *builder) { b.described("z", 0, 1<<63, 8) }), "too large"},
		{"beyond the end", tensors(func(b *builder) { b.described("z", 0, uint64(len(b.values)), 1<<40) }), "beyond the end"},
		{"behind the end", tensors(func(b *builder) { b.described("z", 0, uint64(len(b.values)), 8) })[:len(good)], "beyond the end"},
	}
	for _, test := range tests {
		var err error
		if n := allocated(func() { _, err = read(test.data) }); n > 1<<20 {
			t.Errorf("%s: allocated %d bytes for a file of %d (G3)", test.name, n, len(test.data))
		}
		if err == nil || !strings.Contains(err.Error(), test.text) {
			t.Errorf("%s: %v; want %q", test.name, err, test.text)
		}
	}
}

// TestHostileFilesCostLittle reads files that were made to take time or memory. Each must be refused
// with one short message, or read, within bounds several times beyond what that needs.
func TestHostileFilesCostLittle(t *testing.T) {
	const million = 1_000_000
	of := func(write func(b *builder)) []byte {
		b := &builder{}
		write(b)
		return b.bytes()
	}
	for _, c := range []struct {
		name string
		data []byte
		heap uint64 // MiB allocated at most
		want string // of the error; "": it is read
	}{
		{"a million tensors", of(func(b *builder) {
			for i := range million {
				b.described(fmt.Sprint(i), 0, 0, 1)
			}
		}), 1, "1000000 tensors and 0 metadata, at most"},
		{"a million metadata", of(func(b *builder) {
			for i := range million {
				b.num(fmt.Sprint("x.", i), 1)
			}
		}), 1, "1000000 metadata"},
		{"a hundred thousand tensors of no known type", of(func(b *builder) {
			for i := range 100_000 {
				b.described(fmt.Sprint(i), 99, 0, 1)
			}
		}), 100, "and 99980 more"},
		{"five million texts", of(func(b *builder) {
			b.list("a", KindString, 5_000_000)
			b.body = append(b.body, make([]byte, 40_000_000)...)
		}), 1, "a list of 5000000 texts"},
		{"four million texts", of(func(b *builder) {
			b.list("a", KindString, 4_000_000)
			b.body = append(b.body, make([]byte, 32_000_000)...)
		}), 1, ""},
		{"3·10⁷ numbers", of(func(b *builder) {
			b.list("a", KindUint8, 30_000_000)
			b.body = append(b.body, make([]byte, 30_000_000)...)
		}), 1, ""},
		{"a million lists in a list", of(func(b *builder) {
			b.list("a", KindArray, million)
			for range million {
				b.u32(uint32(KindUint8))
				b.u64(0)
			}
		}), 1, ""},
		{"a text of 10 MB", of(func(b *builder) { b.key("a", KindString); b.text(strings.Repeat("n", 10<<20)) }), 35, ""},
	} {
		var err error
		if got := allocated(func() { _, err = read(c.data) }) >> 20; got > c.heap {
			t.Errorf("%s: %d MiB allocated, want at most %d (G3)", c.name, got, c.heap)
		}
		if (err == nil) != (c.want == "") || err != nil && (!strings.Contains(err.Error(), c.want) || len(err.Error()) > 2000) {
			t.Errorf("%s: %.300v, want %q", c.name, err, c.want)
		}
	}
}

func TestBytesBehindTheLastTensorAreCounted(t *testing.T) {
	good := small(nil, nil)
	for _, n := range []int{0, 1, 4096} {
		if f, err := read(append(slices.Clone(good), make([]byte, n)...)); err != nil || f.Rest != int64(n) {
			t.Errorf("%d bytes: %+v, %v", n, f, err)
		}
	}
	// The padding of the last tensor may be missing.
	if f, err := read(good[:len(good)-26]); err != nil || f.Rest != 0 {
		t.Errorf("without padding: %+v, %v", f, err)
	}
}

// A changing file is one whose texts grow between the reading of the header and that of the list.
type changing struct {
	data []byte
	at   int
}

func (c *changing) ReadAt(p []byte, offset int64) (int, error) {
	return bytes.NewReader(c.data).ReadAt(p, offset)
}

func TestAListThatChangedIsAnError(t *testing.T) {
	data := small(nil, nil)
	c := &changing{data: data, at: bytes.Index(data, []byte("a\x02\x00")) - 8}
	f, err := Read(c, int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	list := f.Metadata["texts"].(Array)
	if got, err := list.Strings(); err != nil || !slices.Equal(got, []string{"a", "bc"}) {
		t.Errorf("before: %q, %v", got, err)
	}
	binary.LittleEndian.PutUint64(data[c.at:], math.MaxUint64)
	if got, err := list.Strings(); err == nil || !strings.Contains(err.Error(), "the file changed") {
		t.Errorf("after: %q, %v", got, err)
	}
}

func TestListsAreOfOneKind(t *testing.T) {
	f, err := read(small(func(b *builder) {
		b.list("big", KindUint64, 1)
		b.u64(1 << 63)
		b.list("lists", KindArray, 1)
		b.u32(uint32(KindInt8))
		b.u64(1)
		b.body = append(b.body, 1)
	}, nil))
	if err != nil {
		t.Fatal(err)
	}
	texts, big, lists := f.Metadata["texts"].(Array), f.Metadata["big"].(Array), f.Metadata["lists"].(Array)
	if fmt.Sprint(texts) != "a list of 2 values" {
		t.Errorf("%v", texts)
	}
	for name, read := range map[string]func() error{
		"texts as floats":   func() error { _, err := texts.Float32s(); return err },
		"texts as integers": func() error { _, err := texts.Ints(); return err },
		"numbers as texts":  func() error { _, err := big.Strings(); return err },
		"too large":         func() error { _, err := big.Ints(); return err },
		"lists as integers": func() error { _, err := lists.Ints(); return err },
		"lists as texts":    func() error { _, err := lists.Strings(); return err },
	} {
		if read() == nil {
			t.Errorf("%s: read", name)
		}
	}
}

func TestOnlyF32IsReadAsFloats(t *testing.T) {
	f, err := read(small(nil, nil))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := f.Float32("x"); err != nil || !reflect.DeepEqual(got, make([]float32, 32)) {
		t.Errorf("x = %v, %v", got, err)
	}
	for name, want := range map[string]string{"y": "stored as F16", "z": "no tensor"} {
		if _, err := f.Float32(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(small(nil, nil))
	f.Add(small(func(b *builder) {
		b.num("general.alignment", 8)
		b.list("lists", KindArray, 1)
		b.u32(uint32(KindBool))
		b.u64(2)
		b.body = append(b.body, 1, 0)
	}, nil))
	f.Add(written(f))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := read(data)
		if err != nil {
			return
		}
		end := int64(0)
		for _, e := range file.Entries {
			if e.Offset < end || e.Offset > int64(len(data)) || e.Size > int64(len(data))-e.Offset || e.Size == 0 {
				t.Fatalf("%+v after %d in a file of %d bytes", e, end, len(data))
			}
			end = e.Offset + e.Size
			if values, err := file.Float32(e.Name); (err == nil) != (e.Type == F32) || len(values)*4 > len(data) {
				t.Fatalf("%+v: %d values, %v", e, len(values), err)
			}
		}
		for key, v := range file.Metadata {
			if a, ok := v.(Array); ok {
				if a.Len > len(data) {
					t.Fatalf("%s: %v in a file of %d bytes", key, a, len(data))
				}
				a.Strings()
				a.Float32s()
				a.Ints()
			}
		}
	})
}
