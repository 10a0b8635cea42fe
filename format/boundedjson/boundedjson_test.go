package boundedjson

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// list is what the tests read: an object of lists, texts and things that are passed over.
func list(text []byte, limit int) (map[string]any, error) {
	r := NewReader(text)
	got := make(map[string]any)
	err := r.Object(limit, func(key string) (err error) {
		switch {
		case strings.HasPrefix(key, "sizes"):
			got[key], err = r.Sizes(3)
		case strings.HasPrefix(key, "text"):
			got[key], err = r.String()
		case strings.HasPrefix(key, "inner"):
			inner := make(map[string]any)
			found, err := r.ObjectOrNull(limit, func(key string) (err error) {
				inner[key], err = r.String()
				return err
			})
			if found {
				got[key] = inner
			}
			return err
		default:
			err = r.Skip()
		}
		return err
	})
	if err == nil {
		err = r.End()
	}
	return got, err
}

func TestListsAreRead(t *testing.T) {
	got, err := list([]byte(` {"sizes": [0, 9223372036854775807], "sizes2": [], "text": "a\n", "x": {"y": [1, {"y": null}]}, "inner": {"a": "b"}, "inner2": null} `), 6)
	want := map[string]any{"sizes": []int64{0, 1<<63 - 1}, "sizes2": []int64{}, "text": "a\n", "inner": map[string]any{"a": "b"}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, %v, want %v", got, err, want)
	}
}

func TestBadListsAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		``:                                "unexpected EOF",
		`[]`:                              "[ where { belongs",
		`null`:                            "where { belongs",
		`{"text":`:                        "unexpected EOF",
		`{"text":"a"`:                     "unexpected EOF",
		`{} {}`:                           "text after its end",
		`{}]`:                             "text after its end",
		`{"text":"a","text":"a"}`:         `"text" occurs twice`,
		`{"text":"a","te\u0078t":"a"}`:    `"text" occurs twice`,
		`{"a":1,"b":2,"c":3,"d":4}`:       "more than 3 entries",
		`{"text":1}`:                      "1 is not text",
		`{"text":{}}`:                     "{ is not text",
		`{"sizes":1}`:                     "1 where [ belongs",
		`{"sizes":[1,2,3,4]}`:             "more than 3 sizes",
		`{"sizes":[-1]}`:                  "-1 is not a size",
		`{"sizes":[1.5]}`:                 "1.5 is not a size",
		`{"sizes":[1e2]}`:                 "1e2 is not a size",
		`{"sizes":[9223372036854775808]}`: "is not a size",
		`{"sizes":["1"]}`:                 "1 is not a number",
		`{"sizes":[[1]]}`:                 "[ is not a number",
		`{"inner":[]}`:                    "[ where an object belongs",
		`{"inner":{"a":1}}`:               "1 is not text",
		`{"x":}`:                          "invalid character",
		`{"` + strings.Repeat("k", MaxName+1) + `":1}`: fmt.Sprintf("a name of %d bytes", MaxName+1),
	} {
		if _, err := list([]byte(text), 3); err == nil || !strings.Contains(err.Error(), want) || len(err.Error()) > 300 {
			t.Errorf("%.60s: %v, want %q", text, err, want)
		}
	}
}

func FuzzReader(f *testing.F) {
	f.Add([]byte(`{"sizes":[1,2],"text":"a","x":{"y":[null]},"inner":{"a":"b"},"inner2":null}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := list(text, 5)
		if err == nil && len(got) > 5 {
			t.Fatalf("%d entries, at most 5 are read", len(got))
		}
		for key, v := range got {
			if sizes, ok := v.([]int64); ok && len(sizes) > 3 || len(key) > MaxName {
				t.Fatalf("%.60s: %v", key, v)
			}
		}
	})
}
