package pipelines

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/transforms"
	"github.com/persona-transfer/runpipeline/transforms/trial"
)

// A Fact is one line about an experiment before it runs.
type Fact struct{ Name, Value string }

// Facts tells what the experiments are made of and what they cost, from configurations alone, and from what
// a plan found in the store. What cells do not have in common is told of each kind of them.
func (s *Sweep) Facts(ctx context.Context, store cache.Store, plan *Plan, costs Costs) (facts []Fact, err error) {
	add := func(name, format string, args ...any) {
		facts = append(facts, Fact{name, fmt.Sprintf(format, args...)})
	}
	if s.Named() {
		alone := 0
		for _, e := range s.Experiments {
			alone += len(e.stages)
		}
		add("sweep", "%d cells: %s; %d stages in all, where one cell after the other would have %d", len(s.Cells), s.swept(), len(s.stages), alone)
	}
	makings, notes := merged{cells: s.Cells}, merged{cells: s.Cells}
	for i, e := range s.Experiments {
		own := plan.Of(e)
		if err := e.makings(ctx, store, own, func(name, text string) { makings.add(i, name, text) }); err != nil {
			return nil, err
		}
		if err := e.expectations(ctx, store, own, func(text string) { notes.add(i, "note", text) }); err != nil {
			return nil, err
		}
	}
	facts = append(facts, makings.facts()...)
	if total := costs.Total(); total > 0 {
		add("time", "about %s on this machine, as it is now%s%s", Roughly(total), byPace(costs), s.compiling())
		add("work", "about %s floating-point operations in the models", count(operations(plan)))
		add("memory", "%s", s.memory(ctx, plan))
	}
	for _, line := range s.lines(func(e *Experiment) []string {
		if own := plan.Of(e); e.device.recorded && !own.Done() {
			return []string{fmt.Sprintf("not known: %s is written as recipes have it, and was not opened", e.device)}
		}
		return nil
	}) {
		add("time", "%s", line)
	}
	return append(facts, notes.facts()...), nil
}

// makings tells what an experiment is made of.
func (e *Experiment) makings(ctx context.Context, store cache.Store, plan *Plan, tell func(name, text string)) error {
	add := func(name, format string, args ...any) { tell(name, fmt.Sprintf(format, args...)) }
	chosen := ""
	if slices.Contains(e.assumed, "layer_idx") {
		chosen = fmt.Sprintf(" (about %g of the depth where the configuration names none)", depth)
	}
	for _, s := range e.sides() {
		c := s.shape
		add(s.name, "%s: %s, width %d, %d blocks, vocabulary %d, %s parameters (%s in float32); layer %d%s",
			modelName(s.Ref), c.ModelType, c.Hidden, c.Layers, c.Vocab, count(c.Parameters()), Size(4*c.Parameters()), s.Layer, chosen)
	}
	for _, note := range e.notes {
		add("note", "%s", note)
	}
	add("map", "%d → %d from %d pairs (%s), %d folds, lambda %v (%s%s)", e.Source.shape.Hidden, e.Target.shape.Hidden, e.NTraining, e.Positions, e.Folds, e.LambdaValues, e.LambdaUnit, e.whyAbsolute("lambda"))
	batches, rows := e.work()
	add("texts", "%d generations of at most %d tokens in %d batches: %d personas, %d conditions, alpha %v (%s%s)",
		rows, e.MaxNewTokens, batches, len(e.personas), len(e.Conditions), e.AlphaValues, e.AlphaUnit, e.whyAbsolute("alpha"))
	doses, err := e.doses(ctx, store, plan)
	if err != nil {
		return err
	}
	add("length", "%s", doses)
	power, _ := e.common.powers.get(powerKey{e.NTestPrompts, e.NSeeds, len(e.personas), e.Primary.Margin}, func() (string, error) { return e.power(), nil })
	add("power", "%s", power)
	if e.UseGPT4 {
		text, err := e.judgeFact(ctx, store, plan)
		if err != nil {
			return err
		}
		add("judge", "%s", text)
	}
	return nil
}

