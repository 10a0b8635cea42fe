package arch

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"
	"strings"
)

// A Config is the architecture of a decoder: its sizes and the ways in which its family
// differs from LLaMA. [ParseConfig] makes one from a config.json.
type Config struct {
	ModelType string // as in config.json: "llama", "qwen2", …

	Vocab   int // rows of the embedding
	Hidden  int // width of the residual stream
	Layers  int // number of blocks
	Heads   int // query heads
	KVHeads int // key and value heads; divides Heads
	HeadDim int // width of a head, even
	Inner   int // width of the feed-forward part

	MaxPositions int     // positions that the model was trained on
	NormEps      float64 // added to the mean square in every RMSNorm
	Tied         bool    // the output matrix is the embedding

	Activation Activation // of the gate
	Ropes      []Rope     // position encodings; LocalRope says which block uses the second

	// What some families have and LLaMA has not.

	QKVBias    bool    // bias on q, k and v (Qwen, Qwen2, LLaMA with attention_bias)
	OutBias    bool    // bias on the attention's output (LLaMA with attention_bias)
	MLPBias    bool    // bias on gate, up and down (LLaMA with mlp_bias)
	QKNorm     bool    // RMSNorm of each head of q and k (Qwen3, Gemma 3)
	NormOffset float32 // added to the gain of every norm (1 in Gemma)
	PostNorms  bool    // norms after attention and feed-forward as well (Gemma)
	EmbedScale float32 // factor of the embedding (√Hidden in Gemma), 0: none
	QueryScale float64 // factor of q·k
	AttnCap    float64 // scores s become cap·tanh(s/cap), 0: no cap (Gemma 2)
	LogitCap   float64 // the same for logits
	LognBase   int     // q at position p ≥ LognBase is scaled by log(p+1)/log(LognBase), 0: never (Qwen)
	Windows    []int   // for each block, how many positions it sees, itself included; 0: all
	LocalRope  []bool  // for each block, whether it uses Ropes[1]

	// EOS are the end-of-text tokens of generation_config.json, else of config.json, which may
	// say that there are none; nil: neither says anything.
	EOS []int32

	names   names   // tensor names and fusions of the family
	layouts []names // all that checkpoints of the family use, the first one likeliest
}

// An Activation is the function of the feed-forward gate.
type Activation string

// The activations that exist among the families.
const (
	SiLU     Activation = "silu"      // x·σ(x)
	GELUTanh Activation = "gelu_tanh" // the tanh approximation of x·Φ(x)
	GELU     Activation = "gelu"      // x·Φ(x)
)

// QueryDim is the width of all query heads together.
func (c *Config) QueryDim() int { return c.Heads * c.HeadDim }

// KVDim is the width of all key heads together.
func (c *Config) KVDim() int { return c.KVHeads * c.HeadDim }

// Longest is the most tokens that the model can make sense of, prompt and continuation together. Position
// encodings that are scaled by the length of the prompt have no such number of their own.
func (c *Config) Longest() int {
	for _, r := range c.Ropes {
		if r.Type == RopeDynamic || r.Type == RopeQwen {
			return MaxDim
		}
	}
	return c.MaxPositions
}

// Parameters counts the weights; a tied output matrix is the embedding and counted once.
func (c *Config) Parameters() int {
	sum := 0
	for _, shape := range c.Tensors() {
		n := 1
		for _, d := range shape {
			n *= d
		}
		sum += n
	}
	return sum
}

// Tensors lists the tensors that a checkpoint of this architecture stores, with Hugging
// Face's names and shapes: a linear weight is [out, in].
func (c *Config) Tensors() map[string][]int {
	out := map[string][]int{}
	for _, s := range c.Params() {
		for _, p := range s.Parts {
			out[p.Tensor] = slices.Clone(p.Shape)
		}
	}
	return out
}

// Bounds of the sizes that a configuration may name, ten times beyond any model. MaxDim keeps
// products of two sizes within an int, maxLayers the list of tensors small.
const (
	MaxDim    = 1 << 24
	maxLayers = 1 << 11
)

