package trial

import "slices"

// A SecondMeasure is what a further measure makes of the conditions, beside the trait scorer, which decides.
type SecondMeasure struct {
	Means     []MeasureMean `json:"means"`
	Contrasts []Contrast    `json:"contrasts"`
}

// A MeasureMean is a condition's mean by the measure at the alphas at which the condition is judged; every persona
// counts the same.
type MeasureMean struct {
	Condition string   `json:"condition"`
	Trait     Estimate `json:"trait"`
}

// A Contrast says by how much the mapped condition is above another by a further measure, and by how much by the
// trait scorer.
type Contrast struct {
	Persona    string   `json:"persona"` // empty for all
	Versus     string   `json:"versus"`  // a condition, or BestControl
	Difference Estimate `json:"difference"`
	Scorer     Estimate `json:"by_trait_scorer"`
	Finding    Finding  `json:"finding"`
}

// BestControl stands for the baseline or the control whose mean is highest, in every resample anew.
const BestControl = "best control"

// A Finding is whether a further measure finds what the trait scorer found.
type Finding string

// Findings are about the direction: a measure that finds none, because its interval reaches 0, neither agrees nor
// contradicts.
const (
	Agrees      Finding = "agrees"
	Contradicts Finding = "contradicts"
	NotShown    Finding = "not shown"
	Unknown     Finding = "missing"
)

func (c Contrast) finding() Finding {
	switch {
	case c.Difference.Value.Missing() || c.Scorer.Value.Missing():
		return Unknown
	case !c.Difference.ExcludesZero():
		return NotShown
	case (c.Difference.Value > 0) == (c.Scorer.Value > 0):
		return Agrees
	}
	return Contradicts
}

// Judges reports whether a row is at the alpha at which its condition is judged on its prompt.
func (e *Evaluation) Judges(r Row) bool {
	for _, g := range e.Personas {
		if g.Persona != r.Persona {
			continue
		}
		for _, c := range g.Conditions {
			if c.Condition == r.Condition && len(c.Alphas) > 0 {
				return r.Alpha == c.Alphas[0].at(r.Prompt)
			}
		}
	}
	return false
}

// ByMeasure takes means and contrasts of scores that a further measure gave rows, which e is the evaluation of; NaN is
// missing. As in the evaluation, collapsed texts are left out, every persona counts the same, and prompts are
// resampled. Unlike there, alphas are not chosen anew in a resample but stay as they were judged, and what random
// vectors do is not added: intervals are of the direction, not of the claim. A persona without a score on either
// side of a difference is in neither. Each measure is taken on the texts that it has.
func (e *Evaluation) ByMeasure(rows []Row, scores []float64, seed [32]byte) SecondMeasure {
	l := look{prompts: distinct(rows, promptOf)}
	l.boot = NewBootstrap(l.prompts, agreementDraws, e.Options.Level, seed)
	for _, g := range e.Personas {
		l.personas = append(l.personas, g.Persona)
	}
	other, own := l.tables(e, rows, scores), l.tables(e, rows, nil)
	var b SecondMeasure
	baseline, controls := "", []string{}
	for _, c := range e.Pooled.Conditions {
		switch c.Role {
		case RoleBaseline:
			baseline = c.Condition
			fallthrough
		case RoleControl:
			controls = append(controls, c.Condition)
		}
		t := other[c.Condition]
		b.Means = append(b.Means, MeasureMean{c.Condition, l.boot.estimate(mean(l.each(t, l.personas)), l.texts(t, l.personas))})
	}
	for k, persona := range append([]string{""}, l.personas...) {
		only := l.personas
		if k > 0 {
			only = l.personas[k-1 : k]
		}
		for _, versus := range []struct {
			name string
			all  []string
		}{{baseline, []string{baseline}}, {BestControl, controls}} {
			c := Contrast{Persona: persona, Versus: versus.name}
			c.Difference, c.Scorer = l.over(other, e.Options.Mapped, versus.all, only), l.over(own, e.Options.Mapped, versus.all, only)
			c.Finding = c.finding()
			b.Contrasts = append(b.Contrasts, c)
		}
	}
	return b
}

// A look is one measure's tables in the making.
type look struct {
	personas []string
	prompts  []int
	boot     *Bootstrap
}

// tables sums scores, the rows' own trait if there are none, by condition, at the alphas that are judged.
func (l look) tables(e *Evaluation, rows []Row, scores []float64) map[string]table {
	out := map[string]table{}
	for _, c := range e.Pooled.Conditions {
		out[c.Condition] = newTable(len(l.personas), len(l.prompts))
	}
	for i, r := range rows {
		if r.Collapsed || !e.Judges(r) {
			continue
		}
		k := slices.Index(l.personas, r.Persona)
		p, _ := slices.BinarySearch(l.prompts, r.Prompt)
		if scores == nil {
			out[r.Condition].add(k, p, r.Trait)
		} else {
			out[r.Condition].add(k, p, scores[i])
		}
	}
	return out
}

// each gives the mean of every persona that is named.
func (l look) each(t table, only []string) (means []statistic) {
	for k, name := range l.personas {
		if !slices.Contains(only, name) {
			continue
		}
		s := statistic{point: t.personaMean(k), draws: make([]float64, len(l.boot.weights))}
		for r, weights := range l.boot.weights {
			sum, count := 0.0, 0.0
			for p, w := range weights {
				sum += float64(w) * t.sum[k][p]
				count += float64(w) * t.count[k][p]
			}
			s.draws[r] = sum / count // 0/0 is NaN
		}
		means = append(means, s)
	}
	return means
}

// over is by how much a condition is above the highest of others, each compared persona by persona.
func (l look) over(of map[string]table, condition string, others, only []string) Estimate {
	var below []statistic
	n := l.texts(of[condition], only)
	own := l.each(of[condition], only)
	for _, other := range others {
		n = min(n, l.texts(of[other], only))
		differences := l.each(of[other], only)
		for k := range differences {
			differences[k] = combine(differences[k], own[k], minus)
		}
		below = append(below, mean(differences))
	}
	highest := highest(below)
	return l.boot.estimate(combine(statistic{draws: make([]float64, len(highest.draws))}, highest, minus), n)
}

// texts is how many have a score, of the personas that are named.
func (l look) texts(t table, only []string) (n int) {
	for k, name := range l.personas {
		if slices.Contains(only, name) {
			for _, count := range t.count[k] {
				n += int(count)
			}
		}
	}
	return n
}
