package export

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/persona-transfer/runpipeline/format/strictjson"
)

// A safetensors file (https://github.com/huggingface/safetensors):
//
//	┌──────────────┬────────────────────────────────────┬──────────────────┐
//	│ n: uint64 LE │ n bytes of JSON, padded with spaces│ the tensors' data│
//	└──────────────┴────────────────────────────────────┴──────────────────┘
//
// The JSON maps names to dtype, shape and the range of bytes in the data; "__metadata__"
// maps texts to texts. The ranges cover the data without gap or overlap.

// maxHeader is below the 100 MB that the reference implementation allows; vectors need a
// few hundred bytes.
const maxHeader = 16 << 20

type tensor struct {
	name  string
	shape []int
	data  []float32
}

// entry is a tensor in the header.
type entry struct {
	DType   string `json:"dtype"`
	Shape   []int  `json:"shape"`
	Offsets [2]int `json:"data_offsets"`
}

// writeSafetensors writes float32 tensors, which are in order of their names.
func writeSafetensors(w io.Writer, m manifest, tensors []tensor) error {
	var header bytes.Buffer
	metadata, err := json.Marshal(m) // sorts its keys
	if err != nil {
		return err
	}
	fmt.Fprintf(&header, `{"__metadata__":%s`, metadata)
	end := 0
	for _, t := range tensors {
		begin := end
		end += 4 * len(t.data)
		text, err := json.Marshal(entry{"F32", t.shape, [2]int{begin, end}})
		if err != nil {
			return err
		}
		fmt.Fprintf(&header, ",%q:%s", t.name, text)
	}
	header.WriteByte('}')
	for header.Len()%8 != 0 { // so that data is aligned in a mapped file
		header.WriteByte(' ')
	}
	out := binary.LittleEndian.AppendUint64(nil, uint64(header.Len()))
	if _, err := w.Write(append(out, header.Bytes()...)); err != nil {
		return err
	}
	for _, t := range tensors {
		if _, err := w.Write(floatBytes(t.data)); err != nil {
			return err
		}
	}
	return nil
}

// looksLikeSafetensors also tells it from JSON: a JSON text's first eight bytes, taken as a
// length, are far more than the text is long.
func looksLikeSafetensors(content []byte) bool {
	return len(content) > 8 && binary.LittleEndian.Uint64(content) <= uint64(len(content)-8) && content[8] == '{'
}

func readSafetensors(content []byte) ([]Vector, error) {
	n := int(binary.LittleEndian.Uint64(content))
	if n > maxHeader {
		return nil, fmt.Errorf("its header has %d bytes", n)
	}
	header, data := content[8:8+n], content[8+n:]
	entries := make(map[string]json.RawMessage)
	if err := strictjson.Unmarshal(header, &entries); err != nil {
		return nil, fmt.Errorf("its header: %w", err)
	}
	var m manifest
	if text, ok := entries["__metadata__"]; ok {
		if err := strictjson.Unmarshal(text, &m); err != nil {
			return nil, fmt.Errorf("its __metadata__: %w", err)
		}
		delete(entries, "__metadata__")
	}
	if !m.ours() { // other writers put there what they like
		m = nil
	}
	if len(m) > 0 && len(entries) > 1 {
		return nil, fmt.Errorf("its manifest describes one vector, it holds %d", len(entries))
	}
	tensors, err := layOut(entries, len(data))
	if err != nil {
		return nil, err
	}
	var vectors []Vector
	for _, t := range tensors {
		v, err := known(t.layer, bytesFloats(data[t.Offsets[0]:t.Offsets[1]]), m)
		if err != nil {
			return nil, err
		}
		vectors = append(vectors, v)
	}
	return vectors, nil
}

// placed is an entry whose name has been read.
type placed struct {
	entry
	layer int
}

// layOut returns the tensors in the order of their data, which must follow each other
// without gap or overlap and use up size bytes.
func layOut(entries map[string]json.RawMessage, size int) ([]placed, error) {
	var tensors []placed
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		t, err := readEntry(name, entries[name])
		if err != nil {
			return nil, err
		}
		tensors = append(tensors, t)
	}
	slices.SortStableFunc(tensors, func(a, b placed) int { return cmp.Compare(a.Offsets[0], b.Offsets[0]) })
	end := 0
	for _, t := range tensors {
		if t.Offsets[0] != end || t.Offsets[1]-t.Offsets[0] != 4*t.Shape[0] || t.Offsets[1] > size {
			return nil, fmt.Errorf("%s lies at bytes %d to %d of %d", direction(t.layer), t.Offsets[0], t.Offsets[1], size)
		}
		end = t.Offsets[1]
	}
	if end != size {
		return nil, fmt.Errorf("its tensors take %d bytes of %d", end, size)
	}
	return tensors, nil
}

func readEntry(name string, text json.RawMessage) (t placed, err error) {
	if t.layer, err = parseDirection(name); err != nil {
		return t, err
	}
	if err := strictjson.Unmarshal(text, &t.entry); err != nil {
		return t, fmt.Errorf("%s: %w", name, err)
	}
	if t.DType != "F32" || len(t.Shape) != 1 || t.Shape[0] < 1 || t.Shape[0] > maxWidth {
		return t, fmt.Errorf("%s is %.20s %v, want F32 of one dimension", name, t.DType, t.Shape)
	}
	return t, nil
}
