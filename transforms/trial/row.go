package trial

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
)

// A Row is one scored text.
type Row struct {
	Condition string
	Persona   string
	Alpha     float64 // in the unit of the configuration; 0 for unsteered text
	Prompt    int
	Seed      int
	// Draw is which random direction, projection or permutation made the vector; 0 where the
	// condition has none.
	Draw int
	// Trait is 1 to 5 by the persona's scorer, Coherence 1 to 5; NaN is missing. An unsteered text
	// has one row per persona, which differ in Trait only. The trait of a collapsed text is kept
	// here and left out of means by Evaluate.
	Trait      float64
	Coherence  float64
	Collapsed  bool
	Tokens     int
	Perplexity float64 // of the continuation, under the unsteered model; NaN is missing
}

// rowJSON is a Row whose missing values are null.
type rowJSON struct {
	Condition  string  `json:"condition"`
	Persona    string  `json:"persona"`
	Alpha      float64 `json:"alpha"`
	Prompt     int     `json:"prompt"`
	Seed       int     `json:"seed"`
	Draw       int     `json:"draw"`
	Trait      Number  `json:"trait"`
	Coherence  Number  `json:"coherence"`
	Collapsed  bool    `json:"collapsed"`
	Tokens     int     `json:"tokens"`
	Perplexity Number  `json:"perplexity"`
}

// MarshalJSON writes r with null for missing values.
func (r Row) MarshalJSON() ([]byte, error) {
	return json.Marshal(rowJSON{
		r.Condition, r.Persona, r.Alpha, r.Prompt, r.Seed, r.Draw,
		Number(r.Trait), Number(r.Coherence), r.Collapsed, r.Tokens, Number(r.Perplexity),
	})
}

// UnmarshalJSON reads what MarshalJSON wrote; a score that is null or absent is missing.
func (r *Row) UnmarshalJSON(data []byte) error {
	v := rowJSON{Trait: missing, Coherence: missing, Perplexity: missing}
	if err := json.Unmarshal(data, &v); err != nil {
		return err
	}
	*r = Row{
		v.Condition, v.Persona, v.Alpha, v.Prompt, v.Seed, v.Draw,
		float64(v.Trait), float64(v.Coherence), v.Collapsed, v.Tokens, float64(v.Perplexity),
	}
	return nil
}

// compareRows orders rows by everything that identifies them.
func compareRows(a, b Row) int {
	return cmp.Or(
		cmp.Compare(a.Condition, b.Condition), cmp.Compare(a.Persona, b.Persona), cmp.Compare(a.Alpha, b.Alpha),
		cmp.Compare(a.Prompt, b.Prompt), cmp.Compare(a.Seed, b.Seed), cmp.Compare(a.Draw, b.Draw),
	)
}

// checkRows returns what is wrong with sorted rows, at most a handful of errors.
func checkRows(rows []Row) error {
	var errs []error
	for i, r := range rows {
		var problem string
		switch {
		case r.Condition == "" || r.Persona == "":
			problem = "no condition or persona"
		case math.IsNaN(r.Alpha) || math.IsInf(r.Alpha, 0):
			problem = "alpha is not a number"
		case math.IsInf(r.Trait, 0) || math.IsInf(r.Coherence, 0):
			problem = "a score is infinite"
		case r.Prompt < 0 || r.Tokens < 0:
			problem = "prompt or tokens is negative"
		case i > 0 && compareRows(rows[i-1], r) == 0:
			problem = "twice"
		default:
			continue
		}
		errs = append(errs, fmt.Errorf("%s, %s, alpha %g, prompt %d, seed %d: %s", r.Condition, r.Persona, r.Alpha, r.Prompt, r.Seed, problem))
		if len(errs) == 5 {
			break
		}
	}
	return errors.Join(errs...)
}

// distinct returns the different keys of rows, sorted.
func distinct[K cmp.Ordered](rows []Row, key func(Row) K) []K {
	var keys []K
	for _, r := range rows {
		keys = append(keys, key(r))
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// A cell is the rows of one condition at one choice of alpha per persona and prompt half, summed
// per persona and prompt.
type cell struct {
	trait      table // of texts that did not collapse
	coherence  table
	collapse   table // 0 or 1
	tokens     table
	perplexity table // natural logarithms
	rows       []Row
}

// newCell sums rows. personas and prompts give the places of their values.
func newCell(rows []Row, personas []string, prompts []int) *cell {
	c := &cell{rows: rows}
	for _, t := range []*table{&c.trait, &c.coherence, &c.collapse, &c.tokens, &c.perplexity} {
		*t = newTable(len(personas), len(prompts))
	}
	for _, r := range rows {
		k, _ := slices.BinarySearch(personas, r.Persona)
		p, _ := slices.BinarySearch(prompts, r.Prompt)
		collapsed := 0.0
		if r.Collapsed {
			collapsed = 1
		} else {
			c.trait.add(k, p, r.Trait)
		}
		c.collapse.add(k, p, collapsed)
		c.coherence.add(k, p, r.Coherence)
		c.tokens.add(k, p, float64(r.Tokens))
		if r.Perplexity > 0 && !math.IsInf(r.Perplexity, 0) {
			c.perplexity.add(k, p, math.Log(r.Perplexity))
		}
	}
	return c
}

// floor is the trait of a persona whose texts all collapsed.
const floor = 1
