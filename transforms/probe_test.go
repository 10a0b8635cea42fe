package transforms

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/gpu"
	"github.com/persona-transfer/runpipeline/gpu/tiny"
	"github.com/persona-transfer/runpipeline/transforms/trial"
)

// A probing is a store with the probes of some personas, as the source of the embedded pair reads them.
type probing struct {
	t        *testing.T
	store    cache.Store
	model    Model
	personas []string
	probes   Manifest
}

func newProbing(t *testing.T, personas map[string]PersonaTexts) *probing {
	t.Helper()
	p := &probing{t: t, store: cache.NewMemory(), model: modelOf(t, "tiny:qwen2")}
	s := ProbeFit{Model: p.model, Layer: 1}
	for _, name := range sortedNames(personas) {
		p.personas = append(p.personas, name)
		s.Personas = append(s.Personas, PersonaRef{name, keep(t, p.store, "texts", KindJSON, writeBytes(EncodeJSON(personas[name]))).Digest})
	}
	for i := range s.Personas {
		u := unit(NewStage("probe.fit", "probe.fit", s, len(s.Personas)), i, p.store)
		key, err := fitProbe(t.Context(), u, s)
		o := outputOf(t, u, key, err, "probe")
		o.Name = unitName(i, "probe")
		p.probes = append(p.probes, o)
	}
	return p
}

