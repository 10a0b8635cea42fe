package artifacts

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
)

// Further are the scores of one text by further measures than the one that decides. Values[i] belongs to
// Names[i], such as "probe trait" or "judge coherence"; names are sorted, and a score that is missing is not
// there. In a table they are two columns of lists, in JSON an object of objects.
type Further struct {
	Names  []string
	Values []float64
}

// Add enters what a measure gave the text; NaN is missing. It panics on a name that is not one word.
func (f *Further) Add(measure, of string, score float64) {
	if math.IsNaN(score) {
		return
	}
	name := measure + " " + of
	if err := checkScoreName(name); err != nil {
		panic("artifacts: " + err.Error())
	}
	at, there := slices.BinarySearch(f.Names, name)
	if there {
		f.Values[at] = score
		return
	}
	f.Names, f.Values = slices.Insert(f.Names, at, name), slices.Insert(f.Values, at, score)
}

// Of is the score of that name; NaN if there is none.
func (f Further) Of(name string) float64 {
	if at, ok := slices.BinarySearch(f.Names, name); ok {
		return f.Values[at]
	}
	return math.NaN()
}

func checkScoreName(name string) error {
	if measure, of, ok := strings.Cut(name, " "); !ok || measure == "" || of == "" || strings.Contains(of, " ") {
		return fmt.Errorf("score %.40q is not named by a measure and what it measures, a word each", name)
	}
	return nil
}

func (f Further) validate() error {
	if len(f.Names) != len(f.Values) {
		return fmt.Errorf("%d measures and %d scores", len(f.Names), len(f.Values))
	}
	for i, name := range f.Names {
		if err := checkScoreName(name); err != nil {
			return err
		}
		if i > 0 && name <= f.Names[i-1] {
			return fmt.Errorf("measures are not sorted at %.40q", name)
		}
	}
	return nil
}

// MarshalJSON writes {"judge": {"coherence": 4, "trait": 2.5}, "probe": {"trait": 3}}.
func (f Further) MarshalJSON() ([]byte, error) {
	if err := f.validate(); err != nil {
		return nil, err
	}
	object := map[string]map[string]float64{}
	for i, name := range f.Names {
		measure, of, _ := strings.Cut(name, " ")
		if object[measure] == nil {
			object[measure] = map[string]float64{}
		}
		object[measure][of] = f.Values[i]
	}
	return json.Marshal(object)
}

// UnmarshalJSON reads what MarshalJSON wrote; a score that is null is missing.
func (f *Further) UnmarshalJSON(b []byte) error {
	var object map[string]map[string]*float64
	if err := json.Unmarshal(b, &object); err != nil {
		return err
	}
	*f = Further{}
	for measure, scores := range object {
		for of, score := range scores {
			if err := checkScoreName(measure + " " + of); err != nil {
				return err
			}
			if score != nil {
				f.Add(measure, of, *score)
			}
		}
	}
	return nil
}

// furtherColumns are the two columns of such a field, and how a row gets them back.
func furtherColumns[T any](rows []T, field int, name string) (columns []column, fill func(reflect.Value, int)) {
	names, values := make([][]string, len(rows)), make([][]float64, len(rows))
	for i := range rows {
		f := reflect.ValueOf(&rows[i]).Elem().Field(field).Interface().(Further)
		names[i], values[i] = f.Names, f.Values
	}
	fill = func(to reflect.Value, i int) {
		if len(names[i])+len(values[i]) > 0 {
			to.Set(reflect.ValueOf(Further{names[i], values[i]}))
		}
	}
	return []column{textLists{name, &names}, lists[float64]{name + "_scores", &values}}, fill
}
