package artifacts

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/apache/arrow/go/v17/arrow/memory"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestMain counts what Arrow allocates in every test of the package: whatever is not
// released at the end is a leak in a program that uses a counting or pooled allocator.
func TestMain(m *testing.M) {
	flag.Parse()
	counted := memory.NewCheckedAllocator(memory.NewGoAllocator())
	allocator = counted
	code := m.Run()
	if n := counted.CurrentAlloc(); n != 0 && flag.Lookup("test.fuzz").Value.String() == "" && !expectsLeaks {
		fmt.Fprintf(os.Stderr, "artifacts: %d bytes of Arrow memory were never released\n", n)
		code = 1
	}
	os.Exit(code)
}

// expectsLeaks is set by tests of hostile files: Arrow's reader does not release what it
// holds when it panics, which with Go's memory is no leak.
var expectsLeaks bool

// A sampleValue is one value of each kind, small enough for a golden file.
type sampleValue struct {
	name   string
	encode func(io.Writer) error
	decode func(io.Reader) (any, error)
	value  any
}

func source() Meta {
	return Meta{Model: "tiny:qwen2", ModelDigest: "9f2c", Layer: 1, Positions: "last", Device: "cpu avx2", DType: "float32", Hidden: 3}
}

func target() Meta {
	return Meta{Model: "tiny:llama", ModelDigest: "81c0", Layer: 2, Positions: "last", Template: "chat", Device: "cpu avx2", DType: "float32", Hidden: 2}
}

func samples() []sampleValue {
	texts := &Texts{Notes: map[string]string{"origin": "grammar"}, Rows: []Text{
		{Document: "d0", Text: "Ein Igel — läuft.", Ends: []int32{3, 8}, Fold: 0},
		{Document: "d1", Text: "", Fold: 1, Status: "empty"},
		{Document: "d1", Text: "b", Ends: []int32{1}, Fold: 1},
	}}
	activations := &Activations{Meta: source(), Dim: 3,
		Document: []string{"d0", "d0", "d1"}, Text: []int32{0, 0, 1}, End: []int32{3, 8, 0},
		Token: []string{"Ein", " Igel", ""}, Fold: []int32{0, 0, 1},
		Residual: []float32{1, -2, 3.5, 0, 1e-30, 4, 0, 0, 0}}
	matrices := &Matrices{Source: source(), Target: target(), Notes: map[string]string{"permutations": "5"}}
	matrices.Add("fold.0.n", 1, 1, []float64{17})
	matrices.Add("fold.0.xtx", 2, 3, []float64{1, 2, 3, 4, 5, 1.0 / 3})
	vectors := &Vectors{Meta: target(), Scales: Scales{Residual: 12.5, Spread: 4, Native: 1.0 / 3}, Rows: []Vector{
		{Persona: "silly", Condition: "ridge", Norm: 5, Values: []float32{3, 4}},
		{Persona: "silly", Condition: "random_direction", Draw: 2, Norm: 1, Values: []float32{0, -1}},
	}}
	transfer := &Map{Source: source(), Target: target(), Method: "ridge", Lambda: 0.1, Rows: 3, Cols: 2,
		W: []float32{1, 2, 3, 4, 5, 6}, Intercept: []float32{0.5, -0.5}, Notes: map[string]string{"lambda_unit": "relative"}}
	generations := &Generations{Meta: target(), Rows: []Generation{
		{Condition: "ridge", Persona: "silly", Alpha: 0.3, AlphaAbsolute: 3.75, Prompt: 4, PromptText: "Tell me\nabout", Seed: 1 << 63, Text: " ♪ la", Tokens: []int32{5, 6, 7}, Ended: true},
		{Condition: "none", Prompt: 5, PromptText: "?"},
	}}
	scores := &Scores{Meta: target(), Generations: "3f9a", Rows: []Score{
		{Row: 0, NLL: 2.5, Tokens: 3, Perplexity: math.Exp(2.5), Shuffled: 7},
		{Row: 1, NLL: math.NaN(), Perplexity: math.NaN(), Shuffled: math.NaN()},
	}}
	judgements := &Judgements{Model: "judge-1", Generations: "3f9b", Rows: []Judgement{
		{Batch: 1, Row: 2, Persona: "silly", Measure: "trait", Score: 3.5, Weighted: true, Reply: "cc"},
		{Measure: "coherence", Score: math.NaN(), Reply: "dd", Status: "the judge refuses"},
	}}
	evaluation := &Evaluation{Rows: []Sample{
		{Persona: "silly", Condition: "ridge", Layer: 2, Alpha: 0.3, AlphaUnit: "residual", AlphaAbsolute: 3.75, Prompt: 4, PromptText: "Tell <me>", Seed: 42, Text: "\u2028\"la\"", Tokens: 3, Ended: true, Trait: 3.25, Coherence: 4, Perplexity: 12, NLL: 2.5, Shuffled: 7, Collapse: []string{"short"}, Vector: "aa", Generations: "bb",
			Measures: Further{[]string{"judge coherence", "judge trait", "probe trait"}, []float64{4.5, 2, 3.25}}},
		{Condition: "none", Trait: math.NaN(), Coherence: math.NaN(), Perplexity: math.NaN(), NLL: math.NaN(), Shuffled: math.NaN(), Status: "trait is missing: no scorer"},
	}}
	readings := &Readings{Meta: source(), Texts: "3f9c", Rows: []Reading{
		{Row: 0, Persona: "silly", Logit: -1.5},
		{Row: 1, Persona: "silly", Logit: math.NaN(), Status: "the text has no tokens"},
	}}
	return []sampleValue{
		{KindTexts, texts.Encode, adapt(DecodeTexts), texts},
		{KindActivations, activations.Encode, adapt(DecodeActivations), activations},
		{KindMatrices, matrices.Encode, adapt(DecodeMatrices), matrices},
		{KindVectors, vectors.Encode, adapt(DecodeVectors), vectors},
		{KindMap, transfer.Encode, adapt(DecodeMap), transfer},
		{KindGenerations, generations.Encode, adapt(DecodeGenerations), generations},
		{KindScores, scores.Encode, adapt(DecodeScores), scores},
		{KindEvaluation, evaluation.Encode, adapt(DecodeEvaluation), evaluation},
		{KindJudgements, judgements.Encode, adapt(DecodeJudgements), judgements},
		{KindReadings, readings.Encode, adapt(DecodeReadings), readings},
	}
}

