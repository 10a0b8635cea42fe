package pipelines

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"sort"
	"strings"
	"unicode"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/artifacts/export"
	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/format/strictjson"
	"github.com/persona-transfer/runpipeline/transforms"
	"github.com/persona-transfer/runpipeline/transforms/linear"
	"github.com/persona-transfer/runpipeline/transforms/steer"
)

// Artifacts lists what is stored of an experiment, by stage and output: "vectors/ridge/silly",
// "personas.source/silly", "fit/map", "fit.held_out/silly", "generate/0003.texts". What a persona has beside the
// first output of its unit bears that name too: "personas.source/silly/texts".
func (e *Experiment) Artifacts(ctx context.Context, store cache.Store) (map[string]cache.Output, error) {
	plan, err := e.Plan(ctx, store)
	if err != nil {
		return nil, err
	}
	found := map[string]cache.Output{}
	for _, step := range plan.Steps {
		for _, o := range step.Manifest {
			name := step.Stage.Name + "/" + o.Name
			if slices.Contains([]string{"personas", "trait", "resemblance", "refit"}, step.Stage.Kind) { // a unit is a persona
				index, output, err := transforms.UnitOutput(o.Name)
				if err != nil {
					return nil, err
				}
				name = step.Stage.Name + "/" + e.personas[index].Name
				if _, ok := found[name]; ok {
					name += "/" + output
				}
			}
			found[name] = o
		}
	}
	return found, nil
}

// Exports lists the vectors and maps among the experiment's artifacts.
func (e *Experiment) Exports(ctx context.Context, store cache.Store) (map[string]cache.Output, error) {
	found, err := e.Artifacts(ctx, store)
	for name, o := range found {
		if o.Kind != artifacts.KindVectors && o.Kind != artifacts.KindMap {
			delete(found, name)
		}
	}
	return found, err
}

// Show writes an artifact as text, its first rows only: name is one of Artifacts, or a digest.
func (e *Experiment) Show(ctx context.Context, store cache.Store, name string, rows int, w io.Writer) error {
	found, err := e.Artifacts(ctx, store)
	if err != nil {
		return err
	}
	o, err := pick(found, name)
	if err != nil {
		return err
	}
	r, err := store.Open(ctx, o.Digest)
	if err != nil {
		return err
	}
	defer r.Close()
	if o.Kind == transforms.KindJSON || o.Kind == artifacts.KindScorer {
		_, err = io.Copy(w, r)
		return err
	}
	return artifacts.Show(w, r, o.Kind, rows)
}

// pick finds an output by its name or its digest, whole or its first eight digits and more.
func pick(found map[string]cache.Output, name string) (cache.Output, error) {
	if o, ok := found[name]; ok {
		return o, nil
	}
	for _, n := range names(found) {
		if o := found[n]; len(name) >= 8 && strings.HasPrefix(o.Digest.String(), name) {
			return o, nil
		}
	}
	near := strictjson.Nearest(name, names(found))
	return cache.Output{}, Problems{fmt.Sprintf("%q is not stored for this experiment (%d artifacts are); the nearest name is %q", name, len(found), near)}
}

// ExportOptions say what to write.
type ExportOptions struct {
	Name  string  // one of Exports, or the digest of one
	Draw  int     // which random draw or permutation, where there are several
	Alpha float64 // 0: the values as stored; else scaled so that strength 1 is this alpha
	Unit  string  // of Alpha
}

// noteDose is the note of an exported vector whose values have the length of a dose: which.
const noteDose = "dose"

// ParseFormat reads a format's name or a file's extension.
func ParseFormat(name string) (export.Format, error) { return export.ParseFormat(name) }

// An Exported is a vector or a map in the form that files have: one of the two is not nil.
type Exported struct {
	Vector *export.Vector
	Map    *export.Map
}

// Write writes it. What the format cannot hold is a problem of the request.
func (x Exported) Write(w io.Writer, format export.Format) error {
	if x.Map != nil {
		return refused(export.WriteMap(w, format, *x.Map))
	}
	return refused(export.WriteVector(w, format, *x.Vector))
}

// Export reads a stored vector or map and adds what a stranger must know to use it.
func (e *Experiment) Export(ctx context.Context, store cache.Store, o ExportOptions) (x Exported, err error) {
	exports, err := e.Exports(ctx, store)
	if err != nil {
		return x, err
	}
	out, err := pick(exports, o.Name)
	if err != nil {
		return x, err
	}
	if out.Kind == artifacts.KindMap {
		m, err := e.exportMap(ctx, store, exports, out)
		return Exported{Map: &m}, err
	}
	v, err := artifacts.Fetch(ctx, store, out.Digest, artifacts.DecodeVectors)
	if err != nil {
		return x, err
	}
	if err := e.identify(ctx, &v.Meta); err != nil {
		return x, err
	}
	one, err := e.exportVector(v, o)
	return Exported{Vector: &one}, err
}

