package trial

// atEqualCoherence compares traits at one coherence: that at which the other condition is judged. The mapped
// condition's dose is the one that comes to it on its own path, on which trait and coherence are linear between
// neighbouring alphas and begin unsteered; it is the strongest such dose of those tried, and the weakest if all
// are less coherent.
func (g *grouping) atEqualCoherence(name string) Estimate {
	if name == g.Baseline || g.judged[g.Baseline] == nil {
		return noEstimate
	}
	m, other := g.judged[g.Mapped], g.judged[name]
	var personas []statistic
	for _, s := range m.series {
		base, rival := g.judged[g.Baseline].of(s.choice.Persona), other.of(s.choice.Persona)
		if base == nil || rival == nil {
			continue
		}
		d := statistic{draws: make([]float64, len(s.trait.draws))}
		for r := -1; r < len(d.draws); r++ {
			d.put(r, s.traitAt(rival.coherence.get(r), base, r)-rival.trait.get(r))
		}
		personas = append(personas, d)
	}
	if len(personas) == 0 {
		return noEstimate
	}
	d := mean(personas)
	if g.noise(name) {
		d = g.against(d)
	}
	return g.boot.estimate(d, g.texts(g.Mapped, name))
}

// of is the series of a persona; nil if there is none.
func (j *judged) of(persona string) *series {
	for _, s := range j.series {
		if s.choice.Persona == persona {
			return s
		}
	}
	return nil
}

// get returns a draw of s; r below 0 is its value. put writes it.
func (s *statistic) get(r int) float64 {
	if r < 0 {
		return s.point
	}
	return s.draws[r]
}

func (s *statistic) put(r int, v float64) {
	if r < 0 {
		s.point = v
	} else {
		s.draws[r] = v
	}
}

// traitAt returns the trait that the condition has where its coherence comes down to the given one for the last
// time, along its positive alphas from the unsteered texts on.
func (s *series) traitAt(coherence float64, base *series, r int) float64 {
	trait, before := base.trait.get(r), base.coherence.get(r)
	found, last := trait, trait
	for i := range s.curve {
		c := &s.curve[i]
		t, now := c.trait.get(r), c.coherence.get(r)
		if c.alpha <= 0 || isMissing(now) || isMissing(t) {
			continue
		}
		switch {
		case now >= coherence:
			found = t
		case before >= coherence:
			found = last + (t-last)*(before-coherence)/(before-now)
		}
		last, before = t, now
	}
	return found
}

// atEqualLength takes from the difference in trait what the difference in length explains: an analysis of
// covariance (Cochran 1957).
func (g *grouping) atEqualLength(name string) Estimate {
	m, other := g.judged[g.Mapped], g.judged[name]
	d := g.traitDifference(g.Mapped, name)
	if d == nil {
		return noEstimate
	}
	slope := slopeOnTokens(m.cell.rows, other.cell.rows)
	longer := combine(m.tokens, other.tokens, minus)
	return g.boot.estimate(combine(*d, longer, func(d, n float64) float64 { return d - slope*n }), g.texts(g.Mapped, name))
}

// slopeOnTokens is the slope of trait on tokens among the texts of one condition and persona that did not
// collapse, taken over all of them; 0 where no two differ in length.
func slopeOnTokens(conditions ...[]Row) float64 {
	xy, xx := 0.0, 0.0
	for _, rows := range conditions {
		for _, p := range distinct(rows, func(r Row) string { return r.Persona }) {
			var tokens, trait []float64
			for _, r := range rows {
				if r.Persona == p && !r.Collapsed && !isMissing(r.Trait) {
					tokens, trait = append(tokens, float64(r.Tokens)), append(trait, r.Trait)
				}
			}
			x, y := Mean(tokens), Mean(trait)
			for i := range tokens {
				xy += (tokens[i] - x) * (trait[i] - y)
				xx += (tokens[i] - x) * (tokens[i] - x)
			}
		}
	}
	if xx == 0 {
		return 0
	}
	return xy / xx
}
