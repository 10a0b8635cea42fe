// Package gputest holds what tests of decoders need: a slow and plain twin of the forward
// pass in float64, and random models of every family.
package gputest

import (
	"fmt"
	"math"

	"github.com/persona-transfer/runpipeline/gpu/arch"
)

// A Reference is a decoder written for reading: one text at a time, one number at a time, in
// float64, without a cache. It shares no code with package gpu beyond the configuration.
type Reference struct {
	Config  *arch.Config
	Weights map[string][]float32 // Hugging Face's names; linear weights [out, in]
}

// A Push is gpu.Push with the token indices spelled out.
type Push struct {
	Layer  int
	Vector []float32
	At     func(token int) bool
}

// A Pass is what a forward pass leaves.
type Pass struct {
	Residual [][][]float64 // [layer][token][Hidden], after each block
	r        *Reference
}

// Logits are the logits [Vocab] of what follows a token.
func (p Pass) Logits(token int) []float64 {
	return p.r.logits(p.Residual[len(p.Residual)-1][token])
}

// Forward runs a text; prompt is the length of the part that decides length-dependent
// position encodings (0: the whole text).
func (r *Reference) Forward(tokens []int32, prompt int, pushes ...Push) Pass {
	if prompt == 0 {
		prompt = len(tokens)
	}
	c := r.Config
	x := make([][]float64, len(tokens))
	for i, t := range tokens {
		x[i] = r.row(r.embedName(), int(t), c.Hidden)
		if c.EmbedScale != 0 {
			scale(x[i], float64(c.EmbedScale))
		}
	}
	p := Pass{r: r}
	for l := range c.Layers {
		x = r.block(l, x, prompt)
		for _, push := range pushes {
			for i := range x {
				if push.Layer == l && push.At(i) {
					for j := range x[i] {
						x[i][j] += float64(push.Vector[j])
					}
				}
			}
		}
		p.Residual = append(p.Residual, clone(x))
	}
	return p
}

func (r *Reference) embedName() string {
	if r.Config.ModelType == "qwen" {
		return "transformer.wte.weight"
	}
	return "model.embed_tokens.weight"
}

func (r *Reference) logits(x []float64) []float64 {
	norm := "model.norm"
	if r.Config.ModelType == "qwen" {
		norm = "transformer.ln_f"
	}
	head := "lm_head"
	if r.Config.Tied {
		head = "model.embed_tokens"
	}
	y := r.linear(head, r.norm(norm, x))
	if limit := r.Config.LogitCap; limit > 0 {
		for i := range y {
			y[i] = limit * math.Tanh(y[i]/limit)
		}
	}
	return y
}

// block is one transformer block on all tokens.
func (r *Reference) block(l int, x [][]float64, prompt int) [][]float64 {
	c := r.Config
	prefix := fmt.Sprintf("model.layers.%d.", l)
	attnNorm, mlpNorm := prefix+"input_layernorm", prefix+"post_attention_layernorm"
	if c.ModelType == "qwen" {
		prefix = fmt.Sprintf("transformer.h.%d.", l)
		attnNorm, mlpNorm = prefix+"ln_1", prefix+"ln_2"
	}
	if c.PostNorms {
		mlpNorm = prefix + "pre_feedforward_layernorm"
	}
	normed := make([][]float64, len(x))
	for i := range x {
		normed[i] = r.norm(attnNorm, x[i])
	}
	out := make([][]float64, len(x))
	for i, a := range r.attention(l, prefix, normed, prompt) {
		if c.PostNorms {
			a = r.norm(prefix+"post_attention_layernorm", a)
		}
		h := add(x[i], a)
		m := r.mlp(prefix, r.norm(mlpNorm, h))
		if c.PostNorms {
			m = r.norm(prefix+"post_feedforward_layernorm", m)
		}
		out[i] = add(h, m)
	}
	return out
}

