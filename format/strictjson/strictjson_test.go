package strictjson

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"runtime"
	"strings"
	"testing"
)

// A sheet has one field of each kind that our files have.
type sheet struct {
	Name   string              `json:"name"`
	Count  int                 `json:"count"`
	Small  int8                `json:"small"`
	Seed   uint64              `json:"seed"`
	Share  float64             `json:"share"`
	Single float32             `json:"single"`
	On     bool                `json:"on"`
	Layer  *int                `json:"layer"`
	List   []float64           `json:"list"`
	Pair   [2]int              `json:"pair"`
	Sets   map[string][]string `json:"sets"`
	Inner  *sheet              `json:"inner"`
	Raw    json.RawMessage     `json:"raw"`
	Any    any                 `json:"any"`
	Either either              `json:"either"`
}

// An either is a name or an inner list of names.
type either struct{ names []string }

func (*either) JSONShapes() (string, []reflect.Type) {
	return "a name or names", []reflect.Type{reflect.TypeFor[string](), reflect.TypeFor[[]string]()}
}

func (e *either) UnmarshalJSON(b []byte) error {
	if b[0] == '[' {
		return json.Unmarshal(b, &e.names)
	}
	e.names = []string{""}
	return json.Unmarshal(b, &e.names[0])
}

func (e either) MarshalJSON() ([]byte, error) {
	if e.names == nil {
		return []byte("[]"), nil
	}
	return json.Marshal(e.names)
}

// TestRefused cites the rules of doc.go, and looks for the place in each message.
func TestRefused(t *testing.T) {
	for _, c := range []struct{ rule, text, want string }{
		{"S1", `{"count": 1, "count": 2}`, "count: the key is given twice"},
		{"S1", `{"c\u006funt": 1, "count": 2}`, "count: the key is given twice"},
		{"S1", `{"inner": {"inner": {"on": true, "on": true}}}`, "inner.inner.on: the key is given twice"},
		{"S1", `{"any": [1, {"a": {"b": 1, "b": 2}}]}`, "any[2].a.b: the key is given twice"},
		{"S1", `{"raw": {"a": 1, "a": 1}}`, "raw.a: the key is given twice"},
		{"S1", `{"sets": {"a": [], "a": []}}`, "sets.a: the key is given twice"},
		{"S2", `{"cuont": 1}`, `cuont: unknown key; the nearest known one is "count"`},
		{"S2", `{"Count": 1}`, `Count: unknown key; the nearest known one is "count"`},
		{"S2", `{"inner": {"COUNT": 1}}`, `inner: unknown key "COUNT"; the nearest known one is "`},
		{"S3", `null`, "null; want an object"},
		{"S3", `{"count": null}`, "count: null; leave the key out"},
		{"S3", `{"list": [1, null]}`, "list[2]: null; want a number"},
		{"S3", `{"sets": {"a": null}}`, "sets.a: null"},
		{"S3", `{"either": ["a", null]}`, "either[2]: null; want a string"},
		{"S3", `{"pair": [1]}`, "pair: want a list of 2, got 1"},
		{"S3", `{"pair": [1, 2, 3]}`, "pair: want a list of 2, got 3"},
		{"S4", `{"count": 1.5}`, "count: want a whole number, got 1.5"},
		{"S4", `{"count": 1e2}`, "count: want a whole number, got 1e2"},
		{"S4", `{"small": 128}`, "small: want a whole number, got 128"},
		{"S4", `{"seed": -1}`, "seed: want a whole number from 0 to 18446744073709551615, got -1"},
		{"S4", `{"share": 1e999}`, "share: want a number, got 1e999"},
		{"S4", `{"single": 1e39}`, "single: want a number, got 1e39"},
		{"S4", `{"any": [1e999]}`, "any[1]: want a number that a float64 holds, got 1e999"},
		{"S4", `{"share": NaN}`, "line 1, column 11: want a value, found 'N'"},
		{"S4", `{"share": -Infinity}`, "line 1, column 12: want a digit, found 'I'"},
		{"S4", `{"share": 01}`, "line 1, column 12: want ',' or '}'"},
		{"S5", "{\"name\": \"a\xffb\"}", "line 1, column 12: the byte 0xff in a string, which is not UTF-8"},
		{"S5", "{\n \"n\xc3\": 1}", "line 2, column 4: the byte 0xc3"},
		{"S5", "{\"name\": \"\xed\xa0\x80\"}", "the byte 0xed in a string, which is not UTF-8"},
		{"S5", `{"name": "\ud83d"}`, `line 1, column 11: \ud83d in a string is half of a surrogate pair`},
		{"S5", `{"name": "\ude00\ud83d"}`, `\ude00 in a string is half`},
		{"S5", `{"name": "\ud83dx"}`, `\ud83d in a string is half`},
		{"S5", `{"name": "\ud83d\n"}`, `\ud83d in a string is half`},
		{"S5", `{"\udead": 1}`, `\udead in a string is half`},
		{"S6", `{} {}`, "line 1, column 4: text after the end of the JSON value: '{'"},
		{"S6", "{}\n}", "line 2, column 1: text after the end of the JSON value: '}'"},
		{"S6", `{}]`, "text after the end"},
		{"S6", "{}\x00", "text after the end"},
		{"S7", strings.Repeat("[", MaxDepth+1) + strings.Repeat("]", MaxDepth+1), "want an object, got a JSON array; line 1, column 65: nested deeper than 64"},
		{"kind", `{"count": "1"}`, "count: want a whole number, got a JSON string"},
		{"kind", `{"name": 1}`, "name: want a string, got 1"},
		{"kind", `{"on": "yes"}`, "on: want true or false, got a JSON string"},
		{"kind", `{"list": {}}`, "list: want a list, got a JSON object"},
		{"kind", `{"sets": {"a": [1]}}`, "sets.a[1]: want a string, got 1"},
		{"kind", `{"either": 3}`, "either: want a name or names, got 3"},
		{"kind", `{"either": {}}`, "either: want a name or names, got a JSON object"},
		{"kind", `[]`, "want an object, got a JSON array"},
		{"syntax", ``, "line 1, column 1: want a value, found the end of the text"},
		{"syntax", `{"name"}`, "line 1, column 8: want ':' after a key, found '}'"},
		{"syntax", `{"count": 1,}`, "line 1, column 13: want a key in quotes, found '}'"},
		{"syntax", `{"list": [1,]}`, "line 1, column 13: want a value, found ']'"},
		{"syntax", `{"list": [1 2]}`, "want ',' or ']' after a value, found '2'"},
		{"syntax", `{"name": "a`, "a string without its closing quote"},
		{"syntax", "{\"name\": \"a\nb\"}", "the control character 0x0a in a string"},
		{"syntax", `{"name": "\x41"}`, `\ before 'x' in a string`},
		{"syntax", `{"name": "\u00g1"}`, "without four hexadecimal digits"},
		{"syntax", `{"on": tru}`, "want a value, found 't'"},
		{"syntax", "\ufeff{}", `line 1, column 1: want a value, found '\ufeff'`},
		{"syntax", `{"count": -}`, "want a digit, found '}'"},
		{"syntax", `{"share": 1.}`, "want a digit, found '}'"},
	} {
		err := Unmarshal([]byte(c.text), new(sheet))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %.60s: %v, want %q", c.rule, c.text, err, c.want)
		}
	}
}

