package export

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"github.com/persona-transfer/runpipeline/artifacts"
)

// jsonFile is a vector file as JSON. Values are the shortest decimals that read back as the
// same float32.
type jsonFile struct {
	Manifest   manifest        `json:"manifest,omitempty"`
	Directions []jsonDirection `json:"directions"`
}

type jsonDirection struct {
	Layer  int       `json:"layer"`
	Values []float32 `json:"values"`
}

type jsonMap struct {
	Manifest  manifest    `json:"manifest"`
	W         [][]float32 `json:"w"` // rows × cols; y = xW + intercept
	Intercept []float32   `json:"intercept,omitempty"`
}

func writeJSON(w io.Writer, m manifest, v Vector) error {
	return json.NewEncoder(w).Encode(jsonFile{m, []jsonDirection{{v.Meta.Layer, v.Row.Values}}})
}

func writeMapJSON(w io.Writer, m manifest, t *artifacts.Map) error {
	out := jsonMap{Manifest: m, Intercept: t.Intercept}
	for i := range t.Rows {
		out.W = append(out.W, t.W[i*t.Cols:(i+1)*t.Cols])
	}
	return json.NewEncoder(w).Encode(out)
}

func readJSON(content []byte) ([]Vector, error) {
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
	for _, d := range f.Directions {
		v, err := known(d.Layer, d.Values, f.Manifest)
		if err != nil {
			return nil, err
		}
		vectors = append(vectors, v)
	}
	return vectors, nil
}
