package transforms

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/gpu"
	"github.com/persona-transfer/runpipeline/gpu/arch"
)

// someSpeed is round: a hundredth of a nanosecond for each product and operation, one for each element.
var someSpeed = Speed{gpu.Speed{Weight: 1e-10, Product: 1e-11, Element: 1e-9, Cores: 2}, 1e-11}

var (
	smallShape = ShapeOf(&arch.Config{Hidden: 512, Inner: 1536, Layers: 12, Heads: 8, KVHeads: 2, HeadDim: 64, Vocab: 32_000})
	bigShape   = ShapeOf(&arch.Config{Hidden: 2048, Inner: 6144, Layers: 24, Heads: 32, KVHeads: 8, HeadDim: 64, Vocab: 128_000})
)

// TestEveryKindHasWork: a kind that forgets its work would make a bar that stands still and a plan that is
// too short.
func TestEveryKindHasWork(t *testing.T) {
	for _, kind := range sampledKinds(t) {
		s := samples[kind]
		v := reflect.New(reflect.TypeOf(s.settings))
		v.Elem().Set(reflect.ValueOf(s.settings))
		fillSizes(v.Elem(), s.units)
		stage := NewStage(kind, kind, v.Elem().Interface(), s.units, s.inputs...)
		for unit, w := range stage.Works() {
			if !(w.Seconds(someSpeed) > 0) || w.Pace == "" {
				t.Errorf("unit %d of %s: %+v", unit, kind, w)
			}
		}
	}
}

// fillSizes sets what a sample leaves out: settings that are no part of a recipe.
func fillSizes(v reflect.Value, units int) {
	for i := range v.NumField() {
		switch f := v.Field(i).Addr().Interface().(type) {
		case *Shape:
			*f = smallShape
		case *ReadingSize:
			*f = ReadingSize{Tokens: 8000, Length: 16}
		case *Widths:
			*f = Widths{Source: 512, Target: 512, Pairs: 500}
		default:
			name := v.Type().Field(i)
			switch {
			case v.Field(i).Kind() == reflect.Struct && name.Type != reflect.TypeFor[cache.Digest]():
				fillSizes(v.Field(i), units)
			case name.Tag.Get("key") == "-" && v.Field(i).Kind() == reflect.Int:
				v.Field(i).SetInt(10)
			case name.Tag.Get("key") == "-" && v.Field(i).Kind() == reflect.Slice:
				v.Field(i).Set(reflect.ValueOf(slices.Repeat([]int{10}, units)))
			}
		}
	}
}

// TestWorkGrowsWithWhatMakesIt holds each kind's work against twice as much of one thing.
func TestWorkGrowsWithWhatMakesIt(t *testing.T) {
	secondsOf := func(w Work) float64 { return w.Seconds(someSpeed) }
	g := Generate{Model: Model{Shape: smallShape}, Prompts: slices.Repeat([]string{"The captain of the boat"}, 30), Seeds: 1,
		Sampling: Sampling{MaxNewTokens: 20}, Batches: []Batch{{Condition: "none"}}}
	longer := g
	longer.Sampling.MaxNewTokens *= 2
	seeds := g
	seeds.Seeds *= 2
	reading := func(s Shape, tokens, layer int) float64 {
		return secondsOf(captureWork(Capture{Model: Model{Shape: s}, Layer: layer, Size: ReadingSize{Tokens: tokens, Length: 16}}, 0))
	}
	fitting := func(width, lambdas int) float64 {
		return secondsOf(fitWork(Fit{Lambdas: make([]float64, lambdas), Folds: 5, Widths: Widths{width, width, 4 * width}}, 0))
	}
	for name, c := range map[string]struct{ more, less, low, high float64 }{
		"new tokens":                    {secondsOf(generateWork(longer, 0)), secondsOf(generateWork(g, 0)), 1.9, 2.3},
		"seeds: rows share the weights": {secondsOf(generateWork(seeds, 0)), secondsOf(generateWork(g, 0)), 1.3, 2},
		"texts are scored twice":        {secondsOf(scoreWork(g.Scoring(), 0)), secondsOf(smallShape.scoring(30, meanTokens(g.Prompts), 20)), 1.9, 2.1},
		"tokens that are read":          {reading(smallShape, 16000, 5), reading(smallShape, 8000, 5), 1.9, 2.1},
		"blocks up to the layer":        {reading(smallShape, 8000, 11), reading(smallShape, 8000, 5), 1.9, 2.1},
		"width of the model":            {reading(bigShape, 8000, 5), reading(smallShape, 8000, 5), 8, 16},
		"width of the map":              {fitting(4096, 2), fitting(2048, 2), 6, 8.1},
		"penalties":                     {fitting(2048, 4), fitting(2048, 2), 1.3, 2},
	} {
		if ratio := c.more / c.less; !(ratio >= c.low && ratio <= c.high) {
			t.Errorf("%s: %g times the time, want %g to %g", name, ratio, c.low, c.high)
		}
	}
	alone, together := g.Model.Shape.writing(1, 5, 20), g.Model.Shape.writing(30, 5, 20)
	if per := secondsOf(together) / secondsOf(alone); per > 20 {
		t.Errorf("30 rows together take %.1f times as long as one alone", per)
	}
}

