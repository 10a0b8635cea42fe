package report

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/pipelines"
)

// sweepOf is a sweep whose key has these values; the second of them failed.
func sweepOf(t *testing.T, key string, values ...string) *Sweep {
	t.Helper()
	s := &Sweep{}
	for i, v := range values {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		c := pipelines.Cell{Name: fmt.Sprintf("cell=%d", i), Settings: []pipelines.Setting{{Key: key, Value: text}, {Key: "layer_idx", Value: json.RawMessage("2")}}}
		if i == 1 {
			s.Cells = append(s.Cells, CellFailed(c, fmt.Errorf("stage not finished: gate of %s", v)))
			continue
		}
		row, err := CellOf(c, "00ff", invented(t, i > 1))
		if err != nil {
			t.Fatal(err)
		}
		s.Cells = append(s.Cells, row)
	}
	return s
}

// TestSweepTable prints cells that found something, that failed and that have no trait.
func TestSweepTable(t *testing.T) {
	s := sweepOf(t, "fit.method", "ridge", "ols", "procrustes")
	var out bytes.Buffer
	if err := s.Print(&out, 0); err != nil {
		t.Fatal(err)
	}
	golden(t, "sweep", out.Bytes())
	files, err := s.Files()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		switch f.Name {
		case "sweep.json":
			var back Sweep
			if err := json.Unmarshal(f.Content, &back); err != nil || len(back.Cells) != 3 || back.Cells[0].Trait.Value != s.Cells[0].Trait.Value || back.Cells[1].Failed == "" {
				t.Errorf("%s reads as %+v (%v)", f.Name, back, err)
			}
		case "sweep.md":
			golden(t, "sweep-md", f.Content)
		case "sweep.csv":
			golden(t, "sweep-csv", f.Content)
		}
	}
	if err := s.Print(full{}, 0); !errors.Is(err, errFull) {
		t.Errorf("on a full disk: %v", err)
	}
}

// TestSweepTakesItsNumbersFromTheReports of the cells, and refuses one that is none.
func TestSweepTakesItsNumbersFromTheReports(t *testing.T) {
	r, err := decodeReport(invented(t, false))
	if err != nil {
		t.Fatal(err)
	}
	c := cellOf(pipelines.Cell{}, "", r)
	for _, of := range r.Evaluation.Pooled.Conditions {
		switch of.Condition {
		case "ridge":
			if c.Condition != "ridge" || *c.Trait != of.Trait || *c.Coherence != of.Coherence || *c.Collapse != of.Collapse {
				t.Errorf("ridge: %+v", c)
			}
		case "oracle":
			if *c.Oracle != of.MappedMinusThis.Trait {
				t.Errorf("ridge − oracle is %v, want %v", c.Oracle, of.MappedMinusThis.Trait)
			}
		}
	}
	if c.Control == nil || c.Control.Low.Missing() || c.Recovery != r.Evaluation.Pooled.Recovery || c.Outcome != r.Evaluation.Pooled.Verdict.Outcome {
		t.Errorf("control %v, recovery %v, outcome %v", c.Control, c.Recovery, c.Outcome)
	}
	if _, err := CellOf(pipelines.Cell{Settings: []pipelines.Setting{{Key: "seed", Value: json.RawMessage("1")}}}, "", []byte("{}")); err == nil || !strings.HasPrefix(err.Error(), "cell seed=1: ") {
		t.Errorf("no report: %v", err)
	}
}

// TestHostileCellsDoNothing opens the page of a sweep whose values, keys and errors are hostile: nothing runs, nothing is
// asked for, and links lead to the folders.
func TestHostileCellsDoNothing(t *testing.T) {
	s := sweepOf(t, hostile[0], hostile...)
	s.Cells[0].Folder = `x"><script>window.owned = 1</script>`
	files, err := s.Files()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, f := range files {
		text := string(f.Content)
		for _, c := range []string{"\x1b", "\x00", "\x07", "\u202e", "\u200b", "\u2028", "\xff"} {
			if f.Name != "sweep.json" && strings.Contains(text, c) {
				t.Errorf("%s holds %q", f.Name, c)
			}
		}
		switch f.Name {
		case "sweep.csv":
			rows, err := csv.NewReader(bytes.NewReader(f.Content)).ReadAll()
			if err != nil {
				t.Fatal(err)
			}
			for _, row := range rows {
				if first := row[0]; first != "" && strings.Contains("=+@|%", first[:1]) {
					t.Errorf("a spreadsheet would compute %q", first)
				}
			}
		case "sweep.md":
			for _, bad := range []string{"<script", "<img", "x](javascript", " ![](https", "\n---|"} {
				if strings.Contains(text, bad) {
					t.Errorf("%s holds %s", f.Name, bad)
				}
			}
		}
		if err := os.WriteFile(filepath.Join(dir, f.Name), f.Content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, width := range []int64{1280, 390} {
		p := openPage(t, filepath.Join(dir, SweepPage), width, "light")
		if got := eval[string](p, `String(window.owned) + document.querySelectorAll('script, iframe, img, base, object, main style').length + document.querySelectorAll('tbody tr').length`); got != fmt.Sprintf("undefined0%d", len(hostile)) {
			t.Errorf("%d: owned, elements of texts, rows: %s", width, got)
		}
		p.fits(width)
		if got := eval[string](p, `[...document.querySelectorAll('a')].map(a => a.getAttribute('href')).slice(0, 2).join(' ')`); got != "x%22%3E%3Cscript%3Ewindow.owned%20=%201%3C%2Fscript%3E/report.html cell=2/report.html" {
			t.Errorf("links are %s", got)
		}
	}
}

// TestReadSweep reads what was written, and refuses what would lead out of the folder or is no sweep.
func TestReadSweep(t *testing.T) {
	s := sweepOf(t, "fit.method", "ridge", "ols", "procrustes")
	files, err := s.Files()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(text []byte) {
		if err := os.WriteFile(filepath.Join(dir, "sweep.json"), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := ReadSweep(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an empty folder: %v", err)
	}
	write(files[0].Content)
	back, err := ReadSweep(dir)
	if err != nil {
		t.Fatal(err)
	}
	again, err := back.Files()
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range again {
		if !bytes.Equal(f.Content, files[i].Content) {
			t.Errorf("%s is another after it was read", f.Name)
		}
	}
	for _, bad := range []string{``, `{}`, `{"cells": [{}]}`, `{"cells": [{"folder": "..", "failed": "x"}]}`, `{"cells": [{"folder": "a/b", "failed": "x"}]}`, `{"cells": [{"folder": "/", "failed": "x"}]}`,
		`{"cells": [{"folder": "a", "outcome": "splendid"}]}`, `{"cells": [{"folder": "a", "failed": "x"}, {"folder": "b", "failed": "x", "settings": [{"key": "seed", "value": 1}]}]}`} {
		write([]byte(bad))
		if _, err := ReadSweep(dir); !errors.Is(err, cache.ErrCorrupt) {
			t.Errorf("%s: %v, want ErrCorrupt", bad, err)
		}
	}
}
