package cache

import (
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"reflect"
	"strings"
	"testing"
)

// The text of a recipe is the pre-image of every key: changing how it is written throws
// every stored result away.
func TestRecipeTextAndKeyStayTheSame(t *testing.T) {
	r := NewRecipe("ridge", 3).
		Float("lambda", 10).
		Text("lambda_values", "[0.01 1e-05 1]").
		Int("folds", -5).
		Uint("seed", math.MaxUint64).
		Bool("centre", true).
		Strings("personas", []string{"silly", "", "zwei\nZeilen ♪"}).
		Input("source", Sum([]byte("x")))
	const want = "kind 5:ridge\n" +
		"version 1:3\n" +
		"lambda 2:10\n" +
		"lambda_values 14:[0.01 1e-05 1]\n" +
		"folds 2:-5\n" +
		"seed 20:18446744073709551615\n" +
		"centre 4:true\n" +
		"personas 31:[5:silly 0: 15:zwei\nZeilen ♪]\n" +
		"source 64:2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881\n"
	if got := r.String(); got != want {
		t.Errorf("got %q\nwant %q", got, want)
	}
	const key = "826b47854378bce4116bd2543c0c455b57b6a88517908429812d783e89113a0a"
	if got := r.Key().String(); got != key {
		t.Errorf("key %s, want %s", got, key)
	}
	if r.Kind() != "ridge" {
		t.Errorf("kind %q", r.Kind())
	}
}

func TestRecipesComeBack(t *testing.T) {
	want := NewRecipe("odd", 1).Text("empty", "").Text("imitates", "x\nlambda 2:10\n").Text("bytes", "\x00\xff")
	got, err := ParseRecipe(want.String())
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) || got.Key() != want.Key() {
		t.Errorf("got %v, want %v", got.Fields(), want.Fields())
	}
}

func TestParseRecipeIsStrict(t *testing.T) {
	const head = "kind 1:a\nversion 1:1\n"
	for _, text := range []string{
		"", "kind 1:a\n", "version 1:1\nkind 1:a\n", "kind 1:a\nversion 1:x\n", "kind 1:a\nversion 2:01\n",
		head + "a", head + "a 1", head + "a 1:", head + "a 1:x", head + "a 1:xx\n", head + "a 2:x\n",
		head + "a 01:x\n", head + "a +1:x\n", head + "a -1:x\n", head + "a :x\n", head + " 1:x\n", head + "\n",
		head + "a 99999999999999999999:x\n", head + "a 9223372036854775807:x\n", head + "a 1:x\na 1:x\n",
		head + "é 1:x\n", head + "a\tb 1:x\n", head + "kind 1:a\n",
	} {
		if r, err := ParseRecipe(text); err == nil {
			t.Errorf("ParseRecipe(%q) = %v, want an error", text, r.Fields())
		}
	}
}

func FuzzParseRecipe(f *testing.F) {
	f.Add("kind 1:a\nversion 1:1\n")
	f.Add(NewRecipe("ridge", 2).Text("l", "[1 2]").Text("odd", "a\nb 1:c\n").String())
	f.Add("kind 1:a\nversion 1:1\na 99999999999:x\n")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := ParseRecipe(text)
		if err == nil && r.String() != text {
			t.Errorf("%q was read as %q", text, r.String())
		}
		for _, line := range append(Diff(text, "kind 1:a\nversion 1:1\n"), Diff("kind 1:a\nversion 1:1\n", text)...) {
			if strings.ContainsAny(line, "\n\r") {
				t.Errorf("Diff wrote the line %q", line)
			}
		}
	})
}

