package transforms

import (
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/gpu"
	"github.com/persona-transfer/runpipeline/transforms/trial"
)

// TestRowsSteerAsTheyAreTold makes the rows of a batch of three prompts and two seeds: what is added,
// where, with which noise.
func TestRowsSteerAsTheyAreTold(t *testing.T) {
	m := modelOf(t, "tiny:llama")
	d := decoderOf(t, m)
	width := d.Config().Hidden
	unitVector := func(i int, x float32) []float32 { v := make([]float32, width); v[i] = x; return v }
	v := &artifacts.Vectors{Meta: place(m.Digest, 2, width), Scales: artifacts.Scales{Residual: 10, Spread: 4, Native: 2}, Rows: []artifacts.Vector{
		{Persona: "silly", Condition: "shuffled_pairs", Draw: 0, Norm: 5, Values: unitVector(0, 5)},
		{Persona: "silly", Condition: "shuffled_pairs", Draw: 1, Norm: .5, Values: unitVector(1, -.5)}}}
	store := cache.NewMemory()
	in := Manifest{keep(t, store, "shuffled_pairs/silly", artifacts.KindVectors, v.Encode)}
	prompts := []string{"The captain", "A cook", "The road"}
	s := Generate{Model: m, Layer: 2, Prompts: prompts, Seeds: 2, AlphaUnit: "spread", Positions: "all", Seed: 40, Batches: []Batch{{Condition: "shuffled_pairs", Persona: "silly", Alpha: -.5}}}
	u := unit(NewStage("generate", "generate", s, 1, "vectors"), 0, store, in)
	var out artifacts.Generations
	rows, err := u.rows(t.Context(), s, s.Batches[0], d, in[0], &out)
	if err != nil || len(rows) != 6 {
		t.Fatalf("%d rows (%v), want 6", len(rows), err)
	}
	for i, row := range rows {
		prompt, seed := i/2, i%2
		ids, err := PromptTokens(d.Tokenizer(), false, prompts[prompt])
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(row.Prompt, ids) || row.Noise != (gpu.Noise{Seed: 40 + uint64(seed), Prompt: gpu.PromptDigest(prompts[prompt])}) {
			t.Errorf("row %d: prompt %v, noise %v", i, row.Prompt, row.Noise)
		}
		// The rows take the two draws in turn. Whatever a draw's length was, −.5 of spread 4 adds −2.
		draw := i % 2
		want := unitVector(draw, []float32{-2, 2}[draw])
		p := row.Push[0]
		if len(row.Push) != 1 || p.Site.Layer != 2 || p.Positions != gpu.All || !slices.Equal(p.Vector, want) {
			t.Errorf("row %d: %d pushes, at %s, %s: %v, want %v after block 2", i, len(row.Push), p.Site, p.Positions, p.Vector[:2], want[:2])
		}
		if o := out.Rows[i]; o.AlphaAbsolute != -2 || o.Alpha != -.5 || int(o.Draw) != draw || int(o.Prompt) != prompt || o.Seed != uint64(seed) || o.PromptText != prompts[prompt] {
			t.Errorf("row %d is recorded as %+v", i, o)
		}
	}
}

// TestConditionsShareTheirNoise: a row of another condition, alpha or prefix draws the same numbers, and
// the prefix that asks for a persona is in the prompt that the model reads.
func TestConditionsShareTheirNoise(t *testing.T) {
	m := modelOf(t, "tiny:llama")
	d := decoderOf(t, m)
	s := Generate{Model: m, Layer: 1, Prompts: []string{"The captain"}, Seeds: 1, Positions: "response", Seed: 3}
	u := unit(NewStage("generate", "generate", s, 1, "vectors"), 0, cache.NewMemory())
	read := func(b Batch) gpu.Row {
		rows, err := u.rows(t.Context(), s, b, d, cache.Output{}, &artifacts.Generations{})
		if err != nil {
			t.Fatal(err)
		}
		return rows[0]
	}
	none, asked := read(Batch{Condition: "none"}), read(Batch{Condition: "prompt", Persona: "silly", Prefix: "Be silly."})
	if none.Noise != asked.Noise {
		t.Errorf("noise of none %v, of prompt %v", none.Noise, asked.Noise)
	}
	whole, err := PromptTokens(d.Tokenizer(), false, "Be silly. The captain")
	if err != nil || !slices.Equal(asked.Prompt, whole) || len(none.Push) != 0 {
		t.Errorf("the prompt that asks is %v, want %v (%v); none has %d pushes", asked.Prompt, whole, err, len(none.Push))
	}
}

