package pipelines

import (
	"context"
	"fmt"
	"io"
	"maps"
	"sort"
	"strings"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/artifacts/export"
	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/format/strictjson"
	"github.com/persona-transfer/runpipeline/transforms"
)

// Artifacts lists what is stored of an experiment, by stage and output: "vectors/ridge/silly",
// "fit/map", "generate/0003.texts".
func (e *Experiment) Artifacts(ctx context.Context, store cache.Store) (map[string]cache.Output, error) {
	plan, err := e.Plan(ctx, store)
	if err != nil {
		return nil, err
	}
	found := map[string]cache.Output{}
	for _, step := range plan.Steps {
		for _, o := range step.Manifest {
			found[step.Stage.Name+"/"+o.Name] = o
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

// ExportOptions say what to write and how.
type ExportOptions struct {
	Name   string // one of Exports, or the digest of one
	Format export.Format
	Draw   int     // which random draw or permutation, where there are several
	Alpha  float64 // 0: the values as stored; else scaled so that strength 1 is this alpha
	Unit   string  // of Alpha
}

// noteAlphaUnit is the note of an exported vector that names its experiment's unit of alpha. A vector
// that was scaled to a dose has none.
const noteAlphaUnit = "alpha_unit"

// ParseFormat reads a format's name or a file's extension.
func ParseFormat(name string) (export.Format, error) { return export.ParseFormat(name) }

// Export writes a vector or map.
func (e *Experiment) Export(ctx context.Context, store cache.Store, o ExportOptions, w io.Writer) error {
	exports, err := e.Exports(ctx, store)
	if err != nil {
		return err
	}
	out, err := pick(exports, o.Name)
	if err != nil {
		return err
	}
	if out.Kind == artifacts.KindMap {
		m, err := artifacts.Fetch(ctx, store, out.Digest, artifacts.DecodeMap)
		if err != nil {
			return err
		}
		m.Source.Model, m.Target.Model = modelName(e.Source.Ref), modelName(e.Target.Ref)
		return refused(export.WriteMap(w, o.Format, m))
	}
	v, err := artifacts.Fetch(ctx, store, out.Digest, artifacts.DecodeVectors)
	if err != nil {
		return err
	}
	return e.exportVector(v, o, w)
}

func (e *Experiment) exportVector(v *artifacts.Vectors, o ExportOptions, w io.Writer) error {
	if o.Draw < 0 || o.Draw >= len(v.Rows) {
		return Problems{fmt.Sprintf("-draw %d: %s has %d", o.Draw, o.Name, len(v.Rows))}
	}
	row, unit := v.Rows[o.Draw], ""
	if o.Alpha != 0 {
		unit = o.Unit
		scaled, length, err := transforms.Dose(row, v, o.Alpha, o.Unit)
		if err != nil {
			return Problems{err.Error()}
		}
		row.Values, row.Norm, row.Scale = scaled, length, length
	}
	shape, name := e.shapes[1], modelName(e.Target.Ref)
	if v.ModelDigest == e.Source.Digest && v.ModelDigest != e.Target.Digest {
		shape, name = e.shapes[0], modelName(e.Source.Ref)
	}
	meta, notes := v.Meta, maps.Clone(v.Notes)
	meta.Model = name
	if unit == "" && notes["scale."+e.AlphaUnit] != "" {
		notes[noteAlphaUnit] = e.AlphaUnit
	}
	return refused(export.WriteVector(w, o.Format, export.Vector{Meta: meta, ModelType: shape.ModelType, Unit: unit, Row: row, Notes: notes}))
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
