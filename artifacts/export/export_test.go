package export

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/format/gguf"
)

var update = flag.Bool("update", false, "write the golden files anew; then run testdata/check_exports.py")

func sampleVector() Vector {
	v := Vector{
		Meta:      artifacts.Meta{Model: "tiny:llama", ModelDigest: "81c0", Layer: 2, Positions: "last", Template: "", Device: "cpu avx2", DType: "float32", Hidden: 5, ModelType: "llama", Blocks: 4, Tokenizer: "7f"},
		AlphaUnit: "residual", Scales: artifacts.Scales{Residual: 12.5, Native: 1.0 / 3},
		Row:   artifacts.Vector{Persona: "silly ♪", Condition: "ridge", Draw: 1, Values: []float32{0.1, -2.5, 1e-40, 3.4e38, 1.0 / 3}},
		Notes: map[string]string{"lambda": "0.1 \"relative\""},
	}
	sum := 0.0
	for _, x := range v.Row.Values {
		sum += float64(x) * float64(x)
	}
	v.Row.Norm = math.Sqrt(sum)
	return v
}

func sampleMap() Map {
	return Map{AlphaUnit: "spread", Scales: artifacts.Scales{Residual: 4, Spread: .1}, SourceResidual: 3, Map: artifacts.Map{Source: artifacts.Meta{Model: "tiny:qwen2", Layer: 1, Hidden: 3}, Target: artifacts.Meta{Model: "tiny:llama", Layer: 2, Hidden: 2},
		Method: "ridge", Lambda: 0.25, Rows: 3, Cols: 2, W: []float32{1, 2, 3, 4, 5, 6.5}, Intercept: []float32{0.5, -0.5}}}
}

var formats = []Format{Safetensors, GGUF, JSON}

func written(t testing.TB, f Format, v Vector) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := WriteVector(&b, f, v); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestVectorsComeBackToTheBit(t *testing.T) {
	for _, f := range formats {
		want := sampleVector()
		got, err := ReadVectors(bytes.NewReader(written(t, f, want)))
		if err != nil || len(got) != 1 || !reflect.DeepEqual(got[0], want) {
			t.Errorf("%s: got %+v, %v\nwant %+v", f, got, err, want)
		}
		if again := written(t, f, got[0]); !bytes.Equal(again, written(t, f, want)) {
			t.Errorf("%s: the same vector gave other bytes", f)
		}
	}
}

// Block N in, block N out, in every format that can name the block.
func TestBlockNumbersStay(t *testing.T) {
	for _, f := range formats {
		for _, layer := range []int{0, 1, 17, 79} {
			v := sampleVector()
			v.Meta.Layer = layer
			if f == GGUF && layer == 0 {
				err := WriteVector(io.Discard, f, v)
				if err == nil || !strings.Contains(err.Error(), "block 0") {
					t.Errorf("block 0 as GGUF: %v", err)
				}
				continue
			}
			vectors, err := ReadVectors(bytes.NewReader(written(t, f, v)))
			if err != nil {
				t.Fatalf("%s, block %d: %v", f, layer, err)
			}
			if got, err := At(vectors, layer); err != nil || got.Meta.Layer != layer {
				t.Errorf("%s: block %d came back as %d, %v", f, layer, got.Meta.Layer, err)
			}
			if _, err := At(vectors, layer+1); !errors.Is(err, artifacts.ErrMismatch) || !strings.Contains(err.Error(), "there are layers") {
				t.Errorf("%s: another layer: %v", f, err)
			}
		}
	}
}

func goldens(t *testing.T) map[string][]byte {
	files := make(map[string][]byte)
	for _, f := range formats {
		v := sampleVector()
		v.Row.Values[2] = 0 // a denormal: numpy reads it back, JSON readers in float64 do not print it the same
		files["vector."+string(f)] = written(t, f, v)
	}
	for _, f := range []Format{Safetensors, JSON} {
		var b bytes.Buffer
		if err := WriteMap(&b, f, sampleMap()); err != nil {
			t.Fatal(err)
		}
		files["map."+string(f)] = b.Bytes()
	}
	return files
}

func TestExportsStayTheSame(t *testing.T) {
	for name, got := range goldens(t) {
		path := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(path, got, 0o666); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes, the golden file has %d, %v", name, len(got), len(want), err)
		}
	}
}

// seen is what the reference readers in Python saw in the golden files.
type seen struct {
	Metadata       map[string]any
	LayerCountType string `json:"layer_count_type"`
	Tensors        map[string]struct {
		DType  string
		Shape  []int
		Values []float32
	}
}

