package pipelines

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"testing"
)

// TestExportedDoseIsTheLengthThatIsAdded exports a vector scaled to an alpha: its scale and the
// length of its values are what that alpha adds.
func TestExportedDoseIsTheLengthThatIsAdded(t *testing.T) {
	dir, _ := finished(t)
	e := small().experiment(t)
	format, err := ParseFormat("json")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	o := ExportOptions{Name: "vectors/ridge/silly", Format: format, Alpha: .5, Unit: "residual"}
	if err := e.Export(t.Context(), open(t, dir), o, &out); err != nil {
		t.Fatal(err)
	}
	var v struct {
		Manifest   struct{ Scale string }
		Directions []struct{ Values []float64 }
	}
	if err := json.Unmarshal(out.Bytes(), &v); err != nil || len(v.Directions) != 1 {
		t.Fatalf("%v in %.200s", err, &out)
	}
	scale, err := strconv.ParseFloat(v.Manifest.Scale, 64)
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, x := range v.Directions[0].Values {
		sum += x * x
	}
	// Values are float32: each has a relative error of at most 2⁻²⁴.
	if length := math.Sqrt(sum); math.Abs(length-scale) > 1e-6*length || length == 0 {
		t.Errorf("scale %g, values of length %g", scale, length)
	}
}
