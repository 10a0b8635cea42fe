package export

import (
	"bytes"
	"errors"
	"io"
	"math"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/persona-transfer/runpipeline/artifacts"
)

var mapFormats = []Format{Safetensors, JSON}

func writtenMap(t testing.TB, f Format, m Map) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := WriteMap(&b, f, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// fullMap says everything that a map can say.
func fullMap() Map {
	meta := func(model string, layer, hidden int) artifacts.Meta {
		return artifacts.Meta{Model: model, ModelDigest: "81c0" + model, Layer: layer, Positions: "word_ends", Template: "chat", Device: "cpu/float32/avx2",
			DType: "float32", Hidden: hidden, ModelType: "llama", Blocks: 4, Tokenizer: "7f"}
	}
	m := sampleMap()
	m.Source, m.Target = meta("tiny:qwen2", 0, 3), meta("tiny:llama", 3, 2)
	m.Lambda, m.Notes = 1.0/3, map[string]string{"λ": "relative <0.1>", "": "empty"}
	m.W = []float32{0.1, -2.5, 1e-40, 3.4e38, 1.0 / 3, 0}
	m.Scales.Native = 2
	return m
}

func TestMapsComeBackToTheBit(t *testing.T) {
	without := fullMap()
	without.Intercept, without.Notes = nil, nil
	unplaced := fullMap()
	unplaced.Source.Layer, unplaced.Target.Layer = artifacts.UnknownLayer, artifacts.UnknownLayer
	for name, want := range map[string]Map{"sample": sampleMap(), "full": fullMap(), "without an intercept": without, "of no known layers": unplaced} {
		for _, f := range mapFormats {
			content := writtenMap(t, f, want)
			got, err := ReadMap(bytes.NewReader(content))
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%s as %s: got %+v, %v\nwant %+v", name, f, got, err, want)
			}
			if again := writtenMap(t, f, got); !bytes.Equal(again, content) {
				t.Errorf("%s as %s: the same map gave other bytes", name, f)
			}
		}
	}
	// A width that was not said is that of the matrix.
	bare := Map{Map: artifacts.Map{Rows: 1, Cols: 2, W: []float32{1, 2}}}
	got, err := ReadMap(bytes.NewReader(writtenMap(t, JSON, bare)))
	if bare.Source.Hidden, bare.Target.Hidden = 1, 2; err != nil || !reflect.DeepEqual(got, bare) {
		t.Errorf("got %+v, %v, want %+v", got, err, bare)
	}
}

// The files that the reference readers in Python have seen.
func TestStoredMapsAreRead(t *testing.T) {
	for _, f := range mapFormats {
		content, err := os.ReadFile("testdata/map." + string(f))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := ReadMap(bytes.NewReader(content)); err != nil || !reflect.DeepEqual(got, sampleMap()) {
			t.Errorf("%s: %+v, %v", f, got, err)
		}
	}
}

// A map of another program says nothing of the models: widths alone, and layers that match any.
func TestForeignMapsAreRead(t *testing.T) {
	want := Map{Map: artifacts.Map{Rows: 3, Cols: 2, W: []float32{0.1, 2, 3, -4, 5, 1e-3}, Intercept: []float32{0.5, -0.25}}}
	want.Source = artifacts.Meta{Hidden: 3, Layer: artifacts.UnknownLayer}
	want.Target = artifacts.Meta{Hidden: 2, Layer: artifacts.UnknownLayer}
	numpys, err := os.ReadFile("testdata/foreign_map.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		"numpy's":          numpys,
		"JSON":             []byte(`{"w":[[0.1,2],[3,-4],[5,1e-3]],"intercept":[0.5,-0.25]}`),
		"another manifest": []byte("\xef\xbb\xbf" + `{"manifest":{"format":"numpy","source.layer":"x"},"w":[[0.1,2],[3,-4],[5,1e-3]],"intercept":[0.5,-0.25]}`),
	} {
		got, err := ReadMap(bytes.NewReader(content))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v, want %+v", name, got, err, want)
			continue
		}
		for _, layer := range []int{0, 17} {
			source := artifacts.Meta{Model: "tiny:llama", ModelDigest: "81c0", Layer: layer, Positions: "last", Hidden: 3}
			target := artifacts.Meta{Model: "tiny:qwen2", ModelDigest: "7f", Layer: layer + 1, Hidden: 2}
			if err := errors.Join(got.Accepts(source), got.Delivers(target)); err != nil {
				t.Errorf("%s: what is not known does not match: %v", name, err)
			}
			if source.Hidden = 5; got.Accepts(source) == nil {
				t.Errorf("%s: another width matches", name)
			}
		}
		if err := got.Encode(io.Discard); err == nil {
			t.Errorf("%s: it was stored without its layers", name)
		}
	}
	for _, content := range [][]byte{rawSafetensors(`{"w":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}}`, 8), []byte(`{"w":[[0,0]]}`), []byte(`{"w":[[0,0]],"intercept":[]}`)} {
		if got, err := ReadMap(bytes.NewReader(content)); err != nil || got.Intercept != nil || got.Rows != 1 || got.Cols != 2 {
			t.Errorf("without an intercept: %+v, %v", got, err)
		}
	}
}

