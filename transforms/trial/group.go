package trial

import (
	"fmt"
	"math"
	"slices"
)

// A grouping is the evaluation of one group in progress.
type grouping struct {
	Options
	boot     *Bootstrap
	personas []string
	measured []bool // which of them have a trait in any condition: the others have no scale
	prompts  []int
	names    []string
	judged   map[string]*judged // by condition
}

// judged is a condition at its chosen alphas.
type judged struct {
	*cell
	all     []Row // at every alpha
	choices []Choice
	stat    struct{ trait, coherence, collapse statistic } // as differences use them
}

// newGroup evaluates the rows of one or of all personas; auroc is the smallest of their scorers'.
func newGroup(rows []Row, prompts []int, o Options, boot *Bootstrap, auroc float64, few *[2]Number) Group {
	g := &grouping{
		Options: o, boot: boot, prompts: prompts, judged: map[string]*judged{},
		personas: distinct(rows, func(r Row) string { return r.Persona }), names: o.order(rows),
	}
	for _, p := range g.personas {
		g.measured = append(g.measured, slices.ContainsFunc(rows, func(r Row) bool { return r.Persona == p && !isMissing(r.Trait) }))
	}
	for _, c := range g.names {
		g.judged[c] = g.judge(slices.DeleteFunc(slices.Clone(rows), func(r Row) bool { return r.Condition != c }))
	}
	out := Group{Primary: []Comparison{}, Warnings: []string{}}
	for _, c := range g.names {
		out.Conditions = append(out.Conditions, g.report(c))
	}
	out.Primary = g.primary()
	out.Recovery = g.recovery()
	out.Verdict = Decide(g.findings(auroc, few), o.Thresholds)
	if g.judged[o.Oracle] != nil && out.Recovery == nil {
		out.Warnings = append(out.Warnings, "the effect of the oracle is not shown to be above 0: recovery is not given")
	}
	return out
}

// judge chooses the alphas of a condition, per persona, and sums its rows at them.
func (g *grouping) judge(rows []Row) *judged {
	j := &judged{all: rows}
	var used []Row
	for _, p := range g.personas {
		own := slices.DeleteFunc(slices.Clone(rows), func(r Row) bool { return r.Persona != p })
		if len(own) == 0 {
			continue
		}
		c, at := choose(own, p, g.Thresholds)
		j.choices = append(j.choices, c)
		used = append(used, at...)
	}
	j.cell = newCell(used, g.personas, g.prompts)
	j.stat.trait = g.boot.sample(func(weights []uint16) float64 { return j.comparableTrait(g.measured, weights) })
	j.stat.coherence = g.boot.sample(j.coherence.mean)
	j.stat.collapse = g.boot.sample(j.collapse.mean)
	return j
}

func (g *grouping) estimate(s statistic, n int) Estimate { return s.estimate(g.Level, n) }

// difference returns a − b, resample by resample. N is that of the side with fewer texts.
func (g *grouping) difference(a, b statistic, n, m int) Estimate {
	return g.estimate(combine(a, b, minus), min(n, m))
}

// traitDifference returns the paired difference in trait between two conditions; missing if one
// was not run.
func (g *grouping) traitDifference(a, b string) Estimate {
	x, y := g.judged[a], g.judged[b]
	if x == nil || y == nil {
		return noEstimate
	}
	return g.difference(x.stat.trait, y.stat.trait, x.trait.n(), y.trait.n())
}

// report describes one condition.
func (g *grouping) report(name string) ConditionReport {
	j := g.judged[name]
	c := j.cell
	r := ConditionReport{
		Condition: name, Role: g.role(name), Alphas: j.choices,
		Texts: len(c.rows), MissingTraits: len(c.rows) - c.trait.n(),
		Trait:     g.estimate(g.boot.sample(c.trait.mean), c.trait.n()),
		Coherence: g.estimate(j.stat.coherence, c.coherence.n()),
		Collapse:  g.estimate(j.stat.collapse, len(c.rows)),
		Tokens:    Number(c.tokens.mean(nil)), Perplexity: Number(math.Exp(c.perplexity.mean(nil))),
		Moved: noEstimate, Draws: g.draws(c.rows), ByAlpha: g.byAlpha(j), Warnings: g.warnings(name),
	}
	if name != g.Baseline {
		effect := g.traitDifference(name, g.Baseline)
		r.Effect = &effect
		r.Moved = g.moved(c, g.judged[g.Baseline].cell)
	}
	if name != g.Mapped {
		r.MappedMinusThis = g.mappedMinus(j, name)
	}
	return r
}