func recorded(t *testing.T, name string, to any) {
	t.Helper()
	content, err := os.ReadFile("testdata/exports.json")
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]json.RawMessage)
	if err := json.Unmarshal(content, &all); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(all[name], to); err != nil {
		t.Fatal(err)
	}
}

func TestReferenceReadersSeeTheSame(t *testing.T) {
	v := sampleVector()
	v.Row.Values[2] = 0
	for name, dtype := range map[string]string{"vector.safetensors": "float32", "vector.gguf": "F32"} {
		var s seen
		recorded(t, name, &s)
		got := s.Tensors["direction.2"]
		if len(s.Tensors) != 1 || got.DType != dtype || !reflect.DeepEqual(got.Shape, []int{5}) || !reflect.DeepEqual(got.Values, v.Row.Values) {
			t.Errorf("%s: tensors %+v", name, s.Tensors)
		}
		prefix := ""
		if name == "vector.gguf" {
			prefix = manifestPrefix
			if s.Metadata["general.architecture"] != "controlvector" || s.Metadata["controlvector.model_hint"] != "llama" ||
				s.Metadata["controlvector.layer_count"] != 1.0 || s.LayerCountType != "UINT32" {
				t.Errorf("%s: %+v", name, s.Metadata)
			}
		}
		for key, want := range manifestOf(v) {
			if s.Metadata[prefix+key] != want {
				t.Errorf("%s: %s is %q, want %q", name, key, s.Metadata[prefix+key], want)
			}
		}
	}
	var s seen
	recorded(t, "map.safetensors", &s)
	m := sampleMap()
	if w := s.Tensors["w"]; !reflect.DeepEqual(w.Shape, []int{3, 2}) || !reflect.DeepEqual(w.Values, m.W) || !reflect.DeepEqual(s.Tensors["intercept"].Values, m.Intercept) || s.Metadata["lambda"] != "0.25" {
		t.Errorf("map.safetensors: %+v", s)
	}
	var j jsonMap
	recorded(t, "map.json", &j)
	if !reflect.DeepEqual(j.W, [][]float32{{1, 2}, {3, 4}, {5, 6.5}}) || j.Manifest["source.model"] != "tiny:qwen2" {
		t.Errorf("map.json: %+v", j)
	}
}

// Files of other programs: a control vector as repeng and llama.cpp write one, with several
// layers, a signed count and keys that nobody here knows; safetensors saved by numpy.
func TestForeignFilesAreRead(t *testing.T) {
	for name, want := range map[string]map[int][]float32{
		"foreign.gguf":        {1: {3, 4, 0}, 2: {0.5, -0.5, 1e-3}},
		"foreign.safetensors": {0: {3, 4, 0}, 10: {1, 2, 3}},
	} {
		vectors, err := readVectors(t, name)
		if err != nil {
			t.Fatal(err)
		}
		if len(vectors) != len(want) || vectors[0].Row.Norm != 5 {
			t.Errorf("%s: %+v", name, vectors)
		}
		for layer, values := range want {
			v, err := At(vectors, layer)
			if err != nil || !reflect.DeepEqual(v.Row.Values, values) || v.Meta.Hidden != 3 {
				t.Errorf("%s, layer %d: %+v, %v", name, layer, v, err)
			}
			if m := (artifacts.Meta{Model: "tiny:llama", ModelDigest: "81c0", Layer: layer, Hidden: 3}); m.Match(v.Meta) != nil {
				t.Errorf("%s: what is not known does not match: %v", name, m.Match(v.Meta))
			}
		}
	}
	if v, err := readVectors(t, "foreign.gguf"); err != nil || v[0].Meta.ModelType != "llama" {
		t.Errorf("model hint: %+v, %v", v, err)
	}
}

func readVectors(t *testing.T, name string) ([]Vector, error) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return ReadVectors(bytes.NewReader(b))
}

// Metadata of another program is no manifest.
func TestForeignMetadataIsLeftAlone(t *testing.T) {
	header := `{"__metadata__":{"format":"pt","layer":"9"},"direction.3":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`
	content := append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header+"\x00\x00\x80\x3f"...)
	for _, content := range [][]byte{content, []byte(`{"manifest":{"author":"x"},"directions":[{"layer":3,"values":[1]}]}`)} {
		v, err := ReadVectors(bytes.NewReader(content))
		if err != nil || len(v) != 1 || v[0].Meta.Layer != 3 || v[0].Row.Values[0] != 1 {
			t.Errorf("%q: %+v, %v", content, v, err)
		}
	}
}

