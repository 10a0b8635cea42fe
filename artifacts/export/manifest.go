package export

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/persona-transfer/runpipeline/artifacts"
)

// A manifest is what a file says about its numbers, as text by key. Its presence is told by
// "format"; keys that are not known are left alone, so that a newer file can be read.
type manifest map[string]string

const (
	vectorFormat = "runpipeline vector 1"
	mapFormat    = "runpipeline map 1"
	notePrefix   = "note."
)

// validate refuses what JSON would change silently.
func (m manifest) validate() error {
	for key, value := range m {
		if !utf8.ValidString(key + value) {
			return fmt.Errorf("its manifest's %q is not UTF-8", key)
		}
	}
	return nil
}

// ours reports whether a program of this name wrote the manifest.
func (m manifest) ours() bool { return strings.HasPrefix(m["format"], "runpipeline ") }

func manifestOf(v Vector) manifest {
	m := manifest{
		"format":     vectorFormat,
		"model_type": v.ModelType,
		"unit":       v.Unit,
		"persona":    v.Row.Persona,
		"condition":  v.Row.Condition,
		"draw":       strconv.Itoa(int(v.Row.Draw)),
		"scale":      formatFloat(v.Row.Scale),
		"norm":       formatFloat(v.Row.Norm),
	}
	m.setMeta("", v.Meta)
	m.setNotes(v.Notes)
	return m
}

func mapManifest(t *artifacts.Map) manifest {
	m := manifest{"format": mapFormat, "method": t.Method, "lambda": formatFloat(t.Lambda)}
	m.setMeta("source.", t.Source)
	m.setMeta("target.", t.Target)
	m.setNotes(t.Notes)
	return m
}

func (m manifest) setMeta(prefix string, meta artifacts.Meta) {
	m[prefix+"model"] = meta.Model
	m[prefix+"model_digest"] = meta.ModelDigest
	m[prefix+"layer"] = strconv.Itoa(meta.Layer)
	m[prefix+"positions"] = meta.Positions
	m[prefix+"template"] = meta.Template
	m[prefix+"device"] = meta.Device
	m[prefix+"dtype"] = meta.DType
	m[prefix+"hidden"] = strconv.Itoa(meta.Hidden)
}

func (m manifest) setNotes(notes map[string]string) {
	for k, v := range notes {
		m[notePrefix+k] = v
	}
}

// apply fills v from the manifest. Layer and width are known from the tensor; a manifest
// that says otherwise is refused.
func (m manifest) apply(v *Vector) error {
	if got := m["format"]; got != vectorFormat {
		return fmt.Errorf("its manifest's format is %.80q, want %q", got, vectorFormat)
	}
	if err := m.validate(); err != nil {
		return err
	}
	for key, want := range map[string]int{"layer": v.Meta.Layer, "hidden": v.Meta.Hidden} {
		if got := m[key]; got != strconv.Itoa(want) && (key == "layer" || got != "0") {
			return fmt.Errorf("its manifest's %s is %.40q, the tensor says %d", key, got, want)
		}
	}
	v.Meta.Model, v.Meta.ModelDigest = m["model"], m["model_digest"]
	v.Meta.Positions, v.Meta.Template = m["positions"], m["template"]
	v.Meta.Device, v.Meta.DType = m["device"], m["dtype"]
	v.ModelType, v.Unit = m["model_type"], m["unit"]
	v.Row.Persona, v.Row.Condition = m["persona"], m["condition"]
	draw, err := strconv.ParseInt(m["draw"], 10, 32)
	if err != nil || draw < 0 {
		return fmt.Errorf("its manifest's draw is %.40q", m["draw"])
	}
	v.Row.Draw = int32(draw)
	for key, to := range map[string]*float64{"scale": &v.Row.Scale, "norm": &v.Row.Norm} {
		if *to, err = strconv.ParseFloat(m[key], 64); err != nil || math.IsNaN(*to-*to) {
			return fmt.Errorf("its manifest's %s is %.40q", key, m[key])
		}
	}
	for key, value := range m {
		if name, ok := strings.CutPrefix(key, notePrefix); ok {
			if v.Notes == nil {
				v.Notes = make(map[string]string)
			}
			v.Notes[name] = value
		}
	}
	return nil
}

func formatFloat(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
