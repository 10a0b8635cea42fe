package safetensors

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/persona-transfer/runpipeline/format/boundedjson"
	"github.com/persona-transfer/runpipeline/format/strictjson"
)

// Bounds of what a file may list, each several times what any model has: entries of a header take ten
// times their size in memory.
const (
	// MaxTensors is of one file; mixtures of experts have up to 92,000 in all.
	MaxTensors = 1 << 17

	maxMetadata = 1 << 14
	maxHeader   = 100_000_000 // bytes; the reference implementation's
	maxRank     = 16
)

const metadataKey = "__metadata__"

// parseHeader reads the JSON of a header; the offsets of the entries count from its end. encoding/json
// by itself would accept repeated keys, other spellings of keys and invalid text.
func parseHeader(raw []byte) (entries []Entry, metadata map[string]string, err error) {
	if len(raw) == 0 || raw[0] != '{' {
		return nil, nil, errors.New("header does not begin with {")
	}
	if !utf8.Valid(raw) {
		return nil, nil, errors.New("header is not UTF-8")
	}
	r := boundedjson.NewReader(raw)
	err = r.Object(MaxTensors, func(key string) error {
		if key == metadataKey {
			metadata, err = readMetadata(r)
			return err
		}
		e, err := readEntry(r, key)
		if err != nil {
			return fmt.Errorf("tensor %q: %w", key, err)
		}
		entries = append(entries, e)
		return nil
	})
	if err == nil {
		err = r.End()
	}
	if err == nil { // what is left: halves of surrogate pairs, which encoding/json replaces
		err = strictjson.Check(raw)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("header: %w", err)
	}
	return entries, metadata, nil
}

// readMetadata reads an object of texts, or null, which is as good as none.
func readMetadata(r *boundedjson.Reader) (map[string]string, error) {
	metadata := make(map[string]string)
	found, err := r.ObjectOrNull(maxMetadata, func(key string) (err error) {
		metadata[key], err = r.String()
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", metadataKey, err)
	}
	if !found {
		return nil, nil
	}
	return metadata, nil
}

// readEntry reads the description of a tensor.
func readEntry(r *boundedjson.Reader, name string) (Entry, error) {
	e := Entry{Name: name, Offset: -1}
	err := r.Object(3, func(key string) (err error) {
		var sizes []int64
		switch key {
		case "dtype":
			e.DType, err = r.String()
		case "shape":
			sizes, err = r.Sizes(maxRank)
			if err != nil {
				return fmt.Errorf("shape: %w", err)
			}
			e.Shape = make([]int, len(sizes))
			for i, n := range sizes {
				if e.Shape[i] = int(n); int64(e.Shape[i]) != n {
					return fmt.Errorf("a dimension of %d", n)
				}
			}
		case "data_offsets":
			sizes, err = r.Sizes(2)
			if err == nil && len(sizes) != 2 {
				err = errors.New("fewer than two")
			}
			if err != nil {
				return fmt.Errorf("data_offsets: %w", err)
			}
			e.Offset, e.Size = sizes[0], sizes[1]-sizes[0]
		default:
			err = fmt.Errorf("unknown key %.100q", key)
		}
		return err
	})
	if err == nil && (e.DType == "" || e.Shape == nil || e.Offset < 0) {
		err = errors.New("dtype, shape and data_offsets are not all there")
	}
	return e, err
}

// checkTypes lists the tensors of types that the format does not have.
func checkTypes(entries []Entry) error {
	const most = 20
	var unknown []string
	for _, e := range entries {
		if _, ok := dtypes[e.DType]; !ok {
			unknown = append(unknown, fmt.Sprintf("%q (%.100q)", e.Name, e.DType))
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	slices.Sort(unknown)
	if n := len(unknown) - most; n > 0 {
		unknown = append(unknown[:most], fmt.Sprintf("and %d more", n))
	}
	return fmt.Errorf("tensors of types that are not known: %s", strings.Join(unknown, ", "))
}

// checkLayout checks that entries fill exactly the size bytes after the header: no gap, no
// overlap, nothing outside, and each as long as its type and shape say. It leaves them sorted by place.
func checkLayout(entries []Entry, size int64) error {
	if err := checkTypes(entries); err != nil {
		return err
	}
	slices.SortFunc(entries, func(a, b Entry) int {
		switch {
		case a.Offset != b.Offset:
			return cmp.Compare(a.Offset, b.Offset)
		case a.Size != b.Size: // an empty tensor lies before the one that begins where it does
			return cmp.Compare(a.Size, b.Size)
		}
		return strings.Compare(a.Name, b.Name)
	})
	at := int64(0)
	for _, e := range entries {
		want, err := byteSize(e.DType, e.Shape)
		begin, end := e.Offset, e.Offset+e.Size
		switch {
		case err != nil:
		case begin > end || end > size:
			err = fmt.Errorf("bytes [%d, %d) of %d", begin, end, size)
		case begin < at:
			err = fmt.Errorf("bytes [%d, %d) overlap another tensor's", begin, end)
		case begin > at:
			err = fmt.Errorf("bytes [%d, %d) before it belong to no tensor", at, begin)
		case e.Size != want:
			err = fmt.Errorf("%d bytes for %s %v", e.Size, e.DType, e.Shape)
		}
		if err != nil {
			return fmt.Errorf("tensor %q: %w", e.Name, err)
		}
		at = end
	}
	if at != size {
		return fmt.Errorf("%d bytes after the last tensor", size-at)
	}
	return nil
}
