package transforms

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/gpu/checkpoint"
	"github.com/persona-transfer/runpipeline/gpu/tiny"
	"github.com/persona-transfer/runpipeline/gpu/tokenizer"
)

// tokenizerOf opens the tokenizer of a model of the embedded pair.
func tokenizerOf(t *testing.T, ref string) *tokenizer.Tokenizer {
	t.Helper()
	tok, err := TextModel{Ref: ref, Digest: "of the embedded pair"}.Tokenizer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// embeddedPair reads with both models of the embedded pair.
func embeddedPair(t *testing.T) []reader {
	t.Helper()
	return []reader{{tokenizer: tokenizerOf(t, "tiny:qwen2")}, {tokenizer: tokenizerOf(t, "tiny:llama")}}
}

// TestPositionsAreThoseOfBothModels aligns the embedded pair: every end must be a token's end in
// both, and "last" must be the end of the text.
func TestPositionsAreThoseOfBothModels(t *testing.T) {
	both := aligner{readers: embeddedPair(t)}
	for _, text := range append(tiny.CalibrationTexts(1, 20), "An odd one: naïve café, 日本語 and 😀 at the end") {
		both.positions = "last"
		ends, status := both.ends(text)
		if status != "" || !slices.Equal(ends, []int32{int32(len(text))}) {
			t.Errorf("last of %q: %v %q, want its length %d", text, ends, status, len(text))
		}
		both.positions = "word_ends"
		ends, status = both.ends(text)
		if len(ends) == 0 || !slices.IsSorted(ends) {
			t.Errorf("word ends of %q: %v, %q", text, ends, status)
		}
		for _, r := range both.readers {
			ids, at, err := r.tokenizer.EncodeEnds(text)
			if err != nil {
				t.Fatal(err)
			}
			for _, end := range ends {
				if i := slices.Index(at, int(end)); i < 0 || i >= len(ids) {
					t.Errorf("%q: no token ends at %d", text, end)
				}
			}
		}
	}
}

// TestShardsHoldExactlyWhatIsAsked cuts texts of several positions into shards.
func TestShardsHoldExactlyWhatIsAsked(t *testing.T) {
	both := aligner{readers: embeddedPair(t), positions: "word_ends"}
	var texts []Text
	for i, text := range tiny.CalibrationTexts(3, 300) {
		texts = append(texts, Text{Document: fmt.Sprint("d", i/3), Text: text})
	}
	for _, n := range []int{10, ShardRows - 1, ShardRows, ShardRows + 1, 2*ShardRows + 7} {
		shards, err := both.shards(t.Context(), texts, n)
		if err != nil {
			t.Fatalf("%d pairs: %v", n, err)
		}
		total, fold := 0, map[string]int32{}
		for i, s := range shards {
			rows := positionsIn(s)
			total += rows
			if i < len(shards)-1 && rows != ShardRows {
				t.Errorf("%d pairs: shard %d has %d, want %d", n, i, rows, ShardRows)
			}
			for _, row := range s.Rows {
				if was, ok := fold[row.Document]; ok && was != row.Fold {
					t.Errorf("%d pairs: document %s is in folds %d and %d", n, row.Document, was, row.Fold)
				}
				fold[row.Document] = row.Fold
			}
		}
		if total != n || len(shards) != Shards(n) {
			t.Errorf("%d pairs: got %d in %d shards, want %d shards", n, total, len(shards), Shards(n))
		}
	}
	_, err := both.shards(t.Context(), texts[:2], 1000)
	if !errors.Is(err, ErrTexts) || !strings.Contains(err.Error(), "n_training_samples asks for 1000") {
		t.Errorf("1000 pairs of two texts: %v, want ErrTexts", err)
	}
}

// TestAShardKeepsARowThatGivesNothing looks for the reason in the status column.
func TestAShardKeepsARowThatGivesNothing(t *testing.T) {
	both := aligner{readers: embeddedPair(t), positions: "word_ends"}
	shards, err := both.shards(t.Context(), []Text{{Text: "too short"}, {Text: ""}, {Text: strings.Repeat("the old boat waits ", 2000)}, {Text: "this one has enough words"}}, 3)
	if err != nil {
		t.Fatal(err)
	}
	var status []string
	for _, row := range shards[0].Rows {
		status = append(status, fmt.Sprintf("%d %s", len(row.Ends), row.Status))
	}
	if want := []string{`0 the text has fewer than 3 words, and positions "word_ends" begin with that one; "last" reads the end of every text`, "0 the text is empty", "0 the text has more than 4096 tokens", "3 "}; !slices.Equal(status, want) {
		t.Errorf("rows %q, want %q", status, want)
	}
}

// TestTextsThatStandForNothing are refused before anything runs.
func TestTextsThatStandForNothing(t *testing.T) {
	for _, ref := range []string{"tiny:qwen2", "tiny:llama"} {
		tok := tokenizerOf(t, ref)
		for text, ok := range map[string]bool{"": false, "a": true, "\xff\xfe": false, "The boat": true, " ": true} {
			err := CheckText(tok, false, text)
			if (err == nil) != ok || !ok && !errors.Is(err, ErrTexts) {
				t.Errorf("%s reads %q: %v, want good: %t", ref, text, err, ok)
			}
		}
	}
}

// TestBatchesOfAnExperiment enumerates a small one: none once, the rest by persona,
// condition and alpha.
func TestBatchesOfAnExperiment(t *testing.T) {
	conditions := []Condition{conditionOf(t, "none"), conditionOf(t, "ridge"), conditionOf(t, "oracle"), conditionOf(t, "prompt")}
	got := Batches(conditions, []string{"angry", "silly"}, []float64{1, 2}, map[string]string{"angry": "Be angry."})
	want := []Batch{{Condition: "none"},
		{"ridge", "angry", 1, ""}, {"ridge", "angry", 2, ""}, {"oracle", "angry", 1, ""}, {"oracle", "angry", 2, ""}, {"prompt", "angry", 0, "Be angry."},
		{"ridge", "silly", 1, ""}, {"ridge", "silly", 2, ""}, {"oracle", "silly", 1, ""}, {"oracle", "silly", 2, ""}, {"prompt", "silly", 0, ""}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("batches\n%v, want\n%v", got, want)
	}
}

// TestEveryDrawServesSomeRows counts the rows of each draw, and the prompts that it serves.
func TestEveryDrawServesSomeRows(t *testing.T) {
	for _, c := range []struct{ n, prompts, seeds, least, most, leastPrompts int }{
		{20, 30, 3, 4, 5, 4},
		{20, 30, 1, 1, 2, 1},
		{20, 60, 3, 9, 9, 9},
		{20, 4, 1, 0, 1, 0},
		{3, 30, 3, 30, 30, 30},
		{1, 30, 3, 90, 90, 30},
	} {
		rows, prompts := make([]int, c.n), make([]map[int]bool, c.n)
		for prompt := range c.prompts {
			for seed := range c.seeds {
				d := drawOf(c.n, prompt, seed, c.seeds)
				rows[d]++
				if prompts[d] == nil {
					prompts[d] = map[int]bool{}
				}
				prompts[d][prompt] = true
			}
		}
		fewest := c.prompts
		for _, p := range prompts {
			fewest = min(fewest, len(p))
		}
		if least, most := slices.Min(rows), slices.Max(rows); least != c.least || most != c.most || fewest != c.leastPrompts {
			t.Errorf("%d draws, %d prompts, %d seeds: rows %v, of at least %d prompts", c.n, c.prompts, c.seeds, rows, fewest)
		}
	}
}

// TestAnchorsAreEnough continues few prompts with several seeds, and writes fewer texts beside few.
func TestAnchorsAreEnough(t *testing.T) {
	for prompts, want := range map[int]int{1: 120, 7: 18, 50: 3, 119: 2, 120: 1, 300: 1} {
		if got := AnchorSeeds(prompts, 120); got != want {
			t.Errorf("%d anchor prompts: %d seeds each, want %d", prompts, got, want)
		}
	}
	for texts, want := range map[int]int{1: 24, 2: 24, 3: 30, 11: 110, 12: 120, 30: 120, 90: 120} { // the shipped experiments have 30 and 90
		if got := AnchorTexts(texts); got != want {
			t.Errorf("%d texts of a condition: %d anchors, want %d", texts, got, want)
		}
	}
}

// TestHalvesOfTheTexts keeps what fits the vectors and what trains the scorer apart.
func TestHalvesOfTheTexts(t *testing.T) {
	texts := []string{"0", "1", "2", "3", "4"}
	if even, odd := half(texts, false), half(texts, true); !slices.Equal(even, []string{"0", "2", "4"}) || !slices.Equal(odd, []string{"1", "3"}) {
		t.Errorf("halves %v and %v", even, odd)
	}
}

// TestVectorsElsewhereAreRefused steers at another layer, and with another model, than the vectors
// were made for.
func TestVectorsElsewhereAreRefused(t *testing.T) {
	v := &artifacts.Vectors{Meta: artifacts.Meta{ModelDigest: "d", Layer: 1, Positions: "last", Template: "none", Hidden: 2}, Scales: artifacts.Scales{Residual: 1, Spread: 1, Native: 1},
		Rows: []artifacts.Vector{{Persona: "silly", Condition: "ridge", Norm: 1, Values: []float32{1, 0}}}}
	here := Generate{Model: Model{Ref: "m", Digest: "d"}, Layer: 1, Prompts: []string{"a"}, Seeds: 1, AlphaUnit: "residual", Positions: "response",
		Batches: []Batch{{Condition: "ridge", Persona: "silly", Alpha: 1}}}
	if err := here.belongs(v); err != nil {
		t.Errorf("vectors of this place: %v", err)
	}
	layer, model := here, here
	layer.Layer, model.Model.Digest = 2, "e"
	for name, s := range map[string]Generate{"layer": layer, "model": model} {
		if err := s.belongs(v); !errors.Is(err, artifacts.ErrMismatch) {
			t.Errorf("another %s: %v, want ErrMismatch", name, err)
		}
		// The whole unit, before it generates anything.
		store := cache.NewMemory()
		m := Manifest{keep(t, store, "ridge/silly", artifacts.KindVectors, v.Encode)}
		if _, err := unit(NewStage("generate", "generate", s, 1, "vectors"), 0, store, m).rows(t.Context(), s, s.Batches[0], nil, m[0], &artifacts.Generations{}); !errors.Is(err, artifacts.ErrMismatch) {
			t.Errorf("rows with vectors of another %s: %v, want ErrMismatch", name, err)
		}
	}
}

// A place is where vectors or a map were taken.
func place(digest string, layer, hidden int) artifacts.Meta {
	return artifacts.Meta{ModelDigest: digest, Layer: layer, Positions: "last", Template: "none", Hidden: hidden}
}

// TestMapElsewhereIsRefused gives the stage of the vectors a map that starts or ends at another
// layer, in another model, or was fitted at other positions than the persona vectors were taken.
func TestMapElsewhereIsRefused(t *testing.T) {
	source, target := place("s", 1, 2), place("t", 1, 3)
	words := source
	words.Positions = "word_ends"
	for _, c := range []struct {
		name     string
		from, to artifacts.Meta
		ok       bool
	}{
		{"the same places", source, target, true},
		{"another source layer", place("s", 2, 2), target, false},
		{"another source model", place("x", 1, 2), target, false},
		{"another target layer", source, place("t", 0, 3), false},
		{"another target model", source, place("x", 1, 3), false},
		{"other positions", words, target, false},
	} {
		store := cache.NewMemory()
		persona := func(at artifacts.Meta) Manifest {
			v := &artifacts.Vectors{Meta: at, Rows: []artifacts.Vector{{Persona: "silly", Condition: "native", Norm: 1, Values: append([]float32{1}, make([]float32, at.Hidden-1)...)}}}
			return Manifest{keep(t, store, unitName(0, "vector"), artifacts.KindVectors, v.Encode)}
		}
		activations := func(at artifacts.Meta) Manifest {
			a := &artifacts.Activations{Meta: at, Dim: at.Hidden, Document: []string{"d"}, Text: []int32{0}, End: []int32{1}, Token: []string{"x"}, Fold: []int32{0}, Residual: append([]float32{2}, make([]float32, at.Hidden-1)...)}
			return Manifest{keep(t, store, unitName(0, "activations"), artifacts.KindActivations, a.Encode)}
		}
		m := &artifacts.Map{Source: c.from, Target: c.to, Method: "ridge", Lambda: 1, Rows: 2, Cols: 3, W: []float32{1, 0, 0, 0, 1, 0}}
		stage := NewStage("vectors", "vectors", VectorSettings{Conditions: []string{"ridge", "oracle", "zero_pad"}, Personas: []string{"silly"}, Draws: 1, Seed: 1}, 1, samples["vectors"].inputs...)
		u := unit(stage, 0, store, Manifest{keep(t, store, "map", artifacts.KindMap, m.Encode)}, persona(source), persona(target), activations(source), activations(target), nil, nil)
		_, err := vectors(t.Context(), u, VectorSettings{Conditions: []string{"ridge", "oracle", "zero_pad"}, Personas: []string{"silly"}, Draws: 1, Seed: 1})
		if c.ok && err != nil || !c.ok && !errors.Is(err, artifacts.ErrMismatch) {
			t.Errorf("a map of %s: %v, want ErrMismatch: %t", c.name, err, !c.ok)
		}
	}
}

// TestOutputOfAnotherKindIsRefused reads a map as vectors.
func TestOutputOfAnotherKindIsRefused(t *testing.T) {
	store := cache.NewMemory()
	o := keep(t, store, "x", artifacts.KindMap, writeBytes([]byte("anything")))
	if _, err := load(t.Context(), store, o, artifacts.KindVectors, artifacts.DecodeVectors); !errors.Is(err, artifacts.ErrFormat) {
		t.Errorf("a map as vectors: %v, want ErrFormat", err)
	}
	o.Kind = artifacts.KindVectors
	if _, err := load(t.Context(), store, o, artifacts.KindVectors, artifacts.DecodeVectors); !errors.Is(err, artifacts.ErrFormat) {
		t.Errorf("anything as vectors: %v, want ErrFormat", err)
	}
}

// TestPairsMustMeet compares shards whose rows are of different places.
func TestPairsMustMeet(t *testing.T) {
	shard := func() *artifacts.Activations {
		return &artifacts.Activations{Dim: 1, Document: []string{"a", "b"}, Text: []int32{0, 1}, End: []int32{4, 5}, Residual: []float32{1, 2}}
	}
	if err := paired(shard(), shard()); err != nil {
		t.Errorf("equal shards: %v", err)
	}
	for name, change := range map[string]func(*artifacts.Activations){
		"document": func(a *artifacts.Activations) { a.Document[1] = "c" },
		"text":     func(a *artifacts.Activations) { a.Text[0] = 7 },
		"end":      func(a *artifacts.Activations) { a.End[1] = 6 },
		"rows":     func(a *artifacts.Activations) { a.Document, a.Text, a.End = a.Document[:1], a.Text[:1], a.End[:1] },
	} {
		other := shard()
		change(other)
		if err := paired(shard(), other); err == nil || !strings.HasPrefix(err.Error(), "pair activations: ") {
			t.Errorf("another %s: %v, want an error", name, err)
		}
	}
}

// modelOf names a model as a stage does.
func modelOf(t *testing.T, ref string) Model {
	t.Helper()
	c, err := OpenFiles(t.Context(), ref, false)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	digest, err := c.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return Model{Ref: ref, Digest: digest, Open: "cpu"}
}

// TestNoEmbeddedModelOfThatName says which there are.
func TestNoEmbeddedModelOfThatName(t *testing.T) {
	_, err := OpenFiles(context.Background(), "tiny:gpt2", false)
	if !errors.Is(err, checkpoint.ErrNotFound) || !strings.Contains(err.Error(), "tiny:qwen2 and tiny:llama") {
		t.Errorf("tiny:gpt2: %v", err)
	}
}

// TestDecodersAreOpenedOnce asks for a model twice, and again after it was closed.
func TestDecodersAreOpenedOnce(t *testing.T) {
	CloseModels() // what other tests left open
	m := modelOf(t, "tiny:qwen2")
	var notes []string
	u := unit(toyStage("a", 1, toy{}), 0, cache.NewMemory())
	u.run.events = func(ev Event) { notes = append(notes, ev.Note) }
	for range 2 {
		if _, err := u.decoder(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	CloseModels()
	if _, err := u.decoder(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if want := []string{"loading tiny:qwen2", "loading tiny:qwen2"}; !slices.Equal(notes, want) {
		t.Errorf("notes %q, want %q", notes, want)
	}
	m.Digest = strings.Repeat("0", 64)
	if _, err := u.decoder(t.Context(), m); err == nil || !strings.Contains(err.Error(), "its files here are others than those of the run") {
		t.Errorf("a model whose files changed: %v", err)
	}
}