// ParseConfig reads a Hugging Face config.json. The error lists everything that is wrong or
// not supported: unknown model types, rope types and activations, missing and impossible
// sizes.
func ParseConfig(data []byte) (*Config, error) {
	f := &fields{}
	if err := json.Unmarshal(data, &f.raw); err != nil {
		return nil, fmt.Errorf("read model configuration: %w", err)
	}
	c := &Config{ModelType: f.text("model_type", "")}
	refuseExperts(f)
	if family, ok := families[c.ModelType]; ok {
		family(c, f)
		if c.layouts == nil {
			c.layouts = []names{c.names, c.names.bare()}
		}
		c.EOS = f.ids("eos_token_id")
		c.check(f)
	} else {
		// The rest of an unknown family's keys could mean anything.
		f.problem("model_type %q is not supported (supported: %s)", c.ModelType, strings.Join(familyNames(), ", "))
	}
	if len(f.problems) > 0 {
		return nil, fmt.Errorf("model configuration (%s): %s", c.ModelType, strings.Join(f.problems, "; "))
	}
	return c, nil
}

// ReadGeneration takes the end-of-text tokens from generation_config.json, if it exists and names any:
// chat models often end a turn with a token that only this file names.
func (c *Config) ReadGeneration(file func(name string) ([]byte, error)) error {
	const name = "generation_config.json"
	data, err := file(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	f := &fields{}
	if err := json.Unmarshal(data, &f.raw); err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	if ids := f.ids("eos_token_id"); len(ids) > 0 {
		c.EOS = ids
	}
	if len(f.problems) > 0 {
		return fmt.Errorf("%s: %s", name, strings.Join(f.problems, "; "))
	}
	return nil
}

// refuseExperts names mixtures of experts: their block has no place here, and without this
// they would be reported as a list of missing tensors.
func refuseExperts(f *fields) {
	for _, key := range []string{"num_local_experts", "num_experts", "n_routed_experts"} {
		if f.integer(key, 0) > 1 {
			f.problem("%s: mixtures of experts are not supported", key)
		}
	}
}

// check reports sizes that are absent, impossible, or inconsistent.
func (c *Config) check(f *fields) {
	for _, s := range []struct {
		name   string
		v, max int
	}{
		{"vocab_size", c.Vocab, MaxDim}, {"hidden_size", c.Hidden, MaxDim}, {"num_hidden_layers", c.Layers, maxLayers},
		{"num_attention_heads", c.Heads, MaxDim}, {"num_key_value_heads", c.KVHeads, MaxDim}, {"head_dim", c.HeadDim, MaxDim},
		{"intermediate_size", c.Inner, MaxDim}, {"max_position_embeddings", c.MaxPositions, MaxDim},
	} {
		if s.v <= 0 || s.v > s.max {
			f.problem("%s is %d, want 1 to %d", s.name, s.v, s.max)
		}
	}
	if c.KVHeads > 0 && c.Heads%c.KVHeads != 0 {
		f.problem("num_key_value_heads %d does not divide num_attention_heads %d", c.KVHeads, c.Heads)
	}
	if c.HeadDim%2 != 0 {
		f.problem("head_dim %d is odd", c.HeadDim)
	}
	if !(c.NormEps > 0 && c.NormEps < 1) {
		f.problem("the norm's epsilon is %g, want a number between 0 and 1", c.NormEps)
	}
	if !(c.QueryScale > 0) || math.IsInf(c.QueryScale, 0) {
		f.problem("the scale of attention scores is %g, want a positive number", c.QueryScale)
	}
	if len(f.problems) > 0 {
		return
	}
	for _, r := range c.Ropes {
		r.check(c, f)
	}
	if c.Windows != nil && len(c.Windows) != c.Layers || c.LocalRope != nil && len(c.LocalRope) != c.Layers {
		f.problem("layer_types names %d blocks of %d", max(len(c.Windows), len(c.LocalRope)), c.Layers)
	}
}

// Window is the number of positions that block l sees, 0 for all of them.
func (c *Config) Window(l int) int {
	if c.Windows == nil {
		return 0
	}
	return c.Windows[l]
}

// WindowSizes lists the different windows of the blocks.
func (c *Config) WindowSizes() []int {
	if c.Windows == nil {
		return []int{0}
	}
	out := slices.Clone(c.Windows)
	slices.Sort(out)
	return slices.Compact(out)
}

// RopeOf is the index in Ropes of block l's position encoding.
func (c *Config) RopeOf(l int) int {
	if c.LocalRope != nil && c.LocalRope[l] {
		return 1
	}
	return 0
}

func familyNames() []string {
	var out []string
	for n := range families {
		out = append(out, n)
	}
	slices.Sort(out)
	return out
}