// TestSizeOfTexts: at word ends a text gives several pairs, so fewer tokens are read for as many.
func TestSizeOfTexts(t *testing.T) {
	texts := slices.Repeat([]string{"one two three four five six"}, 50) // 4 word ends from the third on
	last, ends, all := SizeOf(texts, "last", 100), SizeOf(texts, "word_ends", 100), SizeOf(texts, "last", 0)
	if last.Tokens != 4*ends.Tokens || all.Tokens != 50*8 || last.Length != 8 {
		t.Errorf("last %+v, word ends %+v, all %+v", last, ends, all)
	}
	if got := SizeOf(nil, "last", 10); got.Tokens != 0 {
		t.Errorf("no texts are %+v", got)
	}
}

// TestUnitsSayHowFarTheyAre: a unit that reads, writes or scores tells of it while it is at work, and no
// oftener than it may.
func TestUnitsSayHowFarTheyAre(t *testing.T) {
	m := modelOf(t, "tiny:llama")
	texts := PersonaTexts{Positive: []string{"The old boat waits.", "x", "The dog sings.", "x"}, Negative: []string{"A star is tired.", "x", "The cook eats soup.", "x"}}
	store := cache.NewMemory()
	capture := Capture{Model: m, Layer: 1, Positions: "last"}
	g := Generate{Model: m, Layer: 1, Prompts: []string{"The captain", "A cook"}, Seeds: 60, Positions: "response", Sampling: Sampling{MaxNewTokens: 8, Temperature: 1}, Sampler: gpu.Sampler, Batches: []Batch{{Condition: Anchors}}}
	generated := unit(NewStage("generate", "generate", g, 1, "vectors"), 0, store, Manifest{})
	key, err := generate(t.Context(), generated, g)
	out := outputOf(t, generated, key, err, "texts")
	out.Name = unitName(0, "texts")
	for name, c := range map[string]struct {
		settings any
		inputs   []string
		in       []Manifest
	}{
		"personas": {Personas{Capture: capture, Personas: []PersonaRef{{"silly", keep(t, store, "texts", KindJSON, writeBytes(EncodeJSON(texts))).Digest}}}, nil, nil},
		"generate": {g, []string{"vectors"}, []Manifest{{}}},
		"score":    {Score{Model: m}, []string{"generate"}, []Manifest{{out}}},
	} {
		for _, every := range []time.Duration{0, time.Hour} {
			events := eventsOf(t, name, c.settings, store, c.inputs, c.in, every)
			var parts []float64
			for _, ev := range events[:len(events)-1] {
				if ev.Ends() {
					t.Errorf("%s: %+v before the unit ends", name, ev)
				}
				if ev.Part > 0 {
					parts = append(parts, ev.Part)
				}
			}
			if end := events[len(events)-1]; !end.Ends() || end.Hit {
				t.Errorf("%s ends with %+v", name, end)
			}
			if !slices.IsSorted(parts) || len(parts) > 0 && parts[len(parts)-1] >= 1 || every == 0 && len(parts) < 2 && name != "personas" || every > 0 && len(parts) > 1 {
				t.Errorf("%s, events %s apart, tells %v", name, every, parts)
			}
		}
	}
}

// A forgetful store is one in which nothing is ever found.
type forgetful struct{ *cache.Memory }

func (forgetful) Lookup(context.Context, cache.ActionKey) ([]cache.Output, bool, error) {
	return nil, false, nil
}

// eventsOf runs a stage of one unit and gives its events.
func eventsOf(t *testing.T, kind string, settings any, store *cache.Memory, inputs []string, in []Manifest, every time.Duration) (events []Event) {
	t.Helper()
	defer func(old time.Duration) { shareEvery = old }(shareEvery)
	shareEvery = every
	u := unit(NewStage(kind, kind, settings, 1, inputs...), 0, forgetful{store}, in...)
	u.run.events = func(ev Event) { events = append(events, ev) }
	if _, err := kinds[kind].run(t.Context(), u, settings); err != nil {
		t.Fatal(fmt.Errorf("%s: %w", kind, err))
	}
	return events
}

// TestModelsThatNobodyNeedsAreClosed: a model stays open as long as a stage of the run is not finished that
// runs it.
func TestModelsThatNobodyNeedsAreClosed(t *testing.T) {
	m := modelOf(t, "tiny:llama")
	m.Date = "2026-11-27" // a decoder of this test's own
	isOpen := func() bool {
		decoders.mu.Lock()
		defer decoders.mu.Unlock()
		_, ok := decoders.open[m.key()]
		return ok
	}
	capture := Capture{Model: m, Layer: 1, Positions: "last"}
	stages := []Stage{NewStage("capture.target", "capture", capture, 1, "pairs"), NewStage("personas.target", "personas", Personas{Capture: capture}, 1), NewStage("fit", "fit", Fit{}, 1, "gram")}
	for i, s := range stages {
		stages[i] = byName(s)
	}
	end := Begin(t.Context(), t.Name(), func(Event) {}, stages...)
	defer end()
	r := lookupRun(t.Context(), Env{Run: t.Name()})
	decoderOf(t, m)
	for _, c := range []struct {
		stage string
		open  bool
	}{{"fit", true}, {"capture.target", true}, {"another run's", true}, {"personas.target", false}} {
		if r.finished(c.stage); isOpen() != c.open {
			t.Errorf("after %s the model is open: %t, want %t", c.stage, isOpen(), c.open)
		}
	}
}
