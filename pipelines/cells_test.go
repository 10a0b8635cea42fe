package pipelines

import (
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func sweepFile(t *testing.T, s settings) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sweep.json")
	if err := os.WriteFile(path, s.bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func cellTexts(cells []Cell) (texts []string) {
	for _, c := range cells {
		texts = append(texts, c.Text())
	}
	return texts
}

// TestASweepHasEveryCombination in the order of its keys, however they are written, the last changing fastest.
func TestASweepHasEveryCombination(t *testing.T) {
	path := sweepFile(t, settings{"sweep": json.RawMessage(`{"n_seeds": [2, 1], "fit.method": ["ridge", "procrustes"]}`)})
	cells, err := LoadSweep(t.Context(), path, []string{"sweep.layer_idx=[3]", "n_seeds=9"})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"fit.method=ridge, layer_idx=3, n_seeds=2", "fit.method=ridge, layer_idx=3, n_seeds=1",
		"fit.method=procrustes, layer_idx=3, n_seeds=2", "fit.method=procrustes, layer_idx=3, n_seeds=1"}
	if got := cellTexts(cells); !slices.Equal(got, want) {
		t.Errorf("the cells are %q, want %q", got, want)
	}
	c := cells[3]
	if c.Config.Fit != (Fit{Method: "procrustes", Centre: true}) || c.Config.NSeeds != 1 || c.Config.LayerIdx != 3 || c.Name != "fit.method=procrustes,layer_idx=3,n_seeds=1" {
		t.Errorf("the last cell is %q with %+v, %d seeds, layer %d", c.Name, c.Config.Fit, c.Config.NSeeds, c.Config.LayerIdx)
	}
	for _, c := range cells { // they differ by nothing else
		c.Config.Fit.Method, c.Config.NSeeds = "ridge", 2
		if !reflect.DeepEqual(c.Config, cells[0].Config) {
			t.Errorf("%s differs from the first cell by more than the sweep names", c.Text())
		}
	}
	whole, err := LoadSweep(t.Context(), "", []string{`sweep.fit=[{"method":"low_rank","rank":2},{"method":"ols"}]`})
	if err != nil || len(whole) != 2 || whole[0].Config.Fit != (Fit{"low_rank", true, 2}) {
		t.Errorf("a sweep of whole objects: %v, %+v", err, whole)
	}
}

// TestAValueOfASweepKeepsTheUnitOfTheFile as an override does: only what the file itself gives without a unit has that
// of the original document.
func TestAValueOfASweepKeepsTheUnitOfTheFile(t *testing.T) {
	for unit, s := range map[string]settings{
		"relative": {"sweep": settings{"lambda_values": [][]float64{{1}, {2}}}},
		"absolute": {"sweep": settings{"lambda_values": [][]float64{{1}, {2}}}, "lambda_values": []float64{3}},
	} {
		cells, err := LoadSweep(t.Context(), sweepFile(t, s), nil)
		if err != nil || cells[1].Config.LambdaUnit != unit || cells[1].Config.LambdaValues[0] != 2 {
			t.Errorf("%v: %v in unit %q, want 2 %s", err, cells[1].Config.LambdaValues, cells[1].Config.LambdaUnit, unit)
		}
	}
}

// TestOneExperimentIsASweepOfOne for whatever is about one, and a sweep of several is refused there.
func TestOneExperimentIsASweepOfOne(t *testing.T) {
	if cells, err := LoadSweep(t.Context(), "", nil); err != nil || len(cells) != 1 || cells[0].Name != "" || cells[0].Settings != nil {
		t.Errorf("without a sweep: %v, %d cells", err, len(cells))
	}
	path := sweepFile(t, settings{"sweep": settings{"layer_idx": []int{1, 2}}})
	if c, err := LoadConfig(t.Context(), path, []string{"sweep.layer_idx=[2]"}); err != nil || c.LayerIdx != 2 {
		t.Errorf("one value: %v, layer %d", err, c.LayerIdx)
	}
	if _, err := LoadConfig(t.Context(), path, nil); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), "it has 2 experiments, and this is about one: choose it by one value a key, for instance -set sweep.layer_idx=[1]") {
		t.Errorf("two: %v", err)
	}
}