func sortedNames(personas map[string]PersonaTexts) (names []string) {
	for name := range personas {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// read reads batches with the probes, and gives the units' keys.
func (p *probing) read(batches ...*artifacts.Generations) (readings []*artifacts.Readings, keys []cache.ActionKey) {
	p.t.Helper()
	var texts Manifest
	for i, b := range batches {
		texts = append(texts, keep(p.t, p.store, unitName(i, "texts"), artifacts.KindGenerations, b.Encode))
	}
	s := Probe{Model: p.model, Layer: 1, Personas: p.personas}
	for i := range batches {
		u := unit(NewStage("probe", "probe", s, len(batches), "generate", "probe.fit"), i, p.store, texts, p.probes)
		key, err := readProbe(p.t.Context(), u, s)
		r, err := load(p.t.Context(), p.store, outputOf(p.t, u, key, err, "readings"), artifacts.KindReadings, artifacts.DecodeReadings)
		if err != nil {
			p.t.Fatal(err)
		}
		readings, keys = append(readings, r), append(keys, key)
	}
	return readings, keys
}

// batchOf is a batch of texts as the target wrote them.
func batchOf(condition, persona string, alpha float64, texts ...string) *artifacts.Generations {
	g := &artifacts.Generations{Meta: place("t", 2, 8)}
	for i, text := range texts {
		g.Rows = append(g.Rows, artifacts.Generation{Condition: condition, Persona: persona, Alpha: alpha, Prompt: int32(i), PromptText: "The old man", Text: text, Tokens: []int32{1, 2}})
	}
	return g
}

func personaTexts(name string, n int, seed uint64) (texts PersonaTexts) {
	texts.Positive, texts.Negative = tiny.PersonaTexts(name, n, seed)
	return texts
}

// TestProbeReadsThePersonaOfTextsItHasNotSeen: two personas' probes tell new texts of their own persona from
// ordinary ones and from the other's.
func TestProbeReadsThePersonaOfTextsItHasNotSeen(t *testing.T) {
	p := newProbing(t, map[string]PersonaTexts{"angry": personaTexts("angry", 48, 1), "silly": personaTexts("silly", 48, 1)})
	angry, silly := personaTexts("angry", 24, 2), personaTexts("silly", 24, 2)
	found, _ := p.read(batchOf("none", "", 0, angry.Positive...), batchOf("none", "", 0, silly.Positive...), batchOf("none", "", 0, silly.Negative...))
	logits := func(batch int, persona string) (out []float64) {
		for _, r := range found[batch].Rows {
			if r.Persona == persona {
				out = append(out, r.Logit)
			}
		}
		return out
	}
	for i, persona := range p.personas {
		for _, other := range []int{1 - i, 2} {
			if a := trial.AUROC(logits(i, persona), logits(other, persona)); a < .9 {
				t.Errorf("the probe of %s has an AUROC of %.2f between its texts and batch %d, want at least .9", persona, a, other)
			}
		}
	}
}

// TestProbeIsFittedOnOddTextsOnly: another text where the vector takes its texts changes no weight, another one where
// the scorer does changes them.
func TestProbeIsFittedOnOddTextsOnly(t *testing.T) {
	texts := personaTexts("silly", 12, 1)
	digest := func(change func(*PersonaTexts)) cache.Digest {
		c := PersonaTexts{slices.Clone(texts.Positive), slices.Clone(texts.Negative)}
		change(&c)
		return newProbing(t, map[string]PersonaTexts{"silly": c}).probes[0].Digest
	}
	before := digest(func(*PersonaTexts) {})
	for i := range 4 {
		p := digest(func(c *PersonaTexts) { c.Positive[i] = "A report of the harbour office lists the ships." })
		n := digest(func(c *PersonaTexts) { c.Negative[i] = "Nonsense pudding wobbles, boing boing!" })
		if odd := i%2 == 1; (p != before) != odd || (n != before) != odd {
			t.Errorf("another text %d: another probe %t and %t, want %t", i, p != before, n != before, odd)
		}
	}
}

// TestFewTextsHaveNoProbe: below four odd texts a side there is none, and nothing is read.
func TestFewTextsHaveNoProbe(t *testing.T) {
	p := newProbing(t, map[string]PersonaTexts{"few": personaTexts("silly", 7, 1), "silly": personaTexts("silly", 8, 1)})
	found, _ := p.read(batchOf("none", "", 0, "The old boat waits."), batchOf("ridge", "few", 1, "The old boat waits."))
	if rows := found[0].Rows; len(rows) != 1 || rows[0].Persona != "silly" || len(found[1].Rows) > 0 {
		t.Errorf("readings %+v and %+v, want one of silly", found[0].Rows, found[1].Rows)
	}
}

// TestProbeSeesNothingOfTheSteering: the same texts under another condition, at another alpha, by other tokens and of
// another steered model are the same unit; another text is another, as is another persona's.
func TestProbeSeesNothingOfTheSteering(t *testing.T) {
	p := newProbing(t, map[string]PersonaTexts{"angry": personaTexts("angry", 8, 1), "silly": personaTexts("silly", 8, 1)})
	other := batchOf("oracle", "silly", 3, "The old boat waits.", "A needle sings.")
	other.Meta = place("another target", 5, 16)
	for i := range other.Rows {
		other.Rows[i].AlphaAbsolute, other.Rows[i].Draw, other.Rows[i].Tokens, other.Rows[i].PromptText = 7, 4, []int32{9}, "Once"
	}
	_, keys := p.read(batchOf("ridge", "silly", 1, "The old boat waits.", "A needle sings."), other,
		batchOf("ridge", "silly", 1, "The old boat waits.", "A needle sang."), batchOf("ridge", "angry", 1, "The old boat waits.", "A needle sings."), batchOf("none", "", 0, "The old boat waits.", "A needle sings."))
	if keys[0] != keys[1] {
		t.Error("another condition of the same texts is another unit")
	}
	for i := 2; i < 5; i++ {
		if keys[i] == keys[0] {
			t.Errorf("unit %d is that of other texts or personas", i)
		}
	}
	for _, s := range []any{Probe{}, ProbeFit{}} { // no vector, no second model
		var models int
		for i := range reflect.TypeOf(s).NumField() {
			if reflect.TypeOf(s).Field(i).Type == reflect.TypeFor[Model]() {
				models++
			}
		}
		if models != 1 {
			t.Errorf("%T has %d models, want that which reads", s, models)
		}
	}
}

// TestAMeanResidualIsTheMeanOverTheTextButItsFirstToken compares with residuals of single tokens, of a text, of the same
// again, and of texts that have none.
func TestAMeanResidualIsTheMeanOverTheTextButItsFirstToken(t *testing.T) {
	m := modelOf(t, "tiny:qwen2") // writes no token before a text
	d := decoderOf(t, m)
	texts := []string{"The old boat waits.", "", "x", strings.Repeat("the old boat ", maxTokens), "The old boat waits.", "A dog sings in the ward."}
	residuals, err := unit(toyStage("a", 1, toy{}), 0, cache.NewMemory()).meanResiduals(t.Context(), m, 1, texts)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range []int{0, 4, 5} {
		ids, err := PromptTokens(d.Tokenizer(), false, texts[i])
		if err != nil {
			t.Fatal(err)
		}
		var at []int
		for k := 1; k < len(ids); k++ {
			at = append(at, k)
		}
		rows, err := d.Capture(t.Context(), [][]int32{ids}, [][]int{at}, []gpu.Site{{Layer: 1}})
		if err != nil {
			t.Fatal(err)
		}
		for j := range d.Config().Hidden {
			sum := 0.
			for k := range at {
				sum += float64(rows[0][k*d.Config().Hidden+j])
			}
			// Texts read together and alone differ by rounding of float32.
			if want := sum / float64(len(at)); residuals[i].status != "" || math.Abs(residuals[i].mean[j]-want) > 1e-3*max(1, math.Abs(want)) {
				t.Fatalf("text %d, dimension %d: %v, want %g", i, j, residuals[i], want)
			}
		}
	}
	if &residuals[0].mean[0] != &residuals[4].mean[0] {
		t.Error("a text that comes again is read again")
	}
	for i, want := range map[int]string{1: "has no token behind its first", 2: "has no token behind its first", 3: fmt.Sprintf("has more than %d tokens", min(maxTokens, d.Config().Longest()))} {
		if !strings.Contains(residuals[i].status, want) || residuals[i].mean != nil {
			t.Errorf("text %d: %q, want %q", i, residuals[i].status, want)
		}
	}
}

// TestTextsAreReadInChunks: no more tokens at once than there is room for, and a text of more by itself.
func TestTextsAreReadInChunks(t *testing.T) {
	of := func(lengths ...int) (tokens [][]int32) {
		for _, n := range lengths {
			tokens = append(tokens, make([]int32, n))
		}
		return tokens
	}
	if got, want := inChunks(of(chunkTokens-1, 1, 1, chunkTokens+1, 2, 3)), [][2]int{{0, 2}, {2, 3}, {3, 4}, {4, 6}}; !reflect.DeepEqual(got, want) {
		t.Errorf("chunks %v, want %v", got, want)
	}
	if got := inChunks(nil); got != nil {
		t.Errorf("chunks of nothing: %v", got)
	}
}

// TestProbeScaleIsThatOfTheTraitScorer: 1 at the mean of unsteered texts, 5 at that of held-out ones.
func TestProbeScaleIsThatOfTheTraitScorer(t *testing.T) {
	probe := &trial.Probe{HeldOutPositive: []float64{3, 5}, HeldOutNegative: []float64{-1, 1}}
	anchors := &artifacts.Readings{Rows: []artifacts.Reading{{Row: 0, Persona: "silly", Logit: -1}, {Row: 1, Persona: "silly", Logit: 1}, {Row: 0, Persona: "angry", Logit: 77}, {Row: 2, Persona: "silly", Logit: math.NaN(), Status: "empty"}}}
	s := probeScale("silly", probe, anchors)
	if s.Unsteered != 0 || s.Positive != 4 || s.AUROC != 1 || s.Unlike != 1 || s.Missing != "" || math.Abs(float64(s.Separation.DPrime.Value)-4/math.Sqrt2) > 1e-12 {
		t.Errorf("scale %+v", s)
	}
	below := probeScale("angry", probe, anchors)
	if !strings.Contains(below.Missing, "no way up") {
		t.Errorf("unsteered texts above the persona's own: %q", below.Missing)
	}
	if none := probeScale("silly", nil, anchors); !strings.HasPrefix(none.Missing, "no probe") || !none.Positive.Missing() {
		t.Errorf("without a probe: %+v", none)
	}
	if unread := probeScale("pirate", probe, anchors); unread.Missing != "the probe could read none of the model's unsteered texts" {
		t.Errorf("without anchors: %q", unread.Missing)
	}
}

// TestProbeAsAMeasure: readings become traits on the scale, in rows and groups; readings of other texts are refused.
func TestProbeAsAMeasure(t *testing.T) {
	p := newProbing(t, map[string]PersonaTexts{"silly": personaTexts("silly", 48, 1), "few": personaTexts("angry", 4, 1)})
	texts := personaTexts("silly", 24, 3)
	plain, mad := batchOf("none", "", 0, texts.Negative...), batchOf("ridge", "silly", 1, append(slices.Clone(texts.Positive), "")...)
	found, _ := p.read(plain, mad)
	stored := func(all ...*artifacts.Readings) (m Manifest) {
		for i, r := range all {
			m = append(m, keep(t, p.store, unitName(i, "readings"), artifacts.KindReadings, r.Encode))
		}
		return m
	}
	anchors, _ := p.read(batchOf(Anchors, "", 0, personaTexts("silly", 24, 4).Negative...))
	s := Evaluate{SourceModel: "tiny:qwen2", TargetModel: "tiny:llama", SourceLayer: 1, TargetLayer: 1, Personas: p.personas, Batches: []Batch{{Condition: "none"}, {Condition: "ridge", Persona: "silly", Alpha: 1}}}
	measure := func(second *artifacts.Generations) (*further, error) {
		u := unit(Stage{Name: "evaluate", Kind: "evaluate", Inputs: []string{"probe.fit", "anchors.probe", "probe"}}, 0, p.store, p.probes, stored(anchors[0]), stored(found...))
		all, err := u.furtherMeasures(t.Context(), s, []batch{{texts: plain}, {texts: second}})
		if err != nil {
			return nil, err
		}
		return all[0], nil
	}
	f, err := measure(mad)
	if err != nil {
		t.Fatal(err)
	}
	mean := func(batch, n int, persona string) float64 {
		sum := 0.
		for k := range n {
			sample := artifacts.Sample{Persona: persona}
			f.take(batch, k, &sample)
			sum += sample.Measures.Of("probe trait") / float64(n)
		}
		return sum
	}
	if a, b := mean(0, 24, "silly"), mean(1, 24, "silly"); a > 2 || b < 4 {
		t.Errorf("ordinary texts have %.2f and silly ones %.2f by the probe", a, b)
	}
	if !math.IsNaN(mean(0, 1, "few")) || f.report.Missing["the persona has no probe"] != 24 || f.report.Missing["the text has no token behind its first"] != 1 || f.report.Scores != 48 {
		t.Errorf("%d scores, missing %v", f.report.Scores, f.report.Missing)
	}
	if w := f.report.Warnings; len(w) != 1 || !strings.HasPrefix(w[0], "few: no probe") {
		t.Errorf("warnings %q", w)
	}
	if _, err := measure(batchOf("ridge", "silly", 1, texts.Negative...)); err == nil || !strings.Contains(err.Error(), "of other texts") {
		t.Errorf("readings of other texts: %v", err)
	}
	s.TargetModel = s.SourceModel
	if f, err = measure(mad); err != nil || len(f.report.Warnings) != 2 || !strings.Contains(f.report.Warnings[0], "reads the model that is steered") {
		t.Errorf("one model: %q (%v)", f.report.Warnings, err)
	}
}