// attention returns o(softmax(qkᵀ)v) for every token.
func (r *Reference) attention(l int, prefix string, x [][]float64, prompt int) [][]float64 {
	c := r.Config
	n := len(x)
	q, k, v := make([][]float64, n), make([][]float64, n), make([][]float64, n)
	rope := c.Ropes[0]
	if c.LocalRope != nil && c.LocalRope[l] {
		rope = c.Ropes[1]
	}
	freq := Frequencies(rope, prompt, c.MaxPositions)
	for i := range x {
		q[i], k[i], v[i] = r.qkv(prefix, x[i])
		for h := range c.Heads {
			rotate(freq, rope.AttnFactor, i, q[i][h*c.HeadDim:(h+1)*c.HeadDim])
			if c.LognBase > 0 && i >= c.LognBase {
				scale(q[i][h*c.HeadDim:(h+1)*c.HeadDim], math.Log(float64(i+1))/math.Log(float64(c.LognBase)))
			}
		}
		for h := range c.KVHeads {
			rotate(freq, rope.AttnFactor, i, k[i][h*c.HeadDim:(h+1)*c.HeadDim])
		}
	}
	out := make([][]float64, n)
	for i := range x {
		o := make([]float64, c.Heads*c.HeadDim)
		for h := range c.Heads {
			r.head(l, i, h, q, k, v, o[h*c.HeadDim:(h+1)*c.HeadDim])
		}
		name := prefix + "self_attn.o_proj"
		if c.ModelType == "qwen" {
			name = prefix + "attn.c_proj"
		}
		out[i] = r.linear(name, o)
	}
	return out
}

// head writes one query head's output for token i.
func (r *Reference) head(l, i, h int, q, k, v [][]float64, out []float64) {
	c := r.Config
	kv := h / (c.Heads / c.KVHeads) * c.HeadDim
	first := 0
	if c.Windows != nil && c.Windows[l] > 0 {
		first = max(0, i-c.Windows[l]+1)
	}
	var scores []float64
	top := math.Inf(-1)
	for j := first; j <= i; j++ {
		s := dot(q[i][h*c.HeadDim:(h+1)*c.HeadDim], k[j][kv:kv+c.HeadDim]) * c.QueryScale
		if c.AttnCap > 0 {
			s = c.AttnCap * math.Tanh(s/c.AttnCap)
		}
		scores = append(scores, s)
		top = math.Max(top, s)
	}
	var sum float64
	for j, s := range scores {
		scores[j] = math.Exp(s - top)
		sum += scores[j]
	}
	for j, w := range scores {
		for d := range out {
			out[d] += w / sum * v[first+j][kv+d]
		}
	}
}

// qkv projects one token, with the norms of heads where the family has them.
func (r *Reference) qkv(prefix string, x []float64) (q, k, v []float64) {
	c := r.Config
	nq, nk := c.Heads*c.HeadDim, c.KVHeads*c.HeadDim
	switch {
	case c.ModelType == "qwen":
		y := r.linear(prefix+"attn.c_attn", x)
		q, k, v = y[:nq], y[nq:nq+nk], y[nq+nk:]
	case c.ModelType == "phi3":
		y := r.linear(prefix+"self_attn.qkv_proj", x)
		q, k, v = y[:nq], y[nq:nq+nk], y[nq+nk:]
	default:
		q, k, v = r.linear(prefix+"self_attn.q_proj", x), r.linear(prefix+"self_attn.k_proj", x), r.linear(prefix+"self_attn.v_proj", x)
	}
	if c.QKNorm {
		for h := range c.Heads {
			copy(q[h*c.HeadDim:], r.norm(prefix+"self_attn.q_norm", q[h*c.HeadDim:(h+1)*c.HeadDim]))
		}
		for h := range c.KVHeads {
			copy(k[h*c.HeadDim:], r.norm(prefix+"self_attn.k_norm", k[h*c.HeadDim:(h+1)*c.HeadDim]))
		}
	}
	return q, k, v
}

// rotate rotates one head of token i.
func rotate(freq []float64, factor float64, i int, x []float64) {
	half := len(freq)
	for d, w := range freq {
		s, c := math.Sincos(float64(i) * w)
		s, c = s*factor, c*factor
		x[d], x[d+half] = x[d]*c-x[d+half]*s, x[d+half]*c+x[d]*s
	}
}

// Frequencies are the angles per position of a rotary encoding, written once more from the
// papers and transformers' source.
func Frequencies(r arch.Rope, prompt, maxPositions int) []float64 {
	out := make([]float64, r.Dim/2)
	for i := range out {
		base := r.Theta
		e := 2 * float64(i) / float64(r.Dim)
		switch r.Type {
		case "dynamic":
			if prompt > maxPositions {
				base *= math.Pow(r.Factor*float64(prompt)/float64(maxPositions)-r.Factor+1, float64(r.Dim)/(float64(r.Dim)-2))
			}
		case "qwen":
			if prompt > r.Original {
				alpha := math.Pow(2, math.Ceil(math.Log2(float64(prompt)/float64(r.Original))+1)) - 1
				base *= math.Pow(math.Max(alpha, 1), float64(r.Dim)/(float64(r.Dim)-2))
			}
		}
		w := 1 / math.Pow(base, e)
		switch r.Type {
		case "yarn":
			w = yarn(r, w, i)
		case "longrope":
			if prompt > r.Original {
				w /= r.Long[i]
			} else {
				w /= r.Short[i]
			}
		case "linear":
			w /= r.Factor
		case "llama3":
			w = llama3(r, w)
		}
		out[i] = w
	}
	return out
}

