package artifacts

import (
	"errors"
	"io"
	"strings"
	"testing"
)

// The design decision that this guards: a map of one layer and a vector of another give an
// answer, and a wrong one.
func TestMatchSaysWhichFactDiffers(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Meta)
		want   string // empty: they match
	}{
		{"nothing", func(*Meta) {}, ""},
		{"device", func(m *Meta) { m.Device, m.DType = "cuda", "bfloat16" }, ""},
		{"name of the same model", func(m *Meta) { m.Model = "elsewhere" }, ""},
		{"unknown digest, same name", func(m *Meta) { m.ModelDigest = "" }, ""},
		{"all unknown", func(m *Meta) { *m = Meta{Layer: UnknownLayer} }, ""},
		{"unknown layer", func(m *Meta) { m.Layer = UnknownLayer }, ""},
		{"unknown layer, other model", func(m *Meta) { m.Layer, m.ModelDigest = UnknownLayer, "1234567890" }, "the other of an unknown layer of tiny:qwen2 (12345678)"},
		{"layer", func(m *Meta) { m.Layer = 2 }, "layer 1 of tiny:qwen2, the other of layer 2"},
		{"digest", func(m *Meta) { m.ModelDigest = "1234567890" }, "(9f2c), the other of layer 1 of tiny:qwen2 (12345678)"},
		{"unknown digest, other name", func(m *Meta) { m.Model, m.ModelDigest = "gpt2", "" }, "tiny:qwen2, the other of gpt2"},
		{"width", func(m *Meta) { m.Hidden = 4 }, "3 dimensions, the other of 4"},
		{"positions", func(m *Meta) { m.Positions = "word_ends" }, `positions "last", the other of "word_ends"`},
	} {
		other := source()
		c.change(&other)
		err := source().Match(other)
		if c.want == "" && err != nil || c.want != "" && (!errors.Is(err, ErrMismatch) || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
		if back := other.Match(source()); (back == nil) != (err == nil) {
			t.Errorf("%s: one way %v, the other %v", c.name, err, back)
		}
	}
}

func TestPlainTextsAndChatsAreToldApart(t *testing.T) {
	plain, chat, unknown := source(), source(), source()
	plain.Template, chat.Template, unknown.Template = "none", "chat", ""
	if err := plain.Match(chat); !errors.Is(err, ErrMismatch) || !strings.Contains(err.Error(), `template "none", the other of "chat"`) {
		t.Errorf("none and chat: %v, want ErrMismatch", err)
	}
	if err := plain.Match(unknown); err != nil {
		t.Errorf("none and unknown: %v", err)
	}
}

// What does not say where it belongs cannot be stored: as layer 0 of a stored map it would be compared.
func TestAnUnknownLayerIsNotStored(t *testing.T) {
	for _, side := range []func(*Map) *Meta{func(m *Map) *Meta { return &m.Source }, func(m *Map) *Meta { return &m.Target }} {
		m := Map{Source: Meta{Hidden: 1}, Target: Meta{Hidden: 1}, Rows: 1, Cols: 1, W: []float32{1}}
		if err := m.Encode(io.Discard); err != nil {
			t.Fatal(err)
		}
		side(&m).Layer = UnknownLayer
		if err := m.Encode(io.Discard); err == nil || !strings.Contains(err.Error(), "layer -1") {
			t.Errorf("%+v: %v", m, err)
		}
	}
}

func TestAMapRefusesTheVectorOfAnotherLayer(t *testing.T) {
	m := Map{Source: source(), Target: target()}
	m.Source.Layer = 2
	err := m.Accepts(source())
	const want = "vector was taken at layer 1 of tiny:qwen2, the map starts at layer 2: the two do not belong together"
	if !errors.Is(err, ErrMismatch) || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
	if err := m.Delivers(target()); err != nil {
		t.Error(err)
	}
	elsewhere := target()
	elsewhere.Layer = 5
	if err := m.Delivers(elsewhere); !errors.Is(err, ErrMismatch) || !strings.Contains(err.Error(), "the map ends at layer 2 of tiny:llama, steering is at layer 5") {
		t.Error(err)
	}
}