func TestDamagedFilesAreRefusedOrRead(t *testing.T) {
	for _, f := range formats {
		whole := written(t, f, sampleVector())
		for i := range whole {
			if _, err := ReadVectors(bytes.NewReader(whole[:i])); f != JSON && !errors.Is(err, artifacts.ErrFormat) && i < len(whole)-32 { // the padding of a GGUF may be missing
				t.Fatalf("%s cut to %d of %d bytes: %v", f, i, len(whole), err)
			}
			for _, mask := range []byte{1, 0x80, 0xFF} {
				flipped := bytes.Clone(whole)
				flipped[i] ^= mask
				readAndWrite(t, flipped)
			}
		}
	}
}

// readAndWrite checks what holds for any file: it is refused with ErrFormat, or its vectors
// can be written and read again.
func readAndWrite(t testing.TB, content []byte) {
	t.Helper()
	vectors, err := ReadVectors(bytes.NewReader(content))
	if err != nil && !errors.Is(err, artifacts.ErrFormat) {
		t.Fatalf("got %v, want ErrFormat", err)
	}
	for _, v := range vectors {
		for _, f := range formats {
			if f == GGUF && v.Meta.Layer == 0 {
				continue
			}
			again, err := ReadVectors(bytes.NewReader(written(t, f, v)))
			if err != nil || len(again) != 1 || !reflect.DeepEqual(again[0], v) {
				t.Fatalf("%+v came back through %s as %+v, %v", v, f, again, err)
			}
		}
	}
}

func FuzzReadVectors(f *testing.F) {
	for _, format := range formats {
		f.Add(written(f, format, sampleVector()))
	}
	for _, name := range []string{"foreign.gguf", "foreign.safetensors"} {
		content, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(content)
	}
	f.Fuzz(func(t *testing.T, content []byte) { readAndWrite(t, content) })
}

// control writes a control vector by hand, to make what no writer of ours would.
func control(t testing.TB, tensors []gguf.Tensor, metadata ...gguf.Pair) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := gguf.Write(&b, append([]gguf.Pair{{Key: architectureKey, Value: architecture}}, metadata...), tensors); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func totalAlloc() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// one is a tensor of zeros.
func one(name string, shape ...int) gguf.Tensor {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return gguf.Tensor{Name: name, Type: gguf.F32, Shape: shape, Data: make([]float32, n)}
}

// rawSafetensors is a file with this header text and n bytes of values.
func rawSafetensors(header string, n int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), make([]byte, n)...)
}

