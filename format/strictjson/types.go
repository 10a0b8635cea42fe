package strictjson

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// A Union is a type that may be written in more than one way. Its UnmarshalJSON decodes what one of
// the shapes describes, and may rely on that.
type Union interface {
	// JSONShapes says in words what is wanted, and gives a type for each shape. The first whose kind
	// (string, number, list, object, …) is that of the text describes it.
	JSONShapes() (want string, shapes []reflect.Type)
}

// A schema is what the reader knows of a Go type.
type schema struct {
	kind   kind
	bits   int                     // of a number
	fields map[string]reflect.Type // of an object with known keys
	names  []string                // of those
	elem   reflect.Type            // of a list's items, or of an object's values
	length int                     // of a list; −1: any
	null   bool                    // it may be null
	want   string                  // in words
	shapes []reflect.Type          // of a union
}

type kind int

const (
	free   kind = iota // any value: an interface, or a type that reads itself
	union              // one of shapes
	object             // with fields, or with any keys if there are none
	list
	text
	boolean
	signed
	unsigned
	float
)

var (
	unions  = reflect.TypeFor[Union]()
	selves  = reflect.TypeFor[json.Unmarshaler]()
	selves2 = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// anything is the schema of no type. There is one for all values of a text, which may be millions.
var anything = &schema{null: true}

// describe looks a type up. nil is free.
func (r *reader) describe(t reflect.Type) *schema {
	if t == nil {
		return anything
	}
	if s, ok := r.schemas[t]; ok {
		return s
	}
	s := newSchema(t)
	if t.Kind() == reflect.Pointer && s == nil {
		inner := *r.describe(t.Elem())
		inner.null = true
		s = &inner
	}
	r.schemas[t] = s
	return s
}

// newSchema is nil for a pointer to something that can be described.
func newSchema(t reflect.Type) *schema {
	if p := reflect.PointerTo(t); p.Implements(unions) {
		want, shapes := reflect.New(t).Interface().(Union).JSONShapes()
		return &schema{kind: union, want: want, shapes: shapes}
	} else if p.Implements(selves) || p.Implements(selves2) {
		return &schema{null: true}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return nil
	case reflect.Interface:
		return &schema{null: true}
	case reflect.Struct:
		s := &schema{kind: object, fields: map[string]reflect.Type{}, want: "an object"}
		s.add(t)
		return s
	case reflect.Map:
		if t.Key().Kind() == reflect.String {
			return &schema{kind: object, elem: t.Elem(), want: "an object"}
		}
	case reflect.Slice:
		if t.Elem().Kind() != reflect.Uint8 {
			return &schema{kind: list, elem: t.Elem(), length: -1, want: "a list"}
		}
	case reflect.Array:
		return &schema{kind: list, elem: t.Elem(), length: t.Len(), want: fmt.Sprintf("a list of %d", t.Len())}
	case reflect.String:
		return &schema{kind: text, want: "a string"}
	case reflect.Bool:
		return &schema{kind: boolean, want: "true or false"}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return &schema{kind: signed, bits: t.Bits(), want: "a whole number"}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return &schema{kind: unsigned, bits: t.Bits(), want: "a whole number from 0 to " + strconv.FormatUint(1<<t.Bits()-1, 10)}
	case reflect.Float32, reflect.Float64:
		return &schema{kind: float, bits: t.Bits(), want: "a number"}
	}
	panic("strictjson: no strict reading of " + t.String())
}

// add lists a struct's fields as encoding/json finds them.
func (s *schema) add(t reflect.Type) {
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct:
			s.add(f.Type)
		case f.IsExported() && f.Tag.Get("json") != "-":
			if name == "" {
				name = f.Name
			}
			s.fields[name], s.names = f.Type, append(s.names, name)
		}
	}
}
