package export

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/format/strictjson"
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
	Layer  *int      `json:"layer"`
	Values []float32 `json:"values"`
}

type jsonMap struct {
	Manifest  manifest    `json:"manifest"`
	W         [][]float32 `json:"w"` // rows × cols; y = xW + intercept
	Intercept []float32   `json:"intercept,omitempty"`
}

func writeJSON(w io.Writer, m manifest, v Vector) error {
	d := jsonDirection{&v.Meta.Layer, v.Row.Values}
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
	if err := strictjson.Unmarshal(content, &f); err != nil {
		return nil, err
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
		v, err := known(*d.Layer, d.Values, f.Manifest)
		if err != nil {
			return nil, err
		}
		vectors = append(vectors, v)
	}
	return vectors, nil
}
