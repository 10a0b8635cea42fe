package transforms

import (
	"context"
	"reflect"

	"github.com/persona-transfer/runpipeline/gpu"
	"github.com/persona-transfer/runpipeline/gpu/arch"
	"github.com/persona-transfer/runpipeline/transforms/linear"
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
	Pace       Pace
	Products   float64 // multiplications and additions of matrix products, in pairs
	Rows       int     // that go through a product together: with few, reading the weights takes the time
	Operations float64 // additions and multiplications of products and decompositions of float64 matrices
	Elements   float64 // values that are gone through one by one
	Lanes      int     // how many of these operations are under way side by side
	Bytes      float64 // of memory beside the weights of the model
	Stored     float64 // bytes that go into the store, before compression, where they are more than a few
}

// A Speed is how fast this machine is: the device, and matrices of float64, which the processor multiplies whatever
// the device is.
type Speed struct {
	gpu.Speed
	Operation float64 // seconds for an addition or a multiplication, on all processors
}

// MeasureSpeed measures it at the widths of a model, in about a third of a second.
func MeasureSpeed(ctx context.Context, device string, hidden, inner int) (Speed, error) {
	s, err := gpu.MeasureSpeed(ctx, device, hidden, inner)
	if err != nil {
		return Speed{}, err
	}
	return Speed{s, linear.OperationTime()}, nil
}

// Seconds is how long the work takes at a speed.
func (w Work) Seconds(s Speed) float64 {
	products := s.Product * w.Products
	if w.Rows > 0 {
		products += s.Weight * w.Products / float64(w.Rows)
	}
	return products + s.Operation*w.Operations + s.Element*w.Elements/float64(max(1, min(w.Lanes, s.Cores)))
}

// Works is what each unit of the stage has to do.
func (s Stage) Works() []Work {
	k := kinds[s.Kind]
	settings, out := k.decode(s.Settings), make([]Work, s.Units)
	for i := range out {
		out[i] = k.work(settings, i)
	}
	return out
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
	QueryDim int `json:"query_dim"`
	KVDim    int `json:"kv_dim"`
	Vocab    int `json:"vocab"`
	Block    int `json:"block"` // weights in the products of a block
	Head     int `json:"head"`  // and of the output matrix
}

// ShapeOf takes the sizes from an architecture.
func ShapeOf(c *arch.Config) Shape {
	return Shape{Hidden: c.Hidden, Inner: c.Inner, Layers: c.Layers, QueryDim: c.QueryDim(), KVDim: c.KVDim(), Vocab: c.Vocab,
		Block: c.BlockWeights(), Head: c.HeadWeights()}
}

// block is the products of one token in one block that looks at so many others. What is done by elements
// is in the device's measured speed.
func (s Shape) block(context int) float64 { return float64(s.Block + 2*s.QueryDim*context) }

// line is the bytes that a token takes on its way through a forward pass.
func (s Shape) line() int { return 4 * (3*s.Hidden + 2*s.Inner + 2*s.QueryDim + 2*s.KVDim) }

// keys is the bytes of the keys and values of so many tokens of a text, kept in pages.
func (s Shape) keys(tokens int) int { return 4 * 2 * s.Layers * s.KVDim * (tokens + pageTokens) }

// PassBytes is the memory that a pass of so many tokens takes, beside the keys and logits of so many texts of a
// length.
func (s Shape) PassBytes(tokens, texts, length int) int {
	return tokens*s.line() + texts*(4*s.Vocab+s.keys(length))
}

// reading is the work of reading tokens of texts of a length up to the end of a number of blocks.
func (s Shape) reading(tokens, length, blocks int) Work {
	rows := max(min(tokens, batchRows), 1)
	return Work{Pace: Reading, Products: float64(tokens*blocks) * s.block(length), Rows: rows, Bytes: float64(s.PassBytes(rows, 0, 0))}
}

// writing is the work of continuing texts by so many tokens each. Of each token the logits are searched, and
// those that are not negligible weighed.
func (s Shape) writing(texts, prompt, tokens int) Work {
	n, rows := float64(texts*tokens), max(min(texts, writtenRows), 1)
	return Work{Pace: Writing, Products: n * (s.block(prompt+tokens)*float64(s.Layers) + float64(s.Head)), Rows: rows,
		Elements: n * float64(4*s.Vocab+16*min(s.Vocab, weighed)), Lanes: rows,
		Bytes: float64(s.PassBytes(rows, rows, prompt+tokens))}
}

// scoring is the work of reading texts and the likelihoods of their tokens.
func (s Shape) scoring(texts, prompt, tokens int) Work {
	w := s.reading(texts*tokens, prompt+tokens, s.Layers)
	n := float64(texts * tokens)
	w.Pace, w.Products = Scoring, w.Products+n*float64(s.Head)
	w.Elements, w.Lanes = 2*n*float64(s.Vocab), w.Rows
	w.Bytes += float64((w.Rows/max(tokens, 1) + 1) * s.keys(prompt+tokens))
	return w
}

const (
	batchRows   = 2048 // tokens that a device reads at once, about
	writtenRows = 256  // texts that it continues at once
	pageTokens  = 32   // tokens whose keys are kept together
	weighed     = 4096 // tokens of a vocabulary, about, whose probability counts when one is drawn
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
	Tokens int `json:"tokens"` // in all, about
	Length int `json:"length"` // of one text
}

// SizeOf is what is read of texts that are like these, as many as give n pairs, or all of them if n is 0.
func SizeOf(texts []string, positions string, n int) ReadingSize {
	const enough = 1000 // texts, to know what they are like
	texts = texts[:min(len(texts), enough)]
	tokens, pairs := 0, 0
	for _, t := range texts {
		tokens += tokensOf(t)
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