// identify adds to a stored place what files say of a model so that others can tell it: a stored
// artifact knows its model by digest alone.
func (e *Experiment) identify(ctx context.Context, place *artifacts.Meta) error {
	side := e.Target
	if place.ModelDigest == e.Source.Digest && place.ModelDigest != e.Target.Digest {
		side = e.Source
	}
	t, err := side.Text().Tokenizer(ctx)
	if err != nil {
		return err
	}
	place.Model, place.ModelType, place.Blocks = modelName(side.Ref), side.shape.ModelType, side.shape.Layers
	place.Tokenizer, err = t.Fingerprint()
	return err
}

// exportMap reads a stored map. What alpha 1 is at its target stands beside the condition vectors; a
// map that was made for none has no scales.
func (e *Experiment) exportMap(ctx context.Context, store cache.Store, exports map[string]cache.Output, out cache.Output) (m export.Map, err error) {
	stored, err := artifacts.Fetch(ctx, store, out.Digest, artifacts.DecodeMap)
	if err != nil {
		return m, err
	}
	m = export.Map{Map: *stored}
	for _, place := range []*artifacts.Meta{&m.Source, &m.Target} {
		if err := e.identify(ctx, place); err != nil {
			return m, err
		}
	}
	for _, persona := range e.PersonaDatasets.Names() {
		for _, condition := range e.steered() {
			o, ok := exports["vectors/"+condition+"/"+persona]
			if !ok {
				continue
			}
			v, err := artifacts.Fetch(ctx, store, o.Digest, artifacts.DecodeVectors)
			if err != nil {
				return m, err
			}
			m.AlphaUnit, m.Scales = e.AlphaUnit, artifacts.Scales{Residual: v.Scales.Residual, Spread: v.Scales.Spread}
			if own, ok := exports["personas.source/"+persona]; ok {
				m.SourceResidual, err = sourceResidual(ctx, store, own, v.Scales)
			}
			return m, err
		}
	}
	return m, nil
}

// sourceResidual works back from a persona's native scale, residual · ‖v‖ / (the source's mean ‖h‖).
func sourceResidual(ctx context.Context, store cache.Store, own cache.Output, s artifacts.Scales) (float64, error) {
	v, err := artifacts.Fetch(ctx, store, own.Digest, artifacts.DecodeVectors)
	if err != nil || s.Native == 0 {
		return 0, err
	}
	return s.Residual * v.Rows[0].Norm / s.Native, nil
}

func (e *Experiment) exportVector(v *artifacts.Vectors, o ExportOptions) (x export.Vector, err error) {
	if o.Draw < 0 || o.Draw >= len(v.Rows) {
		return x, Problems{fmt.Sprintf("-draw %d: %s has %d", o.Draw, o.Name, len(v.Rows))}
	}
	x = export.Vector{Meta: v.Meta, Scales: v.Scales, Row: v.Rows[o.Draw], Notes: maps.Clone(v.Notes)}
	if v.Scales != (artifacts.Scales{}) { // a persona's own vector has not been made to steer with
		x.AlphaUnit = e.AlphaUnit
	}
	if o.Alpha == 0 {
		return x, nil
	}
	unit, err := steer.ParseUnit(o.Unit)
	if err != nil {
		return x, Problems{fmt.Sprintf("-alpha_unit: %v", err)}
	}
	push, _, err := steer.Steering{Layer: v.Layer, Alpha: o.Alpha, Unit: unit}.Push(x.Row, v.Scales)
	if err != nil {
		return x, Problems{fmt.Sprintf("-alpha %g: %v", o.Alpha, err)}
	}
	if x.Notes == nil {
		x.Notes = map[string]string{}
	}
	x.Row.Values, x.Row.Norm = push.Vector, linear.Norm(push.Vector)
	x.AlphaUnit, x.Notes[noteDose] = string(steer.Absolute), fmt.Sprintf("alpha %g in unit %s", o.Alpha, o.Unit)
	return x, nil
}

// LlamaCpp says how llama.cpp applies a control vector file, and where that differs from here.
func LlamaCpp(file string, v export.Vector) []string {
	apply := fmt.Sprintf("llama-cli -m MODEL.gguf --control-vector %s", shellWord(file))
	unit, _ := unitOf(v)
	push, _, err := steer.Steering{Layer: v.Meta.Layer, Alpha: 1, Unit: steer.Unit(unit)}.Push(v.Row, v.Scales)
	if err == nil && unit != string(steer.Absolute) {
		factor := linear.Norm(push.Vector) / v.Row.Norm
		apply = fmt.Sprintf("llama-cli -m MODEL.gguf --control-vector-scaled %s:%.6g adds alpha 1 in unit %s, and other alphas in proportion (before 2025 the number stands behind a space)", shellWord(file), factor, unit)
	}
	return []string{
		"llama.cpp: " + apply,
		"llama.cpp steers every token, the prompt's too: -positions all and steer_positions all do so here, response does not",
	}
}

// shellWord quotes a file's name for a shell if it needs that.
func shellWord(name string) string {
	if name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("/._-+=@%", r)
	}) {
		return name
	}
	return "'" + strings.ReplaceAll(name, "'", `'\''`) + "'"
}

// refused turns what a format cannot hold into a problem of the request.
func refused(err error) error {
	if err != nil {
		return Problems{err.Error()}
	}
	return nil
}

func names(m map[string]cache.Output) []string {
	var out []string
	for name := range m {
		out = append(out, name)
	}
	sort.Strings(out)
	return out
}
