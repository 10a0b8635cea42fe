package rows

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"unicode/utf8"

	"github.com/persona-transfer/runpipeline/format/files"
	"github.com/persona-transfer/runpipeline/format/npy"
	"github.com/persona-transfer/runpipeline/format/strictjson"
	"github.com/persona-transfer/runpipeline/format/text"
)

// maxGroups is the most bytes of a file of groups.
const maxGroups = 1 << 30

// ReadGroups reads the group of each of n rows: a .npy of integers, a .txt of one name a line, or a .json list
// of texts or integers. Groups are numbered from 0 in the order in which they first occur.
func ReadGroups(path string, n int) ([]int, error) {
	f, err := files.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	var names []string
	switch filepath.Ext(path) {
	case ".npy":
		names, err = npyGroups(f, info.Size())
	case ".txt", ".json":
		var b []byte
		if b, err = io.ReadAll(io.LimitReader(f, maxGroups+1)); err == nil && len(b) > maxGroups {
			err = fmt.Errorf("larger than %d MiB", maxGroups>>20)
		}
		if err == nil {
			b, err = text.Plain(b)
		}
		if err == nil && filepath.Ext(path) == ".txt" {
			names, err = lineGroups(b)
		} else if err == nil {
			names, err = listGroups(b)
		}
	default:
		err = errors.New("want a .npy of integers, a .txt of one group a line or a .json list")
	}
	if err != nil {
		return nil, err
	}
	if len(names) != n {
		return nil, fmt.Errorf("%d groups of rows; there are %d rows", len(names), n)
	}
	return Number(names), nil
}

// Number counts names from 0 in the order in which they first occur.
func Number(names []string) []int {
	numbers, groups := map[string]int{}, make([]int, len(names))
	for i, name := range names {
		number, ok := numbers[name]
		if !ok {
			number = len(numbers)
			numbers[name] = number
		}
		groups[i] = number
	}
	return groups
}

// integers are the types of .npy that number groups, by their size in bytes.
var integers = map[string]int{"I64": 8, "I32": 4, "I16": 2, "I8": 1, "U64": 8, "U32": 4, "U16": 2, "U8": 1}

func npyGroups(r io.ReaderAt, size int64) ([]string, error) {
	a, err := npy.Read(r, size)
	if err != nil {
		return nil, err
	}
	bytes, ok := integers[a.DType]
	switch {
	case !ok:
		return nil, fmt.Errorf("values of type %s; want integers", a.DType)
	case len(a.Shape) != 1:
		return nil, fmt.Errorf("an array of shape %v; want one dimension, a group for each row", a.Shape)
	case size-a.Offset > maxGroups:
		return nil, fmt.Errorf("larger than %d MiB", maxGroups>>20)
	}
	raw := make([]byte, size-a.Offset)
	if _, err := io.ReadFull(io.NewSectionReader(r, a.Offset, int64(len(raw))), raw); err != nil {
		return nil, err
	}
	names := make([]string, a.Shape[0])
	for i := range names { // equal bytes are equal integers
		var wide [8]byte
		copy(wide[:], raw[i*bytes:(i+1)*bytes])
		names[i] = fmt.Sprint(binary.LittleEndian.Uint64(wide[:]))
	}
	return names, nil
}

func lineGroups(b []byte) (names []string, err error) {
	for line := range bytes.Lines(b) {
		name := bytes.TrimSpace(line)
		switch {
		case len(name) == 0:
			return nil, fmt.Errorf("line %d is empty; want a group on each line", len(names)+1)
		case !utf8.Valid(name):
			return nil, fmt.Errorf("line %d is not UTF-8", len(names)+1)
		}
		names = append(names, string(name))
	}
	return names, nil
}

func listGroups(b []byte) ([]string, error) {
	if err := strictjson.Check(b); err != nil {
		return nil, err
	}
	var list []json.RawMessage
	if err := json.Unmarshal(b, &list); err != nil || list == nil {
		return nil, errors.New("want a list of texts or integers")
	}
	names := make([]string, len(list))
	for i, raw := range list {
		var name string
		var number int64
		switch {
		case json.Unmarshal(raw, &name) == nil && raw[0] == '"':
			names[i] = "t" + name
		case json.Unmarshal(raw, &number) == nil && raw[0] != 'n':
			names[i] = fmt.Sprint(number)
		default:
			return nil, fmt.Errorf("item %d is %.40s; want a text or an integer", i+1, raw)
		}
	}
	return names, nil
}

// Documents numbers the documents of rows that know their places.
func (t *File) Documents() []int {
	names := make([]string, len(t.Places))
	for i, p := range t.Places {
		names[i] = p.Document
	}
	return Number(names)
}

// SamePlaces reports the first row of two tables of as many rows that is not the same place of the same text
// in both, as far as both know their places.
func SamePlaces(x, y *File) error {
	for i := range min(len(x.Places), len(y.Places)) {
		if a, b := x.Places[i], y.Places[i]; a != b {
			return fmt.Errorf("row %d is text %d of %.80q up to byte %d in the one, text %d of %.80q up to byte %d in the other: no pair", i, a.Text, a.Document, a.End, b.Text, b.Document, b.End)
		}
	}
	return nil
}