func TestHostileMapsAreRefused(t *testing.T) {
	w := `"w":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}`
	whole := writtenMap(t, Safetensors, sampleMap())
	manifest := func(change ...string) []byte {
		content := string(writtenMap(t, JSON, sampleMap()))
		changed := strings.NewReplacer(change...).Replace(content)
		if changed == content {
			t.Fatalf("%q is not in %s", change, content)
		}
		return []byte(changed)
	}
	for _, c := range []struct {
		name    string
		content []byte
		want    string
	}{
		{"empty", nil, "neither"},
		{"text", []byte("hello"), "neither"},
		{"a pointer of git-lfs", []byte("version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 2\n"), "git lfs pull"},
		{"a GGUF", written(t, GGUF, sampleVector()), "no place for a map"},
		{"a vector", written(t, Safetensors, sampleVector()), `"direction.2" [5] is no part of a map`},
		{"a vector as JSON", written(t, JSON, sampleVector()), "directions: unknown key"},
		{"no tensors", rawSafetensors(`{}`, 0), "map of 0 × 0"},
		{"an intercept alone", rawSafetensors(`{"intercept":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 8), "map of 0 × 0"},
		{"a tensor more", rawSafetensors(`{`+w+`,"b":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}}`, 16), `"b" [2] is no part of a map`},
		{"one dimension", rawSafetensors(`{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 8), `"w" [2] is no part`},
		{"three dimensions", rawSafetensors(`{"w":{"dtype":"F32","shape":[1,1,2],"data_offsets":[0,8]}}`, 8), `"w" [1 1 2] is no part`},
		{"an intercept of two dimensions", rawSafetensors(`{`+w+`,"intercept":{"dtype":"F32","shape":[1,2],"data_offsets":[8,16]}}`, 16), `"intercept" [1 2] is no part`},
		{"a short intercept", rawSafetensors(`{`+w+`,"intercept":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}}`, 12), "an intercept of 1 in a map of 1 × 2"},
		{"integers", rawSafetensors(`{"w":{"dtype":"I32","shape":[1,2],"data_offsets":[0,8]}}`, 8), "stored as I32"},
		{"no rows", rawSafetensors(`{"w":{"dtype":"F32","shape":[0,4294967296],"data_offsets":[0,0]}}`, 0), "map of 0 × 4294967296"},
		{"too wide", rawSafetensors(`{"w":{"dtype":"F16","shape":[1,1048577],"data_offsets":[0,2097154]}}`, 2097154), "map of 1 × 1048577"},
		{"absurd shape", rawSafetensors(`{"w":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]}}`, 8), "too large"},
		{"cut short", whole[:len(whole)-1], "bytes ["},
		{"a value that is not finite", append(rawSafetensors(`{`+w+`}`, 4), 0, 0, 0xc0, 0x7f), "value 1 is NaN"},
		{"more than float32 holds", append(rawSafetensors(`{"w":{"dtype":"F64","shape":[1,1],"data_offsets":[0,8]}}`, 0), 0, 0, 0, 0, 0, 0, 0, 0x7f), "value 0 is +Inf"},
		{"another program's version", manifest("runpipeline map 2", "runpipeline map 1"), `format is "runpipeline map 1"`},
		{"a vector's manifest", manifest("runpipeline map 2", "runpipeline vector 2"), `format is "runpipeline vector 2"`},
		{"another width", manifest(`"source.hidden":"3"`, `"source.hidden":"4"`), `source.hidden is "4", the matrix says 3`},
		{"no width", manifest(`"target.hidden":"2",`, ``), `target.hidden is "", the matrix says 2`},
		{"a layer of -2", manifest(`"source.layer":"1"`, `"source.layer":"-2"`), `source.layer is "-2"`},
		{"no layer", manifest(`"target.layer":"2",`, ``), `target.layer is ""`},
		{"no lambda", manifest(`"lambda":"0.25"`, `"lambda":""`), "lambda is"},
		{"lambda NaN", manifest(`"lambda":"0.25"`, `"lambda":"NaN"`), "lambda is"},
		{"blocks", manifest(`"target.blocks":"0"`, `"target.blocks":"-1"`), `target.blocks is "-1"`},
		{"scale", manifest(`"target.scale.residual":"4"`, `"target.scale.residual":"-4"`), "target.scale.residual"},
		{"source's scale", manifest(`"source.scale.residual":"3"`, `"source.scale.residual":"Inf"`), "source.scale.residual"},
		{"not UTF-8", manifest("tiny:qwen2", "tiny:\xff"), "not UTF-8"},
		{"no w", []byte(`{}`), "no list of rows"},
		{"w is null", []byte(`{"w":null}`), "no list of rows"},
		{"w is text", []byte(`{"w":"[[1]]"}`), "no list of rows"},
		{"w is flat", []byte(`{"w":[1,2]}`), "w[1]: want a list"},
		{"w has no rows", []byte(`{"w":[]}`), "map of 0 × 0"},
		{"empty rows", []byte(`{"w":[[],[]]}`), "row 1 of w has 0 values"},
		{"uneven rows", []byte(`{"w":[[1,2],[3]]}`), "row 2 of w has 1 values, the first has 2"},
		{"null for a number", []byte(`{"w":[[1,2],[3,null]]}`), "w[2]: [2]: null"},
		{"a number too large", []byte(`{"w":[[1e39]]}`), "1e39"},
		{"an intercept of null", []byte(`{"w":[[1]],"intercept":[null]}`), "null"},
		{"a key twice", []byte(`{"w":[[1]],"w":[[1]]}`), "given twice"},
		{"and more", []byte(`{"w":[[1]]}{}`), "text after the end"},
	} {
		got, err := ReadMap(bytes.NewReader(c.content))
		if !errors.Is(err, artifacts.ErrFormat) || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "read map: ") || len(err.Error()) > 500 {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
		if !reflect.DeepEqual(got, Map{}) {
			t.Errorf("%s: refused, and yet %+v", c.name, got)
		}
	}
}