// expectations tells what is known beforehand of an experiment's results.
func (e *Experiment) expectations(ctx context.Context, store cache.Store, plan *Plan, tell func(text string)) error {
	for _, text := range e.Doubts() {
		tell(text)
	}
	y, err := yardstick(ctx, store, plan)
	if err != nil || y == nil {
		return err
	}
	for _, text := range y.Warnings() {
		tell(text)
	}
	if y.Decides(e.Primary.Measure) != nil {
		tell(fmt.Sprintf("a run stops at the gate, before it takes long: %v, and primary.measure is %q", ErrNoScale, e.Primary.Measure))
	}
	return nil
}

// A merged is facts of cells, each told once.
type merged struct {
	cells []Cell
	order []Fact
	of    map[Fact][]int // the cells that have it
}

func (m *merged) add(cell int, name, text string) {
	if m.of == nil {
		m.of = map[Fact][]int{}
	}
	f := Fact{name, text}
	if m.of[f] == nil {
		m.order = append(m.order, f)
	}
	m.of[f] = append(m.of[f], cell)
}

// maxKinds is how many different facts of one name are told.
const maxKinds = 4

// facts tells the facts that all cells have, and of the others which cells have them, up to a few of a name.
func (m *merged) facts() (facts []Fact) {
	differing := map[string]int{}
	for _, f := range m.order {
		at := where(m.cells, m.of[f])
		if at == "" {
			facts = append(facts, f)
			continue
		}
		differing[f.Name]++
		switch n := differing[f.Name]; {
		case n <= maxKinds:
			facts = append(facts, Fact{f.Name, f.Value + " (" + at + ")"})
		case n == maxKinds+1:
			facts = append(facts, Fact{f.Name, "and so on: it differs from cell to cell"})
		}
	}
	slices.SortStableFunc(facts, func(a, b Fact) int { return cmp.Compare(place(m.order, a.Name), place(m.order, b.Name)) })
	return facts
}

// place is where facts of a name begin.
func place(facts []Fact, name string) int {
	return slices.IndexFunc(facts, func(f Fact) bool { return f.Name == name })
}

// memory tells what the run takes, and that it is more than there is.
func (s *Sweep) memory(ctx context.Context, plan *Plan) string {
	n := s.need(plan)
	text := fmt.Sprintf("about %s at its peak, in %s; weights are %s of it", Size(n.Total()), n.For, Size(n.weights()))
	if i := slices.IndexFunc(s.Experiments, func(e *Experiment) bool { return e.device.OwnMemory() }); i >= 0 {
		text = s.deviceMemory(plan, n, s.Experiments[i].device)
	}
	if there := transforms.Available(ctx); !there.Enough(n.Total()) {
		text += fmt.Sprintf("; there are %s (%s), so a run here ends before it begins", Size(there.Bytes), there.Source)
	}
	return text
}

// deviceMemory tells what it takes of a card's own memory, and beside it, n, of the machine's.
func (s *Sweep) deviceMemory(plan *Plan, n Need, device Device) string {
	card := Need{}
	for _, one := range s.deviceNeeds(plan) {
		if one.weights()+one.Work > card.weights()+card.Work {
			card = one
		}
	}
	text := ""
	if card.For != "" {
		text = fmt.Sprintf("about %s of the card's own at its peak, in %s; weights are %s of it", Size(card.weights()+card.Work), card.For, Size(card.weights()))
		if device.Memory > 0 {
			text += fmt.Sprintf("; it gives %s", Size(int(device.Memory)))
		}
		text += "; and "
	}
	return text + fmt.Sprintf("about %s of the machine's, in %s", Size(n.Total()), n.For)
}

// compiling says what is not in a time.
func (s *Sweep) compiling() string {
	if !slices.ContainsFunc(s.Experiments, func(e *Experiment) bool { return e.device.Platform != "cpu" }) {
		return ""
	}
	return "; without what the device takes to compile its programs, from half a minute up, anew in each run"
}

