package safetensors

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/persona-transfer/runpipeline/format/boundedjson"
	"github.com/persona-transfer/runpipeline/format/half"
)

// A Tensor is one tensor to be written.
type Tensor struct {
	Name  string
	DType string // F32, F16, BF16, I32, I64, U8 …; "" means F32 for []float32, I32 for []int32
	Shape []int  // row-major

	// Data holds the values: []byte as stored (little-endian), []float32 (for F32; for F16
	// and BF16 each value is rounded to the nearest, ties to even) or []int32 (for I32).
	Data any
}

// Write writes a file. The same tensors and metadata give the same bytes, in whatever order they
// come: tensors are sorted by the size of their type, the largest first, then by name, which keeps
// every tensor aligned; the values begin at a multiple of 8. It returns an error if a name occurs
// twice, a text is not UTF-8 or a tensor's data do not fit its type and shape; then the file is
// worthless.
func Write(w io.Writer, tensors []Tensor, metadata map[string]string) error {
	sorted := slices.Clone(tensors)
	for i := range sorted {
		if err := sorted[i].check(); err != nil {
			return fmt.Errorf("write safetensors: tensor %q: %w", sorted[i].Name, err)
		}
	}
	slices.SortStableFunc(sorted, func(a, b Tensor) int {
		return cmp.Or(cmp.Compare(dtypes[b.DType].bits(), dtypes[a.DType].bits()), strings.Compare(a.Name, b.Name))
	})
	header, err := encodeHeader(sorted, metadata)
	if err != nil {
		return fmt.Errorf("write safetensors: %w", err)
	}
	out := bufio.NewWriterSize(w, 1<<16)
	out.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(header))))
	out.Write(header)
	for i := range sorted {
		sorted[i].write(out)
	}
	if err := out.Flush(); err != nil { // the first error of all writes
		return fmt.Errorf("write safetensors: %w", err)
	}
	return nil
}

// check fills in the default type and compares data, type and shape.
func (t *Tensor) check() error {
	var values, size int64 // how many values there are; bytes if they are stored bytes
	var allowed []string
	switch data := t.Data.(type) {
	case []byte:
		size = int64(len(data))
	case []float32:
		values, allowed = int64(len(data)), []string{"F32", "F16", "BF16"}
	case []int32:
		values, allowed = int64(len(data)), []string{"I32"}
	default:
		return fmt.Errorf("data of type %T", t.Data)
	}
	if t.DType == "" && allowed != nil {
		t.DType = allowed[0]
	}
	if allowed != nil && !slices.Contains(allowed, t.DType) {
		return fmt.Errorf("%T cannot be stored as %q", t.Data, t.DType)
	}
	want, err := byteSize(t.DType, t.Shape)
	if err != nil {
		return err
	}
	if allowed != nil {
		size = values * int64(dtypes[t.DType].bytes)
	}
	switch {
	case size != want || len(t.Shape) > maxRank:
		return fmt.Errorf("%d values and %d bytes do not fill %s %v", values, size, t.DType, t.Shape)
	case t.Name == "" || t.Name == metadataKey || !writable(t.Name):
		return fmt.Errorf("%q is no name for a tensor", t.Name)
	}
	return nil
}

// writable tells a key that can be read again.
func writable(key string) bool { return utf8.ValidString(key) && len(key) <= boundedjson.MaxName }

// encodeHeader returns the header's JSON, padded with spaces to a multiple of 8.
func encodeHeader(tensors []Tensor, metadata map[string]string) ([]byte, error) {
	type entry struct {
		DType   string   `json:"dtype"`
		Shape   []int    `json:"shape"`
		Offsets [2]int64 `json:"data_offsets"`
	}
	var out bytes.Buffer
	field := func(name string, value any) {
		if out.Len() > 1 {
			out.WriteByte(',')
		}
		// Strings, integers and maps of strings always encode.
		out.Write(encodeJSON(name))
		out.WriteByte(':')
		out.Write(encodeJSON(value))
	}
	out.WriteByte('{')
	for key, value := range metadata {
		if !writable(key) || !utf8.ValidString(value) {
			return nil, fmt.Errorf("metadata %.80q is not UTF-8 or too long", key)
		}
	}
	if len(metadata) > 0 {
		field(metadataKey, metadata) // encoding/json sorts the keys
	}
	at, seen := int64(0), make(map[string]bool)
	for _, t := range tensors {
		if seen[t.Name] {
			return nil, fmt.Errorf("tensor %q occurs twice", t.Name)
		}
		seen[t.Name] = true
		size, err := byteSize(t.DType, t.Shape)
		if err != nil {
			return nil, err
		}
		field(t.Name, entry{t.DType, append([]int{}, t.Shape...), [2]int64{at, at + size}})
		at += size
	}
	out.WriteByte('}')
	for out.Len()%8 != 0 {
		out.WriteByte(' ')
	}
	if out.Len() > maxHeader || len(tensors) > MaxTensors || len(metadata) > maxMetadata {
		return nil, fmt.Errorf("a header of %d bytes for %d tensors and %d metadata, at most %d, %d and %d are read",
			out.Len(), len(tensors), len(metadata), maxHeader, MaxTensors, maxMetadata)
	}
	return out.Bytes(), nil
}

// encodeJSON returns v as JSON with <, > and & as they are.
func encodeJSON(v any) []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(fmt.Sprintf("safetensors: encode %T: %v", v, err))
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
}

// write writes the tensor's values; w keeps the first error.
func (t *Tensor) write(w *bufio.Writer) {
	var scratch [4]byte
	put16 := func(v uint16) { binary.LittleEndian.PutUint16(scratch[:2], v); w.Write(scratch[:2]) }
	put32 := func(v uint32) { binary.LittleEndian.PutUint32(scratch[:], v); w.Write(scratch[:]) }
	switch data := t.Data.(type) {
	case []byte:
		w.Write(data)
	case []int32:
		for _, x := range data {
			put32(uint32(x))
		}
	case []float32:
		for _, x := range data {
			switch t.DType {
			case "F16":
				put16(half.Round(x))
			case "BF16":
				put16(half.BRound(x))
			default:
				put32(math.Float32bits(x))
			}
		}
	}
}
