package report

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/persona-transfer/runpipeline/transforms"
	"github.com/persona-transfer/runpipeline/transforms/trial"
)

// What report.json says beyond what the report has a table of its own for is shown as it is: a measure that
// someone adds to the report is in the page without a line here. These keys have their places.
var (
	placedInReport     = []string{"experiment", "calibration_texts_left_out", "fit", "vectors", "anchors", "evaluation", "measures"}
	placedInEvaluation = []string{"options", "rows", "prompts", "scorers", "pooled", "personas", "warnings"}
	placedInVector     = []string{"persona", "condition", "cosine_with_native", "cosine_without_largest_variance", "floor", "floor_without_largest_variance", "source_reliability", "target_reliability", "norm", "scales"}
	placedInCriterion  = []string{"name", "want", "got", "interval", "pass", "gate", "more_prompts"}
	placedInCondition  = []string{"condition", "role", "alphas", "texts", "missing_traits", "trait", "coherence", "collapse", "tokens", "perplexity", "moved", "effect", "mapped_minus_this", "draws", "by_alpha", "warnings"}
)

// extraTables are those of the report and of the evaluation.
func extraTables(r transforms.Report) []tabular {
	return append(extras("", r, placedInReport...), extras("evaluation-", *r.Evaluation, placedInEvaluation...)...)
}

// captions are those of tables that need more words than their names.
var captions = map[string]string{"calibration": "How many of the texts that the map was fitted on resemble each persona: what it has seen of its register."}

// A member is a field of a struct by its name in JSON.
type member struct {
	key   string
	value reflect.Value
}

// membersOf are the fields of a struct, those of embedded ones among them, that have no place.
func membersOf(v any, placed ...string) (all []member) {
	value := reflect.ValueOf(v)
	for _, f := range reflect.VisibleFields(value.Type()) {
		key, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.Anonymous && f.IsExported() && key != "" && key != "-" && !slices.Contains(placed, key) {
			if field, err := value.FieldByIndexErr(f.Index); err == nil {
				all = append(all, member{key, field})
			}
		}
	}
	return all
}

func (m member) name() string { return strings.ReplaceAll(m.key, "_", " ") }

// plainCell is a value as a cell; ok is false for what is no cell.
func plainCell(v reflect.Value) (c cell, ok bool) {
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return words(""), v.Type().Elem() == reflect.TypeFor[trial.Estimate]()
		}
		v = v.Elem()
	}
	switch x := v.Interface().(type) {
	case trial.Estimate:
		return estimate(x, "%.2f"), true
	case [2]trial.Number:
		if x[0].Missing() || x[1].Missing() {
			return words(""), true
		}
		return words(minus(fmt.Sprintf("[%.2f, %.2f]", float64(x[0]), float64(x[1])))), true
	case []string:
		return words(strings.Join(x, "; ")), true
	case []trial.Number: // one a draw
		return spread(x), true
	}
	switch v.Kind() {
	case reflect.String:
		return words(v.String()), true
	case reflect.Bool:
		if v.Bool() {
			return words("yes"), true
		}
		return words("no"), true
	case reflect.Int, reflect.Int32, reflect.Int64:
		return count(int(v.Int())), true
	case reflect.Float64:
		return number(v.Float(), "%.4g"), true
	}
	return cell{}, false
}

