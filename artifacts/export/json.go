package export

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"github.com/persona-transfer/runpipeline/artifacts"
)

// maxJSON is far above 128 layers of 16,384 values. A text can hold many more empty objects
// than a file of numbers can hold tensors.
const maxJSON = 64 << 20

// jsonFile is a vector file as JSON. Values are the shortest decimals that read back as the
// same float32.
type jsonFile struct {
	Manifest   manifest        `json:"manifest,omitempty"`
	Directions []jsonDirection `json:"directions"`
}

type jsonDirection struct {
	Layer  *int         `json:"layer"`
	Values []jsonNumber `json:"values"`
}

// A jsonNumber is a float32 that does not take null, as which other programs write NaN, for 0.
type jsonNumber float32

// UnmarshalJSON implements [json.Unmarshaler].
func (n *jsonNumber) UnmarshalJSON(text []byte) error {
	if string(text) == "null" {
		return fmt.Errorf("a value is null")
	}
	return json.Unmarshal(text, (*float32)(n))
}

type jsonMap struct {
	Manifest  manifest    `json:"manifest"`
	W         [][]float32 `json:"w"` // rows × cols; y = xW + intercept
	Intercept []float32   `json:"intercept,omitempty"`
}

func writeJSON(w io.Writer, m manifest, v Vector) error {
	d := jsonDirection{Layer: &v.Meta.Layer}
	for _, x := range v.Row.Values {
		d.Values = append(d.Values, jsonNumber(x))
	}
	return json.NewEncoder(w).Encode(jsonFile{m, []jsonDirection{d}})
}

func writeMapJSON(w io.Writer, m manifest, t *artifacts.Map) error {
	out := jsonMap{Manifest: m, Intercept: t.Intercept}
	for i := range t.Rows {
		out.W = append(out.W, t.W[i*t.Cols:(i+1)*t.Cols])
	}
	return json.NewEncoder(w).Encode(out)
}

func readJSON(content []byte) ([]Vector, error) {
	if len(content) > maxJSON {
		return nil, fmt.Errorf("it is larger than %d MiB", maxJSON>>20)
	}
	var f jsonFile
	strict := json.NewDecoder(bytes.NewReader(content))
	strict.DisallowUnknownFields()
	if err := strict.Decode(&f); err != nil {
		return nil, err
	}
	if _, err := strict.Token(); err != io.EOF {
		return nil, fmt.Errorf("something follows the JSON value")
	}
	if !f.Manifest.ours() {
		f.Manifest = nil
	}
	if len(f.Manifest) > 0 && len(f.Directions) > 1 {
		return nil, fmt.Errorf("its manifest describes one vector, it holds %d", len(f.Directions))
	}
	var vectors []Vector
	for i, d := range f.Directions {
		if d.Layer == nil {
			return nil, fmt.Errorf("directions[%d] has no layer", i)
		}
		values := make([]float32, len(d.Values))
		for i, x := range d.Values {
			values[i] = float32(x)
		}
		v, err := known(*d.Layer, values, f.Manifest)
		if err != nil {
			return nil, err
		}
		vectors = append(vectors, v)
	}
	return vectors, nil
}
