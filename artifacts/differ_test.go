package artifacts

import (
	"bytes"
	"testing"
)

// The first difference is named as the content has it, and numbers may lie apart as far as they are allowed to.
func TestDifferNamesTheFirstDifference(t *testing.T) {
	matrices := func(values ...float64) []byte {
		m := &Matrices{Blocks: []Matrix{{Name: "gram", Rows: 1, Cols: len(values), Data: values}}}
		var b bytes.Buffer
		if err := m.Encode(&b); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	for _, c := range []struct {
		kind      string
		was, is   []byte
		tolerance float64
		want      string
	}{
		{"json", []byte(`{"a":[1,2]}`), []byte(`{"a":[1,2]}`), 0, ""},
		{"json", []byte(`{"a":[1,2],"b":1}`), []byte(`{"a":[1,3],"b":2}`), 0, "a[1] is 3 and was 2"},
		{"json", []byte(`{"a":[1,2]}`), []byte(`{"a":[1]}`), 0, "a has 1 values and had 2"},
		{"json", []byte(`{"a":"x"}`), []byte(`{"a":"y"}`), 0, `a is "y" and was "x"`},
		{"json", []byte(`{"a":1}`), []byte(`{"b":1}`), 0, "a is absent and was 1"},
		{"json", []byte(`{"a":1}`), []byte(`{"a": 1}`), 0, "byte 5 of 8, 7 before"},
		{"json", []byte(`{"a":1}`), []byte(`{"a": 1}`), .1, ""},
		{"unknown", []byte("abc"), []byte("abd"), 0, "byte 2 of 3, 3 before"},
		{"unknown", []byte("abc"), []byte("abcd"), 1, "byte 3 of 4, 3 before"},
		{KindMatrices, matrices(1, 1000), matrices(1.0625, 1000), 0, "Blocks[0].Data[0] is 1.0625 and was 1"},
		{KindMatrices, matrices(1, 1000), matrices(1.0625, 1000), 1e-4, ""}, // of 1,000
		{KindMatrices, matrices(1, 100), matrices(1.0625, 100), 1e-4, "Blocks[0].Data[0] is 1.0625 and was 1"},
	} {
		if got := Differ(c.kind, c.was, c.is, c.tolerance); got != c.want {
			t.Errorf("%s: Differ(%.20q, %.20q, %g) = %q, want %q", c.kind, c.was, c.is, c.tolerance, got, c.want)
		}
	}
}
