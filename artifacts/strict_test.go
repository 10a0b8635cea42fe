package artifacts

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"runtime"
	"strings"
	"testing"

	"github.com/persona-transfer/runpipeline/cache"
)

// A decoder given any file returns a value or ErrFormat. Cutting and damaging a good file
// everywhere reaches the framing, the description, the buffers and the footer.
func TestDamagedFilesAreRefusedOrRead(t *testing.T) {
	expectsLeaks = true
	for _, s := range samples() {
		whole := encoded(t, s.encode)
		step := 3 // the fuzz target does the rest
		if testing.Short() {
			step = 23
		}
		for i := 0; i < len(whole); i += step {
			if _, err := s.decode(bytes.NewReader(whole[:i])); !errors.Is(err, ErrFormat) {
				t.Fatalf("%s cut to %d of %d bytes: %v, want ErrFormat", s.name, i, len(whole), err)
			} else if strings.Contains(err.Error(), "\n") {
				t.Fatalf("%s cut to %d of %d bytes: %q is no one line", s.name, i, len(whole), err)
			}
			for _, mask := range []byte{1, 0xFF} {
				flipped := bytes.Clone(whole)
				flipped[i] ^= mask
				if v, err := s.decode(bytes.NewReader(flipped)); err != nil && !errors.Is(err, ErrFormat) {
					t.Fatalf("%s, byte %d: %v, want ErrFormat", s.name, i, err)
				} else if err == nil {
					reencode(t, v)
				}
			}
		}
		if _, err := s.decode(bytes.NewReader(append(whole, 0))); !errors.Is(err, ErrFormat) {
			t.Errorf("%s with a byte added: %v, want ErrFormat", s.name, err)
		}
	}
}

// reencode checks that what a decoder let through is a value that can be written again.
func reencode(t testing.TB, v any) {
	t.Helper()
	if err := v.(interface{ Encode(io.Writer) error }).Encode(io.Discard); err != nil {
		t.Fatalf("%+v was read but cannot be written: %v", v, err)
	}
}

func TestAKindIsNotTakenForAnother(t *testing.T) {
	for _, from := range samples() {
		content := encoded(t, from.encode)
		for _, to := range samples() {
			if _, err := to.decode(bytes.NewReader(content)); from.name != to.name && !errors.Is(err, ErrFormat) {
				t.Errorf("%s read as %s: %v", from.name, to.name, err)
			}
		}
	}
}

// sneak writes a table that only a mistaken or hostile writer would write.
func sneak(t *testing.T, f facts, columns ...column) io.Reader {
	t.Helper()
	var b bytes.Buffer
	if err := encodeTable(&b, f, columns); err != nil {
		t.Fatal(err)
	}
	return &b
}