func llama3(r arch.Rope, w float64) float64 {
	old := float64(r.Original)
	wavelen := 2 * math.Pi / w
	if wavelen < old/r.HighFreq {
		return w
	}
	if wavelen > old/r.LowFreq {
		return w / r.Factor
	}
	smooth := (old/wavelen - r.LowFreq) / (r.HighFreq - r.LowFreq)
	return (1-smooth)*w/r.Factor + smooth*w
}

// yarn follows _compute_yarn_parameters of transformers' modeling_rope_utils.py.
func yarn(r arch.Rope, w float64, i int) float64 {
	correction := func(rotations float64) float64 {
		return float64(r.Dim) * math.Log(float64(r.Original)/(rotations*2*math.Pi)) / (2 * math.Log(r.Theta))
	}
	low, high := math.Floor(correction(r.BetaFast)), math.Ceil(correction(r.BetaSlow))
	low, high = math.Max(low, 0), math.Min(high, float64(r.Dim)-1)
	if low == high {
		high += 0.001
	}
	keep := 1 - math.Max(0, math.Min(1, (float64(i)-low)/(high-low)))
	return w/r.Factor*(1-keep) + w*keep
}

func (r *Reference) mlp(prefix string, x []float64) []float64 {
	c := r.Config
	var gate, up []float64
	down := prefix + "mlp.down_proj"
	switch c.ModelType {
	case "qwen":
		gate, up, down = r.linear(prefix+"mlp.w2", x), r.linear(prefix+"mlp.w1", x), prefix+"mlp.c_proj"
	case "phi3":
		y := r.linear(prefix+"mlp.gate_up_proj", x)
		gate, up = y[:c.Inner], y[c.Inner:]
	default:
		gate, up = r.linear(prefix+"mlp.gate_proj", x), r.linear(prefix+"mlp.up_proj", x)
	}
	for i, g := range gate {
		gate[i] = activate(c.Activation, g) * up[i]
	}
	return r.linear(down, gate)
}

func activate(a arch.Activation, x float64) float64 {
	switch a {
	case arch.GELUTanh:
		return 0.5 * x * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)))
	case arch.GELU:
		return 0.5 * x * (1 + math.Erf(x/math.Sqrt2))
	}
	return x / (1 + math.Exp(-x))
}

// norm is RMSNorm with the gain that name stores.
func (r *Reference) norm(name string, x []float64) []float64 {
	w := r.Weights[name+".weight"]
	inverse := 1 / math.Sqrt(dot(x, x)/float64(len(x))+r.Config.NormEps)
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = v * inverse * (float64(w[i]) + float64(r.Config.NormOffset))
	}
	return out
}

// linear is Wx + b; b where it is stored.
func (r *Reference) linear(name string, x []float64) []float64 {
	w, ok := r.Weights[name+".weight"]
	if !ok {
		panic("gputest: no weight " + name)
	}
	out := make([]float64, len(w)/len(x))
	for i := range out {
		for j, v := range x {
			out[i] += float64(w[i*len(x)+j]) * v
		}
	}
	for i, b := range r.Weights[name+".bias"] {
		out[i] += float64(b)
	}
	return out
}

func (r *Reference) row(name string, i, width int) []float64 {
	out := make([]float64, width)
	for j := range out {
		out[j] = float64(r.Weights[name][i*width+j])
	}
	return out
}

func dot(a, b []float64) float64 {
	var s float64
	for i := range a {
		s += a[i] * b[i]
	}
	return s
}

func add(a, b []float64) []float64 {
	out := make([]float64, len(a))
	for i := range a {
		out[i] = a[i] + b[i]
	}
	return out
}

func scale(x []float64, f float64) {
	for i := range x {
		x[i] *= f
	}
}

func clone(x [][]float64) [][]float64 {
	out := make([][]float64, len(x))
	for i := range x {
		out[i] = append([]float64(nil), x[i]...)
	}
	return out
}

func norm(x []float64) float64 { return math.Sqrt(dot(x, x)) }
