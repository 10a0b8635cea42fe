package artifacts

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
)

// TestFurtherScoresByName are sorted whatever the order in which they come, and what is missing is not there.
func TestFurtherScoresByName(t *testing.T) {
	var f Further
	f.Add("probe", "trait", 3.25)
	f.Add("judge", "trait", 2)
	f.Add("judge", "coherence", math.NaN())
	f.Add("probe", "trait", 4)
	if want := (Further{[]string{"judge trait", "probe trait"}, []float64{2, 4}}); !reflect.DeepEqual(f, want) {
		t.Errorf("%+v, want %+v", f, want)
	}
	if f.Of("probe trait") != 4 || !math.IsNaN(f.Of("judge coherence")) || !math.IsNaN(Further{}.Of("probe trait")) {
		t.Errorf("read back from %+v", f)
	}
	for _, name := range [][2]string{{"", "trait"}, {"a judge", "trait"}, {"probe", ""}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%q is taken for a name", name)
				}
			}()
			f.Add(name[0], name[1], 1)
		}()
	}
}

// TestFurtherScoresAsJSON are objects of objects; what is no score is refused.
func TestFurtherScoresAsJSON(t *testing.T) {
	e := &Evaluation{Rows: []Sample{{Persona: "a", Condition: "b"}, {Persona: "a", Condition: "c"}}}
	e.Rows[1].Measures.Add("probe", "trait", 3.25)
	e.Rows[1].Measures.Add("judge", "trait", 2)
	e.Rows[1].Measures.Add("judge", "coherence", 4.5)
	var b bytes.Buffer
	if err := e.WriteJSONL(&b); err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(strings.TrimSpace(b.String()), "\n") {
		if want := []string{`"measures":{}}`, `"measures":{"judge":{"coherence":4.5,"trait":2},"probe":{"trait":3.25}}}`}[i]; !strings.HasSuffix(line, want) {
			t.Errorf("line %d ends in %s, want %s", i+1, line[max(0, len(line)-80):], want)
		}
	}
	got, err := ReadJSONL(&b)
	if err != nil || !reflect.DeepEqual(got.Rows[1].Measures, e.Rows[1].Measures) || len(got.Rows[0].Measures.Names) > 0 {
		t.Errorf("%+v (%v)", got, err)
	}
	var f Further
	if err := json.Unmarshal([]byte(`{"judge":{"trait":null,"coherence":3}}`), &f); err != nil || !reflect.DeepEqual(f, Further{[]string{"judge coherence"}, []float64{3}}) {
		t.Errorf("with a missing score: %+v (%v)", f, err)
	}
	for _, text := range []string{`{"judge":3}`, `{"judge":{"trait":"x"}}`, `{"a judge":{"trait":3}}`, `{"judge":{"":3}}`, `[1]`} {
		if _, err := ReadJSONL(strings.NewReader(`{"persona":"a","condition":"b","measures":` + text + `}`)); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v, want ErrFormat", text, err)
		}
	}
}
