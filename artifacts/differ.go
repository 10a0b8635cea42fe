package artifacts

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"reflect"
	"slices"
)

// readers decode the kinds whose content is a table.
var readers = map[string]func(io.Reader) (any, error){
	KindTexts:       as(DecodeTexts),
	KindActivations: as(DecodeActivations),
	KindMatrices:    as(DecodeMatrices),
	KindVectors:     as(DecodeVectors),
	KindMap:         as(DecodeMap),
	KindGenerations: as(DecodeGenerations),
	KindScores:      as(DecodeScores),
	KindJudgements:  as(DecodeJudgements),
	KindReadings:    as(DecodeReadings),
	KindEvaluation:  as(DecodeEvaluation),
}

func as[T any](decode func(io.Reader) (T, error)) func(io.Reader) (any, error) {
	return func(r io.Reader) (any, error) { return decode(r) }
}

// Differ says in words where content of a kind first differs from other content of it, or "" if it does not. Numbers
// may lie apart by tolerance times the largest of those that stand together. Content that cannot be decoded is compared
// byte for byte.
func Differ(kind string, was, is []byte, tolerance float64) string {
	if bytes.Equal(was, is) {
		return ""
	}
	a, b, ok := decoded(kind, was, is)
	if !ok {
		return firstByte(was, is)
	}
	d := walker{tolerance: tolerance}
	text := d.compare("", reflect.ValueOf(a), reflect.ValueOf(b))
	if text == "" && tolerance == 0 { // the same values, written otherwise
		return firstByte(was, is)
	}
	return text
}

func decoded(kind string, was, is []byte) (a, b any, ok bool) {
	read, ok := readers[kind]
	if !ok {
		read = func(r io.Reader) (v any, err error) { err = json.NewDecoder(r).Decode(&v); return v, err }
	}
	a, errA := read(bytes.NewReader(was))
	b, errB := read(bytes.NewReader(is))
	return a, b, errA == nil && errB == nil
}

func firstByte(was, is []byte) string {
	at := 0
	for at < min(len(was), len(is)) && was[at] == is[at] {
		at++
	}
	return fmt.Sprintf("byte %d of %d, %d before", at, len(is), len(was))
}

// A walker goes through two values of one type.
type walker struct {
	tolerance float64
	scale     float64 // the largest of the numbers that stand together
}

func (d *walker) compare(path string, a, b reflect.Value) string {
	if a.IsValid() != b.IsValid() || a.IsValid() && a.Type() != b.Type() {
		return fmt.Sprintf("%s is %s and was %s", name(path), short(b), short(a))
	}
	if !a.IsValid() {
		return ""
	}
	switch a.Kind() {
	case reflect.Pointer, reflect.Interface:
		if a.IsNil() || b.IsNil() {
			if a.IsNil() != b.IsNil() {
				return fmt.Sprintf("%s is %s and was %s", name(path), short(b), short(a))
			}
			return ""
		}
		return d.compare(path, a.Elem(), b.Elem())
	case reflect.Struct:
		for i := range a.NumField() {
			if text := d.compare(path+"."+a.Type().Field(i).Name, a.Field(i), b.Field(i)); text != "" {
				return text
			}
		}
	case reflect.Map:
		return d.maps(path, a, b)
	case reflect.Slice, reflect.Array:
		return d.lists(path, a, b)
	case reflect.Float32, reflect.Float64:
		x, y := a.Float(), b.Float()
		if x == y || math.IsNaN(x) && math.IsNaN(y) || math.Abs(x-y) <= d.tolerance*max(d.scale, math.Abs(x)) {
			return ""
		}
		return fmt.Sprintf("%s is %v and was %v", name(path), y, x)
	case reflect.Bool, reflect.String, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if !a.Equal(b) {
			return fmt.Sprintf("%s is %s and was %s", name(path), short(b), short(a))
		}
	}
	return ""
}

func (d *walker) maps(path string, a, b reflect.Value) string {
	keys := append(a.MapKeys(), b.MapKeys()...)
	slices.SortFunc(keys, func(x, y reflect.Value) int { return bytes.Compare(fmt.Append(nil, x), fmt.Append(nil, y)) })
	for _, k := range keys {
		if text := d.compare(fmt.Sprintf("%s.%v", path, k), a.MapIndex(k), b.MapIndex(k)); text != "" {
			return text
		}
	}
	return ""
}

func (d *walker) lists(path string, a, b reflect.Value) string {
	if a.Len() != b.Len() {
		return fmt.Sprintf("%s has %d values and had %d", name(path), b.Len(), a.Len())
	}
	before := d.scale
	defer func() { d.scale = before }()
	d.scale = 0
	if k := a.Type().Elem().Kind(); k == reflect.Float32 || k == reflect.Float64 {
		for i := range a.Len() {
			d.scale = max(d.scale, math.Abs(a.Index(i).Float()))
		}
	}
	for i := range a.Len() {
		if text := d.compare(fmt.Sprintf("%s[%d]", path, i), a.Index(i), b.Index(i)); text != "" {
			return text
		}
	}
	return ""
}

// name is a path as people read it.
func name(path string) string {
	if path == "" {
		return "the whole"
	}
	if path[0] == '.' {
		return path[1:]
	}
	return path
}

// short is a value in a few words.
func short(v reflect.Value) string {
	if !v.IsValid() {
		return "absent"
	}
	text := fmt.Sprintf("%+v", v)
	if v.Kind() == reflect.String {
		text = fmt.Sprintf("%q", v)
	}
	const most = 60
	if runes := []rune(text); len(runes) > most {
		text = string(runes[:most]) + "…"
	}
	return text
}