// power tells what an experiment of this size can show.
func (e *Experiment) power() string {
	const recovery, effect, enough = .9, 2, .8
	o := trial.DefaultOptions()
	d := trial.Design{Prompts: e.NTestPrompts, Seeds: e.NSeeds, Personas: len(e.personas)}
	text := fmt.Sprintf("differences in trait will be known to about ±%.2f, pooled, and ±%.2f of one persona; a map that recovers %g of an effect of %d points is found within the margin of %g of the oracle in about %.0f %% of such experiments",
		d.HalfWidth(o.Level), trial.Design{Prompts: d.Prompts, Seeds: d.Seeds, Personas: 1}.HalfWidth(o.Level), recovery, effect, e.Primary.Margin, 100*d.NonInferior(recovery, effect, e.Primary.Margin, o.Level))
	switch n := d.PromptsFor(enough, recovery, effect, e.Primary.Margin, o.Level); {
	case n > d.Prompts:
		text += fmt.Sprintf(", from about %d prompts in %.0f %%", n, 100*enough)
	case n == 0:
		text += ", and however many prompts there are it is not in most"
	}
	return text
}

// yardstick is what texts are measured by, if the plan found it; else nil.
func yardstick(ctx context.Context, store cache.Store, plan *Plan) (*transforms.Yardstick, error) {
	o, ok := plan.step("yardstick").Manifest.Find("yardstick")
	if !ok {
		return nil, nil
	}
	return transforms.ReadYardstick(ctx, store, o.Digest)
}

// Doubts says what the configuration alone tells of results that will be missing or inconclusive.
func (e *Experiment) Doubts() (doubts []string) {
	if names := e.unasked(); len(names) > 0 && slices.Equal(e.Conditions, withoutPrompt(defaultConditions())) {
		doubts = append(doubts, fmt.Sprintf(`the condition prompt, what a prompt does without any vector, is not run: persona_datasets has no "prompt" for %s`, strings.Join(names, ", ")))
	}
	for _, name := range e.PersonaDatasets.Names() {
		set := e.PersonaDatasets.Sets[name]
		positive, negative := len(set.Positive), len(set.Negative)
		switch few := min(positive, negative); {
		case few < trial.MinFewTexts:
			doubts = append(doubts, fmt.Sprintf("persona %s has %d positive and %d negative texts: below %d a side there is no trait scorer, so its trait will be missing and its verdict inconclusive",
				name, positive, negative, trial.MinFewTexts))
		case few < 2*trial.MinTexts:
			low, _ := trial.AUROCInterval(1, positive, negative)
			doubts = append(doubts, fmt.Sprintf("persona %s has %d positive and %d negative texts: below %d a side its trait scorer is fitted on all of them and judged by leaving one out; the AUROC even of one that never errs has an interval from %.2f, and from below %g nothing can be concluded",
				name, positive, negative, 2*trial.MinTexts, float64(low), trial.DefaultThresholds().AUROC))
		}
	}
	return doubts
}

// work counts batches and rows of the generation.
func (e *Experiment) work() (batches, rows int) {
	for _, s := range e.stages {
		if s.Name == "generate" {
			batches = s.Units
		}
	}
	return batches, batches * e.NTestPrompts * e.NSeeds
}

func count(n int) string {
	return scaled(float64(n), 1000, []string{"", " thousand", " million", " billion", " trillion", " quadrillion"})
}

// Size writes a number of bytes for people.
func Size(n int) string {
	return scaled(float64(n), 1024, []string{" B", " KiB", " MiB", " GiB", " TiB"})
}

func scaled(x, step float64, units []string) string {
	i := 0
	for ; x >= step && i < len(units)-1; i++ {
		x /= step
	}
	if i == 0 {
		return fmt.Sprintf("%.0f%s", x, units[0])
	}
	if x >= 999.5 { // which %.3g writes with an exponent
		return fmt.Sprintf("%.0f%s", x, units[i])
	}
	return fmt.Sprintf("%.3g%s", x, units[i])
}
