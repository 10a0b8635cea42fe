package checkpoint

import (
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"sort"
	"strings"
)

// maxHeader is the largest safetensors header that the reference implementation accepts.
const maxHeader = 100_000_000

// maxRank is more dimensions than any model uses; it only keeps hostile headers small.
const maxRank = 16

// Safetensors is one safetensors file, open for reading. It is safe for use by several
// goroutines.
type Safetensors struct {
	blob    *blob
	meta    map[string]string
	tensors map[string]*tensor
	infos   []TensorInfo
}

// ReadSafetensors reads the header of a safetensors file of the given size; values are
// read from r when they are asked for, so r must stay open. It is as strict as
// the reference implementation and returns an error that wraps [ErrFormat] for a truncated
// file, a tensor outside the file, tensors that overlap or leave a gap, a name that occurs
// twice; also for a stored type that is not one of [TensorInfo]'s.
func ReadSafetensors(r io.ReaderAt, size int64) (*Safetensors, error) {
	return readSafetensors(&blob{name: "safetensors", size: size, r: r})
}

// Metadata returns the file's free-form text entries.
func (s *Safetensors) Metadata() map[string]string {
	out := make(map[string]string, len(s.meta))
	for k, v := range s.meta {
		out[k] = v
	}
	return out
}

// Tensors describes the file's tensors, sorted by name.
func (s *Safetensors) Tensors() []TensorInfo { return copyInfos(s.infos) }

// Float32 returns all values of a tensor, row-major, converted to float32.
func (s *Safetensors) Float32(name string) ([]float32, error) {
	t, ok := s.tensors[name]
	if !ok {
		return nil, fmt.Errorf("read %s: tensor %q: %w", s.blob.name, name, ErrNotFound)
	}
	rows, width := t.rows()
	out := make([]float32, rows*width)
	if err := t.readRows(0, rows, out); err != nil {
		return nil, fmt.Errorf("read %s: tensor %q: %w", s.blob.name, name, err)
	}
	return out, nil
}

// Bytes returns a copy of a tensor's stored bytes, little-endian and row-major.
func (s *Safetensors) Bytes(name string) ([]byte, error) {
	t, ok := s.tensors[name]
	if !ok {
		return nil, fmt.Errorf("read %s: tensor %q: %w", s.blob.name, name, ErrNotFound)
	}
	var buf []byte
	view, err := s.blob.view(t.offset, t.bytes(), &buf)
	if err != nil {
		return nil, fmt.Errorf("read %s: tensor %q: %w", s.blob.name, name, err)
	}
	return slices.Clone(view), nil
}

// Int32 returns all values of a tensor that is stored as I32.
func (s *Safetensors) Int32(name string) ([]int32, error) {
	raw, err := s.Bytes(name)
	if err != nil {
		return nil, err
	}
	if dtype := s.tensors[name].DType; dtype != "I32" {
		return nil, fmt.Errorf("read %s: tensor %q is %s, want I32: %w", s.blob.name, name, dtype, ErrFormat)
	}
	out := make([]int32, len(raw)/4)
	for i := range out {
		out[i] = int32(binary.LittleEndian.Uint32(raw[4*i:]))
	}
	return out, nil
}

// readSafetensors parses and checks the header of b. The layout:
//
//	offset        what
//	0             n, uint64: the header's length
//	8             header, JSON: name → {dtype, shape, data_offsets}, and __metadata__
//	8+n           values; data_offsets count from here
func readSafetensors(b *blob) (s *Safetensors, err error) {
	defer recoverFault(b.name, &err)()
	var buf []byte
	if b.size < 8 {
		return nil, fmt.Errorf("%s: %d bytes are too few for a header: %w", b.name, b.size, ErrFormat)
	}
	head, err := b.view(0, 8, &buf)
	if err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint64(head)
	if n > maxHeader || n > uint64(b.size-8) {
		return nil, fmt.Errorf("%s: header of %d bytes in a file of %d: %w", b.name, n, b.size, ErrFormat)
	}
	head, err = b.view(8, int64(n), &buf)
	if err != nil {
		return nil, err
	}
	entries, meta, err := parseHeader(head)
	if err == nil {
		err = checkLayout(entries, b.size-8-int64(n))
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", b.name, err, ErrFormat)
	}
	return newSafetensors(b, entries, meta, 8+int64(n)), nil
}

func newSafetensors(b *blob, entries []headerEntry, meta map[string]string, start int64) *Safetensors {
	s := &Safetensors{blob: b, meta: meta, tensors: make(map[string]*tensor, len(entries))}
	for _, e := range entries {
		info := TensorInfo{Name: e.name, DType: e.dtype, Shape: e.shape}
		s.tensors[e.name] = &tensor{TensorInfo: info, codec: plainCodecs[e.dtype], blob: b, offset: start + e.begin}
		s.infos = append(s.infos, info)
	}
	sortInfos(s.infos)
	return s
}

// checkLayout checks that entries fill exactly the size bytes after the header: no gap, no
// overlap, nothing outside, and each as long as its type and shape say.
func checkLayout(entries []headerEntry, size int64) error {
	sort.Slice(entries, func(i, j int) bool {
		a, b := entries[i], entries[j]
		if a.begin != b.begin {
			return a.begin < b.begin
		}
		if a.end != b.end {
			return a.end < b.end
		}
		return a.name < b.name
	})
	at := int64(0)
	for _, e := range entries {
		c, ok := plainCodecs[e.dtype]
		if !ok {
			return fmt.Errorf("tensor %q: type %.100q is not supported", e.name, e.dtype)
		}
		n, ok := count(e.shape)
		if !ok {
			return fmt.Errorf("tensor %q: shape %v is too large", e.name, e.shape)
		}
		switch {
		case e.begin > e.end || e.end > size:
			return fmt.Errorf("tensor %q: bytes [%d, %d) of %d", e.name, e.begin, e.end, size)
		case e.begin < at:
			return fmt.Errorf("tensor %q: bytes [%d, %d) overlap another tensor's", e.name, e.begin, e.end)
		case e.begin > at:
			return fmt.Errorf("tensor %q: bytes [%d, %d) before it belong to no tensor", e.name, at, e.begin)
		case n%int64(c.block) != 0 || e.end-e.begin != n/int64(c.block)*int64(c.bytes):
			return fmt.Errorf("tensor %q: %d bytes for %s %v", e.name, e.end-e.begin, e.dtype, e.shape)
		}
		at = e.end
	}
	if at != size {
		return fmt.Errorf("%d bytes after the last tensor", size-at)
	}
	return nil
}

func sortInfos(infos []TensorInfo) {
	slices.SortFunc(infos, func(a, b TensorInfo) int { return strings.Compare(a.Name, b.Name) })
}

// copyInfos returns infos with shapes of their own.
func copyInfos(infos []TensorInfo) []TensorInfo {
	out := slices.Clone(infos)
	for i := range out {
		out[i].Shape = slices.Clone(out[i].Shape)
	}
	return out
}
