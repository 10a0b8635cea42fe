package rows

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/persona-transfer/runpipeline/format/safetensors"
)

// openSafetensors takes the file's only table, the tensor of that name, or, of a name that ends in *, all
// whose names begin so, one below the other in the order of the numbers in their names.
func (t *File) openSafetensors(size int64, part string) error {
	f, err := safetensors.Read(t.f, size)
	if err != nil {
		return err
	}
	chosen, err := choose(f.Entries, part)
	if err != nil {
		return err
	}
	t.DType, t.Width = chosen[0].DType, chosen[0].Shape[1]
	for _, e := range chosen {
		if e.DType != t.DType || e.Shape[1] != t.Width {
			return fmt.Errorf("tensor %.80q is %s %v, tensor %.80q is %s %v", chosen[0].Name, t.DType, chosen[0].Shape, e.Name, e.DType, e.Shape)
		}
		t.segments = append(t.segments, segment{e.Offset, e.Shape[0]})
	}
	return t.probed(f.Metadata, chosen)
}

func choose(entries []safetensors.Entry, part string) ([]safetensors.Entry, error) {
	var tables []safetensors.Entry
	var names []string
	for _, e := range entries {
		if len(e.Shape) == 2 {
			tables, names = append(tables, e), append(names, fmt.Sprintf("%.80q", e.Name))
		}
		if e.Name == part && len(e.Shape) != 2 {
			return nil, fmt.Errorf("tensor %.80q has shape %v; want two dimensions, rows and values", e.Name, e.Shape)
		}
	}
	prefix, several := strings.CutSuffix(part, "*")
	found := slices.DeleteFunc(slices.Clone(tables), func(e safetensors.Entry) bool {
		return e.Name != part && part != "" && !(several && strings.HasPrefix(e.Name, prefix))
	})
	const most = 10
	if n := len(names) - most; n > 0 {
		names = append(names[:most], fmt.Sprintf("and %d more", n))
	}
	list := strings.Join(names, ", ")
	switch {
	case len(tables) == 0:
		return nil, errors.New("no tensor of two dimensions, rows and values")
	case len(found) == 0:
		return nil, fmt.Errorf("no tensor %.80q of two dimensions; there is %s", part, list)
	case part == "" && len(found) > 1:
		return nil, fmt.Errorf("several tensors of two dimensions, %s: name one as FILE:NAME, or some as FILE:BEGINNING*", list)
	}
	slices.SortStableFunc(found, func(a, b safetensors.Entry) int { return byNumber(a.Name, b.Name) })
	return found, nil
}

// byNumber compares names that end in numbers by these: resid.2 comes before resid.10.
func byNumber(a, b string) int {
	beforeA, numberA := ending(a)
	beforeB, numberB := ending(b)
	if c := strings.Compare(beforeA, beforeB); c != 0 {
		return c
	}
	if numberA != numberB {
		if numberA < numberB {
			return -1
		}
		return 1
	}
	return strings.Compare(a, b)
}

func ending(name string) (before string, number uint64) {
	before = strings.TrimRight(name, "0123456789")
	number, err := strconv.ParseUint(name[len(before):], 10, 64)
	if err != nil {
		return name, 0
	}
	return before, number
}

// probed reads what the command probe says in its files: its tensors resid.N have a row for each layer of one
// text, and rows of several layers are no table.
func (t *File) probed(metadata map[string]string, chosen []safetensors.Entry) error {
	layers, ok := metadata["layers"]
	if !ok || !strings.HasPrefix(chosen[0].Name, "resid.") && !strings.HasPrefix(chosen[0].Name, "steered_resid.") {
		return nil
	}
	layer, err := strconv.Atoi(strings.Trim(layers, "[]"))
	if err != nil {
		return fmt.Errorf("residuals of layers %.80s, whose rows are layers and no positions; run probe with one -layers", layers)
	}
	t.Meta.Layer, t.Meta.Model = layer, metadata["model"]
	return nil
}
