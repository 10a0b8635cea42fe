package trial

import (
	"fmt"
	"math"
	"slices"
)

// A grouping is the evaluation of one group in progress: of one persona, or of all.
type grouping struct {
	Options
	boot     *Bootstrap
	personas []string
	measured []bool // which of them have a trait in any condition: the others have no scale
	prompts  []int
	names    []string
	judged   map[string]*judged // by condition
	null     float64            // variance over random vectors of their effect on this group's trait; NaN if not known
	draws    int                // random vectors that it is known from
	scorer   ScorerReport       // the worst of the personas'
}

// judged is a condition at its chosen alphas.
type judged struct {
	measure           // means over personas; the trait as differences use it
	own     statistic // the trait as it is printed
	cell    *cell
	series  []*series // of the personas that have it
	all     []Row     // at every alpha
	choices []Choice

	doubted map[string]statistic // what differences are made of, by measure: see grouping.doubted
}

// newGrouping gathers the series of some personas.
func newGrouping(e *evaluating, personas []string, scorer ScorerReport) *grouping {
	g := &grouping{Options: e.Options, boot: e.boot, personas: personas, prompts: e.prompts, judged: map[string]*judged{}, scorer: scorer, names: e.order(e.conditions)}
	measured := 0.0
	for _, p := range personas {
		known := slices.ContainsFunc(e.rows, func(r Row) bool { return r.Persona == p && !isMissing(r.Trait) })
		g.measured = append(g.measured, known)
		if known {
			measured++
		}
	}
	// Vectors of different personas are drawn apart.
	g.null, g.draws = e.null.variance()/max(1, measured), e.null.draws
	g.names = slices.DeleteFunc(g.names, func(c string) bool { return g.judge(e, c) == nil })
	return g
}

// judge sums a condition at its alphas; nil if it has no rows.
func (g *grouping) judge(e *evaluating, condition string) *judged {
	j := &judged{doubted: map[string]statistic{}}
	var used []Row
	var trait, own, coherence, collapse, tokens []statistic
	for k, p := range g.personas {
		s := e.series[condition][p]
		if s == nil {
			continue
		}
		j.series, j.choices, j.all, used = append(j.series, s), append(j.choices, s.choice), append(j.all, s.all...), append(used, s.rows...)
		trait, own = append(trait, s.comparable(g.measured[k])), append(own, s.trait)
		coherence, collapse, tokens = append(coherence, s.coherence), append(collapse, s.collapse), append(tokens, s.tokens)
	}
	if len(j.series) == 0 {
		return nil
	}
	j.cell = newCell(used, g.personas, g.prompts)
	j.measure = measure{mean(trait), mean(coherence), mean(collapse), mean(tokens)}
	j.own = mean(own)
	g.judged[condition] = j
	return j
}

// score estimates a mean of scores from the table that it is the mean of.
func (g *grouping) score(s statistic, t table) Estimate {
	return g.boot.bounded(s.point, g.boot.deviation(s), t.prompts(), t.n(), scoreScale)
}

// compared is a measure of a condition as differences use it, with what so few texts cannot say of it: see unseen.
func (g *grouping) compared(condition, measure string) statistic {
	j := g.judged[condition]
	if s, ok := j.doubted[measure]; ok {
		return s
	}
	s, t, in := j.trait, j.cell.trait, scoreScale
	switch measure {
	case MeasureCoherence:
		s, t = j.coherence, j.cell.coherence
	case MeasureCollapse:
		s, t, in = j.collapse, j.cell.collapse, shareScale
	}
	if !isMissing(s.point) && t.prompts() > 1 {
		s = g.boot.noisy(s, unseen(s.point, g.boot.deviation(s), t.prompts(), in), condition+" "+measure)
	}
	j.doubted[measure] = s
	return s
}

// noise reports conditions that carry nothing of the persona's vector: they are what any vector is compared
// with.
func (g *grouping) noise(c string) bool {
	r := g.role(c)
	return r == RoleBaseline || r == RoleControl
}

// against adds to a difference between a vector and conditions that carry nothing what vectors at random
// differ by. The error of their mean is in it too, of as many as there are.
func (g *grouping) against(s statistic) statistic {
	return g.boot.noisy(s, g.spread(), "random vectors")
}

// spread is the variance that against adds.
func (g *grouping) spread() float64 {
	if isMissing(g.null) {
		return 0
	}
	return g.null * (1 + 1/float64(max(1, g.draws)))
}