func TestFilesAreReadUpToABound(t *testing.T) {
	for n, want := range map[int]bool{9: true, 10: true, 11: false, 1 << 20: false} {
		r := strings.NewReader(strings.Repeat("x", n))
		if _, err := readFile(r, 10); (err == nil) != want || err != nil && !errors.Is(err, artifacts.ErrFormat) {
			t.Errorf("%d bytes of 10: %v", n, err)
		}
		if left := r.Len(); left < n-11 {
			t.Errorf("%d of %d bytes were read to find more than 10", n-left, n)
		}
	}
	broken := errors.New("the disk is gone")
	if _, err := ReadMap(io.MultiReader(strings.NewReader("{"), &failing{broken})); !errors.Is(err, broken) || errors.Is(err, artifacts.ErrFormat) {
		t.Errorf("%v, want the reader's own error", err)
	}
}

type failing struct{ err error }

func (f *failing) Read([]byte) (int, error) { return 0, f.err }

func TestMapsOfMillionsOfEmptyRowsCostLittle(t *testing.T) {
	content := []byte(`{"w":[[1],` + strings.Repeat("[],", 3<<20) + `[1]]}`)
	before := totalAlloc()
	_, err := ReadMap(bytes.NewReader(content))
	// The text as it is read, in growing steps, and its copy inside of the object: no row of the list.
	if times := (totalAlloc() - before) / uint64(len(content)); err == nil || times > 10 {
		t.Errorf("%d times the size of the file allocated, %v", times, err)
	}
}

