package pipelines

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/artifacts/export"
	"github.com/persona-transfer/runpipeline/gpu"
	"github.com/persona-transfer/runpipeline/transforms/steer"
)

// A Steering is a file of vectors to add, as a user names it.
type Steering struct {
	File      string // safetensors, GGUF control vector or JSON; empty: none
	Layer     int    // −1: every layer that the file holds
	Alpha     float64
	Unit      string // one of steer.Units; empty: the file's
	Positions string // one of steer.Positions; empty: response
}

// read gives the vectors of the layers that are asked for, each with its own layer.
func (s Steering) read() ([]export.Vector, error) {
	vectors, err := readVectors("-vector", s.File)
	if err != nil || s.Layer < 0 {
		return vectors, err
	}
	v, err := export.At(vectors, s.Layer)
	if err != nil {
		return nil, Problems{fmt.Sprintf("-vector %s: %v", s.File, err)}
	}
	return []export.Vector{v}, nil
}

// readVectors reads a vector file that a flag names.
func readVectors(flag, file string) (vectors []export.Vector, err error) {
	err = readFlag(flag, file, maxVectorFile, func(content io.Reader) error {
		vectors, err = export.ReadVectors(content)
		return err
	})
	return vectors, err
}

// readFlag reads a file that a flag names: [ErrMissing] if it is not there, [Problems] if it is no such file.
func readFlag(flag, file string, limit int, read func(io.Reader) error) error {
	content, err := readFile(file, limit)
	if err == nil {
		err = read(bytes.NewReader(content))
	}
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %s %s: no such file", ErrMissing, flag, file)
	}
	if err != nil {
		return Problems{fmt.Sprintf("%s %s: %v", flag, file, reason(err))}
	}
	return nil
}

// unitOf is the unit that alpha has where none is named: the one that the vector was made for, or
// absolute if the file does not say.
func unitOf(v export.Vector) (unit, why string) {
	switch {
	case v.AlphaUnit == string(steer.Absolute) && v.Notes[noteDose] != "":
		return v.AlphaUnit, "the file's values have the length of a dose already"
	case v.AlphaUnit != "":
		return v.AlphaUnit, "the unit of the experiment that the vector comes from"
	}
	return string(steer.Absolute), "the file names no unit"
}

// Resolve settles how a steering is to be understood on this model, before anything is generated: it
// fills in the unit if none is named, and tells in notes what a user did not ask for: which unit, unless
// alpha is 0, that several layers are steered, and that the vector is of other files of the same model.
// A steering that cannot be used is an error, [Problems] where the user can mend it.
func (m *Model) Resolve(s *Steering) (notes []string, err error) {
	vectors, err := s.read()
	if err != nil {
		return nil, err
	}
	if s.Unit == "" {
		unit, why := unitOf(vectors[0])
		if s.Unit = unit; s.Alpha != 0 { // nothing is added in any unit
			notes = append(notes, fmt.Sprintf("alpha %g is in unit %s: %s", s.Alpha, unit, why))
		}
	}
	if n := len(vectors); n > 1 {
		notes = append(notes, fmt.Sprintf("%s holds %d layers, %d to %d, and all are added, each with its own vector; -layer names one", s.File, n, vectors[0].Meta.Layer, vectors[n-1].Meta.Layer))
	}
	if _, err := m.dosed(*s, vectors, func(int) (float64, error) { return 1, nil }); err != nil {
		return nil, err
	}
	note, err := m.belongs(s.File, vectors[0].Meta)
	if err != nil {
		return nil, err
	}
	if note != "" {
		notes = append(notes, note)
	}
	return notes, nil
}

// belongs refuses a vector that was taken from another model, if its file says from which. A note tells
// of one that may be used and was not taken from these files.
func (m *Model) belongs(file string, v artifacts.Meta) (note string, err error) {
	here, err := m.place()
	if err != nil {
		return "", err
	}
	if v.ModelDigest == "" {
		if v.ModelType != "" && v.ModelType != here.ModelType {
			note = fmt.Sprintf("%s was made for a model of type %s, and model %s is of type %s", file, v.ModelType, m.Name, here.ModelType)
		}
		return note, nil
	}
	if here.ModelDigest, err = m.digest(); err != nil {
		return "", err
	}
	here.Layer = v.Layer
	if err := v.Match(here); err != nil {
		return "", Problems{fmt.Sprintf("-vector %s: %v", file, err)}
	}
	if v.OtherEncoding(here) {
		note = otherEncoding(file, v, here)
	}
	return note, nil
}

// otherEncoding says why a vector of other files is taken.
func otherEncoding(file string, v, here artifacts.Meta) string {
	return fmt.Sprintf("%s was taken from other files, %s (%.8s); %s (%.8s) has the same type, width, number of blocks and tokenizer, so it is used as the same model in another encoding",
		file, cmp.Or(v.Model, "a model without a name"), v.ModelDigest, here.Model, here.ModelDigest)
}

// pushes are what a steering adds to a model's residual stream. residual is the mean residual norm at a
// layer, measured on the texts at hand, for vectors that come without scales.
func (m *Model) pushes(s Steering, residual func(layer int) (float64, error)) ([]gpu.Push, error) {
	vectors, err := s.read()
	if err != nil {
		return nil, err
	}
	return m.dosed(s, vectors, residual)
}

// dosed are the pushes of vectors that have been read.
func (m *Model) dosed(s Steering, vectors []export.Vector, residual func(layer int) (float64, error)) ([]gpu.Push, error) {
	how, err := s.parse()
	if err != nil {
		return nil, err
	}
	shape := m.decoder.Config()
	var pushes []gpu.Push
	for _, v := range vectors {
		how.Layer = v.Meta.Layer
		if how.Layer >= shape.Layers {
			return nil, Problems{fmt.Sprintf("-vector %s: layer %d: model %s has layers 0 to %d", s.File, how.Layer, m.Name, shape.Layers-1)}
		}
		if len(v.Row.Values) != shape.Hidden {
			return nil, Problems{fmt.Sprintf("-vector %s has %d values, model %s is %d wide", s.File, len(v.Row.Values), m.Name, shape.Hidden)}
		}
		if how.Unit == steer.Residual && v.Scales.Residual == 0 {
			if v.Scales.Residual, err = residual(how.Layer); err != nil {
				return nil, err
			}
		}
		push, _, err := how.Push(v.Row, v.Scales)
		if errors.Is(err, steer.ErrNoScale) {
			return nil, Problems{fmt.Sprintf("-alpha_unit %s: %s does not say what it is; use residual or absolute", s.Unit, s.File)}
		}
		if err != nil {
			return nil, Problems{fmt.Sprintf("-vector %s, layer %d: %v", s.File, how.Layer, err)}
		}
		pushes = append(pushes, push)
	}
	return pushes, nil
}

// parse reads a steering's words. The layer is each vector's own.
func (s Steering) parse() (how steer.Steering, err error) {
	var problems Problems
	if how.Alpha = s.Alpha; math.IsNaN(s.Alpha) || math.IsInf(s.Alpha, 0) {
		problems = append(problems, fmt.Sprintf("-alpha %g: want a finite number", s.Alpha))
	}
	if how.Unit, err = steer.ParseUnit(s.Unit); err != nil {
		problems = append(problems, fmt.Sprintf("-alpha_unit: %v", err))
	}
	if s.Positions != "" {
		if how.Positions, err = steer.ParsePositions(s.Positions); err != nil {
			problems = append(problems, fmt.Sprintf("-positions: %v", err))
		}
	}
	if problems != nil {
		return how, problems
	}
	return how, nil
}
