package cache

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Struct records every exported field of v, in order, under its json name. A field tagged
// `key:"-"` is left out; one that is not can therefore not be forgotten.
//
//	struct { Lambda float64 `json:"lambda"` }   lambda 3:0.1
//	nested struct                               fit.method 5:ridge
//	embedded struct without a json name         its fields, as if they were v's own
//	[]float64, []int, []bool, []string          one line, "[1 2 3]" or "[1:a 1:b]"
//	slice or array of anything else             texts 1:2, texts.0.…, texts.1.…
//	map with string keys                        personas 1:2, personas.angry.…, in key order
//	encoding.TextMarshaler                      its text
//
// Map keys keep letters, digits, "_" and "-"; every other byte is written as %XX, so that a
// key cannot imitate a path. Struct panics if v is no struct, and on a kind that has no one
// obvious text: pointers, interfaces, functions, channels, complex numbers, NaN, and structs
// that keep everything to themselves (unexported fields only).
func (r *Recipe) Struct(v any) *Recipe {
	value := reflect.ValueOf(v)
	if value.Kind() != reflect.Struct {
		panic(fmt.Sprintf("cache: recipe of a %T, want a struct", v))
	}
	r.structFields("", value)
	return r
}

func (r *Recipe) structFields(prefix string, v reflect.Value) {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		if !field.IsExported() && !field.Anonymous || field.Tag.Get("key") == "-" {
			continue
		}
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if field.Anonymous && name == "" && field.Type.Kind() == reflect.Struct {
			r.structFields(prefix, v.Field(i))
			continue
		}
		if !field.IsExported() {
			continue
		}
		if name == "" || name == "-" {
			name = field.Name
		}
		r.value(prefix+name, v.Field(i))
	}
}

func (r *Recipe) value(name string, v reflect.Value) {
	if isScalar(v.Type()) {
		r.Text(name, scalar(name, v))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		if opaque(v.Type()) {
			panic(fmt.Sprintf("cache: recipe field %q is a %s, which shows none of its fields", name, v.Type()))
		}
		r.structFields(name+".", v)
	case reflect.Slice, reflect.Array:
		r.list(name, v)
	case reflect.Map:
		r.mapping(name, v)
	default:
		panic(fmt.Sprintf("cache: recipe field %q is a %s, which has no one text", name, v.Type()))
	}
}

// opaque reports whether t has fields and exports none, so that nothing of a value would be
// recorded; big.Int is such a type, whose text only its pointer knows.
func opaque(t reflect.Type) bool {
	for i := range t.NumField() {
		if f := t.Field(i); f.IsExported() || f.Anonymous {
			return false
		}
	}
	return t.NumField() > 0
}

// list writes scalars on one line and anything else on one line, or more, per element.
func (r *Recipe) list(name string, v reflect.Value) {
	item := v.Type().Elem()
	if !isScalar(item) {
		r.Int(name, int64(v.Len()))
		for i := range v.Len() {
			r.value(name+"."+strconv.Itoa(i), v.Index(i))
		}
		return
	}
	words := make([]string, v.Len())
	for i := range words {
		words[i] = scalar(name, v.Index(i))
		if item.Kind() == reflect.String || isText(item) {
			words[i] = frame(words[i])
		}
	}
	r.Text(name, "["+strings.Join(words, " ")+"]")
}

func (r *Recipe) mapping(name string, v reflect.Value) {
	if v.Type().Key().Kind() != reflect.String {
		panic(fmt.Sprintf("cache: recipe field %q is a %s, want string keys", name, v.Type()))
	}
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	r.Int(name, int64(len(keys)))
	for _, key := range keys {
		r.value(name+"."+escape(key.String()), v.MapIndex(key))
	}
}

// scalar returns the text of a value of a type that [isScalar].
func scalar(name string, v reflect.Value) string {
	if isText(v.Type()) {
		b, err := v.Interface().(encoding.TextMarshaler).MarshalText()
		if err != nil {
			panic(fmt.Sprintf("cache: recipe field %q: %v", name, err))
		}
		return string(b)
	}
	switch {
	case v.CanInt():
		return strconv.FormatInt(v.Int(), 10)
	case v.CanUint():
		return strconv.FormatUint(v.Uint(), 10)
	case v.CanFloat():
		return formatFloat(name, v.Float(), v.Type().Bits())
	case v.Kind() == reflect.Bool:
		return strconv.FormatBool(v.Bool())
	}
	return v.String()
}

// isScalar reports whether values of t fit on one line.
func isScalar(t reflect.Type) bool {
	switch k := t.Kind(); {
	case k == reflect.String, k == reflect.Float32, k == reflect.Float64, k >= reflect.Bool && k <= reflect.Uint64:
		return true
	}
	return isText(t)
}

// isText reports whether values of t say themselves what their text is. Pointers and
// interfaces do not count: a nil one would have no text.
func isText(t reflect.Type) bool {
	if k := t.Kind(); k == reflect.Pointer || k == reflect.Interface {
		return false
	}
	return t.Implements(reflect.TypeFor[encoding.TextMarshaler]())
}

func escape(key string) string {
	var b strings.Builder
	for i := range len(key) {
		switch c := key[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_', c == '-':
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
