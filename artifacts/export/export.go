package export

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/format/gguf"
	"github.com/persona-transfer/runpipeline/format/safetensors"
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
			err = safetensors.Write(w, []safetensors.Tensor{{Name: direction(v.Meta.Layer), Shape: []int{len(v.Row.Values)}, Data: v.Row.Values}}, m)
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
	case v.Meta.Layer < 0 || v.Meta.Blocks < 0:
		return fmt.Errorf("layer %d of %d", v.Meta.Layer, v.Meta.Blocks)
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

// ReadVectors reads a vector file, telling the formats apart by their first bytes. It
// returns one vector per layer, by rising layer. All that a file without our manifest says
// is layer and values. Norm is the length of the values, whatever a manifest says.
func ReadVectors(r io.Reader) ([]Vector, error) {
	content, err := readFile(r, maxFile)
	if err != nil {
		return nil, fmt.Errorf("read vector: %w", err)
	}
	var vectors []Vector
	format, content, err := detect(content)
	if err == nil {
		switch format {
		case GGUF:
			vectors, err = readGGUF(content)
		case Safetensors:
			vectors, err = readSafetensors(content)
		case JSON:
			vectors, err = readJSON(content)
		}
	}
	if err == nil {
		err = finish(vectors)
	}
	if err != nil {
		return nil, fmt.Errorf("read vector: %w: %w", artifacts.ErrFormat, err)
	}
	return vectors, nil
}

// readFile reads all of r, at most limit bytes.
func readFile(r io.Reader, limit int64) ([]byte, error) {
	content, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(content)) > limit {
		err = fmt.Errorf("%w: it is larger than %d MiB", artifacts.ErrFormat, limit>>20)
	}
	return content, err
}

// detect tells the format of a file by its first bytes, and returns JSON without a byte order mark.
func detect(content []byte) (Format, []byte, error) {
	plain, notText := text.Plain(content)
	switch {
	case bytes.HasPrefix(content, []byte(gguf.Magic)):
		return GGUF, content, nil
	case looksLikeSafetensors(content):
		return Safetensors, content, nil
	case bytes.HasPrefix(bytes.TrimLeft(plain, " \t\r\n"), []byte("{")):
		return JSON, plain, nil
	case notText != nil:
		return "", nil, notText
	}
	return "", nil, fmt.Errorf("it is neither safetensors nor GGUF nor JSON")
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
