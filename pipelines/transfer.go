package pipelines

import (
	"context"
	"fmt"
	"io"
	"maps"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/artifacts/export"
	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/transforms/linear"
)

// ReadMap reads a map file that export wrote, or a program that calls its matrix "w".
func ReadMap(file string) (m export.Map, err error) {
	err = readFlag("-map", file, maxMapFile, func(content io.Reader) error {
		m, err = export.ReadMap(content)
		return err
	})
	return m, err
}

// StoredMap finds a map among the experiment's artifacts, with what its models and activations say of
// it: name is one of Exports, for instance "fit/map", or the digest of one.
func (e *Experiment) StoredMap(ctx context.Context, store cache.Store, name string) (m export.Map, err error) {
	exports, err := e.Exports(ctx, store)
	if err != nil {
		return m, err
	}
	out, err := pick(exports, name)
	if err != nil {
		return m, err
	}
	if out.Kind != artifacts.KindMap {
		return m, Problems{fmt.Sprintf("%q is no map", name)}
	}
	return e.exportMap(ctx, store, exports, out)
}

// Layers says where a map of another program starts and ends, which only whoever fitted it knows. −1 is
// what the map says itself.
type Layers struct{ Source, Target int }

// settle completes a map's layers, and refuses a layer that the map knows otherwise.
func (l Layers) settle(m *export.Map) error {
	var problems Problems
	for _, side := range []struct {
		flag  string
		named int
		layer *int
	}{{"-source_layer", l.Source, &m.Source.Layer}, {"-layer", l.Target, &m.Target.Layer}} {
		switch {
		case side.named >= 0 && *side.layer != artifacts.UnknownLayer && *side.layer != side.named:
			problems = append(problems, fmt.Sprintf("%s %d: the map says that it is layer %d", side.flag, side.named, *side.layer))
		case side.named >= 0:
			*side.layer = side.named
		case *side.layer == artifacts.UnknownLayer && side.flag == "-layer":
			problems = append(problems, "-layer: the map does not say at which layer of the target its vectors are to be added: name it")
		}
	}
	if problems != nil {
		return problems
	}
	return nil
}

// Transfer carries a vector of a file across a map: v·W, since a persona vector is a difference of
// residuals, so that the means of the two models cancel (Chen et al., arXiv 2506.06609). Of a file of
// several layers it takes the one at which the map starts. What the vector and the map say of their
// models, layers and positions must agree; notes tell what had to be taken on trust.
func Transfer(m export.Map, layers Layers, file string) (w export.Vector, notes []string, err error) {
	if err := layers.settle(&m); err != nil {
		return w, nil, err
	}
	vectors, err := readVectors("-vector", file)
	if err != nil {
		return w, nil, err
	}
	v := vectors[0]
	if len(vectors) > 1 {
		if m.Source.Layer == artifacts.UnknownLayer {
			return w, nil, Problems{fmt.Sprintf("-vector %s holds %d layers, and the map does not say at which it starts: name it with -source_layer", file, len(vectors))}
		}
		if v, err = export.At(vectors, m.Source.Layer); err != nil {
			return w, nil, Problems{fmt.Sprintf("-vector %s: the map starts at layer %d: %v", file, m.Source.Layer, err)}
		}
		notes = append(notes, fmt.Sprintf("%s holds %d layers: the map carries layer %d, the others are left out", file, len(vectors), v.Meta.Layer))
	}
	if err := m.Accepts(v.Meta); err != nil {
		return w, nil, Problems{fmt.Sprintf("-vector %s: %v", file, err)}
	}
	switch {
	case v.Meta.OtherEncoding(m.Source):
		notes = append(notes, otherEncoding(file, v.Meta, m.Source))
	case v.Meta.ModelDigest == "" || m.Source.ModelDigest == "":
		compared := "width and layer were"
		if m.Source.Layer == artifacts.UnknownLayer {
			compared = "the width was"
		}
		notes = append(notes, fmt.Sprintf("nothing says that %s was taken from the model that the map starts at: only %s compared", file, compared))
	}
	matrix, err := linear.NewMap(m.Rows, m.Cols, m.W, nil, nil)
	if err != nil {
		return w, nil, err
	}
	w = export.Vector{Meta: m.Target, AlphaUnit: m.AlphaUnit, Scales: m.Scales, Row: v.Row, Notes: maps.Clone(v.Notes)}
	if w.Row.Values, err = matrix.Apply(v.Row.Values); err != nil {
		return w, nil, err
	}
	if w.Row.Norm = linear.Norm(w.Row.Values); w.Row.Norm == 0 {
		return w, nil, Problems{fmt.Sprintf("-vector %s: the map carries it to zero", file)}
	}
	if m.SourceResidual > 0 {
		w.Scales.Native = m.Scales.Residual * v.Row.Norm / m.SourceResidual
	}
	w.Row.Condition = m.Method
	delete(w.Notes, noteDose) // the map changed the length
	return w, notes, nil
}
