package export

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/format/safetensors"
)

// A Map is a transfer map with what a vector that it carries needs to be steered with.
type Map struct {
	artifacts.Map
	AlphaUnit      string           // the unit of alpha of the experiment that fitted it; empty: not known
	Scales         artifacts.Scales // at the target's layer; Native is the carried vector's own
	SourceResidual float64          // mean ‖h‖ at the source's layer; 0: not known
}

// maxMap bounds what a reader of maps takes in: between residual streams of 16,384 values, the widest,
// a map has 1 GiB.
const maxMap = 1<<30 + 1<<20

const (
	matrixName    = "w"
	interceptName = "intercept"
)

// HoldsMaps says why a format has no place for a map, or nothing.
func (f Format) HoldsMaps() error {
	if f == GGUF {
		return errors.New("GGUF has no place for a map; write safetensors or json")
	}
	return nil
}

// WriteMap writes a map as safetensors (w [rows, cols] and intercept [cols]) or JSON. The
// manifest's keys begin with source. and target. where they describe one side.
func WriteMap(w io.Writer, format Format, t Map) error {
	m := mapManifest(t)
	err := cmp.Or(t.validate(), m.validate())
	if err == nil {
		switch format {
		case Safetensors:
			tensors := []safetensors.Tensor{{Name: matrixName, Shape: []int{t.Rows, t.Cols}, Data: t.W}}
			if len(t.Intercept) > 0 {
				tensors = append(tensors, safetensors.Tensor{Name: interceptName, Shape: []int{t.Cols}, Data: t.Intercept})
			}
			err = safetensors.Write(w, tensors, m)
		case JSON:
			err = writeMapJSON(w, m, &t.Map)
		case GGUF:
			err = format.HoldsMaps()
		default:
			_, err = ParseFormat(string(format))
		}
	}
	if err != nil {
		return fmt.Errorf("export map: %w", err)
	}
	return nil
}

// ReadMap reads a map file, telling safetensors from JSON by its first bytes: the inverse of WriteMap,
// but for a width of 0 in Source or Target, which becomes that of the matrix. The error wraps
// [artifacts.ErrFormat] if the file is damaged or no map.
//
// A file of another program, without our manifest, is taken by its matrix w [source width, target
// width] and the intercept, if there is one: y = xW + intercept. It says nothing of the models, so
// Source and Target know their widths alone, and their Layer is [artifacts.UnknownLayer], which
// matches any. In safetensors its values may be of any floating-point type that Go or half precision
// has; those of F64 are rounded.
func ReadMap(r io.Reader) (Map, error) {
	content, err := readFile(r, maxMap)
	if err != nil {
		return Map{}, fmt.Errorf("read map: %w", err)
	}
	var t Map
	var m manifest
	format, content, err := detect(content)
	if err == nil {
		switch format {
		case GGUF:
			err = fmt.Errorf("it is a GGUF, which has no place for a map")
		case Safetensors:
			m, err = readMapSafetensors(content, &t)
		case JSON:
			m, err = readMapJSON(content, &t)
		}
	}
	if err == nil {
		err = m.applyMap(&t)
	}
	if err == nil {
		err = t.validate()
	}
	if err != nil {
		return Map{}, fmt.Errorf("read map: %w: %w", artifacts.ErrFormat, err)
	}
	return t, nil
}

// validate refuses what could not be read again.
func (t *Map) validate() error {
	switch {
	case t.Rows < 1 || t.Cols < 1 || t.Rows > maxWidth || t.Cols > maxWidth || len(t.W) != t.Rows*t.Cols || len(t.Intercept) != 0 && len(t.Intercept) != t.Cols:
		return fmt.Errorf("%d values and an intercept of %d in a map of %d × %d", len(t.W), len(t.Intercept), t.Rows, t.Cols)
	case t.Source.Layer < artifacts.UnknownLayer || t.Target.Layer < artifacts.UnknownLayer:
		return fmt.Errorf("from layer %d to layer %d", t.Source.Layer, t.Target.Layer)
	case t.Source.Hidden != 0 && t.Source.Hidden != t.Rows || t.Target.Hidden != 0 && t.Target.Hidden != t.Cols:
		return fmt.Errorf("a map of %d × %d from %d to %d dimensions", t.Rows, t.Cols, t.Source.Hidden, t.Target.Hidden)
	case t.Source.Blocks < 0 || t.Target.Blocks < 0 || t.Lambda-t.Lambda != 0:
		return fmt.Errorf("%d and %d blocks, lambda %v", t.Source.Blocks, t.Target.Blocks, t.Lambda)
	}
	return cmp.Or(finite(t.W), finite(t.Intercept), t.Scales.Validate(), artifacts.Scales{Residual: t.SourceResidual}.Validate())
}

// readMapSafetensors fills in the numbers and returns the manifest.
func readMapSafetensors(content []byte, t *Map) (manifest, error) {
	f, m, err := openSafetensors(content)
	if err != nil {
		return nil, err
	}
	for _, e := range f.Entries {
		switch {
		case e.Name == matrixName && len(e.Shape) == 2:
			t.Rows, t.Cols = e.Shape[0], e.Shape[1]
			t.W, err = f.Float32(e.Name)
		case e.Name == interceptName && len(e.Shape) == 1:
			t.Intercept, err = f.Float32(e.Name)
		default:
			err = fmt.Errorf("tensor %.80q %v is no part of a map, which has %s [rows, cols] and perhaps %s [cols]", e.Name, e.Shape, matrixName, interceptName)
		}
		if err != nil {
			return nil, err
		}
	}
	return m, nil
}

// applyMap fills t from the manifest, nil for a file of another program. Widths are known from the
// matrix; a manifest that says otherwise is refused.
func (m manifest) applyMap(t *Map) (err error) {
	if t.Source.Hidden, t.Target.Hidden = t.Rows, t.Cols; len(t.Intercept) == 0 {
		t.Intercept = nil
	}
	if m == nil {
		t.Source.Layer, t.Target.Layer = artifacts.UnknownLayer, artifacts.UnknownLayer
		return nil
	}
	if got := m["format"]; got != mapFormat {
		return fmt.Errorf("its manifest's format is %.80q, want %q", got, mapFormat)
	}
	if err := m.validate(); err != nil {
		return err
	}
	for prefix, meta := range map[string]*artifacts.Meta{"source.": &t.Source, "target.": &t.Target} {
		if got := m[prefix+"hidden"]; got != strconv.Itoa(meta.Hidden) && got != "0" {
			return fmt.Errorf("its manifest's %shidden is %.40q, the matrix says %d", prefix, got, meta.Hidden)
		}
		if meta.Layer, err = strconv.Atoi(m[prefix+"layer"]); err != nil || meta.Layer < artifacts.UnknownLayer {
			return fmt.Errorf("its manifest's %slayer is %.40q", prefix, m[prefix+"layer"])
		}
		if err := m.meta(prefix, meta); err != nil {
			return err
		}
	}
	if t.Lambda, err = strconv.ParseFloat(m["lambda"], 64); err != nil || math.IsInf(t.Lambda, 0) || math.IsNaN(t.Lambda) {
		return fmt.Errorf("its manifest's lambda is %.40q", m["lambda"])
	}
	source, err := m.scales("source.")
	if err != nil {
		return err
	}
	t.SourceResidual = source.Residual
	t.Method, t.AlphaUnit, t.Notes = m["method"], m["alpha_unit"], m.notes()
	t.Scales, err = m.scales("target.")
	return err
}