func TestHostileFilesAreRefused(t *testing.T) {
	tensors := func(tensors ...gguf.Tensor) []byte { return control(t, tensors) }
	for _, c := range []struct {
		name    string
		content []byte
		want    string
	}{
		{"empty", nil, "neither"},
		{"text", []byte("hello"), "neither"},
		{"a GGUF of nothing", []byte(gguf.Magic), "beyond the end"},
		{"a GGUF of absurd counts", append([]byte(gguf.Magic+"\x03\x00\x00\x00"), bytes.Repeat([]byte{0xff}, 16)...), "a count of"},
		{"a GGUF cut short", tensors(one("direction.1", 64))[:200], "beyond the end"},
		{"a language model", bytes.Replace(tensors(), []byte(architecture), []byte("language-mode"), 1), `architecture is "language-mode"`},
		{"no architecture", bytes.Replace(tensors(), []byte(architectureKey), []byte("general.architectur3"), 1), `architecture is ""`},
		{"no directions", tensors(), "no direction"},
		{"direction 0", tensors(one("direction.0", 2)), "begins at direction.1"},
		{"foreign tensor", tensors(one("direction.1", 2), one("output.weight", 2)), "no direction.N"},
		{"leading zero", tensors(one("direction.01", 2)), "no direction.N"},
		{"two dimensions", tensors(one("direction.1", 1, 2)), "2 dimensions"},
		{"half precision", tensors(gguf.Tensor{Name: "direction.1", Type: gguf.F16, Shape: []int{2}, Data: make([]byte, 4)}), "type F16"},
		{"integers", tensors(gguf.Tensor{Name: "direction.1", Type: 26, Shape: []int{2}, Data: make([]byte, 8)}), "type I32"},
		{"absurd width", tensors(one("direction.1", maxWidth+1)), "1048577 values"},
		{"twice", bytes.Replace(tensors(one("direction.1", 1), one("direction.2", 1)), []byte("direction.2"), []byte("direction.1"), 1), "twice"},
		{"uneven", tensors(one("direction.1", 1), one("direction.2", 2)), "has 2 values"},
		{"header of nonsense", rawSafetensors(`{"a":`, 0), "header: "},
		{"other tensor", rawSafetensors(`{"weight":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 4), "no direction.N"},
		{"other type", rawSafetensors(`{"direction.1":{"dtype":"F16","shape":[2],"data_offsets":[0,4]}}`, 4), "want F32"},
		{"negative shape", rawSafetensors(`{"direction.1":{"dtype":"F32","shape":[-1],"data_offsets":[4,0]}}`, 4), "not a size"},
		{"gap", rawSafetensors(`{"direction.1":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, 8), "belong to no tensor"},
		{"rest", rawSafetensors(`{"direction.1":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 8), "4 bytes after the last tensor"},
		{"overlap", rawSafetensors(`{"direction.1":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"direction.2":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 4), "overlap"},
		{"another manifest", rawSafetensors(`{"__metadata__":{"format":"runpipeline vector 3"},"direction.1":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 4), `format is "runpipeline vector 3"`},
		{"JSON without directions", []byte(`{"directions":[]}`), "no direction"},
		{"JSON of something else", []byte(`{"weights":[]}`), "unknown key"},
		{"JSON and more", []byte(`{"directions":[]}{}`), "text after the end"},
		{"JSON with a brace more", []byte(`{"directions":[{"layer":1,"values":[1]}]}}`), "text after the end"},
		{"JSON with a key in another case", []byte(`{"directions":[{"layer":1,"Layer":2,"values":[1]}]}`), `unknown key "Layer"`},
		{"JSON with a key twice", []byte(`{"directions":[{"layer":1,"layer":2,"values":[1]}]}`), "given twice"},
		{"JSON with a manifest that says a thing twice", []byte(`{"manifest":{"unit":"a","unit":"b"},"directions":[{"layer":1,"values":[1]}]}`), "manifest.unit: the key is given twice"},
		{"JSON that is not UTF-8", []byte("{\"manifest\":{\"unit\":\"a\xff\"},\"directions\":[{\"layer\":1,\"values\":[1]}]}"), "not UTF-8"},
		{"JSON with half a character", []byte(`{"manifest":{"unit":"\ud800"},"directions":[{"layer":1,"values":[1]}]}`), "half of a surrogate pair"},
		{"JSON of too large a number", []byte(`{"directions":[{"layer":1,"values":[1e39]}]}`), "1e39"},
		{"JSON without a layer", []byte(`{"directions":[{"values":[1]}]}`), "has no layer"},
		{"JSON of null for a number", []byte(`{"directions":[{"layer":1,"values":[1,null]}]}`), "null"},
		{"JSON of empty objects", append([]byte(`{"directions":[`), bytes.Repeat([]byte("{},"), maxJSON/3)...), "larger than"},
		{"JSON of a negative layer", []byte(`{"directions":[{"layer":-1,"values":[1]}]}`), "layer -1"},
	} {
		_, err := ReadVectors(bytes.NewReader(c.content))
		if !errors.Is(err, artifacts.ErrFormat) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

// TestBytesBehindAVector: llama.cpp reads a GGUF with more at its end, and safetensors refuses its own format
// so; white space is no part of a JSON.
func TestBytesBehindAVector(t *testing.T) {
	for _, behind := range []string{"\n", "\x00", strings.Repeat("\x00", 4096), "GGUF"} {
		for _, f := range formats {
			want := sampleVector()
			got, err := ReadVectors(bytes.NewReader(append(written(t, f, want), behind...)))
			reads := f == GGUF || f == JSON && behind == "\n"
			if reads && (err != nil || !reflect.DeepEqual(got, []Vector{want})) || !reads && !errors.Is(err, artifacts.ErrFormat) {
				t.Errorf("%s with %.8q behind it: %+v, %v; want it read: %t", f, behind, got, err, reads)
			}
			if f == GGUF {
				continue // which has no maps
			}
			var b bytes.Buffer
			if err := WriteMap(&b, f, sampleMap()); err != nil {
				t.Fatal(err)
			}
			b.WriteString(behind)
			if _, err := ReadMap(&b); reads != (err == nil) || err != nil && !errors.Is(err, artifacts.ErrFormat) {
				t.Errorf("map in %s with %.8q behind it: %v; want it read: %t", f, behind, err, reads)
			}
		}
	}
}

// Lists of lists, which no program writes and the format allows, are passed over with all that is not ours.
func TestListsOfListsArePassedOver(t *testing.T) {
	list := gguf.Pair{Key: "foreign", Value: []uint32{uint32(gguf.KindInt8), 0, 0}} // as one list: of int8, none of them
	content := control(t, []gguf.Tensor{one("direction.3", 2)}, list)
	flat := binary.LittleEndian.AppendUint64([]byte{byte(gguf.KindUint32), 0, 0, 0}, 3)
	nested := binary.LittleEndian.AppendUint64([]byte{byte(gguf.KindArray), 0, 0, 0}, 1)
	v, err := ReadVectors(bytes.NewReader(bytes.Replace(content, flat, nested, 1)))
	if err != nil || len(v) != 1 || v[0].Meta.Layer != 3 {
		t.Errorf("%+v, %v", v, err)
	}
}

func TestAManifestThatContradictsItsTensorIsRefused(t *testing.T) {
	for _, f := range formats {
		content := written(t, f, sampleVector())
		lie := bytes.Replace(content, []byte("direction.2"), []byte("direction.3"), 1)
		if f == JSON {
			lie = bytes.Replace(content, []byte(`"layer":2`), []byte(`"layer":3`), 1)
		}
		if _, err := ReadVectors(bytes.NewReader(lie)); !errors.Is(err, artifacts.ErrFormat) || !strings.Contains(err.Error(), `layer is "2", the tensor says 3`) {
			t.Errorf("%s: %v", f, err)
		}
	}
}

func TestWritersRefuseWhatReadersWould(t *testing.T) {
	for name, change := range map[string]func(*Vector){
		"NaN":             func(v *Vector) { v.Row.Values[0] = float32(math.NaN()) },
		"infinity":        func(v *Vector) { v.Row.Values[0] = float32(math.Inf(-1)) },
		"nothing":         func(v *Vector) { v.Row.Values = nil },
		"another width":   func(v *Vector) { v.Meta.Hidden = 7 },
		"negative layer":  func(v *Vector) { v.Meta.Layer = -1 },
		"negative blocks": func(v *Vector) { v.Meta.Blocks = -1 },
		"negative scale":  func(v *Vector) { v.Scales.Spread = -1 },
		"NaN scale":       func(v *Vector) { v.Scales.Native = math.NaN() },
		"negative draw":   func(v *Vector) { v.Row.Draw = -1 },
		"infinite norm":   func(v *Vector) { v.Row.Norm = math.Inf(1) },
		"not UTF-8":       func(v *Vector) { v.Row.Persona = "\xff" },
		"note not UTF-8":  func(v *Vector) { v.Notes = map[string]string{"a": "\xff"} },
	} {
		for _, f := range formats {
			v := sampleVector()
			change(&v)
			if err := WriteVector(io.Discard, f, v); err == nil || !strings.HasPrefix(err.Error(), "export vector: ") {
				t.Errorf("%s as %s: %v", name, f, err)
			}
		}
	}
	if err := WriteVector(io.Discard, "pt", sampleVector()); err == nil {
		t.Error("wrote an unknown format")
	}
}

func TestFormatsHaveNamesAndExtensions(t *testing.T) {
	for name, want := range map[string]Format{"gguf": GGUF, "GGUF": GGUF, "a/b.gguf": GGUF, "v.SafeTensors": Safetensors, "json": JSON, "x.json": JSON, "x.pt": "", "": "", "xgguf": ""} {
		got, err := ParseFormat(name)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("ParseFormat(%q) = %q, %v; want %q", name, got, err, want)
		}
	}
}

func TestVectorsOfEditorsAndClonesAreToldApart(t *testing.T) {
	var b bytes.Buffer
	if err := WriteVector(&b, JSON, Vector{Row: artifacts.Vector{Values: []float32{1, 2}}}); err != nil {
		t.Fatal(err)
	}
	if v, err := ReadVectors(io.MultiReader(strings.NewReader("\xef\xbb\xbf"), &b)); err != nil || len(v) != 1 {
		t.Errorf("with a byte order mark: %v, %v", v, err)
	}
	for content, want := range map[string]string{"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 2\n": "git lfs pull", "\xff\xfe{\x00}\x00": "UTF-16"} {
		if _, err := ReadVectors(strings.NewReader(content)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want an error that says %s", content, err, want)
		}
	}
}
