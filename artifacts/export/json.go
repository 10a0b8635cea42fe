package export

import (
	"bytes"
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

// readMapJSON fills in the numbers and returns the manifest. The matrix is read row by row: as a list
// of lists, a text of empty ones would take ten times its size.
func readMapJSON(content []byte, t *Map) (manifest, error) {
	var f struct {
		Manifest  manifest        `json:"manifest"`
		W         json.RawMessage `json:"w"`
		Intercept []float32       `json:"intercept"`
	}
	if err := strictjson.Unmarshal(content, &f); err != nil {
		return nil, err
	}
	t.Intercept = f.Intercept
	rows := json.NewDecoder(bytes.NewReader(f.W))
	if start, err := rows.Token(); err != nil || start != json.Delim('[') {
		return nil, fmt.Errorf("its w is no list of rows")
	}
	for ; rows.More(); t.Rows++ {
		var text json.RawMessage
		if err := rows.Decode(&text); err != nil {
			return nil, err
		}
		var row []float32
		if err := strictjson.Unmarshal(text, &row); err != nil {
			return nil, fmt.Errorf("w[%d]: %w", t.Rows+1, err)
		}
		if t.Rows == 0 {
			t.Cols = len(row)
		}
		if len(row) != t.Cols || t.Cols == 0 || t.Rows == maxWidth {
			return nil, fmt.Errorf("row %d of w has %d values, the first has %d", t.Rows+1, len(row), t.Cols)
		}
		t.W = append(t.W, row...)
	}
	if !f.Manifest.ours() {
		return nil, nil
	}
	return f.Manifest, nil
}