func adapt[T any](decode func(io.Reader) (*T, error)) func(io.Reader) (any, error) {
	return func(r io.Reader) (any, error) {
		v, err := decode(r)
		if err != nil {
			return nil, err
		}
		return v, nil
	}
}

func encoded(t testing.TB, encode func(io.Writer) error) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := encode(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// equal is DeepEqual, with NaN equal to itself: it compares what is printed.
func equal(a, b any) bool {
	return reflect.DeepEqual(a, b) || fmt.Sprintf("%#v", a) == fmt.Sprintf("%#v", b) ||
		reflect.TypeOf(a) == reflect.TypeOf(b) && fmt.Sprintf("%+v", reflect.ValueOf(a).Elem()) == fmt.Sprintf("%+v", reflect.ValueOf(b).Elem())
}

func TestEveryKindComesBack(t *testing.T) {
	for _, s := range samples() {
		first := encoded(t, s.encode)
		got, err := s.decode(bytes.NewReader(first))
		if err != nil {
			t.Errorf("%s: %v", s.name, err)
			continue
		}
		if !equal(got, s.value) {
			t.Errorf("%s: got %+v, want %+v", s.name, got, s.value)
		}
		again := encoded(t, got.(interface{ Encode(io.Writer) error }).Encode)
		if !bytes.Equal(again, first) {
			t.Errorf("%s: the same value gave other bytes", s.name)
		}
	}
}

// Goldens hold the formats still: a change of bytes is a change of every key downstream.
func TestFormatsStayTheSame(t *testing.T) {
	for _, s := range samples() {
		path := filepath.Join("testdata", s.name+".golden")
		got := encoded(t, s.encode)
		if *update {
			if err := os.WriteFile(path, got, 0o666); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes differ from the %d of %s", s.name, len(got), len(want), path)
		}
	}
}