// mappedMinus returns the paired differences of the mapped condition to j.
func (g *grouping) mappedMinus(j *judged, name string) *Differences {
	m := g.judged[g.Mapped]
	if m == nil {
		return nil
	}
	d := &Differences{
		Trait:     g.traitDifference(g.Mapped, name),
		Coherence: g.difference(m.stat.coherence, j.stat.coherence, m.coherence.n(), j.coherence.n()),
		Collapse:  g.difference(m.stat.collapse, j.stat.collapse, len(m.rows), len(j.rows)),
	}
	b, c := discordant(m.rows, j.rows)
	d.McNemar = Number(McNemar(b, c))
	d.Equivalent = d.Trait.Equivalent(g.Thresholds.Equivalence)
	return d
}

// moved returns the share of prompts on which the mean trait of c, over personas, is above that of
// base. Prompts without a readable text on a side are left out.
func (g *grouping) moved(c, base *cell) Estimate {
	t := newTable(1, len(g.prompts))
	for p := range g.prompts {
		sum, n := 0.0, 0
		for k := range g.personas {
			d := c.trait.sum[k][p]/c.trait.count[k][p] - base.trait.sum[k][p]/base.trait.count[k][p]
			if !isMissing(d) {
				sum += d
				n++
			}
		}
		switch {
		case n > 0 && sum > 0:
			t.add(0, p, 1)
		case n > 0:
			t.add(0, p, 0)
		}
	}
	return g.estimate(g.boot.sample(t.mean), t.n())
}

// draws returns the results of each random vector, if there are several.
func (g *grouping) draws(rows []Row) []DrawReport {
	out := []DrawReport{}
	numbers := distinct(rows, func(r Row) int { return r.Draw })
	if len(numbers) < 2 {
		return out
	}
	for _, d := range numbers {
		own := slices.DeleteFunc(slices.Clone(rows), func(r Row) bool { return r.Draw != d })
		c := newCell(own, g.personas, g.prompts)
		out = append(out, DrawReport{
			d, len(own), Number(c.trait.mean(nil)), Number(c.coherence.mean(nil)), Number(c.collapse.mean(nil)),
		})
	}
	return out
}

// byAlpha returns the condition at each alpha, on all prompts.
func (g *grouping) byAlpha(j *judged) []AlphaReport {
	out := []AlphaReport{}
	for _, a := range distinct(j.all, func(r Row) float64 { return r.Alpha }) {
		c := newCell(rowsAt(j.all, a), g.personas, g.prompts)
		out = append(out, AlphaReport{
			Alpha: a, Texts: len(c.rows), MissingTraits: len(c.rows) - c.trait.n(),
			Trait:     g.estimate(g.boot.sample(c.trait.mean), c.trait.n()),
			Coherence: g.estimate(g.boot.sample(c.coherence.mean), c.coherence.n()),
			Collapse:  g.estimate(g.boot.sample(c.collapse.mean), len(c.rows)),
			Tokens:    Number(c.tokens.mean(nil)), Perplexity: Number(math.Exp(c.perplexity.mean(nil))),
		})
	}
	return out
}

// primary returns the declared endpoint: mapped − versus for each condition that was run.
func (g *grouping) primary() []Comparison {
	out := []Comparison{}
	m := g.judged[g.Mapped]
	for _, v := range g.Versus {
		j := g.judged[v]
		if m == nil || j == nil || v == g.Mapped {
			continue
		}
		d := g.mappedMinus(j, v)
		c := Comparison{Versus: v, Measure: g.Measure, Difference: d.Trait}
		switch g.Measure {
		case MeasureCoherence:
			c.Difference = d.Coherence
		case MeasureCollapse:
			c.Difference = d.Collapse
		}
		c.Pass = c.Difference.Low > 0
		if g.Measure == MeasureCollapse {
			c.Pass = c.Difference.High < 0
		}
		out = append(out, c)
	}
	return out
}

