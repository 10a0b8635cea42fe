package pipelines

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"testing"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/transforms"
)

// TestPersonasAreNamedByName: a persona's vector bears its name, and what its unit stores beside it a name of its
// own; neither is that of another persona.
func TestPersonasAreNamedByName(t *testing.T) {
	dir, _ := finished(t)
	e, store := small().experiment(t), open(t, dir)
	found, err := e.Artifacts(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	for _, persona := range []string{"pirate", "silly"} {
		vector, texts := found["personas.target/"+persona], found["personas.target/"+persona+"/texts"]
		if vector.Kind != artifacts.KindVectors || texts.Kind != artifacts.KindMatrices {
			t.Fatalf("%s: %+v and %+v", persona, vector, texts)
		}
		v, err := artifacts.Fetch(t.Context(), store, vector.Digest, artifacts.DecodeVectors)
		if err != nil || v.Rows[0].Persona != persona {
			t.Errorf("the vector of %s is of %+v (%v)", persona, v, err)
		}
	}
	for _, name := range []string{"vector", "1.vector", "-001.vector", "00001.vector", "0001x.vector"} {
		if _, _, err := transforms.UnitOutput(name); !errors.Is(err, artifacts.ErrFormat) {
			t.Errorf("output %q: %v", name, err)
		}
	}
	if i, output, err := transforms.UnitOutput("0012.texts"); i != 12 || output != "texts" || err != nil {
		t.Errorf("0012.texts is output %q of unit %d (%v)", output, i, err)
	}
}

// TestExportedDoseIsTheLengthThatIsAdded exports a vector scaled to an alpha: the length of its values is
// alpha times the unit's, and the file says that they are to be added as they are.
func TestExportedDoseIsTheLengthThatIsAdded(t *testing.T) {
	dir, _ := finished(t)
	e := small().experiment(t)
	format, err := ParseFormat("json")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	exported, err := e.Export(t.Context(), open(t, dir), ExportOptions{Name: "vectors/ridge/silly", Alpha: .5, Unit: "residual"})
	if err == nil {
		err = exported.Write(&out, format)
	}
	if err != nil {
		t.Fatal(err)
	}
	var v struct {
		Manifest   map[string]string
		Directions []struct{ Values []float64 }
	}
	if err := json.Unmarshal(out.Bytes(), &v); err != nil || len(v.Directions) != 1 {
		t.Fatalf("%v in %.200s", err, &out)
	}
	scale, err := strconv.ParseFloat(v.Manifest["scale.residual"], 64)
	if err != nil {
		t.Fatal(err)
	}
	if unit, dose := v.Manifest["alpha_unit"], v.Manifest["note.dose"]; unit != "absolute" || dose != "alpha 0.5 in unit residual" {
		t.Errorf("alpha_unit %q, dose %q", unit, dose)
	}
	sum := 0.0
	for _, x := range v.Directions[0].Values {
		sum += x * x
	}
	// Values are float32: each has a relative error of at most 2⁻²⁴.
	if length := math.Sqrt(sum); math.Abs(length-.5*scale) > 1e-6*length || length == 0 {
		t.Errorf("half of %g, values of length %g", scale, length)
	}
}