func TestRecipeRefusesACallersBug(t *testing.T) {
	for name, build := range map[string]func(){
		"NaN":             func() { NewRecipe("a", 1).Float("x", math.NaN()) },
		"NaN in a list":   func() { NewRecipe("a", 1).Struct(struct{ X []float64 }{[]float64{1, math.NaN()}}) },
		"name twice":      func() { NewRecipe("a", 1).Bool("x", true).Bool("x", true) },
		"empty name":      func() { NewRecipe("a", 1).Bool("", true) },
		"name with space": func() { NewRecipe("a", 1).Bool("a b", true) },
		"no struct":       func() { NewRecipe("a", 1).Struct(3) },
		"nil":             func() { NewRecipe("a", 1).Struct(nil) },
		"pointer":         func() { NewRecipe("a", 1).Struct(struct{ P *int }{}) },
		"interface":       func() { NewRecipe("a", 1).Struct(struct{ I any }{1}) },
		"function":        func() { NewRecipe("a", 1).Struct(struct{ F func() }{}) },
		"complex":         func() { NewRecipe("a", 1).Struct(struct{ C complex128 }{}) },
		"map of ints":     func() { NewRecipe("a", 1).Struct(struct{ M map[int]int }{}) },
		"empty pointers":  func() { NewRecipe("a", 1).Struct(struct{ P []*int }{[]*int{nil}}) },
		"hidden fields":   func() { NewRecipe("a", 1).Struct(struct{ N big.Int }{}) },
		"hidden in lists": func() { NewRecipe("a", 1).Struct(struct{ N []struct{ n int } }{make([]struct{ n int }, 1)}) },
		"NaN in a struct": func() { NewRecipe("a", 1).Struct(struct{ F float32 }{float32(math.NaN())}) },
	} {
		func() {
			defer func() {
				if r, ok := recover().(string); !ok || !strings.HasPrefix(r, "cache: ") {
					t.Errorf("%s: recovered %v, want a panic of this package", name, r)
				}
			}()
			build()
		}()
	}
}

type fit struct {
	Method string  `json:"method"`
	Centre bool    `json:"centre,omitempty"`
	Lambda float64 `json:"lambda"`
}

type base struct {
	Seed uint64 `json:"seed"`
}

type config struct {
	base
	Layer    int                        `json:"layer_idx"`
	Fit      fit                        `json:"fit"`
	Output   string                     `json:"output_dir" key:"-"`
	Alphas   []float64                  `json:"alpha_values"`
	Prompts  []string                   `json:"test_prompts"`
	Flags    []bool                     `json:"flags"`
	Grid     [2][]int                   `json:"grid"`
	Fits     []fit                      `json:"fits"`
	Personas map[string]map[string]bool `json:"personas"`
	Weights  Digest                     `json:"weights"`
	Shards   []Digest
	Half     float32
	hidden   int
}