func TestDecodersSayWhatIsWrong(t *testing.T) {
	good := func() facts {
		f := newFacts(KindVectors)
		Scales{}.set(f)
		if err := target().set(f, ""); err != nil {
			t.Fatal(err)
		}
		return f
	}
	with := func(key, value string) facts { f := good(); f[key] = value; return f }
	without := func(key string) facts { f := good(); delete(f, key); return f }
	rows := []Vector{{Values: []float32{1, 2}}}
	all, _ := rowColumns(&rows)
	narrow := []Vector{{Values: []float32{1}}}
	short, _ := rowColumns(&narrow)
	words, ints := []string{"x"}, []int32{1}
	for _, c := range []struct {
		name    string
		facts   facts
		columns []column
		want    string
	}{
		{"another version", with("version", "1"), all, `its version is "1", want "2"`},
		{"missing fact", without("scale.spread"), all, `fact "scale.spread" is missing`},
		{"unknown fact", with("colour", "red"), all, `fact "colour" is not known`},
		{"layer that is no number", with("layer", "one"), all, `fact "layer" is "one"`},
		{"layer with zeros", with("layer", "01"), all, `fact "layer" is "01"`},
		{"negative layer", with("layer", "-1"), all, `fact "layer" is "-1"`},
		{"huge layer", with("layer", "99999999999"), all, `fact "layer" is "99999999999"`},
		{"missing column", good(), all[:4], `column "values" is missing`},
		{"more columns", good(), append(all[:5:5], texts{"more", &words}), `column "more" is not known`},
		{"wrong order", good(), []column{all[1], all[0], all[2], all[3], all[4]}, `column 0 is "condition", want "persona"`},
		{"wrong type", good(), []column{numbers[int32]{"persona", &ints, false}, all[1], all[2], all[3], all[4]}, `column "persona" is int32, want utf8`},
		{"wrong width", good(), short, "has 1 values, hidden is 2"},
	} {
		_, err := DecodeVectors(sneak(t, c.facts, c.columns...))
		if !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "read vectors: ") {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

func TestEncodersRefuseWhatDecodersWould(t *testing.T) {
	nan := float32(math.NaN())
	for name, v := range map[string]interface{ Encode(io.Writer) error }{
		"NaN residual":         &Activations{Meta: Meta{Hidden: 1}, Dim: 1, Document: []string{""}, Text: []int32{0}, End: []int32{0}, Token: []string{""}, Fold: []int32{0}, Residual: []float32{nan}},
		"uneven columns":       &Activations{Meta: Meta{Hidden: 1}, Dim: 1, Text: []int32{0}},
		"dim of another width": &Activations{Meta: Meta{Hidden: 2}, Dim: 1},
		"no dim":               &Activations{},
		"not UTF-8":            &Texts{Rows: []Text{{Text: "\xff"}}},
		"note not UTF-8":       &Texts{Notes: map[string]string{"a": "\xff"}},
		"vector of no width":   &Vectors{Rows: []Vector{{}}},
		"infinite vector":      &Vectors{Meta: Meta{Hidden: 1}, Rows: []Vector{{Values: []float32{float32(math.Inf(1))}}}},
		"NaN norm":             &Vectors{Meta: Meta{Hidden: 1}, Rows: []Vector{{Norm: math.NaN(), Values: []float32{1}}}},
		"negative layer":       &Vectors{Meta: Meta{Layer: -1}},
		"map of another width": &Map{Rows: 1, Cols: 1, W: []float32{1}, Source: Meta{Hidden: 2}, Target: Meta{Hidden: 1}},
		"map cut short":        &Map{Rows: 2, Cols: 1, W: []float32{1}, Source: Meta{Hidden: 2}, Target: Meta{Hidden: 1}},
		"empty map":            &Map{},
		"infinite lambda":      &Map{Lambda: math.Inf(1), Rows: 1, Cols: 1, W: []float32{1}, Source: Meta{Hidden: 1}, Target: Meta{Hidden: 1}},
		"block cut short":      &Matrices{Blocks: []Matrix{{"a", 2, 2, []float64{1}}}},
		"block twice":          &Matrices{Blocks: []Matrix{{"a", 1, 1, []float64{1}}, {"a", 1, 1, []float64{1}}}},
		"NaN in a block":       &Matrices{Blocks: []Matrix{{"a", 1, 1, []float64{math.NaN()}}}},
		"end behind the text":  &Texts{Rows: []Text{{Text: "é", Ends: []int32{3}}}},
		"ends that fall":       &Texts{Rows: []Text{{Text: "abc", Ends: []int32{2, 1}}}},
		"negative fold":        &Texts{Rows: []Text{{Fold: -1}}},
		"negative end":         &Activations{Meta: Meta{Hidden: 1}, Dim: 1, Document: []string{""}, Text: []int32{0}, End: []int32{-1}, Token: []string{""}, Fold: []int32{0}, Residual: []float32{1}},
		"negative prompt":      &Generations{Rows: []Generation{{Prompt: -1}}},
		"negative token":       &Generations{Rows: []Generation{{Tokens: []int32{4, -1}}}},
		"negative row":         &Scores{Rows: []Score{{Row: -1, NLL: 1, Tokens: 1, Perplexity: 1}}},
		"very long notes":      &Texts{Notes: map[string]string{"log": strings.Repeat("a", maxDescription/2)}},
		"judged off the scale": &Judgements{Rows: []Judgement{{Measure: "trait", Score: 5.5}}},
		"judged as nothing":    &Judgements{Rows: []Judgement{{Score: 5}}},
		"missing, no reason":   &Judgements{Rows: []Judgement{{Measure: "trait", Score: math.NaN()}}},
		"judged and missing":   &Judgements{Rows: []Judgement{{Measure: "trait", Score: 2, Status: "refused"}}},
		"judged, no row":       &Judgements{Rows: []Judgement{{Row: -1, Measure: "trait", Score: 2}}},
		"score without tokens": &Scores{Rows: []Score{{NLL: 1, Perplexity: 1, Shuffled: math.NaN()}}},
		"order of no tokens":   &Scores{Rows: []Score{{NLL: math.NaN(), Perplexity: math.NaN(), Shuffled: 1}}},
		"read as nobody":       &Readings{Rows: []Reading{{Logit: 1}}},
		"no logit, no reason":  &Readings{Rows: []Reading{{Persona: "silly", Logit: math.NaN()}}},
		"read and missing":     &Readings{Rows: []Reading{{Persona: "silly", Logit: 1, Status: "empty"}}},
		"a score of no name":   &Evaluation{Rows: []Sample{{Measures: Further{nil, []float64{1}}}}},
		"scores out of order":  &Evaluation{Rows: []Sample{{Measures: Further{[]string{"b trait", "a trait"}, []float64{1, 2}}}}},
		"a score of one word":  &Evaluation{Rows: []Sample{{Measures: Further{[]string{"probe"}, []float64{1}}}}},
		"an infinite score":    &Evaluation{Rows: []Sample{{Measures: Further{[]string{"probe trait"}, []float64{math.Inf(1)}}}}},
		"infinite trait":       &Evaluation{Rows: []Sample{{Trait: math.Inf(1)}}},
	} {
		if err := v.Encode(io.Discard); err == nil {
			t.Errorf("%s: encoded", name)
		} else if !strings.HasPrefix(err.Error(), "write ") {
			t.Errorf("%s: %v does not say what was being written", name, err)
		}
	}
}

// A shard larger than one batch comes in pieces whose concatenation is the whole, and memory
// does not grow with the number of pieces.
func TestActivationsAreReadInBatches(t *testing.T) {
	const rows, dim = 10000, 200
	a := &Activations{Meta: Meta{Hidden: dim}, Dim: dim}
	for i := range rows {
		a.Document = append(a.Document, "d")
		a.Text = append(a.Text, int32(i))
		a.End = append(a.End, 0)
		a.Token = append(a.Token, "t")
		a.Fold = append(a.Fold, int32(i%5))
		for j := range dim {
			a.Residual = append(a.Residual, float32(i*dim+j))
		}
	}
	content := encoded(t, a.Encode)
	seen, batches := 0, 0
	err := ReadActivations(bytes.NewReader(content), func(batch *Activations) error {
		batches++
		for i := range batch.Rows() {
			if batch.Text[i] != int32(seen) || batch.Row(i)[dim-1] != float32(seen*dim+dim-1) {
				t.Fatalf("row %d is text %d, …, %v", seen, batch.Text[i], batch.Row(i)[dim-1])
			}
			seen++
		}
		return nil
	})
	if err != nil || seen != rows || batches != 3 {
		t.Errorf("%d rows in %d batches, %v; want %d in 3", seen, batches, err, rows)
	}
	stop := errors.New("enough")
	if err := ReadActivations(bytes.NewReader(content), func(*Activations) error { return stop }); err != stop {
		t.Errorf("got %v, want the visitor's error", err)
	}
}

// A header may claim a body of terabytes; memory is taken only for bytes that are there.
func TestAHeaderAloneTakesNoMemory(t *testing.T) {
	content := encoded(t, samples()[1].encode)
	var lie []byte
	for i := 8; i < len(content)-8; i++ { // the first length that only claims more
		claim := bytes.Clone(content)
		copy(claim[i:], []byte{0, 0, 0, 0, 0, 1, 0, 0})
		if d, ok := describeSecond(claim); ok && d.body == 1<<40 {
			lie = claim
			break
		}
	}
	if lie == nil {
		t.Fatal("found no place for the lie")
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := DecodeActivations(bytes.NewReader(lie)); !errors.Is(err, ErrFormat) {
		t.Errorf("got %v, want ErrFormat", err)
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 4<<20 {
		t.Errorf("it took %d MiB", got>>20)
	}
}

// describeSecond returns the description of the second message, the first batch of rows.
func describeSecond(content []byte) (description, bool) {
	f := frames{r: bytes.NewReader(content)}
	if _, err := f.next(); err != nil {
		return description{}, false
	}
	rest := f.r.(*bytes.Reader)
	at := len(content) - rest.Len()
	if at+8 > len(content) {
		return description{}, false
	}
	size := int(content[at+4]) | int(content[at+5])<<8
	if at+8+size > len(content) {
		return description{}, false
	}
	return describe(content[at+8 : at+8+size])
}

// An error of the source is not a damaged file, and damage that a store finds is its error.
func TestErrorsOfTheSourceStay(t *testing.T) {
	for _, s := range samples() {
		whole := encoded(t, s.encode)
		cause := errors.New("network is down")
		for _, n := range []int{0, 4, 9, len(whole) / 2, len(whole) - 1, len(whole)} {
			r := io.MultiReader(bytes.NewReader(whole[:n]), failing{cause})
			if _, err := s.decode(r); !errors.Is(err, cause) || errors.Is(err, ErrFormat) {
				t.Errorf("%s after %d bytes: %v, want %v", s.name, n, err, cause)
			}
		}
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestFetchReadsFromAStore(t *testing.T) {
	store := cache.NewMemory()
	want := samples()[4]
	d, _, err := store.Create(t.Context(), want.encode)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Fetch(context.Background(), store, d, DecodeMap)
	if err != nil || !equal(got, want.value) {
		t.Errorf("Fetch = %+v, %v", got, err)
	}
	if _, err := Fetch(context.Background(), store, cache.Digest{}, DecodeMap); err == nil {
		t.Error("fetched what is not there")
	}
}

func TestJSONLinesAreValidAndComplete(t *testing.T) {
	e := samples()[7].value.(*Evaluation)
	var b bytes.Buffer
	if err := e.WriteJSONL(&b); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	if len(lines) != len(e.Rows) {
		t.Fatalf("%d lines, want %d:\n%s", len(lines), len(e.Rows), b.String())
	}
	if !strings.HasPrefix(lines[0], `{"persona":"silly","condition":"ridge","draw":0,"layer":2,"alpha":0.3,"alpha_unit":"residual",`) {
		t.Errorf("line 0: %s", lines[0])
	}
	var back Sample
	if err := json.Unmarshal([]byte(lines[0]), &back); err != nil || !equal(&back, &e.Rows[0]) {
		t.Errorf("%s came back as %+v, %v", lines[0], back, err)
	}
	for _, want := range []string{`"trait":null`, `"collapse":[]`, `"nll":null`} {
		if !strings.Contains(lines[1], want) {
			t.Errorf("line 1 lacks %s: %s", want, lines[1])
		}
	}
}

// TestJSONLinesComeBack reads what was written, missing numbers and odd texts included, and refuses what is no
// row.
func TestJSONLinesComeBack(t *testing.T) {
	e := &Evaluation{Rows: append(samples()[7].value.(*Evaluation).Rows, Sample{Persona: "a", Condition: "b", Text: "<&>\u2028\x00\U0001f600", Alpha: 1e-300, Seed: 1<<64 - 1,
		Trait: math.NaN(), Coherence: 1.0 / 3, Perplexity: math.NaN(), NLL: math.NaN(), Prompt: -1, Collapse: []string{"", "x"}})}
	for i := range e.Rows {
		e.Rows[i].Persona, e.Rows[i].Condition = "a", "b"
	}
	var b bytes.Buffer
	if err := e.WriteJSONL(&b); err != nil {
		t.Fatal(err)
	}
	got, err := ReadJSONL(bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	var again bytes.Buffer
	if err := got.WriteJSONL(&again); err != nil || !bytes.Equal(again.Bytes(), b.Bytes()) {
		t.Errorf("came back as (%v)\n%swant\n%s", err, &again, &b)
	}
	if v := got.Rows[len(got.Rows)-1]; !math.IsNaN(v.Trait) || v.Coherence != 1.0/3 || v.Seed != 1<<64-1 {
		t.Errorf("the last row is %+v", v)
	}
	for text, want := range map[string]string{
		`{"persona":"a","condition":"b"}` + "\n{": "line 2 is no row", `{"persona":"a"}`: "line 1 has no persona or no condition", "[]": "line 1 is no row",
		`{"persona":"a","condition":"b","alpha":1e999}`: "line 1 is no row", `{"persona":"a","condition":"b","alpha":"NaN"}`: "line 1 is no row", "\n": "line 1 is no row",
		strings.Repeat(" ", maxJSONLine+1): "line 1 is longer than",
	} {
		if _, err := ReadJSONL(strings.NewReader(text)); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v, want %q", text, err, want)
		}
	}
	if got, err := ReadJSONL(strings.NewReader(`{"persona":"a","condition":"b","of_a_later_version":[1]}`)); err != nil || !math.IsNaN(got.Rows[0].Trait) {
		t.Errorf("a row with another key and without a trait: %+v, %v", got, err)
	}
}

func FuzzDecode(f *testing.F) {
	expectsLeaks = true
	for i, s := range samples() {
		f.Add(uint8(i), encoded(f, s.encode))
	}
	all := samples()
	f.Fuzz(func(t *testing.T, kind uint8, content []byte) {
		s := all[int(kind)%len(all)]
		v, err := s.decode(bytes.NewReader(content))
		if err != nil && !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v, want ErrFormat", s.name, err)
		}
		if err == nil {
			reencode(t, v)
		}
		if err := Show(io.Discard, bytes.NewReader(content), s.name, -1); err != nil && !errors.Is(err, ErrFormat) {
			t.Errorf("show %s: %v, want ErrFormat", s.name, err)
		}
	})
}
