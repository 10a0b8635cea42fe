package cpu

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/persona-transfer/runpipeline/gpu/arch"
	"github.com/persona-transfer/runpipeline/gpu/checkpoint"
	"github.com/persona-transfer/runpipeline/gpu/engine"
	"github.com/persona-transfer/runpipeline/gpu/engine/enginetest"
	"github.com/persona-transfer/runpipeline/gpu/gputest"
)

// randomBlocks are blocks of a type with scales of a sensible size, negative ones among them.
func randomBlocks(rng *rand.Rand, f *format, blocks int) []byte {
	out := make([]byte, blocks*f.layout.Bytes)
	for i := range out {
		out[i] = byte(rng.Uint32())
	}
	for b := range blocks {
		at := b * f.layout.Bytes
		for _, field := range f.fields {
			for range field.count {
				if field.size == 2 { // float16 or bfloat16 below one half: 0x2000 is 2⁻⁷ and 2⁻⁶³
					exponent := map[string]uint16{"BF16": 0x3c00}[f.layout.DType]
					if exponent == 0 {
						exponent = 0x2000
					}
					binary.LittleEndian.PutUint16(out[at:], exponent|uint16(rng.Uint32()&0x83ff))
				}
				at += field.size
			}
		}
	}
	return out
}

// TestWideningIsDecoding turns blocks of 32 outputs and widens them with every instruction set: the values,
// to the bit and the sign of zero, are those that the file's decoder makes of each output's blocks.
func TestWideningIsDecoding(t *testing.T) {
	if len(formats) != 12 {
		t.Fatalf("%d formats", len(formats))
	}
	for dtype, f := range formats {
		rng := rand.New(rand.NewPCG(21, 1))
		const blocks = 16
		n := blocks * f.layout.Block
		src := make([]byte, f.size(n))
		want := make([]float32, n*panel)
		for l := range panel {
			row := randomBlocks(rng, f, blocks)
			values := make([]float32, n)
			f.layout.Decode(values, row)
			for i, v := range values {
				want[i*panel+l] = v
			}
			for b := range blocks {
				f.turn(src[b*f.layout.Bytes*panel:], row[b*f.layout.Bytes:(b+1)*f.layout.Bytes], l)
			}
		}
		for _, k := range available {
			got := make([]float32, n*panel)
			f.widen(k, got, src)
			if single := k.single[dtype]; single != nil {
				x, c, d := noise(rng, n), make([]float32, panel), make([]float32, panel)
				single(c, x, src)
				productGeneric(d, panel, x, n, want, 1, n, false)
				if i := differ(c, d); i >= 0 {
					t.Errorf("%s, %s: output %d of one row is %x, want %x", dtype, k.name, i, c[i], d[i])
				}
			}
			if i := differ(got, want); i >= 0 {
				t.Errorf("%s, %s: value %d of output %d is %x, want %x", dtype, k.name, i/panel, i%panel, got[i], want[i])
			}
		}
	}
}

// stored is a model's weights in the types of a file: matrices in one of them, vectors in float32.
type stored struct {
	*gputest.Reference
	dtypes map[string]string
	bytes  map[string][]byte
}

// newStored makes random blocks for every matrix whose rows hold whole blocks of the types given, in turn.
func newStored(r *gputest.Reference, dtypes ...string) *stored {
	s := &stored{Reference: r, dtypes: map[string]string{}, bytes: map[string][]byte{}}
	rng := rand.New(rand.NewPCG(22, 1))
	for i, info := range r.Tensors() {
		if len(info.Shape) != 2 {
			continue
		}
		dtype := dtypes[i%len(dtypes)]
		f := formats[dtype]
		if info.Shape[1]%f.layout.Block != 0 {
			continue
		}
		s.dtypes[info.Name] = dtype
		s.bytes[info.Name] = randomBlocks(rng, f, info.Shape[0]*info.Shape[1]/f.layout.Block)
		f.layout.Decode(r.Weights[info.Name], s.bytes[info.Name])
	}
	return s
}

func (s *stored) Stored(name string) (checkpoint.Layout, bool) {
	f := formats[s.dtypes[name]]
	if f == nil {
		return checkpoint.Layout{}, false
	}
	return f.layout, true
}

func (s *stored) StoredRows(name string, from, n int, dst []byte) error {
	size := len(s.bytes[name]) / s.Config.Tensors()[name][0]
	copy(dst, s.bytes[name][from*size:(from+n)*size])
	return nil
}

