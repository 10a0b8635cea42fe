package pipelines

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/gpu"
	"github.com/persona-transfer/runpipeline/gpu/checkpoint"
	"github.com/persona-transfer/runpipeline/transforms"
	"github.com/persona-transfer/runpipeline/transforms/linear"
)

// A Model is one model opened outside of an experiment: for probe and steer.
type Model struct {
	Name    string
	digest  func() (string, error) // of the model's files, computed when it is first asked for
	decoder *gpu.Decoder
}

// OpenModel opens a model by reference.
func OpenModel(ctx context.Context, ref string, device Device) (*Model, error) {
	c, err := transforms.OpenFiles(ctx, ref, false)
	if err != nil {
		return nil, missingModel(err)
	}
	defer c.Close()
	if err := fits(ctx, ref, c, device, fewTexts, fewTextsBytes); err != nil {
		return nil, err
	}
	d, err := gpu.Open(c, nil, device.open)
	if err != nil {
		return nil, missingModel(err)
	}
	digest := sync.OnceValues(func() (string, error) {
		c, err := transforms.OpenFiles(ctx, ref, false)
		if err != nil {
			return "", missingModel(err)
		}
		defer c.Close()
		return c.Digest()
	})
	return &Model{Name: modelName(ref), digest: digest, decoder: d}, nil
}

// Notes tell what was odd about the model's files and passed over, one line each.
func (m *Model) Notes() []string { return m.decoder.Notes() }

// place says what a vector of this model has in its manifest, its digest aside, which takes reading all
// of its files.
func (m *Model) place() (artifacts.Meta, error) {
	c := m.decoder.Config()
	fingerprint, err := m.decoder.Tokenizer().Fingerprint()
	return artifacts.Meta{Model: m.Name, ModelType: c.ModelType, Blocks: c.Layers, Hidden: c.Hidden, Tokenizer: fingerprint}, err
}

// missingModel marks a model that is not there as ErrMissing, and one that cannot be used as a
// problem of the configuration.
func missingModel(err error) error {
	if errors.Is(err, checkpoint.ErrNotFound) {
		return fmt.Errorf("%w: %w", ErrMissing, err)
	}
	return Problems{err.Error()}
}

// Warning is a line for the user when the model's texts may have other tokens than it knows, else "".
func (m *Model) Warning() string { return m.decoder.Tokenizer().Warning() }

// Close frees the model.
func (m *Model) Close() error { return m.decoder.Close() }

// hasRoom reports a continuation that, with its prompt, is longer than the model can read.
func (m *Model) hasRoom(prompt, tokens int) error {
	if longest := m.decoder.Config().Longest(); tokens > 0 && tokens > longest-prompt {
		return Problems{fmt.Sprintf("-tokens %d: model %s reads up to %d tokens, and the prompt has %d", tokens, m.Name, longest, prompt)}
	}
	return nil
}

// meanNorm is the mean residual norm of texts at their last tokens.
func (m *Model) meanNorm(ctx context.Context, tokens [][]int32, last [][]int, layer int) (float64, error) {
	h, err := m.decoder.Capture(ctx, tokens, last, []gpu.Site{{Layer: layer}})
	if err == nil {
		err = m.finite(h, "residuals")
	}
	if err != nil {
		return 0, err
	}
	sum := 0.0
	for _, x := range h {
		sum += linear.Norm(x)
	}
	return sum / float64(len(h)), nil
}

// finite refuses what a damaged model or an immense vector makes of a text: what is computed from it
// means nothing.
func (m *Model) finite(rows [][]float32, what string) error {
	if i, x, bad := notFinite(rows); bad {
		return fmt.Errorf("model %s: the %s of text %d hold %g", m.Name, what, i+1, x)
	}
	return nil
}

// notFinite finds the first number that is none. −∞ is a logit of a token that cannot come.
func notFinite(rows [][]float32) (row int, x float32, found bool) {
	for i, values := range rows {
		for _, x := range values {
			if x-x != 0 && !math.IsInf(float64(x), -1) {
				return i, x, true
			}
		}
	}
	return 0, 0, false
}
