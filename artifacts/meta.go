package artifacts

import (
	"errors"
	"fmt"
	"strconv"
)

// ErrMismatch reports two artifacts that do not belong together: a vector and a map of
// different layers or models, for instance. Using them would give an answer, and a wrong
// one.
var ErrMismatch = errors.New("the two do not belong together")

// UnknownLayer is the Layer of numbers that do not say where they belong, as a map in a file of another
// program. It matches any layer, and nothing of it can be stored: whoever reads such a file has to be
// told the layers.
const UnknownLayer = -1

// Meta says where in which model numbers come from. Every artifact that holds residuals or
// vectors of them carries it.
type Meta struct {
	Model       string `json:"model"`        // name for messages, if one is known: a hub id or a file's base name, never a path
	ModelDigest string `json:"model_digest"` // SHA-256 of the model, in hexadecimal
	Layer       int    `json:"layer"`        // block number from 0; the residual stream after it
	Positions   string `json:"positions"`    // "last", "word_ends", empty where no positions were taken
	Template    string `json:"template"`     // "chat" if the model's chat template was applied, "none" if not
	Device      string `json:"device"`       // what computed it, for instance "cpu/float32/avx2"; not compared
	DType       string `json:"dtype"`        // what it was computed in, where Device does not say it; not compared
	Hidden      int    `json:"hidden"`       // width of the residual stream

	// Files that people exchange say more of a model than its digest, so that its other encodings can
	// be told. Stored artifacts leave it out: there the digest decides.
	ModelType string `json:"model_type,omitempty"` // as in config.json: "llama", "qwen2", …
	Blocks    int    `json:"blocks,omitempty"`     // how many layers there are
	Tokenizer string `json:"tokenizer,omitempty"`  // fingerprint of the tokenizer
}

// OtherEncoding reports that m and other are of one model as two sets of files, a folder and its GGUF
// for instance: their digests differ, and width, type, number of blocks and tokenizer are known and agree.
func (m Meta) OtherEncoding(other Meta) bool {
	return differ(m.ModelDigest, other.ModelDigest) &&
		m.ModelType != "" && m.Tokenizer != "" && m.Blocks > 0 && m.Hidden > 0 &&
		m.ModelType == other.ModelType && m.Tokenizer == other.Tokenizer && m.Blocks == other.Blocks && m.Hidden == other.Hidden
}

// Match reports whether numbers described by m may be combined with numbers described by
// other: same model, layer, width, positions and template. The error wraps [ErrMismatch]
// and says which fact differs and how.
//
// An empty text, a width of 0 and [UnknownLayer] are not known, as in a file of another program,
// and match anything. Models are compared by digest, and by name only if a digest is not
// known; another encoding of the same model matches. Device and dtype are not compared: they change digits, not meaning.
func (m Meta) Match(other Meta) error {
	if mine, theirs, ok := m.difference(other); !ok {
		return fmt.Errorf("one is of %s, the other of %s: %w", mine, theirs, ErrMismatch)
	}
	return nil
}

// difference returns the first fact that differs, in words, for both sides.
func (m Meta) difference(other Meta) (mine, theirs string, ok bool) {
	switch {
	case differ(m.ModelDigest, other.ModelDigest) && !m.OtherEncoding(other):
		return named(m), named(other), false
	case (m.ModelDigest == "" || other.ModelDigest == "") && differ(m.Model, other.Model):
		return m.Model, other.Model, false
	case m.Layer != other.Layer && m.Layer != UnknownLayer && other.Layer != UnknownLayer:
		return m.At(), fmt.Sprintf("layer %d", other.Layer), false
	case m.Hidden != other.Hidden && m.Hidden != 0 && other.Hidden != 0:
		return fmt.Sprintf("%d dimensions", m.Hidden), fmt.Sprintf("%d", other.Hidden), false
	case differ(m.Positions, other.Positions):
		return fmt.Sprintf("positions %q", m.Positions), fmt.Sprintf("%q", other.Positions), false
	case differ(m.Template, other.Template):
		return fmt.Sprintf("template %q", m.Template), fmt.Sprintf("%q", other.Template), false
	}
	return "", "", true
}

func differ(a, b string) bool { return a != b && a != "" && b != "" }

// At is the place for messages: "layer 1 of tiny:qwen2".
func (m Meta) At() string {
	layer := fmt.Sprintf("layer %d", m.Layer)
	if m.Layer == UnknownLayer {
		layer = "an unknown layer"
	}
	if m.Model == "" {
		return layer
	}
	return layer + " of " + m.Model
}

// named tells two models apart that may bear the same name.
func named(m Meta) string {
	return fmt.Sprintf("%s (%.8s)", m.At(), m.ModelDigest)
}

// validate refuses what no computation could have written.
func (m Meta) validate() error {
	if m.Layer < 0 || m.Hidden < 0 {
		return fmt.Errorf("layer %d, %d dimensions", m.Layer, m.Hidden)
	}
	return nil
}

// set writes m into f, each key after prefix ("", "source.", "target.").
func (m Meta) set(f facts, prefix string) error {
	f[prefix+"model"] = m.Model
	f[prefix+"model_digest"] = m.ModelDigest
	f[prefix+"layer"] = strconv.Itoa(m.Layer)
	f[prefix+"positions"] = m.Positions
	f[prefix+"template"] = m.Template
	f[prefix+"device"] = m.Device
	f[prefix+"dtype"] = m.DType
	f[prefix+"hidden"] = strconv.Itoa(m.Hidden)
	return m.validate()
}

// meta takes what set wrote.
func (f facts) meta(prefix string) (m Meta, err error) {
	for _, fact := range []struct {
		key string
		to  *string
	}{
		{"model", &m.Model}, {"model_digest", &m.ModelDigest}, {"positions", &m.Positions},
		{"template", &m.Template}, {"device", &m.Device}, {"dtype", &m.DType},
	} {
		if *fact.to, err = f.text(prefix + fact.key); err != nil {
			return m, err
		}
	}
	if m.Layer, err = f.integer(prefix+"layer", 0); err == nil {
		m.Hidden, err = f.integer(prefix+"hidden", 0)
	}
	return m, err
}