func TestStructRecordsEveryField(t *testing.T) {
	c := config{base: base{7}, Layer: 16, Fit: fit{"ridge", true, 0.1}, Output: "/tmp/x", Alphas: []float64{0.5, 2},
		Prompts: []string{"a b", "]"}, Flags: []bool{true, false}, Grid: [2][]int{{1, 2}, nil}, Fits: []fit{{Method: "ols"}},
		Personas: map[string]map[string]bool{"silly.x": {"b": true, "a": false}, "angry": nil},
		Weights:  Digest{1}, Shards: []Digest{{2}}, Half: 0.1, hidden: 3}
	var got []string
	for _, f := range NewRecipe("k", 1).Struct(c).Fields()[2:] {
		got = append(got, f.Name+"="+f.Value)
	}
	zeros := strings.Repeat("0", 62)
	want := []string{"seed=7", "layer_idx=16", "fit.method=ridge", "fit.centre=true", "fit.lambda=0.1",
		"alpha_values=[0.5 2]", "test_prompts=[3:a b 1:]]", "flags=[true false]", "grid=2", "grid.0=[1 2]", "grid.1=[]",
		"fits=1", "fits.0.method=ols", "fits.0.centre=false", "fits.0.lambda=0",
		"personas=2", "personas.angry=0", "personas.silly%2Ex=2", "personas.silly%2Ex.a=false", "personas.silly%2Ex.b=true",
		"weights=01" + zeros, "Shards=[64:02" + zeros + "]", "Half=0.1"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// TestStructSeparatesWhatDiffers changes one field at a time: each must move the key, except
// the one that is tagged to stay out.
func TestStructSeparatesWhatDiffers(t *testing.T) {
	key := func(c config) ActionKey { return NewRecipe("k", 1).Struct(c).Key() }
	before := key(config{})
	for name, c := range map[string]config{
		"embedded": {base: base{1}}, "layer": {Layer: 1}, "nested": {Fit: fit{Lambda: 1}}, "alphas": {Alphas: []float64{0}},
		"prompts": {Prompts: []string{""}}, "grid": {Grid: [2][]int{1: {0}}}, "fits": {Fits: make([]fit, 1)},
		"personas": {Personas: map[string]map[string]bool{"": nil}}, "weights": {Weights: Digest{1}}, "shards": {Shards: make([]Digest, 1)},
	} {
		if key(c) == before {
			t.Errorf("changing %s left the key as it was", name)
		}
	}
	if key(config{Output: "elsewhere", hidden: 1}) != before {
		t.Error(`a field tagged key:"-" moved the key`)
	}
	one := config{Prompts: []string{"a", "b"}}
	two := config{Prompts: []string{"a 1:b"}}
	if key(one) == key(two) {
		t.Error("two lists share a key")
	}
}

// A level has no text for its zero value.
type level int

func (l level) MarshalText() ([]byte, error) {
	if l == 0 {
		return nil, errors.New("no level")
	}
	return []byte{'L', byte('0' + l)}, nil
}

func TestStructAsksOnlyTheValuesThatAreThere(t *testing.T) {
	fields := NewRecipe("k", 1).Struct(struct{ Levels, None []level }{Levels: []level{1, 2}}).Fields()[2:]
	if want := []Field{{"Levels", "[2:L1 2:L2]"}, {"None", "[]"}}; !reflect.DeepEqual(fields, want) {
		t.Errorf("got %q, want %q", fields, want)
	}
}

func TestDiffExplains(t *testing.T) {
	long := strings.Repeat("word ", 40)
	old := NewRecipe("fit", 1).Text("lambda_values", "[0.01 0.1]").Input("source", Sum([]byte("1"))).Bool("whiten", true).Text("corpus", long+"a"+long)
	new := NewRecipe("fit", 2).Text("lambda_values", "[0.01 0.1 1]").Input("source", Sum([]byte("2"))).Text("corpus", long+"b"+long).Text("note", "a\nb")
	want := []string{
		"version: 1 → 2",
		"lambda_values: [0.01 0.1] → [0.01 0.1 1]",
		"source changed",
		"corpus: …word word word aword word word word word word word word word… → …word word word bword word word word word word word word word…",
		`note: a\nb (new)`,
		"whiten: true (gone)",
	}
	got := Diff(old.String(), new.String())
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if got := Diff(old.String(), old.String()); got != nil {
		t.Errorf("equal recipes differ: %q", got)
	}
	if got := Diff("nonsense", old.String()); len(got) != 1 {
		t.Errorf("Diff with nonsense = %q", got)
	}
	a := NewRecipe("k", 1).Bool("a", true).Bool("b", true)
	b := NewRecipe("k", 1).Bool("b", true).Bool("a", true)
	if got := Diff(a.String(), b.String()); len(got) != 1 {
		t.Errorf("another order = %q", got)
	}
}

func TestDigestsHaveOneSpelling(t *testing.T) {
	d := Sum([]byte("x"))
	text, err := json.Marshal(map[string]any{"d": d, "k": ActionKey(d)})
	if err != nil {
		t.Fatal(err)
	}
	var back struct {
		D Digest
		K ActionKey
	}
	if err := json.Unmarshal(text, &back); err != nil || back.D != d || back.K != ActionKey(d) {
		t.Errorf("%s came back as %+v, %v", text, back, err)
	}
	if d.IsZero() || !(Digest{}).IsZero() || len(d.Short()) != 8 || !strings.HasPrefix(d.String(), d.Short()) {
		t.Errorf("digest %s, short %s", d, d.Short())
	}
	for _, bad := range []string{"", d.String()[1:], d.String() + "0", strings.ToUpper(d.String()), strings.Repeat("g", 64)} {
		if _, err := ParseDigest(bad); err == nil {
			t.Errorf("ParseDigest took %q", bad)
		}
		if _, err := ParseActionKey(bad); err == nil {
			t.Errorf("ParseActionKey took %q", bad)
		}
	}
}
