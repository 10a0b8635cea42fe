package pipelines

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/persona-transfer/runpipeline/gpu"
	"github.com/persona-transfer/runpipeline/gpu/arch"
	"github.com/persona-transfer/runpipeline/gpu/checkpoint"
	"github.com/persona-transfer/runpipeline/transforms"
)

// ErrMemory reports that there is less memory than what was asked for takes; see [NoRoom].
var ErrMemory = gpu.ErrMemory

// A Memory is how many bytes a process can still have, and who says so; without a source nobody does.
type Memory = gpu.Memory

// WithMemory gives a context in which there is as much memory as available says, in place of what the
// system says.
func WithMemory(ctx context.Context, available func() Memory) context.Context {
	return transforms.WithMemory(ctx, available)
}

// processBytes is what the process takes without any model: the program, Beam, texts and vocabularies.
const processBytes = 128 << 20

// A Need is what something takes of memory where it takes most, in bytes.
type Need struct {
	For     string        // what takes it: "stage generate", "a few texts"
	Weights []ModelWeight // of the models that are open then
	Work    int           // what is computed with them
	Held    int           // of the work, what the collector is told of as of weights: matrices
	Rows    bool          // fewer or shorter texts side by side would take less
}

// A ModelWeight is what the weights of a model take.
type ModelWeight struct {
	Model             string
	Bytes, Parameters int
}

// weights is the sum of all models'.
func (n Need) weights() (bytes int) {
	for _, m := range n.Weights {
		bytes += m.Bytes
	}
	return bytes
}

// Total is the weights, the work, the process itself, and what the collector leaves for later.
func (n Need) Total() int {
	alive := processBytes + n.weights() + n.Work
	return alive + min(alive, gpu.Headroom(n.weights()+n.Held))
}

// String names the weights apart from the rest.
func (n Need) String() string {
	var parts []string
	for _, m := range n.Weights {
		parts = append(parts, fmt.Sprintf("the weights of %s %s", m.Model, Size(m.Bytes)))
	}
	rest := Size(n.Total() - n.weights())
	if parts == nil {
		return fmt.Sprintf("about %s for %s, without any weights", rest, n.For)
	}
	return fmt.Sprintf("about %s for %s: %s, everything else %s", Size(n.Total()), n.For, strings.Join(parts, ", "), rest)
}

// fits is a [NoRoom] if there is less memory than is needed.
func (n Need) fits(ctx context.Context) error {
	if there := transforms.Available(ctx); !there.Enough(n.Total()) {
		return &NoRoom{n, there}
	}
	return nil
}

// NoRoom is the error of something that was not begun because there is not enough memory for it. It wraps
// [ErrMemory].
type NoRoom struct {
	Need  Need
	There Memory
}

// Error says what is needed and what is there.
func (e *NoRoom) Error() string {
	return fmt.Sprintf("%v: it takes %v; there are %s (%s); no weights were read", ErrMemory, e.Need, Size(e.There.Bytes), e.There.Source)
}

// Unwrap makes errors.Is(err, ErrMemory) true.
func (e *NoRoom) Unwrap() error { return ErrMemory }

// quantised is about how many bytes a parameter takes in a file of type Q4_K_M: 4.85 bits.
const quantised = 4.85 / 8

// Hint says what would help, what helps most first.
func (e *NoRoom) Hint() string {
	var ways []string
	worth := e.Need.Total() / 8
	if then := e.Need.quantised(); e.Need.weights()-then > worth {
		ways = append(ways, fmt.Sprintf("take quantised files: as GGUF of type Q4_K_M the weights are about %s", Size(then)))
	}
	if e.Need.Rows && e.Need.Work > worth {
		ways = append(ways, "have fewer or shorter texts side by side: a smaller n_seeds, n_test_prompts or max_new_tokens")
	}
	switch e.There.Source {
	case "GOMEMLIMIT":
		ways = append(ways, "raise GOMEMLIMIT")
	default:
		ways = append(ways, "end other programs, or raise the limit; GOMEMLIMIT=SIZE says that there is so much")
	}
	return strings.Join(ways, "; ")
}

// quantised is what the weights would take that are larger than in a quantised file.
func (n Need) quantised() (bytes int) {
	for _, m := range n.Weights {
		bytes += min(m.Bytes, int(quantised*float64(m.Parameters)))
	}
	return bytes
}

// need is what a plan takes where it takes most.
func (e *Experiment) need(plan *Plan) (most Need) {
	for i, n := range e.needs(plan) {
		if i == 0 || n.Total() > most.Total() {
			most = n
		}
	}
	return most
}

// needs are what the stages take that are missing: the weights of the models that are open side by side, what
// these keep for their next work, as much as for the largest so far, and what the stage at work takes.
func (e *Experiment) needs(plan *Plan) (needs []Need) {
	missing := plan.missing()
	var open []transforms.Model // in the order in which they are opened
	kept := map[transforms.Model]int{}
	for i, s := range missing {
		for _, m := range s.Models() {
			if !slices.Contains(open, m) {
				open = append(open, m)
			}
		}
		n := Need{For: "stage " + s.Name}
		work := 0
		for _, w := range s.Works() {
			work = max(work, int(w.Bytes))
			n.Rows = w.Pace == transforms.Writing || w.Pace == transforms.Scoring
			if w.Pace == transforms.Algebra {
				n.Held = work
			}
		}
		for _, m := range s.Models() {
			kept[m] = max(kept[m], work)
		}
		if len(s.Models()) == 0 {
			n.Work = work
		}
		for _, m := range open {
			n.Weights = append(n.Weights, e.weightsOf(m))
			n.Work += kept[m]
		}
		needs = append(needs, n)
		open = slices.DeleteFunc(open, func(m transforms.Model) bool { // what nothing needs any more is closed
			return !slices.ContainsFunc(missing[i+1:], func(s transforms.Stage) bool { return slices.Contains(s.Models(), m) })
		})
	}
	return needs
}

// weightsOf is the size of a model's weights in memory.
func (e *Experiment) weightsOf(m transforms.Model) ModelWeight {
	s := &e.Target
	if m == e.Source.Model {
		s = &e.Source
	}
	return ModelWeight{modelName(s.Ref), s.weights, s.shape.Parameters()}
}

// fits reports a model for which there is not enough memory, opened alone for some work.
func fits(ctx context.Context, ref string, c *checkpoint.Checkpoint, what string, work func(transforms.Shape) int) error {
	weights, err := gpu.WeightBytes(c)
	if err != nil {
		return missingModel(err)
	}
	config, err := arch.ParseConfig(c.Config())
	if err != nil {
		return missingModel(err)
	}
	n := Need{For: what, Weights: []ModelWeight{{modelName(ref), weights, config.Parameters()}}, Work: work(transforms.ShapeOf(config))}
	return n.fits(ctx)
}

// fewTexts is what probe, steer and check do with a model.
const fewTexts = "a few texts"

// fewTextsBytes is the memory that it takes.
func fewTextsBytes(s transforms.Shape) int { return s.PassBytes(256, 2, 256) }
