package transforms

import (
	"reflect"

	"github.com/persona-transfer/runpipeline/gpu"
	"github.com/persona-transfer/runpipeline/gpu/arch"
)

// A Pace is what limits the speed of a unit. Units of one pace take time in proportion to their work;
// those of another may be estimated wrongly by another factor.
type Pace string

// The paces that there are.
const (
	Reading  Pace = "reading"  // whole texts at once
	Writing  Pace = "writing"  // one token after another
	Scoring  Pace = "scoring"  // whole texts, and the likelihood of each token
	Algebra  Pace = "algebra"  // products and factorisations of float64 matrices
	Counting Pace = "counting" // texts, files and resamples
)

// Work is what a unit has to do, as far as the settings of its stage tell. It is an estimate, on which
// nothing but plans and progress bars depends.
type Work struct {
	Pace     Pace
	Products float64 // multiplications and additions of matrix products, in pairs
	Rows     int     // that go through a product together: with few, reading the weights takes the time
	Elements float64 // values that are gone through one by one
	Lanes    int     // how many of these operations are under way side by side
	Bytes    float64 // of memory beside the weights of the model
}

// overhead is by how much the products of a model take longer than one large product of their widths does
// alone: most are narrower, each waits for what comes before it, and short texts are padded. It is fitted on
// the embedded pair and on SmolLM2-135M with Gemma 3 270M in both directions, on two cores with AVX-512;
// BENCHMARKS.md has what came of it.
func (p Pace) overhead() float64 {
	if p == Reading {
		return 2
	}
	return 1.2
}

// Seconds is how long the work takes at a speed.
func (w Work) Seconds(s gpu.Speed) float64 {
	products := w.Pace.overhead() * s.Product * w.Products
	if w.Rows > 0 {
		products += s.Weight * w.Products / float64(w.Rows)
	}
	return products + s.Element*w.Elements/float64(max(1, min(w.Lanes, s.Cores)))
}

// Work is what a unit of the stage has to do.
func (s Stage) Work(unit int) Work {
	k := kinds[s.Kind]
	return k.work(k.decode(s.Settings), unit)
}

// Models are those that units of the stage run, wherever its settings name them.
func (s Stage) Models() []Model { return modelsIn(reflect.ValueOf(kinds[s.Kind].decode(s.Settings))) }

func modelsIn(v reflect.Value) (models []Model) {
	if m, ok := v.Interface().(Model); ok {
		return []Model{m}
	}
	if v.Kind() == reflect.Struct {
		for i := range v.NumField() {
			models = append(models, modelsIn(v.Field(i))...)
		}
	}
	return models
}

// A Shape is the sizes of a model from which the work of a token follows. None is part of a recipe: the
// model's digest says it all.
type Shape struct {
	Hidden   int `json:"hidden"`
	Inner    int `json:"inner"`
	Layers   int `json:"layers"`
	Heads    int `json:"heads"`
	QueryDim int `json:"query_dim"`
	KVDim    int `json:"kv_dim"`
	Vocab    int `json:"vocab"`
}

// ShapeOf takes the sizes from an architecture.
func ShapeOf(c *arch.Config) Shape {
	return Shape{Hidden: c.Hidden, Inner: c.Inner, Layers: c.Layers, Heads: c.Heads, QueryDim: c.QueryDim(), KVDim: c.KVDim(), Vocab: c.Vocab}
}

// block is the products and elements of one token in one block that looks at so many others. The factors
// of the elements count the operations of the graph: norms, sums and steering on the residual stream, the
// gate, turning and copying of heads, mask and softmax.
func (s Shape) block(context int) (products, elements float64) {
	heads := s.QueryDim + 2*s.KVDim
	products = float64(s.Hidden*heads + s.QueryDim*s.Hidden + 3*s.Hidden*s.Inner + 2*s.QueryDim*context)
	elements = float64(16*s.Hidden + 12*s.Inner + 12*heads + 10*s.Heads*context)
	return products, elements
}

// head is the output matrix, and what is done with the logits of one token.
func (s Shape) head() (products, elements float64) {
	return float64(s.Hidden * s.Vocab), 4 * float64(s.Vocab)
}

// reading is the work of reading tokens of texts of a length up to the end of a number of blocks.
func (s Shape) reading(tokens, length, blocks int) Work {
	p, e := s.block(length)
	n := float64(tokens * blocks)
	rows := min(tokens, batchRows)
	return Work{Pace: Reading, Products: n * p, Rows: rows, Elements: n * e, Lanes: batchLanes,
		Bytes: float64(2 * rows * 4 * (12*s.Hidden + 6*s.Inner + 2*s.QueryDim))}
}

// writing is the work of continuing texts by so many tokens each.
func (s Shape) writing(texts, prompt, tokens int) Work {
	p, e := s.block(prompt + tokens)
	hp, he := s.head()
	n := float64(texts * tokens)
	return Work{Pace: Writing, Products: n * (p*float64(s.Layers) + hp), Rows: max(texts, 1), Elements: n * (e*float64(s.Layers) + he/2), Lanes: 1,
		Bytes: float64(4 * texts * (2*s.Vocab + 4*s.Layers*s.KVDim*(prompt+tokens)))}
}

// scoring is the work of reading texts and the likelihoods of their tokens.
func (s Shape) scoring(texts, prompt, tokens int) Work {
	w := s.reading(texts*tokens, prompt+tokens, s.Layers)
	hp, he := s.head()
	n := float64(texts * tokens)
	w.Pace, w.Products, w.Elements = Scoring, w.Products+n*hp, w.Elements+n*he
	w.Bytes += float64(2*min(headBytes, 4*headLines*s.Vocab) + 4*texts*4*s.Layers*s.KVDim*(prompt+tokens))
	return w
}

const (
	batchRows  = 2048     // tokens that a device reads at once, about
	batchLanes = 4        // batches that it has under way
	headBytes  = 64 << 20 // of logits that there are at once, at most
	headLines  = 512      // and of how many tokens
)

// tokensOf is about how many tokens a text has: vocabularies of English take some four bytes in each.
func tokensOf(text string) int { return len(text)/4 + 2 }

// meanTokens is the same for a text of a list.
func meanTokens(texts []string) int {
	n := 0
	for _, t := range texts {
		n += tokensOf(t)
	}
	return n / max(len(texts), 1)
}

// A ReadingSize is what a model reads of texts.
type ReadingSize struct {
	Tokens int `json:"tokens"` // in all, about, padding included
	Length int `json:"length"` // of one text
}

// paddedTo is the multiple to which the lengths of texts are padded.
const paddedTo = 16

// SizeOf is what is read of texts that are like these, as many as give n pairs, or all of them if n is 0.
func SizeOf(texts []string, positions string, n int) ReadingSize {
	const enough = 1000 // texts, to know what they are like
	texts = texts[:min(len(texts), enough)]
	tokens, pairs := 0, 0
	for _, t := range texts {
		tokens += (tokensOf(t) + paddedTo - 1) / paddedTo * paddedTo
		if positions == "last" {
			pairs++
		} else {
			pairs += len(wordEnds(t))
		}
	}
	s := ReadingSize{Tokens: tokens, Length: tokens / max(len(texts), 1)}
	if n > 0 {
		s.Tokens = int(float64(tokens) * float64(n) / float64(max(pairs, 1)))
	}
	return s
}
