package artifacts

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"
)

// What pyarrow saw in the golden files (testdata/check_tables.py) is what was put in.
func TestPyarrowSeesTheSame(t *testing.T) {
	content, err := os.ReadFile("testdata/tables.json")
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]json.RawMessage)
	if err := json.Unmarshal(content, &all); err != nil {
		t.Fatal(err)
	}
	for _, s := range samples() {
		var seen struct {
			Facts    map[string]string
			Columns  []string
			Nullable bool
			Rows     []map[string]any
		}
		if err := json.Unmarshal(all[s.name], &seen); err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		table, err := openTable(bytes.NewReader(encoded(t, s.encode)), s.name)
		if err != nil {
			t.Fatal(err)
		}
		columns, err := schemaColumns(table.reader.Schema())
		if err != nil {
			t.Fatal(err)
		}
		table.facts["kind"], table.facts["version"] = s.name, formatVersion
		if !reflect.DeepEqual(map[string]string(table.facts), seen.Facts) || seen.Nullable || len(seen.Columns) != len(columns) {
			t.Errorf("%s: facts %v, columns %v, nullable %t", s.name, seen.Facts, seen.Columns, seen.Nullable)
		}
		table.close()
	}
	var evaluation struct{ Rows []json.RawMessage }
	if err := json.Unmarshal(all[KindEvaluation], &evaluation); err != nil {
		t.Fatal(err)
	}
	var lines bytes.Buffer
	if err := samples()[7].value.(*Evaluation).WriteJSONL(&lines); err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(&lines)
	for i, row := range evaluation.Rows {
		var got any
		var want map[string]any
		if err := decoder.Decode(&got); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(row, &want); err != nil {
			t.Fatal(err)
		}
		measures := map[string]any{} // two columns of lists there, one object here
		for k, name := range want["measures"].([]any) {
			measure, of, _ := strings.Cut(name.(string), " ")
			if measures[measure] == nil {
				measures[measure] = map[string]any{}
			}
			measures[measure].(map[string]any)[of] = want["measures_scores"].([]any)[k]
		}
		want["measures"] = measures
		delete(want, "measures_scores")
		if !reflect.DeepEqual(got, any(want)) {
			t.Errorf("row %d: JSON line %v, pyarrow %v", i, got, want)
		}
	}
}

func BenchmarkMatrices(b *testing.B) {
	const d = 1024
	m := &Matrices{}
	m.Add("xtx", d, d, make([]float64, d*d))
	content := encoded(b, m.Encode)
	b.Run("encode", func(b *testing.B) {
		b.SetBytes(8 * d * d)
		for b.Loop() {
			if err := m.Encode(new(bytes.Buffer)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.SetBytes(8 * d * d)
		for b.Loop() {
			if _, err := DecodeMatrices(bytes.NewReader(content)); err != nil {
				b.Fatal(err)
			}
		}
	})
}
