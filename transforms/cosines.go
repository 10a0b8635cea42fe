package transforms

import (
	"context"
	"encoding/json"
	"fmt"
	"math"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/transforms/linear"
	"github.com/persona-transfer/runpipeline/transforms/trial"
)

// Cosines is the stage that says what a cosine between a condition's vector and the target's own is worth: how
// reliable the vectors are between which it is, and what it would be if the texts' labels meant nothing.
type Cosines struct {
	Conditions []string `json:"conditions"` // those that carry a vector in one way; see [Condition]
	Personas   []string `json:"personas"`   // in the order of the stages personas
	Seed       uint64   `json:"seed"`
	Widths     Widths   `json:"widths" key:"-"`
}

// A CosineReport is what the stage finds for one persona.
type CosineReport struct {
	Persona    string                 `json:"persona"`
	Source     trial.Reliability      `json:"source"` // of the source's vector
	Target     trial.Reliability      `json:"target"` // of the target's own
	Conditions map[string]CosineFloor `json:"conditions"`
}

// A CosineFloor is what a condition's cosine with the target's own vector comes to if the labels of the persona's
// texts are permuted: the same texts have the same label in both models, as they have unpermuted.
type CosineFloor struct {
	Whole   trial.Floor `json:"whole"`
	Without trial.Floor `json:"without_largest_variance"` // without FitReport.LargestVariance
}

const (
	splits       = 100 // of the texts into halves
	permutations = 200 // of the labels: their 95 % quantile is then known to about ±3 percentage points
)

const cosinesVersion = 2 // 2: vectors are carried as one product, which rounds otherwise

func init() { register("cosines", cosinesVersion, whole, cosinesWork, cosines) }

// cosinesWork is reading the maps, carrying a vector across for each permutation, and making it. In memory are the
// maps of all personas.
func cosinesWork(s Cosines, _ int) Work {
	w, personas := s.Widths, float64(len(s.Personas))
	vectors := permutations * personas * float64(w.Source+w.Target)
	return Work{Pace: Algebra, Operations: 2 * permutations * personas * float64(len(s.Conditions)) * w.mapped() / 8,
		Elements: reads*(2+personas)*w.mapped()/8 + cosineElements*vectors, Bytes: (2+personas)*w.mapped()/2 + w.reading()}
}

// cosineElements is how many elements a dimension of a permuted vector takes: of each text it is made of, and each
// cosine that is taken of it.
const cosineElements = 100

// cosines makes "cosines", a JSON list of CosineReport in the order of the personas. It reads fit, personas.source,
// personas.target, and fit.held_out if a condition needs it.
func cosines(ctx context.Context, u *Unit, s Cosines) (cache.ActionKey, error) {
	r := u.Recipe().Struct(s)
	for _, name := range u.Stage.Inputs {
		r.Input(name, u.Input(name).Digest())
	}
	return u.Do(ctx, r, func(ctx context.Context) ([]Product, error) {
		t, err := u.carriers(ctx, VectorSettings{Conditions: s.Conditions, Personas: s.Personas, Seed: s.Seed})
		if err != nil {
			return nil, err
		}
		fit, err := u.fitReport(ctx)
		if err != nil {
			return nil, err
		}
		reports := []CosineReport{}
		for i, persona := range s.Personas {
			source, err := u.contrast(ctx, "personas.source", i)
			if err != nil {
				return nil, err
			}
			target, err := u.contrast(ctx, "personas.target", i)
			if err != nil {
				return nil, err
			}
			if source.Positive != target.Positive || len(source.Rows) != len(target.Rows) {
				return nil, fmt.Errorf("texts of persona %s: %d and %d positive, %d and %d in all: %w", persona, source.Positive, target.Positive, len(source.Rows), len(target.Rows), artifacts.ErrMismatch)
			}
			report := CosineReport{Persona: persona, Source: reliability(source, s.Seed, persona), Target: reliability(target, s.Seed, persona)}
			if report.Conditions, err = t.floors(persona, source, target, fit.LargestVariance); err != nil {
				return nil, err
			}
			reports = append(reports, report)
		}
		return []Product{{Name: "cosines", Kind: KindJSON, Write: writeBytes(EncodeJSON(reports))}}, nil
	})
}

// reliability halves a model's texts of a persona again and again. The two models' texts are halved alike.
func reliability(c *linear.Contrast, seed uint64, persona string) trial.Reliability {
	var found []float64
	for k := range splits {
		found = append(found, c.SplitHalf(drawSeed("split_half.positive", seed, persona, k), drawSeed("split_half.negative", seed, persona, k)))
	}
	return trial.ReliabilityOf(found)
}