// TestASweepReportsAllThatIsWrong at once: each problem once, with the cells that have it.
func TestASweepReportsAllThatIsWrong(t *testing.T) {
	for text, want := range map[string]string{
		`3`:                                    `configuration: sweep: want an object of lists, for instance {"layer_idx": [8, 12]}`,
		`null`:                                 `configuration: sweep: want an object of lists, for instance {"layer_idx": [8, 12]}`,
		`{}`:                                   "configuration: sweep: no key in it",
		`{"seed": 3}`:                          "configuration: sweep.seed: want a list of values",
		`{"seed": []}`:                         "configuration: sweep.seed: no value in it",
		`{"seed": [1, 2, 1]}`:                  "configuration: sweep.seed: 1 appears twice",
		`{"fit": [{"rank":1}, {"rank": 1}]}`:   `configuration: sweep.fit: {"rank":1} appears twice`,
		`{"sweep": [1]}`:                       "configuration: sweep.sweep: no result depends on it, so it cannot be swept",
		`{"output_dir": ["a", "b"]}`:           "configuration: sweep.output_dir: no result depends on it, so it cannot be swept",
		`{"fit": [{}], "fit.method": ["ols"]}`: "configuration: sweep.fit: fit.method is swept as well, which is a part of it",
		`{"seed": [1, 2], "layr_idx": [1]}`:    `configuration: layr_idx: unknown key; the nearest known one is "layer_idx"`,
		`{"layer_idx": [1, "x"]}`:              "layer_idx: ",
		`{"n_seeds": [1, 0, 2000], "folds": [2, 1]}`: "configuration: 3 problems\n  folds: 1; want 2 to 100 (folds=1)\n  n_seeds: 0; want 1 to 1000 (n_seeds=0)\n  n_seeds: 2000; want 1 to 1000 (n_seeds=2000)",
		`{"seed.x": [1]}`: "seed",
	} {
		_, err := LoadSweep(t.Context(), sweepFile(t, settings{"sweep": json.RawMessage(text)}), nil)
		if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	cells, err := LoadSweep(t.Context(), sweepFile(t, settings{"sweep": settings{"source_layer_idx": []int{1, 7}, "seed": []int{1, 2}, "target_model": []string{"tiny:llama", "tiny:none"}}}), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = NewSweep(t.Context(), cells, false)
	if err == nil || !strings.HasPrefix(err.Error(), "configuration: 2 problems\n") ||
		!strings.Contains(err.Error(), "\n  layer_idx: layer 7 of tiny:qwen2, which has 4 blocks (0 to 3) (source_layer_idx=7)") || !strings.Contains(err.Error(), "tiny:none: no such embedded model") {
		t.Errorf("models that are not there and layers that they have not: %v", err)
	}
}

// TestTooManyCellsAreRefused before they are made.
func TestTooManyCellsAreRefused(t *testing.T) {
	sweep := settings{}
	for _, key := range []string{"seed", "n_seeds", "folds", "top_k", "max_new_tokens"} {
		values := make([]int, 100)
		for i := range values {
			values[i] = i + 2
		}
		sweep[key] = values
	}
	if _, err := LoadSweep(t.Context(), sweepFile(t, settings{"sweep": sweep}), nil); err == nil || !strings.Contains(err.Error(), "sweep: 1000000 cells or more; want at most 10000") {
		t.Errorf("10^10 cells: %v", err)
	}
}

// TestWhatNoResultDependsOnIsNotSwept holds the list to the table of what every field moves.
func TestWhatNoResultDependsOnIsNotSwept(t *testing.T) {
	var want []string
	for _, name := range slices.Sorted(maps.Keys(moves)) {
		if !slices.ContainsFunc(moves[name], func(m move) bool { return m.own != nil || m.gone != "" || m.refused != "" }) {
			want = append(want, name)
		}
	}
	got := slices.DeleteFunc(slices.Sorted(slices.Values(unswept)), func(key string) bool { return key == "device_plugin" }) // whose row needs a plugin
	if !slices.Equal(got, want) {
		t.Errorf("%v are not swept, and no stage moves with %v", got, want)
	}
}

// TestCellsHaveFoldersOfTheirOwn on any system, whatever their values are.
func TestCellsHaveFoldersOfTheirOwn(t *testing.T) {
	long := strings.Repeat("x", 300)
	values := []string{"a", "A", "a/b", "a_b", "..", "../../etc", "a\x00b", "日本", "CON.", long + "1", long + "2", " a", "a:b", `a"b`, "a\\b", "-rf"}
	var cells []Cell
	for _, v := range values {
		text, _ := json.Marshal(v)
		cells = append(cells, Cell{Settings: []Setting{{"key", text}}})
	}
	for _, v := range []string{"1", `"1"`, "[1]", "true"} { // one is a number, the other a text
		cells = append(cells, Cell{Settings: []Setting{{"key", json.RawMessage(v)}}})
	}
	nameCells(cells)
	dir := t.TempDir()
	seen := map[string]string{}
	for _, c := range cells {
		lower := strings.ToLower(c.Name)
		if other, ok := seen[lower]; ok {
			t.Errorf("%q and %q have the same folder %s", other, c.Text(), c.Name)
		}
		seen[lower] = c.Text()
		if filepath.Base(c.Name) != c.Name || len(c.Name) > 255 || strings.HasSuffix(c.Name, ".") || !strings.HasPrefix(c.Name, "key=") {
			t.Errorf("%q has the folder %q", c.Text(), c.Name)
		}
		if err := os.Mkdir(filepath.Join(dir, c.Name), 0o755); err != nil {
			t.Error(err)
		}
	}
	again := slices.Clone(cells)
	slices.Reverse(again)
	nameCells(again)
	for i, c := range again {
		if c.Name != cells[len(cells)-1-i].Name {
			t.Errorf("%q is called %s in another order, before %s", c.Text(), c.Name, cells[len(cells)-1-i].Name)
		}
	}
}

// TestWhereNamesCellsByWhatTheyHaveInCommon and by a number where that is not all.
func TestWhereNamesCellsByWhatTheyHaveInCommon(t *testing.T) {
	settings, err := expand(json.RawMessage(`{"a": [1, 2], "b": ["x", "y", "z"], "c": [0]}`))
	if err != nil {
		t.Fatal(err)
	}
	var cells []Cell
	for _, s := range settings {
		cells = append(cells, Cell{Settings: s})
	}
	for _, c := range []struct {
		members []int
		want    string
	}{
		{[]int{0, 1, 2, 3, 4, 5}, ""},
		{[]int{3, 4, 5}, "a=2"},
		{[]int{1, 4}, "b=y"},
		{[]int{1}, "a=1, b=y"},
		{[]int{0, 1}, "2 of the 3 cells with a=1, the first a=1, b=x"},
		{[]int{1, 3, 5}, "3 of the 6 cells, the first a=1, b=y"},
	} {
		if got := where(cells, c.members); got != c.want {
			t.Errorf("cells %v are %q, want %q", c.members, got, c.want)
		}
	}
}