// TestAccepted reads everything that is right, to what encoding/json makes of it.
func TestAccepted(t *testing.T) {
	const text = "\t{\"name\": \"a\\u00e9\\ud83d\\ude00 \\\"\\\\\\/ é😀\", \"count\": -3, \"small\": -128, \"seed\": 18446744073709551615, \"share\": -0.5e-3, \"single\": 1E+2,\r\n" +
		`"on": true, "layer": null, "list": [], "pair": [1, 2], "sets": {"a": ["x", "y"], "": []}, "inner": {"layer": 0, "list": [0, -0, 1e-400]}, "raw": [null, {"a": null}], "any": {"x": [1, null, false]}, "either": ["p", "q"]} ` + "\n"
	var got, want sheet
	if err := Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(text), &want); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) || got.Name != "aé😀 \"\\/ é😀" || got.Inner.Layer == nil || got.Seed != math.MaxUint64 || len(got.Either.names) != 2 {
		t.Errorf("read %+v, want %+v", got, want)
	}
}

// TestProblemsComeTogether finds one problem after another, and goes on reading where it can.
func TestProblemsComeTogether(t *testing.T) {
	var s sheet
	err := Unmarshal([]byte("{\"count\": \"x\",\n \"nmae\": 1, \"on\": true, \"list\": [1, \"y\", null], \"inner\": {\"share\": []}, \"count\": 2}"), &s)
	var problems Problems
	if !errors.As(err, &problems) || len(problems) != 6 {
		t.Fatalf("problems: %v, want 6", err)
	}
	if p := problems[1]; p.Line != 2 || p.Column != 2 || p.Path != "nmae" || p.Malformed {
		t.Errorf("the second problem is %+v, want line 2, column 2", p)
	}
	if !s.On {
		t.Error("what was right was not read")
	}
	many := "[" + strings.Repeat("null,", 1000) + "1]"
	if err := Unmarshal([]byte(many), new([]string)); !errors.As(err, &problems) || len(problems) != maxProblems || !strings.Contains(err.Error(), "and 981 more") {
		t.Errorf("1001 problems: %d kept: %v", len(problems), err)
	}
	long := strings.Repeat("é", 1<<20)
	if err := Unmarshal([]byte(`{"inner": {"`+long+`": 1}, "`+long+`": 1}`), &s); err == nil || len(err.Error()) > 500 {
		t.Errorf("a long key makes a message of %d bytes", len(err.Error()))
	}
}

