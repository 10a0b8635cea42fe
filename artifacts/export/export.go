package export

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/format/text"
)

// A Format is one of the file formats.
type Format string

// The formats, named as on the command line.
const (
	Safetensors Format = "safetensors"
	GGUF        Format = "gguf"
	JSON        Format = "json"
)

// ParseFormat returns the format of that name, or of that file name's extension.
func ParseFormat(name string) (Format, error) {
	name = strings.ToLower(name)
	for _, f := range []Format{Safetensors, GGUF, JSON} {
		if name == string(f) || strings.HasSuffix(name, "."+string(f)) {
			return f, nil
		}
	}
	return "", fmt.Errorf("format %.80q is not known; there are safetensors, gguf and json", name)
}

// A Vector is one direction at one layer, with what is known about it.
type Vector struct {
	Meta      artifacts.Meta
	AlphaUnit string // the unit of alpha that the vector was made for; "absolute" if its values have their dose; empty: not known
	Scales    artifacts.Scales
	Row       artifacts.Vector
	Notes     map[string]string
}

// maxFile bounds what a reader takes in: 128 layers of 16,384 float32 are 8 MiB.
const maxFile = 256 << 20

// maxWidth is far above any residual stream.
const maxWidth = 1 << 20

// WriteVector writes v in the given format. The same vector gives the same bytes.
func WriteVector(w io.Writer, format Format, v Vector) error {
	m := manifestOf(v)
	err := cmp.Or(v.validate(), m.validate())
	if err == nil {
		switch format {
		case Safetensors:
			err = writeSafetensors(w, m, []tensor{{direction(v.Meta.Layer), []int{len(v.Row.Values)}, v.Row.Values}})
		case GGUF:
			err = writeGGUF(w, m, v)
		case JSON:
			err = writeJSON(w, m, v)
		default:
			_, err = ParseFormat(string(format))
		}
	}
	if err != nil {
		return fmt.Errorf("export vector: %w", err)
	}
	return nil
}

func (v Vector) validate() error {
	n := len(v.Row.Values)
	switch {
	case n < 1 || n > maxWidth || v.Meta.Hidden != 0 && v.Meta.Hidden != n:
		return fmt.Errorf("%d values, %d dimensions", n, v.Meta.Hidden)
	case v.Meta.Layer < 0:
		return fmt.Errorf("layer %d", v.Meta.Layer)
	case v.Row.Draw < 0 || v.Row.Norm-v.Row.Norm != 0:
		return fmt.Errorf("draw %d, norm %v", v.Row.Draw, v.Row.Norm)
	}
	return cmp.Or(finite(v.Row.Values), v.Scales.Validate())
}

func finite(values []float32) error {
	for i, x := range values {
		if x-x != 0 {
			return fmt.Errorf("value %d is %v", i, x)
		}
	}
	return nil
}

// A Map is a transfer map with what a vector that it carries needs to be steered with.
type Map struct {
	artifacts.Map
	AlphaUnit      string           // the unit of alpha of the experiment that fitted it; empty: not known
	Scales         artifacts.Scales // at the target's layer; Native is the carried vector's own
	SourceResidual float64          // mean ‖h‖ at the source's layer; 0: not known
}

// WriteMap writes a map as safetensors (w [rows, cols] and intercept [cols]) or JSON. The
// manifest's keys begin with source. and target. where they describe one side.
func WriteMap(w io.Writer, format Format, t Map) error {
	m := mapManifest(t)
	err := cmp.Or(validateMap(&t.Map), m.validate(), t.Scales.Validate(), artifacts.Scales{Residual: t.SourceResidual}.Validate())
	if err == nil {
		switch format {
		case Safetensors:
			tensors := []tensor{{"w", []int{t.Rows, t.Cols}, t.W}}
			if len(t.Intercept) > 0 {
				tensors = append([]tensor{{"intercept", []int{t.Cols}, t.Intercept}}, tensors...)
			}
			err = writeSafetensors(w, m, tensors)
		case JSON:
			err = writeMapJSON(w, m, &t.Map)
		case GGUF:
			err = fmt.Errorf("GGUF has no place for a map; write safetensors or json")
		default:
			_, err = ParseFormat(string(format))
		}
	}
	if err != nil {
		return fmt.Errorf("export map: %w", err)
	}
	return nil
}