// recovery returns (mapped − baseline)/(oracle − baseline), nil unless the denominator's interval
// is above 0.
func (g *grouping) recovery() *Estimate {
	m, o, b := g.judged[g.Mapped], g.judged[g.Oracle], g.judged[g.Baseline]
	if m == nil || o == nil || b == nil || !(g.traitDifference(g.Oracle, g.Baseline).Low > 0) {
		return nil
	}
	over := func(a, b float64) float64 { return a / b }
	s := combine(combine(m.stat.trait, b.stat.trait, minus), combine(o.stat.trait, b.stat.trait, minus), over)
	e := g.estimate(s, min(m.trait.n(), o.trait.n(), b.trait.n()))
	return &e
}

// findings collects what the verdict is computed from.
func (g *grouping) findings(auroc float64, few *[2]Number) Findings {
	f := Findings{
		Condition: g.Mapped, AUROC: auroc, Few: few, Trait: noEstimate, Coherence: noEstimate, Collapse: noEstimate,
		OverOracle: g.traitDifference(g.Mapped, g.Oracle), OracleOver: g.traitDifference(g.Oracle, g.Baseline),
	}
	if m := g.judged[g.Mapped]; m != nil {
		f.Trait = g.estimate(g.boot.sample(m.trait.mean), m.trait.n())
		f.Coherence = g.estimate(m.stat.coherence, m.coherence.n())
		f.Collapse = g.estimate(m.stat.collapse, len(m.rows))
	}
	for _, c := range g.names {
		if r := g.role(c); r == RoleBaseline || r == RoleControl {
			f.Rivals = append(f.Rivals, Rival{c, g.judged[c].stat.trait.point, g.traitDifference(g.Mapped, c)})
		}
	}
	return f
}

const (
	// lengthMatters is the relative difference in mean tokens from the baseline that is reported as
	// a confound: a fifth more words is a fifth more chance to show a marker.
	lengthMatters = 0.2
	// mostlyMissing is the share of texts without a trait from which a mean says little.
	mostlyMissing = 0.5
)

// warnings returns what a reader of the condition's numbers should know.
func (g *grouping) warnings(name string) []string {
	out := []string{}
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	j := g.judged[name]
	alphas := distinct(j.all, func(r Row) float64 { return r.Alpha })
	for _, c := range j.choices {
		if len(alphas) > 1 && !c.Admissible {
			add("%s: no alpha met the thresholds of coherence and collapse on both halves; the nearest is used", c.Persona)
		}
		if len(alphas) > 1 && !c.Crossed {
			add("%s: all prompts have one parity, so alpha is chosen on the prompts it is reported on", c.Persona)
		}
		edge := func(a float64) bool { return a == alphas[0] || a == alphas[len(alphas)-1] }
		if len(alphas) > 2 && edge(c.Even) && edge(c.Odd) {
			add("%s: the chosen alpha is an edge of the grid (%g, %g): a better one may lie outside", c.Persona, c.Even, c.Odd)
		}
	}
	if missing := len(j.rows) - j.trait.n(); float64(missing) > mostlyMissing*float64(len(j.rows)) {
		add("trait rests on %d of %d texts: the others collapsed or have no score", len(j.rows)-missing, len(j.rows))
	}
	for k, p := range g.personas {
		if g.measured[k] && j.collapse.personaMean(k, nil) == 1 {
			add("%s: every text collapsed; differences count its trait as %d", p, floor)
		}
	}
	if base := g.judged[g.Baseline]; base != nil && name != g.Baseline {
		a, b := j.tokens.mean(nil), base.tokens.mean(nil)
		if math.Abs(a-b) > lengthMatters*b {
			add("texts have %.1f tokens, those of %s %.1f: length is a confound", a, g.Baseline, b)
		}
	}
	return out
}