// traitDifference returns the paired difference in trait between two conditions; nil if one was not run.
func (g *grouping) traitDifference(a, b string) *statistic {
	if g.judged[a] == nil || g.judged[b] == nil {
		return nil
	}
	d := combine(g.compared(a, MeasureTrait), g.compared(b, MeasureTrait), minus)
	if g.noise(a) != g.noise(b) {
		d = g.against(d)
	}
	return &d
}

// texts is the number of texts with a trait of the side that has fewer.
func (g *grouping) texts(conditions ...string) int {
	n := math.MaxInt
	for _, c := range conditions {
		if j := g.judged[c]; j != nil {
			n = min(n, j.cell.trait.n())
		}
	}
	return n
}

func (g *grouping) estimateTrait(a, b string) Estimate {
	d := g.traitDifference(a, b)
	if d == nil {
		return noEstimate
	}
	return g.boot.estimate(*d, g.texts(a, b))
}

// report describes one condition.
func (g *grouping) report(name string) ConditionReport {
	j := g.judged[name]
	c := j.cell
	r := ConditionReport{
		Condition: name, Role: g.role(name), Alphas: j.choices,
		Texts: len(c.rows), MissingTraits: len(c.rows) - c.trait.n(),
		Trait: g.score(j.own, c.trait), Coherence: g.score(j.coherence, c.coherence), Collapse: c.collapse.proportion(g.Level),
		Tokens: Number(c.tokens.mean()), Perplexity: Number(math.Exp(c.perplexity.mean())),
		Moved: noEstimate, Draws: g.byDraw(c.rows), ByAlpha: g.byAlpha(j), Warnings: g.warnings(name),
	}
	if name != g.Baseline {
		effect := g.estimateTrait(name, g.Baseline)
		r.Effect = &effect
		if b := g.judged[g.Baseline]; b != nil {
			r.Moved = g.moved(c, b.cell)
		}
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
	of := func(measure string, t, u table) Estimate {
		return g.boot.estimate(combine(g.compared(g.Mapped, measure), g.compared(name, measure), minus), min(t.n(), u.n()))
	}
	d := &Differences{
		Trait:     g.estimateTrait(g.Mapped, name),
		Coherence: of(MeasureCoherence, m.cell.coherence, j.cell.coherence),
		Collapse:  of(MeasureCollapse, m.cell.collapse, j.cell.collapse),
	}
	d.AtEqualCoherence, d.AtEqualLength = g.atEqualCoherence(name), g.atEqualLength(name)
	b, c := discordant(m.cell.rows, j.cell.rows)
	d.McNemar = Number(McNemar(b, c))
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
	return t.proportion(g.Level)
}

// byDraw returns the results of each random vector, if there are several.
func (g *grouping) byDraw(rows []Row) []DrawReport {
	out := []DrawReport{}
	numbers := distinct(rows, func(r Row) int { return r.Draw })
	if len(numbers) < 2 {
		return out
	}
	for _, d := range numbers {
		own := slices.DeleteFunc(slices.Clone(rows), func(r Row) bool { return r.Draw != d })
		c := newCell(own, g.personas, g.prompts)
		out = append(out, DrawReport{
			d, len(own), Number(c.trait.mean()), Number(c.coherence.mean()), Number(c.collapse.mean()),
		})
	}
	return out
}

// byAlpha returns the condition at each alpha, on all prompts.
func (g *grouping) byAlpha(j *judged) []AlphaReport {
	out := []AlphaReport{}
	for _, a := range distinct(j.all, func(r Row) float64 { return r.Alpha }) {
		c := newCell(rowsAt(j.all, a), g.personas, g.prompts)
		simple := func(t table) Estimate {
			return g.boot.bounded(t.mean(), t.standardError(), t.prompts(), t.n(), scoreScale)
		}
		out = append(out, AlphaReport{
			Alpha: a, Texts: len(c.rows), MissingTraits: len(c.rows) - c.trait.n(),
			Trait: simple(c.trait), Coherence: simple(c.coherence), Collapse: c.collapse.proportion(g.Level),
			Tokens: Number(c.tokens.mean()), Perplexity: Number(math.Exp(c.perplexity.mean())),
		})
	}
	return out
}

// primary returns the declared endpoint: mapped − versus for each condition that was run. In trait, better than
// none means better than random vectors too, where they were run: they also change a text, and a scale that
// ends at 1 makes any change look like more of the trait.
func (g *grouping) primary() []Comparison {
	out := []Comparison{}
	m := g.judged[g.Mapped]
	for _, v := range g.Versus {
		j := g.judged[v]
		if m == nil || j == nil || v == g.Mapped {
			continue
		}
		c := Comparison{Versus: v, Measure: g.Measure, P: missing}
		switch g.Measure {
		case MeasureTrait:
			d := *g.traitDifference(g.Mapped, v)
			c.Difference, c.P = g.boot.estimate(d, g.texts(g.Mapped, v)), g.boot.chance(d)
			c.Pass = c.Difference.Low > 0 && (v != g.Baseline || g.aboveNoise())
		case MeasureCoherence:
			c.Difference = g.mappedMinus(j, v).Coherence
			c.Pass = c.Difference.Low > 0
		case MeasureCollapse:
			c.Difference = g.mappedMinus(j, v).Collapse
			c.Pass = c.Difference.High < 0
		}
		out = append(out, c)
	}
	return out
}

// aboveNoise reports whether the mapped vector is above every condition of random vectors.
func (g *grouping) aboveNoise() bool {
	for _, c := range g.Null {
		if g.judged[c] != nil && !(g.estimateTrait(g.Mapped, c).Low > 0) {
			return false
		}
	}
	return true
}

// stableRecovery is the widest interval of a recovery that says anything.
const stableRecovery = 1

// recovery returns (mapped − baseline)/(oracle − baseline), nil unless the denominator's interval
// is above 0 and its own is narrow.
func (g *grouping) recovery(mapped string) *Estimate {
	m, o, b := g.judged[mapped], g.judged[g.Oracle], g.judged[g.Baseline]
	if m == nil || o == nil || b == nil {
		return nil
	}
	base := g.compared(g.Baseline, MeasureTrait)
	below := combine(g.compared(g.Oracle, MeasureTrait), base, minus)
	if !(g.boot.estimate(below, 0).Low > 0) {
		return nil
	}
	over := func(a, b float64) float64 { return a / b }
	e := g.boot.estimate(combine(combine(g.compared(mapped, MeasureTrait), base, minus), below, over), g.texts(mapped, g.Oracle, g.Baseline))
	if !(e.High-e.Low < stableRecovery) {
		return nil
	}
	return &e
}

// findings collects what the verdict on a condition is computed from.
func (g *grouping) findings(mapped string) Findings {
	f := Findings{
		Condition: mapped, Scorer: g.scorer, Prompts: len(g.prompts), Spread: math.Sqrt(g.spread()),
		Trait: noEstimate, Coherence: noEstimate, Collapse: noEstimate, OverBest: noEstimate, OracleOverBest: noEstimate,
		OverOracle: g.estimateTrait(mapped, g.Oracle), Noise: !isMissing(g.null),
	}
	if m := g.judged[mapped]; m != nil {
		f.Trait, f.Coherence, f.Collapse = g.score(m.own, m.cell.trait), g.score(m.coherence, m.cell.coherence), m.cell.collapse.proportion(g.Level)
	}
	var rivals []statistic
	var names []string
	for _, c := range g.names {
		if g.noise(c) {
			f.Rivals = append(f.Rivals, Rival{c, g.estimateTrait(mapped, c)})
			rivals, names = append(rivals, g.compared(c, MeasureTrait)), append(names, c)
		}
	}
	if len(rivals) > 0 {
		best := highest(rivals)
		over := func(c string, level float64) Estimate {
			if g.judged[c] == nil {
				return noEstimate
			}
			return g.boot.estimateFrom(g.against(combine(g.compared(c, MeasureTrait), best, minus)), g.texts(append(names, c)...), g.boot.tailAt(level))
		}
		f.OverBest, f.OracleOverBest = over(mapped, strict), over(g.Oracle, g.Level)
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
	if missing := len(j.cell.rows) - j.cell.trait.n(); float64(missing) > mostlyMissing*float64(len(j.cell.rows)) {
		add("trait rests on %d of %d texts: the others collapsed or have no score", len(j.cell.rows)-missing, len(j.cell.rows))
	}
	for k, p := range g.personas {
		if g.measured[k] && j.cell.collapse.personaMean(k) == 1 {
			add("%s: every text collapsed; differences count its trait as %d", p, floor)
		}
	}
	if base := g.judged[g.Baseline]; base != nil && name != g.Baseline {
		a, b := j.cell.tokens.mean(), base.cell.tokens.mean()
		if math.Abs(a-b) > lengthMatters*b {
			add("texts have %.1f tokens, those of %s %.1f: length is a confound", a, g.Baseline, b)
		}
	}
	return out
}
