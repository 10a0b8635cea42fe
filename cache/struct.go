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
// obvious text: pointers, interfaces, functions, channels, complex numbers, NaN.
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
	if text, ok := scalar(name, v); ok {
		r.Text(name, text)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		r.structFields(name+".", v)
	case reflect.Slice, reflect.Array:
		r.list(name, v)
	case reflect.Map:
		r.mapping(name, v)
	default:
		panic(fmt.Sprintf("cache: recipe field %q is a %s, which has no one text", name, v.Type()))
	}
}

// list writes scalars on one line and anything else on one line, or more, per element.
func (r *Recipe) list(name string, v reflect.Value) {
	zero := reflect.New(v.Type().Elem()).Elem()
	if _, ok := scalar(name, zero); !ok {
		r.Int(name, int64(v.Len()))
		for i := range v.Len() {
			r.value(name+"."+strconv.Itoa(i), v.Index(i))
		}
		return
	}
	words := make([]string, v.Len())
	for i := range words {
		words[i], _ = scalar(name, v.Index(i))
		if k := zero.Kind(); k == reflect.String || isText(zero) {
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

// scalar returns the text of a value that fits on one line.
func scalar(name string, v reflect.Value) (text string, ok bool) {
	if isText(v) {
		b, err := v.Interface().(encoding.TextMarshaler).MarshalText()
		if err != nil {
			panic(fmt.Sprintf("cache: recipe field %q: %v", name, err))
		}
		return string(b), true
	}
	switch v.Kind() {
	case reflect.String:
		return v.String(), true
	case reflect.Bool:
		return strconv.FormatBool(v.Bool()), true
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return strconv.FormatInt(v.Int(), 10), true
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return strconv.FormatUint(v.Uint(), 10), true
	case reflect.Float32, reflect.Float64:
		return formatFloat(name, v.Float(), v.Type().Bits()), true
	}
	return "", false
}

// isText reports whether v says itself what its text is. Pointers and interfaces do not
// count: a nil one would have no text.
func isText(v reflect.Value) bool {
	if k := v.Kind(); k == reflect.Pointer || k == reflect.Interface {
		return false
	}
	return v.Type().Implements(reflect.TypeFor[encoding.TextMarshaler]())
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