func TestWritersOfMapsRefuseWhatReadersWould(t *testing.T) {
	if err := WriteMap(io.Discard, GGUF, sampleMap()); err == nil || !strings.Contains(err.Error(), "no place for a map") {
		t.Errorf("map as GGUF: %v", err)
	}
	if err := WriteMap(io.Discard, "pt", sampleMap()); err == nil {
		t.Error("wrote an unknown format")
	}
	for name, change := range map[string]func(*Map){
		"without values":          func(m *Map) { m.W = nil },
		"without rows":            func(m *Map) { m.W, m.Rows = nil, 0 },
		"NaN":                     func(m *Map) { m.W[1] = float32(math.NaN()) },
		"a short intercept":       func(m *Map) { m.Intercept = m.Intercept[:1] },
		"infinite intercept":      func(m *Map) { m.Intercept[0] = float32(math.Inf(1)) },
		"a name not in UTF-8":     func(m *Map) { m.Source.Model = "\xff" },
		"a layer below all":       func(m *Map) { m.Target.Layer = -2 },
		"another source width":    func(m *Map) { m.Source.Hidden = 7 },
		"another target width":    func(m *Map) { m.Target.Hidden = 7 },
		"NaN lambda":              func(m *Map) { m.Lambda = math.NaN() },
		"infinite lambda":         func(m *Map) { m.Lambda = math.Inf(1) },
		"negative scale":          func(m *Map) { m.Scales.Residual = -1 },
		"negative source's scale": func(m *Map) { m.SourceResidual = -1 },
		"negative blocks":         func(m *Map) { m.Source.Blocks = -1 },
	} {
		for _, f := range mapFormats {
			m := sampleMap()
			change(&m)
			if err := WriteMap(io.Discard, f, m); err == nil || !strings.HasPrefix(err.Error(), "export map: ") {
				t.Errorf("map, %s as %s: %v", name, f, err)
			}
		}
	}
}

// readAndWriteMap checks what holds for any file: it is refused with ErrFormat, or the map can be
// written and read again.
func readAndWriteMap(t testing.TB, content []byte) {
	t.Helper()
	m, err := ReadMap(bytes.NewReader(content))
	if err != nil {
		if !errors.Is(err, artifacts.ErrFormat) {
			t.Fatalf("got %v, want ErrFormat", err)
		}
		return
	}
	for _, f := range mapFormats {
		again, err := ReadMap(bytes.NewReader(writtenMap(t, f, m)))
		if err != nil || !reflect.DeepEqual(again, m) {
			t.Fatalf("%+v came back through %s as %+v, %v", m, f, again, err)
		}
	}
}

func TestDamagedMapsAreRefusedOrRead(t *testing.T) {
	for _, f := range mapFormats {
		whole := writtenMap(t, f, sampleMap())
		for i := range whole {
			if _, err := ReadMap(bytes.NewReader(whole[:i])); !errors.Is(err, artifacts.ErrFormat) && i < len(whole)-1 {
				t.Fatalf("%s cut to %d of %d bytes: %v", f, i, len(whole), err)
			}
			for _, mask := range []byte{1, 0x80, 0xFF} {
				flipped := bytes.Clone(whole)
				flipped[i] ^= mask
				readAndWriteMap(t, flipped)
			}
		}
	}
}

func FuzzReadMap(f *testing.F) {
	for _, format := range mapFormats {
		f.Add(writtenMap(f, format, sampleMap()))
		f.Add(writtenMap(f, format, fullMap()))
	}
	foreign, err := os.ReadFile("testdata/foreign_map.safetensors")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(foreign)
	f.Add([]byte(`{"w":[[1,2],[3,4]],"intercept":[1,2]}`))
	f.Fuzz(func(t *testing.T, content []byte) { readAndWriteMap(t, content) })
}