// floors carries vectors of permuted labels as each condition carries the persona's own, and gives their cosines
// with the target's vectors of the same labels. A condition carries all of them at once, since a map that goes
// through memory for each would take as long for one as for many.
func (t *toolbox) floors(persona string, source, target *linear.Contrast, largest []int) (map[string]CosineFloor, error) {
	texts, _ := linear.Common(source, target)
	var from, to [][]float32
	for k := range permutations {
		perm := linear.Permutation(len(texts), t.seed("permuted_labels", persona, k))
		if v, own := linear.Relabelled(source, target, perm); v != nil && own != nil {
			from, to = append(from, v), append(to, own)
		}
	}
	floors := map[string]CosineFloor{}
	for _, name := range t.settings.Conditions {
		condition, ok := FindCondition(name)
		if !ok || !condition.Carries() {
			return nil, fmt.Errorf("%s of permuted labels of persona %s: it carries no vector", name, persona)
		}
		carried, err := condition.carry(t, persona, from, to)
		if err != nil {
			return nil, fmt.Errorf("%s of permuted labels of persona %s: %w", name, persona, err)
		}
		var whole, without []float64
		for k, v := range carried {
			whole = append(whole, linear.Cosine(v, to[k]))
			without = append(without, linear.Cosine(v, to[k], largest...))
		}
		floors[name] = CosineFloor{trial.FloorOf(whole), trial.FloorOf(without)}
	}
	return floors, nil
}

// contrastBlocks are the sums of a persona's texts as they are stored.
func contrastBlocks(c *linear.Contrast, place artifacts.Meta) *artifacts.Matrices {
	m := &artifacts.Matrices{Source: place}
	rows := make([]float64, len(c.Rows))
	for i, n := range c.Rows {
		rows[i] = float64(n)
	}
	p := c.Positive
	m.Add("positive", p, c.Dim, c.Sum[:p*c.Dim])
	m.Add("positive.positions", p, 1, rows[:p])
	m.Add("negative", len(rows)-p, c.Dim, c.Sum[p*c.Dim:])
	m.Add("negative.positions", len(rows)-p, 1, rows[p:])
	return m
}

// contrast reads the sums of the texts of the persona of that index.
func (u *Unit) contrast(ctx context.Context, stage string, index int) (*linear.Contrast, error) {
	o, err := u.InputAt(stage, index, "texts")
	if err != nil {
		return nil, err
	}
	m, err := load(ctx, u.Store, o, artifacts.KindMatrices, artifacts.DecodeMatrices)
	if err != nil {
		return nil, err
	}
	if m.Source.Hidden < 1 {
		return nil, fmt.Errorf("read %s: texts of %d dimensions: %w", o.Name, m.Source.Hidden, artifacts.ErrFormat)
	}
	c := linear.NewContrast(m.Source.Hidden, 0, 0)
	for _, side := range []string{"positive", "negative"} {
		sums, err := block(m, side)
		if err != nil {
			return nil, err
		}
		rows, err := block(m, side+".positions")
		if err != nil {
			return nil, err
		}
		if len(sums) != len(rows)*c.Dim {
			return nil, fmt.Errorf("read %s: %d values of %s for %d texts of %d dimensions: %w", o.Name, len(sums), side, len(rows), c.Dim, artifacts.ErrFormat)
		}
		c.Sum = append(c.Sum, sums...)
		for _, n := range rows {
			if n < 0 || n != math.Trunc(n) || n > math.MaxInt32 {
				return nil, fmt.Errorf("read %s: a text of %g positions: %w", o.Name, n, artifacts.ErrFormat)
			}
			c.Rows = append(c.Rows, int(n))
		}
		if side == "positive" {
			c.Positive = len(rows)
		}
	}
	return c, nil
}

// cosineReports reads what the stage found, by persona.
func (u *Unit) cosineReports(ctx context.Context) (map[string]CosineReport, error) {
	o, err := u.Need("cosines", "cosines")
	if err != nil {
		return nil, err
	}
	b, err := u.Store.Read(ctx, o.Digest)
	if err != nil {
		return nil, err
	}
	var list []CosineReport
	if err := json.Unmarshal(b, &list); err != nil {
		return nil, fmt.Errorf("read what cosines are worth, %s: %w", o.Digest.Short(), artifacts.ErrFormat)
	}
	found := map[string]CosineReport{}
	for _, r := range list {
		found[r.Persona] = r
	}
	return found, nil
}
