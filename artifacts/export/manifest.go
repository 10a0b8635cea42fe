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
	vectorFormat = "runpipeline vector 2" // 2: alpha_unit and scales instead of unit, scale and notes
	mapFormat    = "runpipeline map 2"    // 2: alpha_unit and scales
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
		"alpha_unit": v.AlphaUnit,
		"persona":    v.Row.Persona,
		"condition":  v.Row.Condition,
		"draw":       strconv.Itoa(int(v.Row.Draw)),
		"norm":       formatFloat(v.Row.Norm), // for people: readers measure the values
	}
	m.setMeta("", v.Meta)
	m.setScales("", v.Scales)
	m.setNotes(v.Notes)
	return m
}

func mapManifest(t Map) manifest {
	m := manifest{"format": mapFormat, "method": t.Method, "lambda": formatFloat(t.Lambda), "alpha_unit": t.AlphaUnit}
	m.setMeta("source.", t.Source)
	m.setMeta("target.", t.Target)
	m.setScales("source.", artifacts.Scales{Residual: t.SourceResidual})
	m.setScales("target.", t.Scales)
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
	m[prefix+"model_type"] = meta.ModelType
	m[prefix+"blocks"] = strconv.Itoa(meta.Blocks)
	m[prefix+"tokenizer"] = meta.Tokenizer
}

// setScales leaves out those that are not known.
func (m manifest) setScales(prefix string, s artifacts.Scales) {
	for key, length := range s.Named() {
		if *length != 0 {
			m[prefix+key] = formatFloat(*length)
		}
	}
}

func (m manifest) scales(prefix string) (s artifacts.Scales, err error) {
	for key, length := range s.Named() {
		text, ok := m[prefix+key]
		if !ok {
			continue
		}
		if *length, err = strconv.ParseFloat(text, 64); err != nil || !(*length > 0) || math.IsInf(*length, 0) {
			return s, fmt.Errorf("its manifest's %s is %.40q, want a length", prefix+key, text)
		}
	}
	return s, nil
}

// meta reads what setMeta wrote, except layer and hidden, which the tensors say.
func (m manifest) meta(prefix string, into *artifacts.Meta) error {
	for key, to := range map[string]*string{
		"model": &into.Model, "model_digest": &into.ModelDigest, "positions": &into.Positions, "template": &into.Template,
		"device": &into.Device, "dtype": &into.DType, "model_type": &into.ModelType, "tokenizer": &into.Tokenizer,
	} {
		*to = m[prefix+key]
	}
	if text := m[prefix+"blocks"]; text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return fmt.Errorf("its manifest's %s is %.40q", prefix+"blocks", text)
		}
		into.Blocks = n
	}
	return nil
}

func (m manifest) setNotes(notes map[string]string) {
	for k, v := range notes {
		m[notePrefix+k] = v
	}
}

// notes reads what setNotes wrote, nil if it was nothing.
func (m manifest) notes() (notes map[string]string) {
	for key, value := range m {
		if name, ok := strings.CutPrefix(key, notePrefix); ok {
			if notes == nil {
				notes = make(map[string]string)
			}
			notes[name] = value
		}
	}
	return notes
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
	if err := m.meta("", &v.Meta); err != nil {
		return err
	}
	v.AlphaUnit = m["alpha_unit"]
	v.Row.Persona, v.Row.Condition = m["persona"], m["condition"]
	draw, err := strconv.ParseInt(m["draw"], 10, 32)
	if err != nil || draw < 0 {
		return fmt.Errorf("its manifest's draw is %.40q", m["draw"])
	}
	v.Row.Draw = int32(draw)
	if v.Scales, err = m.scales(""); err != nil {
		return err
	}
	v.Notes = m.notes()
	return nil
}

func formatFloat(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
