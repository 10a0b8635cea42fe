package artifacts

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/apache/arrow/go/v17/arrow/ipc"

	"github.com/persona-transfer/runpipeline/cache"
)

// A batch may say that it is shorter than its columns, and Arrow's reader lets it: rows that
// are assembled column by column would then miss some.
func TestColumnsOfUnequalLengthAreRefused(t *testing.T) {
	expectsLeaks = true
	for _, s := range samples() {
		content := encoded(t, s.encode)
		at := 16 + int(binary.LittleEndian.Uint32(content[12:])) + 8 // after magic, schema and the batch's frame
		f := &flat{b: content[at:]}
		batch := f.indirect(f.field(f.indirect(0), messageHeader))
		rows := f.field(batch, batchRowCount)
		nodes, n := f.vector(batch, batchNodes, 16)
		if f.bad || n == 0 {
			t.Fatalf("%s: found no batch", s.name)
		}
		for i := range n {
			lie := bytes.Clone(content)
			clear(lie[at+rows:][:8])
			clear(lie[at+nodes+16*i:][:8])
			if _, err := s.decode(bytes.NewReader(lie)); !errors.Is(err, ErrFormat) {
				t.Errorf("%s, node %d: %v, want ErrFormat", s.name, i, err)
			}
			if err := Show(io.Discard, bytes.NewReader(lie), s.name, -1); err != nil && !errors.Is(err, ErrFormat) {
				t.Errorf("%s, node %d: Show = %v, want ErrFormat", s.name, i, err)
			}
		}
	}
}

// Each of these descriptions passes for small to a careless walk, while Arrow's reader takes
// memory without bound for it.
func TestDescriptionsThatArrowReadsOtherwiseAreRefused(t *testing.T) {
	content := encoded(t, samples()[0].encode)
	meta := content[16:][:binary.LittleEndian.Uint32(content[12:])]
	if _, ok := describe(meta); !ok {
		t.Fatal("an honest description is refused")
	}
	for _, c := range []struct {
		name string
		lie  func(f *flat, schema int)
	}{
		{"a field half beyond its vtable", func(f *flat, schema int) {
			columns, _ := f.vector(schema, schemaFields, 4)
			binary.LittleEndian.PutUint32(f.b[columns-4:], 1<<31) // how many there are
			vtable := schema - int(int32(f.u32(schema)))
			binary.LittleEndian.PutUint16(f.b[vtable:], 4+2*schemaFields+1)
		}},
		{"a union", func(f *flat, schema int) {
			columns, _ := f.vector(schema, schemaFields, 4)
			f.b[f.field(f.indirect(columns), fieldKind)] = 14
		}},
		{"a long name that all columns share", func(f *flat, schema int) {
			long := len(f.b)
			f.b = append(binary.LittleEndian.AppendUint32(f.b, 1<<16), make([]byte, 1<<16)...)
			columns, n := f.vector(schema, schemaFields, 4)
			for i := range n {
				name := f.field(f.indirect(columns+4*i), fieldName)
				binary.LittleEndian.PutUint32(f.b[name:], uint32(long-name))
			}
		}},
	} {
		f := &flat{b: bytes.Clone(meta)}
		c.lie(f, f.indirect(f.field(f.indirect(0), messageHeader)))
		if f.bad {
			t.Fatalf("%s: found no place for the lie", c.name)
		}
		if d, ok := describe(f.b); ok {
			t.Errorf("%s: taken for %+v", c.name, d)
		}
	}
}

// Even a table without rows has a batch; a file without one was not written here.
func TestATableWithoutBatchesIsRefused(t *testing.T) {
	for _, s := range samples() {
		table, err := openTable(bytes.NewReader(encoded(t, s.encode)), s.name)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		file, err := ipc.NewFileWriter(&position{w: &b}, ipc.WithSchema(table.reader.Schema()), ipc.WithAllocator(allocator))
		if err == nil {
			err = file.Close()
		}
		table.close()
		if err != nil {
			t.Fatal(err)
		}
		tail := b.Len() - len(magic) - 4
		footer := tail - int(binary.LittleEndian.Uint32(b.Bytes()[tail:]))
		content := bytes.Join([][]byte{b.Bytes()[:footer], b.Bytes()[footer:]}, endOfStream)
		if _, err := s.decode(bytes.NewReader(content)); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v, want ErrFormat", s.name, err)
		}
	}
}

// A blob of several blocks hands out damaged bytes before its end tells that they are. What
// the decoder makes of them, here NaN, must not hide that.
func TestDamageIsNotTakenForAnotherFormat(t *testing.T) {
	const rows, dim = 3 * maxBatchRows, 16
	a := &Activations{Meta: Meta{Hidden: dim}, Dim: dim, Document: make([]string, rows), Text: make([]int32, rows), End: make([]int32, rows),
		Token: make([]string, rows), Fold: make([]int32, rows)}
	state := uint32(1)
	for range rows * dim { // bits that do not compress
		state = state*1664525 + 1013904223
		a.Residual = append(a.Residual, float32(int32(state)))
	}
	dir := t.TempDir()
	store, err := cache.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	d, _, err := store.Create(t.Context(), a.Encode)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "blobs", d.String()[:2], d.String()+".zst")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	for at := 60; at < len(whole)-8; at += len(whole) / 40 { // from the schema on
		damaged := bytes.Clone(whole)
		copy(damaged[at:], "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF")
		if err := os.WriteFile(path, damaged, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Fetch(t.Context(), store, d, DecodeActivations); !errors.Is(err, cache.ErrCorrupt) {
			t.Errorf("damage at byte %d of %d: %v, want ErrCorrupt", at, len(whole), err)
		}
	}
}
