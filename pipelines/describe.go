package pipelines

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// describe turns an error of decoding into a value of type into into words for a person who does
// not know Go.
func describe(err error, into reflect.Type) string {
	var t *json.UnmarshalTypeError
	if errors.As(err, &t) {
		at := ""
		if t.Field != "" {
			at = t.Field + ": "
		}
		got := "a JSON " + t.Value
		if number, ok := strings.CutPrefix(t.Value, "number "); ok {
			got = number
		}
		return fmt.Sprintf("%swant %s, got %s", at, plainType(t.Type), got)
	}
	text := strings.TrimPrefix(err.Error(), "json: ")
	if quoted, ok := strings.CutPrefix(text, "unknown field "); ok {
		if names := fieldNames(into); len(names) > 0 {
			return fmt.Sprintf("unknown key %s; the nearest known one is %q", quoted, nearest(strings.Trim(quoted, `"`), names))
		}
	}
	return text
}

// fieldNames lists the JSON names of a struct, or of the structs that a map or a list holds.
func fieldNames(t reflect.Type) (names []string) {
	switch t {
	case reflect.TypeFor[Personas]():
		t = reflect.TypeFor[Persona]()
	case reflect.TypeFor[Texts]():
		t = reflect.TypeFor[Text]()
	}
	switch t.Kind() {
	case reflect.Map, reflect.Slice, reflect.Pointer:
		return fieldNames(t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			if name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ","); name != "" {
				names = append(names, name)
			}
		}
	}
	return names
}

// oddities finds what encoding/json lets pass: a key that is given twice, of which all but the last
// would be dropped, and a null inside a list or an object, which would count as 0 or as nothing.
func oddities(raw []byte) (problems Problems) {
	d := json.NewDecoder(bytes.NewReader(raw))
	var walk func(path string)
	walk = func(path string) {
		token, err := d.Token()
		if err != nil {
			return
		}
		switch token {
		case nil:
			if strings.ContainsAny(path, ".[") { // decode reports a null that is a key's whole value
				problems = append(problems, path+": null")
			}
		case json.Delim('['):
			for i := 1; d.More(); i++ {
				walk(fmt.Sprintf("%s[%d]", path, i))
			}
			_, _ = d.Token() // raw is valid JSON
		case json.Delim('{'):
			seen := map[string]bool{}
			for d.More() {
				key, _ := d.Token()
				at := strings.TrimPrefix(fmt.Sprintf("%s.%s", path, key), ".")
				if name := key.(string); seen[name] {
					problems = append(problems, at+": the key is given twice")
				} else {
					seen[name] = true
				}
				walk(at)
			}
			_, _ = d.Token()
		}
	}
	walk("")
	return problems
}

func plainType(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Int, reflect.Int64:
		return "a whole number"
	case reflect.Uint64:
		return "a whole number from 0 to 2⁶⁴−1"
	case reflect.Float64:
		return "a number"
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "a string"
	case reflect.Slice:
		return "a list"
	case reflect.Pointer:
		return plainType(t.Elem())
	default:
		return "an object"
	}
}

// position says where in the text a JSON error is.
func position(raw []byte, err error) string {
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) {
		return describe(err, nil)
	}
	before := raw[:min(int(syntax.Offset), len(raw))]
	return fmt.Sprintf("line %d: %v", 1+bytes.Count(before, []byte("\n")), err)
}

// nearest gives the known name with the smallest edit distance.
func nearest(name string, known []string) string {
	best, distance := "", 1<<30
	slices.Sort(known)
	for _, k := range known {
		if d := edits(name, k); d < distance {
			best, distance = k, d
		}
	}
	return best
}

// edits is the Levenshtein distance.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