// extras are tables of what a struct holds that has no place: a list of structs or a map is a table, a row each; a
// struct is looked into, and what it holds of single values is a table of two columns.
func extras(prefix string, v any, placed ...string) (all []tabular) {
	single := tabular{Name: cmp.Or(strings.TrimSuffix(prefix, "-"), "more"), Columns: []string{"number", "value"}}
	single.Caption = "More of report.json: " + strings.ReplaceAll(single.Name, "-", ", ")
	for _, m := range membersOf(v, placed...) {
		name := prefix + strings.ReplaceAll(m.key, "_", "-")
		t := tabular{Name: name, Caption: capital(strings.ReplaceAll(strings.ReplaceAll(name, prefix, strings.ReplaceAll(prefix, "-", ": ")), "-", " "))}
		if text, ok := captions[name]; ok {
			t.Caption = text
		}
		field := m.value
		if c, ok := plainCell(field); ok {
			if m.key != "warnings" {
				single.Rows = append(single.Rows, []cell{words(m.name()), c})
			}
			continue
		}
		if field.Kind() == reflect.Pointer {
			field = reflect.Indirect(field)
		}
		switch field.Kind() {
		case reflect.Struct:
			all = append(all, extras(name+"-", field.Interface())...)
			continue
		case reflect.Slice:
			for i := range field.Len() {
				t.addRow("", field.Index(i))
			}
		case reflect.Map:
			keys := field.MapKeys()
			slices.SortFunc(keys, func(a, b reflect.Value) int { return cmp.Compare(a.String(), b.String()) })
			for _, k := range keys {
				t.addRow(m.name(), k, field.MapIndex(k))
			}
		}
		if len(t.Rows) > 0 {
			all = append(all, t)
		}
	}
	if len(single.Rows) > 0 {
		all = append([]tabular{single}, all...)
	}
	return all
}

// extraNames are those of all tables that extras may make of a type.
func extraNames(prefix string, t reflect.Type, placed ...string) (names []string) {
	names = append(names, cmp.Or(strings.TrimSuffix(prefix, "-"), "more"))
	for _, m := range membersOf(reflect.Zero(t).Interface(), placed...) {
		name := prefix + strings.ReplaceAll(m.key, "_", "-")
		inner := m.value.Type()
		if inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		switch _, single := plainCell(reflect.Zero(inner)); {
		case single:
		case inner.Kind() == reflect.Struct:
			names = append(names, extraNames(name+"-", inner)...)
		case inner.Kind() == reflect.Slice || inner.Kind() == reflect.Map:
			names = append(names, name)
		}
	}
	return names
}

// addRow adds values as one row, a column each: of a struct its members. Without a name, the columns have
// those of the members.
func (t *tabular) addRow(name string, values ...reflect.Value) {
	var row []cell
	var columns []string
	for i, v := range values {
		if v.Kind() == reflect.Pointer && !v.IsNil() {
			v = v.Elem()
		}
		if c, ok := plainCell(v); ok {
			row, columns = append(row, c), append(columns, []string{cmp.Or(name, "value"), "value"}[min(i, 1)])
			continue
		}
		if v.Kind() != reflect.Struct {
			continue
		}
		for _, m := range membersOf(v.Interface(), "warnings") {
			if c, ok := plainCell(m.value); ok {
				row, columns = append(row, c), append(columns, m.name())
			}
		}
	}
	if len(row) > 0 {
		t.Columns, t.Rows = columns, append(t.Rows, row)
	}
}

// extraCells are the cells of what a struct holds that has no place, and their names.
func extraCells(v any, placed ...string) (names []string, cells []cell) {
	for _, m := range membersOf(v, placed...) {
		if c, ok := plainCell(m.value); ok {
			names, cells = append(names, m.name()), append(cells, c)
		}
	}
	return names, cells
}

// extraWarnings are the warnings of what has no place, each after the name that stands first beside it.
func extraWarnings(v any, placed ...string) (all []string) {
	var look func(v reflect.Value)
	look = func(v reflect.Value) {
		switch v = reflect.Indirect(v); v.Kind() {
		case reflect.Slice:
			for i := range v.Len() {
				look(v.Index(i))
			}
		case reflect.Struct:
			who := ""
			for _, m := range membersOf(v.Interface()) {
				if list, ok := m.value.Interface().([]string); ok && m.key == "warnings" {
					for _, text := range list {
						all = append(all, who+text)
					}
				} else if m.value.Kind() == reflect.String && who == "" {
					who = m.value.String() + ": "
				}
			}
		}
	}
	for _, m := range membersOf(v, placed...) {
		look(m.value)
	}
	return all
}

func sortedKeys(m map[string]int) []string { return slices.Sorted(maps.Keys(m)) }
