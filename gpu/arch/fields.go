package arch

import (
	"encoding/json"
	"fmt"
	"math"
)

// fields reads a JSON object's values by name and collects what is wrong with them. Absent
// and null values take the default.
type fields struct {
	raw      map[string]json.RawMessage
	problems []string
}

// maxProblems is how many problems a message lists.
const maxProblems = 20

func (f *fields) problem(format string, args ...any) {
	switch len(f.problems) {
	case maxProblems:
		f.problems = append(f.problems, "and more")
	case maxProblems + 1:
	default:
		f.problems = append(f.problems, fmt.Sprintf(format, args...))
	}
}

// read decodes a value; it reports whether the key was there and fitted into v.
func (f *fields) read(key, want string, v any) bool {
	raw := f.raw[key]
	if !f.has(key) {
		return false
	}
	if err := json.Unmarshal(raw, v); err != nil {
		f.problem("%s is %s, want %s", key, clip(raw), want)
		return false
	}
	return true
}

// has reports whether the key is there and not null.
func (f *fields) has(key string) bool {
	raw, ok := f.raw[key]
	return ok && string(raw) != "null"
}

func clip(raw []byte) string {
	if len(raw) > 40 {
		return string(raw[:40]) + "…"
	}
	return string(raw)
}

// maxWord is the length of the longest string that names something.
const maxWord = 100

func (f *fields) text(key, otherwise string) string {
	v := otherwise
	if f.read(key, "a string", &v); len(v) > maxWord {
		f.problem("%s is a string of %d bytes", key, len(v))
		return otherwise
	}
	return v
}

func (f *fields) flag(key string, otherwise bool) bool {
	v := otherwise
	f.read(key, "true or false", &v)
	return v
}

func (f *fields) float(key string, otherwise float64) float64 {
	v := otherwise
	f.read(key, "a number", &v)
	return v
}

// integer accepts whole numbers however they are written.
func (f *fields) integer(key string, otherwise int) int {
	v := float64(otherwise)
	if f.read(key, "a whole number", &v) && (v != math.Trunc(v) || math.Abs(v) > 1<<52) {
		f.problem("%s is %g, want a whole number", key, v)
		return otherwise
	}
	return int(v)
}

func (f *fields) floats(key string) []float64 {
	var v []float64
	f.read(key, "a list of numbers", &v)
	return v
}

func (f *fields) texts(key string) []string {
	var v []string
	f.read(key, "a list of strings", &v)
	return v
}

// object opens a nested object; nil if it is absent. Its problems go to f once done is called.
func (f *fields) object(key string) (sub *fields, done func()) {
	sub = &fields{}
	if !f.read(key, "an object", &sub.raw) || sub.raw == nil {
		return nil, func() {}
	}
	return sub, func() {
		for _, p := range sub.problems {
			f.problem("%s.%s", key, p)
		}
	}
}

// maxIDs is many times the number of tokens with which any model ends its texts: each is looked at for
// every token that is chosen.
const maxIDs = 1 << 10

// ids reads a token id or a list of them: empty for null, nil for an absent key.
func (f *fields) ids(key string) []int32 {
	raw, ok := f.raw[key]
	switch {
	case !ok:
		return nil
	case !f.has(key):
		return []int32{}
	}
	var one int32
	if json.Unmarshal(raw, &one) == nil {
		return []int32{one}
	}
	var many []int32
	if json.Unmarshal(raw, &many) != nil {
		f.problem("%s is %s, want a token id or a list of them", key, clip(raw))
	}
	if len(many) > maxIDs {
		f.problem("%s lists %d token ids, at most %d are read", key, len(many), maxIDs)
		return nil
	}
	return many
}
