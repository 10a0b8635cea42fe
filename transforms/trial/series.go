package trial

import "math"

// A series is what one condition comes to for one persona: on all prompts, and on each resample, in which its
// alphas are chosen anew. What chance does to the choice is so in every interval.
type series struct {
	choice  Choice
	all     []Row // at every alpha
	rows    []Row // at the chosen ones
	measure       // at the chosen ones
	curve   []dosed
}

// A measure is what texts come to, in numbers.
type measure struct{ trait, coherence, collapse, tokens statistic }

// A dosed is a condition at one alpha, on all prompts.
type dosed struct {
	alpha            float64
	trait, coherence statistic
}

// sums are what a measure's mean and its standard error are made of: over prompts, of a prompt's sum s of
// scores and of their number c.
type sums struct{ s, c, ss, sc, cc, prompts float64 }

func (m *sums) add(weight, s, c float64) {
	if c > 0 {
		m.s += weight * s
		m.c += weight * c
		m.ss += weight * s * s
		m.sc += weight * s * c
		m.cc += weight * c * c
		m.prompts += weight
	}
}

func (m *sums) mean() float64 { return m.s / m.c } // 0/0 is NaN

// standardError is that of [table.standardError] for one persona.
func (m *sums) standardError() float64 {
	if m.prompts < 2 {
		return 0
	}
	mean := m.mean()
	squares := max(0, m.ss-2*mean*m.sc+mean*mean*m.cc) // rounding may end below 0
	return math.Sqrt(m.prompts/(m.prompts-1)*squares) / m.c
}

// A tally is one alpha on one half of the prompts.
type tally struct{ trait, coherence, collapse, tokens sums }

func (t *tally) add(weight float64, c *cell, i int) {
	t.trait.add(weight, c.trait.sum[0][i], c.trait.count[0][i])
	t.coherence.add(weight, c.coherence.sum[0][i], c.coherence.count[0][i])
	t.collapse.add(weight, c.collapse.sum[0][i], c.collapse.count[0][i])
	t.tokens.add(weight, c.tokens.sum[0][i], c.tokens.count[0][i])
}

func (t *tally) dose(alpha float64) Dose {
	return Dose{
		Alpha: alpha, Trait: t.trait.mean(),
		Coherence: t.coherence.mean(), CoherenceSE: t.coherence.standardError(),
		Collapse: t.collapse.mean(), CollapseSE: t.collapse.standardError(),
	}
}

// A path is one condition of one persona along its alphas.
type path struct {
	alphas     []float64
	at         []*cell // of one persona, an alpha each
	halves     [2][]int
	thresholds Thresholds

	tallies [2][]tally // by half and alpha, of the weights that were looked at last
	doses   []Dose     // and index: kept for choose
	index   []int
}

func newPath(rows []Row, persona string, prompts []int, t Thresholds) *path {
	p := &path{alphas: distinct(rows, func(r Row) float64 { return r.Alpha }), halves: places(prompts), thresholds: t}
	for _, a := range p.alphas {
		p.at = append(p.at, newCell(rowsAt(rows, a), []string{persona}, prompts))
	}
	for h := range p.tallies {
		p.tallies[h] = make([]tally, len(p.alphas))
	}
	return p
}

// weigh sums both halves at every alpha; without weights every prompt counts once.
func (p *path) weigh(weights []uint16) {
	for h, half := range p.halves {
		for a, c := range p.at {
			sum := &p.tallies[h][a]
			*sum = tally{}
			for _, i := range half {
				switch {
				case weights == nil:
					sum.add(1, c, i)
				case weights[i] > 0:
					sum.add(float64(weights[i]), c, i)
				}
			}
		}
	}
}

// empty reports whether a half has no texts.
func (p *path) empty(half int) bool {
	for _, t := range p.tallies[half] {
		if t.collapse.c > 0 {
			return false
		}
	}
	return true
}

// choose returns the index of the alpha for each half: that which is best on the other half, if that has
// texts, else on this one.
func (p *path) choose() (picked [2]int, admissible bool) {
	admissible = true
	for h := range picked {
		from := p.tallies[1-h]
		if p.empty(1 - h) {
			from = p.tallies[h]
		}
		p.doses, p.index = p.doses[:0], p.index[:0]
		for a := range from {
			if from[a].collapse.c > 0 {
				p.doses, p.index = append(p.doses, from[a].dose(p.alphas[a])), append(p.index, a)
			}
		}
		if len(p.doses) == 0 { // none of the prompts that were drawn has a text
			continue
		}
		i, ok := ChooseAlpha(p.doses, p.thresholds)
		picked[h], admissible = p.index[i], admissible && ok
	}
	return picked, admissible
}

// means writes the means over both halves, each at its alpha, to draw r of m; r below 0 is its value.
func (p *path) means(at [2]int, m *measure, r int) {
	even, odd := &p.tallies[0][at[0]], &p.tallies[1][at[1]]
	m.trait.set(r, &even.trait, &odd.trait)
	m.coherence.set(r, &even.coherence, &odd.coherence)
	m.collapse.set(r, &even.collapse, &odd.collapse)
	m.tokens.set(r, &even.tokens, &odd.tokens)
}

// set writes the mean of two sums to draw r; r below 0 is the value.
func (s *statistic) set(r int, a, b *sums) {
	mean := (a.s + b.s) / (a.c + b.c) // 0/0 is NaN
	if r < 0 {
		s.point = mean
	} else {
		s.draws[r] = mean
	}
}

// newSeries follows a condition of a persona through the resamples.
func newSeries(rows []Row, persona string, prompts []int, t Thresholds, b *Bootstrap) *series {
	p := newPath(rows, persona, prompts, t)
	s := &series{all: rows, curve: make([]dosed, len(p.alphas))}
	drawn := []*statistic{&s.trait, &s.coherence, &s.collapse, &s.tokens}
	for a := range s.curve {
		s.curve[a].alpha = p.alphas[a]
		drawn = append(drawn, &s.curve[a].trait, &s.curve[a].coherence)
	}
	for _, of := range drawn {
		of.draws = make([]float64, len(b.weights))
	}
	for r := -1; r < len(b.weights); r++ {
		var weights []uint16
		if r >= 0 {
			weights = b.weights[r]
		}
		p.weigh(weights)
		at, admissible := p.choose()
		p.means(at, &s.measure, r)
		for a := range s.curve {
			s.curve[a].trait.set(r, &p.tallies[0][a].trait, &p.tallies[1][a].trait)
			s.curve[a].coherence.set(r, &p.tallies[0][a].coherence, &p.tallies[1][a].coherence)
		}
		if r < 0 {
			s.choice = Choice{Persona: persona, Even: p.alphas[at[0]], Odd: p.alphas[at[1]], Admissible: admissible, Crossed: !p.empty(0) && !p.empty(1)}
		}
	}
	for _, row := range rows {
		if row.Alpha == s.choice.at(row.Prompt) {
			s.rows = append(s.rows, row)
		}
	}
	return s
}

// comparable is the trait as differences use it: a persona all of whose texts collapsed counts as floor
// instead of being left out, so that both sides of a difference always speak of the same personas; one that
// is not measured at all is in neither side.
func (s *series) comparable(measured bool) statistic {
	return combine(s.trait, s.collapse, func(trait, collapse float64) float64 {
		if isMissing(trait) && measured && collapse == 1 {
			return floor
		}
		return trait
	})
}