// TestStoredWeightsAreTheirFloat32 is the promise of kept types: a model of them has the bits of the one
// of its float32 weights, prompts, single tokens and embeddings, and takes the memory of its file.
func TestStoredWeightsAreTheirFloat32(t *testing.T) {
	configs := map[string]string{
		"llama": `{"model_type": "llama", "vocab_size": 90, "hidden_size": 256, "num_hidden_layers": 2, "num_attention_heads": 4,
			"num_key_value_heads": 2, "intermediate_size": 512, "max_position_embeddings": 128, "tie_word_embeddings": true}`,
		"phi3": `{"model_type": "phi3", "vocab_size": 90, "hidden_size": 256, "num_hidden_layers": 2, "num_attention_heads": 8,
			"num_key_value_heads": 2, "intermediate_size": 1280, "max_position_embeddings": 64, "rms_norm_eps": 1e-5, "partial_rotary_factor": 0.5}`,
	}
	for family, text := range configs {
		for _, dtypes := range [][]string{{"BF16", "F16"}, {"Q8_0", "Q4_1"}, {"Q4_0", "Q5_0", "Q5_1"}, {"Q4_K", "Q6_K", "Q5_K"}, {"Q2_K", "Q3_K"}} {
			c, err := arch.ParseConfig([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			s := newStored(gputest.Model(c, 1), dtypes...)
			plain, err := load(c, s.Reference, Options{Threads: 1}, best())
			if err != nil {
				t.Fatal(err)
			}
			tokens := s.Text(40, 1)
			want := enginetest.Forward(t, plain, enginetest.Everything(c, tokens))[0]
			if v := want.Logits[39][0]; v-v != 0 {
				t.Fatalf("%s of %v: a logit is %g: such weights compare nothing", family, dtypes, v)
			}
			for _, k := range available[:max(1, len(available)-1)] {
				m, err := load(c, s, Options{Threads: 2}, k)
				if err != nil {
					t.Fatal(err)
				}
				if err := enginetest.Same(enginetest.Forward(t, m, enginetest.Everything(c, tokens))[0], want); err != nil {
					t.Errorf("%s of %v, %s: %v", family, dtypes, k.name, err)
				}
				seq := m.NewSequence(len(tokens))
				enginetest.Forward(t, m, engine.Item{Sequence: seq, Tokens: tokens[:39]})
				got := enginetest.Forward(t, m, engine.Item{Sequence: seq, Tokens: tokens[39:], Logits: []int{0}})[0]
				if err := enginetest.Same(got, engine.Result{Logits: want.Logits[39:]}); err != nil {
					t.Errorf("%s of %v, %s: the last token: %v", family, dtypes, k.name, err)
				}
				if got := held(m); !(float64(got) < 1.02*float64(weightBytes(c, s)) && float64(got) > .9*float64(weightBytes(c, s))) {
					t.Errorf("%s of %v: %d bytes of weights, foretold %d", family, dtypes, got, weightBytes(c, s))
				}
				for _, w := range []*matrix{m.embed, m.blocks[0].q, m.blocks[1].down, m.blocks[1].up} {
					if w.format == nil || w.panels != nil {
						t.Errorf("%s of %v: a weight of %d inputs is kept as float32", family, dtypes, w.in)
					} else if got, want := len(w.stored), padded(w.out)*w.in/w.format.layout.Block*w.format.layout.Bytes; got != want {
						t.Errorf("%s of %v: %d bytes, its rows have %d in the file", family, dtypes, got, want)
					}
				}
			}
		}
	}
}

// TestSmallModelsAreWidenedFromSixteenBits: numbers of 16 bits are kept as float32 in a small model, and
// foretold so; quantised ones stay.
func TestSmallModelsAreWidenedFromSixteenBits(t *testing.T) {
	c, err := arch.ParseConfig([]byte(`{"model_type": "llama", "vocab_size": 64, "hidden_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2,
		"intermediate_size": 64, "max_position_embeddings": 64, "tie_word_embeddings": true}`))
	if err != nil {
		t.Fatal(err)
	}
	for dtype, wide := range map[string]bool{"BF16": true, "F16": true, "Q8_0": false} {
		s := newStored(gputest.Model(c, 1), dtype)
		m, err := Load(c, s, Options{Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		if got := m.blocks[0].gate.panels != nil; got != wide {
			t.Errorf("%s is kept as float32: %t, want %t", dtype, got, wide)
		}
		if got, want := held(m), WeightBytes(c, s); float64(got) > 1.02*float64(want) || float64(got) < .9*float64(want) {
			t.Errorf("%s: %d bytes of weights, foretold %d", dtype, got, want)
		}
	}
}

// held is the memory of a model's matrices.
func held(m *Model) int {
	list := []*matrix{m.embed}
	if m.head != m.embed {
		list = append(list, m.head)
	}
	for _, b := range m.blocks {
		list = append(list, b.q, b.k, b.v, b.o, b.gate, b.up, b.down)
	}
	sum := 0
	for _, w := range list {
		sum += len(w.stored) + 4*len(w.panels)
	}
	return sum
}