// TestAnotherSamplerIsRefused: texts are not stored as those of a sampler that did not make them.
func TestAnotherSamplerIsRefused(t *testing.T) {
	s := Generate{Model: modelOf(t, "tiny:llama"), Prompts: []string{"The captain"}, Seeds: 1, Positions: "response", Sampling: Sampling{MaxNewTokens: 1},
		Sampler: gpu.Sampler, Batches: []Batch{{Condition: "none"}}}
	for _, sampler := range []string{gpu.Sampler, "gumbel/0"} {
		s.Sampler = sampler
		store := cache.NewMemory()
		_, err := generate(t.Context(), unit(NewStage("generate", "generate", s, 1, "vectors"), 0, store, Manifest{}), s)
		if refused := err != nil && strings.Contains(err.Error(), sampler); refused != (sampler != gpu.Sampler) {
			t.Errorf("sampler %q: %v", sampler, err)
		}
	}
}

func encode(t *testing.T, d *gpu.Decoder, text string) []int32 {
	t.Helper()
	ids, err := d.Tokenizer().EncodePlain(text)
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

// scoredBatch runs the stage that scores on texts after a prompt.
func scoredBatch(t *testing.T, m Model, texts ...string) *artifacts.Scores {
	t.Helper()
	d := decoderOf(t, m)
	g := &artifacts.Generations{Meta: place(m.Digest, 1, d.Config().Hidden)}
	for _, text := range texts {
		row := artifacts.Generation{PromptText: "The captain", Text: text}
		if text != "" {
			row.Tokens = encode(t, d, " "+text)
		}
		g.Rows = append(g.Rows, row)
	}
	store := cache.NewMemory()
	s := Score{Model: m}
	u := unit(NewStage("score", "score", s, 1, "generate"), 0, store, Manifest{keep(t, store, unitName(0, "texts"), artifacts.KindGenerations, g.Encode)})
	key, err := score(t.Context(), u, s)
	out, err := load(t.Context(), store, outputOf(t, u, key, err, "scores"), artifacts.KindScores, artifacts.DecodeScores)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// meanLoss is the mean −log p of a continuation's tokens, from the logits after every prefix, which are
// computed without any cache.
func meanLoss(t *testing.T, d *gpu.Decoder, prompt string, continuation []int32) float64 {
	t.Helper()
	ids, err := PromptTokens(d.Tokenizer(), false, prompt)
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, next := range continuation {
		logits, err := d.Logits(t.Context(), [][]int32{ids}, nil)
		if err != nil {
			t.Fatal(err)
		}
		total := 0.0
		for _, x := range logits[0] {
			total += math.Exp(float64(x - logits[0][next]))
		}
		sum += math.Log(total)
		ids = append(slices.Clone(ids), next)
	}
	return sum / float64(len(continuation))
}

// TestScoreIsTheMeanLossOfTheContinuation leaves the prompt out of the mean, and has no score for an
// empty text. Logits and cached likelihoods agree to 10⁻⁴ nats.
func TestScoreIsTheMeanLossOfTheContinuation(t *testing.T) {
	m := modelOf(t, "tiny:llama")
	d := decoderOf(t, m)
	texts := []string{"waits by the sea", "sings", ""}
	got := scoredBatch(t, m, texts...)
	for i, text := range texts[:2] {
		want := meanLoss(t, d, "The captain", encode(t, d, " "+text))
		if r := got.Rows[i]; math.Abs(r.NLL-want) > 1e-4 || math.Abs(r.Perplexity-math.Exp(r.NLL)) > 1e-9*r.Perplexity {
			t.Errorf("%q: %g nats a token, perplexity %g, want %g nats", text, r.NLL, r.Perplexity, want)
		}
	}
	if r := got.Rows[2]; !math.IsNaN(r.NLL) || !math.IsNaN(r.Shuffled) || r.Tokens != 0 {
		t.Errorf("an empty text has %g nats of %d tokens, shuffled %g", r.NLL, r.Tokens, r.Shuffled)
	}
}

// TestTextsAreAlsoScoredShuffled reads the words of a text in another order.
func TestTextsAreAlsoScoredShuffled(t *testing.T) {
	m := modelOf(t, "tiny:llama")
	d := decoderOf(t, m)
	const text = "waits by the old sea and sings a song of the boat"
	got := scoredBatch(t, m, "sings", text).Rows[1]
	mixed := trial.ShuffleWords(text, cache.NewRecipe("shuffled words", 2).Text("text", text).Key())
	if want := meanLoss(t, d, "The captain", encode(t, d, " "+mixed)); math.Abs(got.Shuffled-want) > 1e-4 || mixed == text {
		t.Errorf("%q has %g nats, want %g", mixed, got.Shuffled, want)
	}
	if got.Shuffled <= got.NLL {
		t.Errorf("shuffled %g nats, as it was %g", got.Shuffled, got.NLL)
	}
}

// handScorer gives a text with the word "boing" the logit 1 and any other −1. The word is the only known
// term, so its feature is √½.
var handScorer = scorerWith(3, .95)

// scorerWith is that scorer where held-out positive texts had the logit positive, and as many negative ones
// less or more than that as give an AUROC in hundredths.
func scorerWith(positive, auroc float64) string {
	var p, n []float64
	for i := range 100 {
		p, n = append(p, positive), append(n, positive-8)
		if float64(i) >= math.Round(100*auroc) {
			n[i] = positive + 1
		}
	}
	held, _ := json.Marshal(map[string][]float64{"held_out_positive": p, "held_out_negative": n})
	return `{"version":4,"guard":{"foreign":1},"lexicon":"ee56260012f26951c7b9f39db0fdf83756218308de4d6d4ba3c02db7aaeec5eb","terms":["wboing"],"idf":[1],"weights":[2.8284271247461903,0,0],"bias":-1,` + string(held[1:])
}

// A spoken is one text of a batch with its likelihood, and by how much it falls with the words shuffled.
type spoken struct {
	text  string
	nll   float64
	order float64
	ended bool
}

// written stores batches of texts with their likelihoods as generate and score do. Tokens are the words'
// places in the order of their first appearance.
func written(t *testing.T, store cache.Store, batches []Batch, texts [][]spoken) (generated, scored Manifest) {
	t.Helper()
	number := map[string]int32{}
	for i, b := range batches {
		g, s := &artifacts.Generations{Meta: place("t", 1, 2)}, &artifacts.Scores{Meta: place("t", 1, 2)}
		for k, x := range texts[i] {
			row := artifacts.Generation{Condition: b.Condition, Persona: b.Persona, Alpha: b.Alpha, AlphaAbsolute: 3 * b.Alpha, Prompt: int32(k), PromptText: "The captain", Text: x.text, Ended: x.ended}
			for _, word := range strings.Fields(x.text) {
				if _, ok := number[word]; !ok {
					number[word] = int32(len(number))
				}
				row.Tokens = append(row.Tokens, number[word])
			}
			g.Rows = append(g.Rows, row)
			s.Rows = append(s.Rows, artifacts.Score{Row: int32(k), NLL: x.nll, Tokens: int32(len(row.Tokens)), Perplexity: math.Exp(x.nll), Shuffled: x.nll + x.order})
		}
		o := keep(t, store, unitName(i, "texts"), artifacts.KindGenerations, g.Encode)
		s.Generations = o.Digest.String()
		generated, scored = append(generated, o), append(scored, keep(t, store, unitName(i, "scores"), artifacts.KindScores, s.Encode))
	}
	return generated, scored
}

// measured runs the stage of the yardstick on anchors and one scorer for each persona, in the order of
// their names, and gives its manifest.
func measured(t *testing.T, store cache.Store, scorers map[string]string, anchors []spoken) (yard, trait Manifest) {
	t.Helper()
	texts, scores := written(t, store, []Batch{{Condition: Anchors}}, [][]spoken{anchors})
	s := YardstickSettings{Personas: slices.Sorted(maps.Keys(scorers))}
	for i, p := range s.Personas {
		trait = append(trait, keep(t, store, unitName(i, "scorer"), artifacts.KindScorer, writeBytes([]byte(scorers[p]))))
	}
	u := unit(NewStage("yardstick", "yardstick", s, 1, samples["yardstick"].inputs...), 0, store, texts, scores, trait)
	key, err := yardstick(t.Context(), u, s)
	return Manifest{outputOf(t, u, key, err, "yardstick")}, trait
}

// handWorth is what the cosines of the persona are worth: the .8 of ridge is less than permuted labels give.
var handWorth = CosineReport{Persona: "silly", Source: trial.Reliability{Halves: .5, Whole: 2. / 3, Splits: 9}, Target: trial.Reliability{Halves: .25, Whole: .4, Splits: 9},
	Conditions: map[string]CosineFloor{"ridge": {Whole: trial.Floor{Mean: .5, Low: .1, High: .85, Permutations: 20}, Without: trial.Floor{Mean: .4, Low: 0, High: .7, Permutations: 19}}}}

// judged runs the stage of the evaluation on batches of texts, and gives its report and rows. anchors are
// the unsteered texts.
func judged(t *testing.T, scorerJSON string, batches []Batch, anchors []spoken, texts [][]spoken) (*Report, []artifacts.Sample) {
	t.Helper()
	store := cache.NewMemory()
	generated, scored := written(t, store, batches, texts)
	yard, scorer := measured(t, store, map[string]string{"silly": scorerJSON}, anchors)
	var steered Manifest
	for condition, values := range map[string][]float32{"ridge": {3, 4}, "oracle": {0, 2}} {
		v := &artifacts.Vectors{Meta: place("t", 1, 2), Scales: artifacts.Scales{Residual: 10, Spread: 4, Native: 2},
			Rows: []artifacts.Vector{{Persona: "silly", Condition: condition, Norm: length(values), Values: values}}}
		steered = append(steered, keep(t, store, condition+"/silly", artifacts.KindVectors, v.Encode))
	}
	slices.SortFunc(steered, func(a, b cache.Output) int { return strings.Compare(b.Name, a.Name) }) // ridge, then oracle
	fitted := Manifest{keep(t, store, "report", KindJSON, writeBytes([]byte(`{"method":"ridge","lambda":1,"largest_variance":[0]}`)))}
	left := &artifacts.Texts{Rows: []artifacts.Text{{Document: "a", Text: "good", Ends: []int32{4}}, {Document: "b", Text: "", Status: "the text is empty"}}}
	pairs := Manifest{keep(t, store, shardName(0), artifacts.KindTexts, left.Encode)}
	alike := resemblances(t, store, []string{"silly"}, pairs, scorer)
	worth := Manifest{keep(t, store, "cosines", KindJSON, writeBytes(EncodeJSON([]CosineReport{handWorth})))}
	s := Evaluate{TargetLayer: 1, Personas: []string{"silly"}, Conditions: []string{"none", "ridge", "oracle"}, Alphas: []float64{.5}, AlphaUnit: "residual", EndAllowed: true,
		Primary: Primary{Condition: "ridge", Versus: []string{"none"}, Measure: "trait"}, Batches: batches, Seed: 1}
	u := unit(NewStage("evaluate", "evaluate", s, 1, samples["evaluate"].inputs...), 0, store, yard, generated, scored, scorer, steered, fitted, pairs, alike, worth)
	key, err := evaluate(t.Context(), u, s)
	var report Report
	b, readErr := store.Read(t.Context(), outputOf(t, u, key, err, "report").Digest)
	if readErr == nil {
		readErr = json.Unmarshal(b, &report)
	}
	rows, rowsErr := load(t.Context(), store, outputOf(t, u, key, err, "rows"), artifacts.KindEvaluation, artifacts.DecodeEvaluation)
	if readErr != nil || rowsErr != nil {
		t.Fatal(readErr, rowsErr)
	}
	return &report, rows.Rows
}

// TestTextsAreJudgedByHand works out anchors, trait, coherence and collapse of a small evaluation.
func TestTextsAreJudgedByHand(t *testing.T) {
	batches := []Batch{{Condition: "none"}, {Condition: "ridge", Persona: "silly", Alpha: .5}, {Condition: "oracle", Persona: "silly", Alpha: .5}}
	anchors := []spoken{{"the old boat waits here today", 2, 4, true}, {"the boing boat drifts home again", 1.5, 4, true}, {"a dog sings in the ward", 2.5, 5, true}, {"my needle is tired of all this", 9, 2, true}}
	report, rows := judged(t, handScorer, batches, anchors, [][]spoken{
		{{"a calm ward with quiet nurses", 2.25, 4, true}, {"boing goes the calm red boat", 3.5, 2, true}},
		{{"the boing cat runs very fast", 2.75, 3, true}, {"boing boing boing boing boing boing boing", 1, 3, true}, {"we went on and on for hours", 2.25, 4, false}, {"garbled words of no sense whatsoever", 2, .5, true}},
		{{"such a silly boing for everyone", 5.625, 5, true}, {"", math.NaN(), 0, true}},
	})

	// Anchors: the medians of 2, 1.5, 2.5, 9 and of 4, 4, 5, 2; logits −1, 1, −1, −1; all ended.
	a := report.Anchors
	if a.Texts != 4 || a.NLL != 2.25 || a.Order != 4 || a.EndShare != 1 || math.Abs(float64(a.Unsteered["silly"])+.5) > 1e-12 || a.Positive["silly"] != 3 {
		t.Errorf("anchors %+v", a)
	}
	// Trait of a text with the marker: 1 + 4·(1 + .5)/(3 + .5); of another, whose logit is below the anchor, 1.
	marked := 1 + 4*1.5/3.5
	want := []struct {
		condition        string
		trait, coherence float64
		collapse         []string // names of flags
	}{
		{"none", 1, 4.6, nil},
		{"none", marked, 2.8, nil},  // half of the anchors' order
		{"ridge", marked, 3.7, nil}, // three quarters
		{"ridge", math.NaN(), 1.5, []string{trial.Repetition, trial.Run, trial.Loop, trial.Compression}}, // capped; one word
		{"ridge", 1, 1.5, []string{trial.NeverEnded}},
		{"ridge", 1, 1.45, []string{trial.Implausible}},  // an eighth
		{"oracle", marked, 4, nil},                       // all of it, and two and a half times their nats
		{"oracle", math.NaN(), 1, []string{trial.Empty}}, // nothing to score: as incoherent as can be
	}
	if len(rows) != len(want) {
		t.Fatalf("%d rows, want %d", len(rows), len(want))
	}
	for i, w := range want {
		r := rows[i]
		var flags []string
		for _, f := range r.Collapse {
			name, _, _ := strings.Cut(f, ":")
			flags = append(flags, name)
		}
		if missing := math.IsNaN(w.trait); missing != math.IsNaN(r.Trait) || missing != strings.HasPrefix(r.Status, "trait is missing: the text is unlike ") {
			t.Errorf("row %d: %q has trait %g and status %q, want %g", i, r.Text, r.Trait, r.Status, w.trait)
		}
		if r.Condition != w.condition || math.Abs(r.Trait-w.trait) > 1e-9 || math.Abs(r.Coherence-w.coherence) > 1e-9 || !slices.Equal(flags, w.collapse) {
			t.Errorf("row %d: %s %q: trait %g, coherence %g, collapse %v; want %+v", i, r.Condition, r.Text, r.Trait, r.Coherence, r.Collapse, w)
		}
		if steered := r.Condition != "none"; (r.Vector != "") != steered || r.Layer != 1 || steered && (r.Alpha != .5 || r.AlphaAbsolute != 1.5) {
			t.Errorf("row %d: vector %q, layer %d, alpha %g, absolute %g", i, r.Vector, r.Layer, r.Alpha, r.AlphaAbsolute)
		}
	}
	// Cosine of (3, 4) with the oracle's (0, 2) is .8; without dimension 0 it is 1.
	for i, w := range []struct {
		condition       string
		cosine, without float64
	}{{"ridge", .8, 1}, {"oracle", 1, 1}} {
		v := report.Vectors[i]
		if v.Condition != w.condition || math.Abs(float64(v.Cosine[0])-w.cosine) > 1e-9 || math.Abs(float64(v.CosineWithout[0])-w.without) > 1e-9 {
			t.Errorf("vector %d: %+v, want %+v", i, v, w)
		}
		if v.SourceReliability != handWorth.Source || v.TargetReliability != handWorth.Target {
			t.Errorf("vector %d is of reliability %+v and %+v", i, v.SourceReliability, v.TargetReliability)
		}
		// The target's own vector has nothing to be above.
		floor, ok := handWorth.Conditions[w.condition]
		if ok != (v.Floor != nil) || ok && (*v.Floor != floor.Whole || *v.FloorWithout != floor.Without) || v.UnderFloor() != ok {
			t.Errorf("vector %d: floors %+v and %+v, under it: %t", i, v.Floor, v.FloorWithout, v.UnderFloor())
		}
	}
	if report.LeftOut["the text is empty"] != 1 || len(report.LeftOut) != 1 || report.Experiment.Generations != 8 {
		t.Errorf("left out %v, %d texts; want one empty text, and the anchors not counted", report.LeftOut, report.Experiment.Generations)
	}
	// Means leave the traits of collapsed texts out: of ridge one text is left.
	for _, c := range report.Evaluation.Pooled.Conditions {
		if c.Condition == "ridge" && (math.Abs(float64(c.Trait.Value)-marked) > 1e-9 || c.MissingTraits != 3 || c.Collapse.Value != .75) {
			t.Errorf("ridge: trait %g, %d missing, collapse %g; want %g, 3, .75", c.Trait.Value, c.MissingTraits, c.Collapse.Value, marked)
		}
	}
	if s := report.Evaluation.Scorers; len(s) != 1 || s[0].AUROC != .95 {
		t.Errorf("scorers %+v", s)
	}
}

// TestAnchorsThatDoNotEnd raise no flag where a text does not end either.
func TestAnchorsThatDoNotEnd(t *testing.T) {
	batches := []Batch{{Condition: "none"}, {Condition: "ridge", Persona: "silly", Alpha: .5}}
	anchors := []spoken{{"the old boat waits here today", 2, 4, true}, {"a dog sings in the ward", 2, 4, false}}
	texts := [][]spoken{{{"a calm ward with quiet nurses", 2, 4, false}}, {{"we went on and on for hours", 2, 4, false}}}
	report, rows := judged(t, handScorer, batches, anchors, texts)
	if report.Anchors.EndShare != .5 || len(rows[0].Collapse)+len(rows[1].Collapse) > 0 {
		t.Errorf("%g of the anchors ended; collapse %v and %v, want none", report.Anchors.EndShare, rows[0].Collapse, rows[1].Collapse)
	}
}

// TestMissingTraitsHaveAReason: without a scorer, and where the unsteered texts score as high as the
// persona's own, every row says why it has no trait and the report says it once; otherwise no row does.
func TestMissingTraitsHaveAReason(t *testing.T) {
	batches := []Batch{{Condition: "none"}, {Condition: "ridge", Persona: "silly", Alpha: .5}, {Condition: "oracle", Persona: "silly", Alpha: .5}}
	said := []spoken{{"the old boat waits here today", 2, 4, true}, {"a dog sings in the ward", 2.5, 4, true}}
	for _, c := range []struct{ scorer, why string }{
		{handScorer, ""},
		{scorerWith(-1, .95), "the model's unsteered texts score -1.00, held-out texts of the persona -1.00: "},
		{"null", "no trait scorer, which needs at least 3 texts a side"},
	} {
		report, rows := judged(t, c.scorer, batches, said, [][]spoken{said, said, said})
		for i, r := range rows {
			if c.why == "" && (r.Status != "" || math.IsNaN(r.Trait)) || c.why != "" && (!strings.HasPrefix(r.Status, "trait is missing: "+c.why) || !math.IsNaN(r.Trait)) {
				t.Errorf("row %d: trait %g, status %q; want %q", i, r.Trait, r.Status, c.why)
			}
		}
		said := strings.Count(strings.Join(report.Evaluation.Warnings, "\n"), "silly: "+c.why)
		if c.why != "" && said != 1 {
			t.Errorf("the report's warnings %q say %d times why, want once: %s", report.Evaluation.Warnings, said, c.why)
		}
	}
}

// TestFewTextsHaveAScorer: five texts a side, too few for halves, are all used.
func TestFewTextsHaveAScorer(t *testing.T) {
	texts := func(n int) PersonaTexts {
		return PersonaTexts{Positive: []string{"a silly spoon", "silly boats", "the silly moon", "spoons giggle", "my silly hat", "x", "y", "z"}[:n],
			Negative: []string{"a plain spoon", "boats leave", "the full moon", "letters came", "my old hat", "u", "v", "w"}[:n]}
	}
	for n, want := range map[int]struct {
		few  bool
		used int // on either side
	}{2: {}, 3: {true, 3}, 5: {true, 5}, 7: {true, 7}, 8: {false, 4}} {
		got, err := fitScorer(texts(n))
		if err != nil || (got == nil) != (want.used == 0) || got != nil && (got.Few != want.few || len(got.HeldOutPositive) != want.used) {
			t.Errorf("%d texts a side: %+v, %v; want %+v", n, got, err, want)
		}
	}
}