// TestLinear reads texts of 5 MB of different shapes; paths, keys and problems must not grow with
// their product. A text's keys may be held once.
func TestLinear(t *testing.T) {
	const size = 5 << 20
	key := strings.Repeat("k", size/MaxDepth)
	var wide, wrong strings.Builder
	wide.WriteString(`{"sets": {`)
	wrong.WriteString(`{"inner": {`)
	for i := range size / 16 {
		fmt.Fprintf(&wide, `"key%07d":[],`, i)
		fmt.Fprintf(&wrong, `"key%07d":1,`, i)
	}
	wide.WriteString(`"":[]}}`)
	wrong.WriteString(`"":1}}`)
	for _, c := range []struct {
		name, text string
		refused    bool
	}{
		{"long keys, deep", strings.Repeat(`{"`+key+`":`, MaxDepth) + "1" + strings.Repeat("}", MaxDepth), true},
		{"long keys, deep, each with a mistake", strings.Repeat(`{"a":1,"a":1,"`+key+`":`, MaxDepth) + "1" + strings.Repeat("}", MaxDepth), true},
		{"deeper than anything", strings.Repeat(`{"a":`, size/5), true},
		{"wide object", wide.String(), false},
		{"wide object of unknown keys", wrong.String(), true},
		{"long list", `{"list": [` + strings.Repeat("1,", size/2) + "1]}", false},
		{"long list of mistakes", `{"list": [` + strings.Repeat("{},", size/3) + "1]}", true},
		{"long string", `{"name": "` + strings.Repeat(`\u00e9`, size/6) + `"}`, false},
		{"many strings in pairs", `{"sets": {"a": [` + strings.Repeat(`"",`, size/3) + `""]}}`, false},
		{"long number", `{"count": ` + strings.Repeat("9", size) + "}", true},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := Unmarshal([]byte(c.text), new(sheet))
		runtime.ReadMemStats(&after)
		if (err != nil) != c.refused || err != nil && len(err.Error()) > 10_000 {
			t.Errorf("%s: error of %d bytes, want one: %t", c.name, len(err.Error()), c.refused)
		}
		// encoding/json itself allocates some 60 bytes for each byte of a map of lists.
		if used := after.TotalAlloc - before.TotalAlloc; used > 100*size {
			t.Errorf("%s: %d MB for a text of %d MB", c.name, used>>20, size>>20)
		}
	}
}

// FuzzUnmarshal holds the reader against encoding/json: what it accepts, encoding/json accepts, and it
// comes back from being written.
func FuzzUnmarshal(f *testing.F) {
	for _, text := range []string{`{"name":"a","pair":[1,2],"either":"x"}`, `{"any":{"a":[1,null,"\ud83d\ude00"]},"raw":{"b":1e5}}`, `[1,{"a":0}]`, `"\u0000"`, `{"sets":{"a":[]}}`, `-0.0e+1`, `{"":{}}`, "\xff", `{"inner":{"Count":1,"count":2}}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if Check(text) == nil {
			var v any
			if err := json.Unmarshal(text, &v); err != nil {
				t.Fatalf("Check accepts %q, encoding/json: %v", text, err)
			}
			again, err := json.Marshal(v)
			if err != nil || Check(again) != nil {
				t.Fatalf("%q is written as %q: %v %v", text, again, err, Check(again))
			}
		}
		var got sheet
		if Unmarshal(text, &got) != nil {
			return
		}
		var want sheet
		if err := json.Unmarshal(text, &want); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%q is read as %+v; encoding/json: %+v, %v", text, got, want, err)
		}
		d := json.NewDecoder(strings.NewReader(string(text)))
		d.DisallowUnknownFields()
		if err := d.Decode(&want); err != nil {
			t.Fatalf("Unmarshal accepts %q, encoding/json knows a key less: %v", text, err)
		}
	})
}