func validateMap(t *artifacts.Map) error {
	if len(t.W) != t.Rows*t.Cols || t.Rows < 1 || t.Cols < 1 || len(t.Intercept) != 0 && len(t.Intercept) != t.Cols {
		return fmt.Errorf("%d values and an intercept of %d in a map of %d × %d", len(t.W), len(t.Intercept), t.Rows, t.Cols)
	}
	return cmp.Or(finite(t.W), finite(t.Intercept))
}

// ReadVectors reads a vector file, telling the formats apart by their first bytes. It
// returns one vector per layer, by rising layer. All that a file without our manifest says
// is layer and values. Norm is the length of the values, whatever a manifest says.
func ReadVectors(r io.Reader) ([]Vector, error) {
	content, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read vector: %w", err)
	}
	if len(content) > maxFile {
		return nil, fmt.Errorf("read vector: %w: it is larger than %d MiB", artifacts.ErrFormat, maxFile>>20)
	}
	var vectors []Vector
	plain, notText := text.Plain(content)
	switch {
	case bytes.HasPrefix(content, []byte(ggufMagic)):
		vectors, err = readGGUF(content)
	case looksLikeSafetensors(content):
		vectors, err = readSafetensors(content)
	case bytes.HasPrefix(bytes.TrimLeft(plain, " \t\r\n"), []byte("{")):
		vectors, err = readJSON(plain)
	case notText != nil:
		err = notText
	default:
		err = fmt.Errorf("it is neither safetensors nor GGUF nor JSON")
	}
	if err == nil {
		err = finish(vectors)
	}
	if err != nil {
		return nil, fmt.Errorf("read vector: %w: %w", artifacts.ErrFormat, err)
	}
	return vectors, nil
}

// At returns the vector of a layer, or an error that names the layers there are.
func At(vectors []Vector, layer int) (Vector, error) {
	var layers []string
	for _, v := range vectors {
		if v.Meta.Layer == layer {
			return v, nil
		}
		layers = append(layers, strconv.Itoa(v.Meta.Layer))
	}
	return Vector{}, fmt.Errorf("no vector for layer %d, there are layers %s: %w", layer, strings.Join(layers, ", "), artifacts.ErrMismatch)
}

// finish checks what all formats have in common and sorts by layer.
func finish(vectors []Vector) error {
	if len(vectors) == 0 {
		return fmt.Errorf("it holds no direction")
	}
	slices.SortFunc(vectors, func(a, b Vector) int { return a.Meta.Layer - b.Meta.Layer })
	for i, v := range vectors {
		if err := v.validate(); err != nil {
			return fmt.Errorf("%s: %w", direction(v.Meta.Layer), err)
		}
		if i > 0 && v.Meta.Layer == vectors[i-1].Meta.Layer {
			return fmt.Errorf("%s is there twice", direction(v.Meta.Layer))
		}
		if len(v.Row.Values) != len(vectors[0].Row.Values) {
			return fmt.Errorf("%s has %d values, %s has %d", direction(v.Meta.Layer), len(v.Row.Values), direction(vectors[0].Meta.Layer), len(vectors[0].Row.Values))
		}
	}
	return nil
}

// direction is the name of a layer's tensor in every format.
func direction(layer int) string { return "direction." + strconv.Itoa(layer) }

// parseDirection is the inverse of direction.
func parseDirection(name string) (layer int, err error) {
	digits, ok := strings.CutPrefix(name, "direction.")
	layer, err = strconv.Atoi(digits)
	if !ok || err != nil || layer < 0 || layer > 1<<20 || direction(layer) != name {
		return 0, fmt.Errorf("tensor %.80q is no direction.N", name)
	}
	return layer, nil
}

// known builds a vector from values and a manifest, which may be empty.
func known(layer int, values []float32, m manifest) (Vector, error) {
	var sum float64
	for _, x := range values {
		sum += float64(x) * float64(x)
	}
	length := math.Sqrt(sum)
	v := Vector{Meta: artifacts.Meta{Layer: layer, Hidden: len(values)}}
	v.Row = artifacts.Vector{Values: values, Norm: length}
	if len(m) == 0 {
		return v, nil
	}
	return v, m.apply(&v)
}

func floatBytes(values []float32) []byte {
	b := make([]byte, 0, 4*len(values))
	for _, v := range values {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return b
}

func bytesFloats(b []byte) []float32 {
	values := make([]float32, len(b)/4)
	for i := range values {
		values[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return values
}
