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

// libraryBytes is what a plugin takes beside the models' values: the library, its compiler and the programs. With that of
// lammps-jax-pjrt-cpu 0.11.2 a run of the embedded pair had 611 MiB resident, on "cpu" 157.
const libraryBytes = 448 << 20

// A Need is what something takes of memory where it takes most, in bytes.
type Need struct {
	For     string        // what takes it: "stage generate", "a few texts"
	Weights []ModelWeight // of the models that are open then
	Work    int           // what is computed with them
	Outside int           // of weights and work, what XLA holds, which Go's collector neither sees nor leaves for later
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
	seen, large := alive, n.weights()+n.Held
	if n.Outside > 0 {
		seen, large = alive-n.Outside, n.Held
	}
	return alive + min(seen, gpu.Headroom(large))
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
	if e.Need.Outside > 0 && e.Need.Weights != nil && e.Need.weights() >= 4*e.Need.parameters() {
		ways = append(ways, "compute in bfloat16 (with :bf16 behind the device's name), which halves the weights, or on cpu, where they rest as they are stored")
	}
	if then := e.Need.quantised(); e.Need.Outside == 0 && e.Need.weights()-then > worth {
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

// parameters is the sum of all models'.
func (n Need) parameters() (sum int) {
	for _, m := range n.Weights {
		sum += m.Parameters
	}
	return sum
}

// on is the need of models on a device, given for one whose weights and work are on Go's heap: of the machine's memory,
// without what is the device's own.
func (n Need) on(d Device, shapes ...*arch.Config) Need {
	switch {
	case d.Collected():
		return n
	case d.OwnMemory():
		n.Weights, n.Work = nil, 0
	}
	n.Work += libraryBytes
	n.Outside = n.weights() + n.Work
	room := 0
	for _, shape := range shapes { // loaded one at a time
		room = max(room, d.LoadBytes(shape))
	}
	n.Work += room
	return n
}

// quantised is what the weights would take that are larger than in a quantised file.
func (n Need) quantised() (bytes int) {
	for _, m := range n.Weights {
		bytes += min(m.Bytes, int(quantised*float64(m.Parameters)))
	}
	return bytes
}

// need is what a plan takes of the machine's memory where it takes most.
func (s *Sweep) need(plan *Plan) Need { return largest(s.needs(plan)) }

// largest is the one that takes most.
func largest(needs []Need) (most Need) {
	for i, n := range needs {
		if i == 0 || n.Total() > most.Total() {
			most = n
		}
	}
	return most
}

// needs are what the stages take of the machine's memory that are missing.
func (s *Sweep) needs(plan *Plan) (needs []Need) {
	s.stagesInMemory(plan, func(stage transforms.Stage, shapes []*arch.Config, models, own Need) {
		n := models.on(s.owner(stage.ID).device, shapes...)
		n.Work, n.Held = n.Work+own.Work, n.Held+own.Held
		needs = append(needs, n)
	})
	return needs
}

// deviceNeeds are what they take of a card's own memory.
func (s *Sweep) deviceNeeds(plan *Plan) (needs []Need) {
	s.stagesInMemory(plan, func(_ transforms.Stage, _ []*arch.Config, models, _ Need) { needs = append(needs, models) })
	return needs
}

// stagesInMemory goes through the stages that are missing, with what is open while one is at work: the weights of the
// models that are open side by side and what these keep for their next work, as much as for the largest so far; and own,
// what a stage takes that runs no model. shapes are of the models that the stage runs.
func (s *Sweep) stagesInMemory(plan *Plan, each func(stage transforms.Stage, shapes []*arch.Config, models, own Need)) {
	missing, sides := plan.missing(), s.sides()
	weights := map[transforms.Model]ModelWeight{}
	for m, side := range sides {
		weights[m] = side.inMemory()
	}
	run := make([][]transforms.Model, len(missing))
	last := map[transforms.Model]int{} // the stage after which a model is closed
	for i, stage := range missing {
		run[i] = stage.Models()
		for _, m := range run[i] {
			last[m] = i
		}
	}
	var open []transforms.Model // in the order in which they are opened
	kept := map[transforms.Model]int{}
	for i, stage := range missing {
		models := run[i]
		var shapes []*arch.Config
		for _, m := range models {
			shapes = append(shapes, sides[m].shape)
			if !slices.Contains(open, m) {
				open = append(open, m)
			}
		}
		n, own := Need{For: "stage " + stage.Name}, Need{}
		work := 0
		for _, w := range stage.Works() {
			work = max(work, int(w.Bytes))
			n.Rows = w.Pace == transforms.Writing || w.Pace == transforms.Scoring
			if w.Pace == transforms.Algebra {
				own.Held = work
			}
		}
		for _, m := range models {
			kept[m] = max(kept[m], work)
		}
		if len(models) == 0 {
			own.Work = work
		}
		for _, m := range open {
			n.Weights = append(n.Weights, weights[m])
			n.Work += kept[m]
		}
		each(stage, shapes, n, own)
		open = slices.DeleteFunc(open, func(m transforms.Model) bool { return last[m] <= i }) // what nothing needs any more is closed
	}
}

// sides are those of all models.
func (s *Sweep) sides() map[transforms.Model]*Side {
	sides := map[transforms.Model]*Side{}
	for _, e := range s.Experiments {
		for _, side := range e.sides() {
			sides[side.Model] = side
		}
	}
	return sides
}

// inMemory is the size of a model's weights in memory.
func (s *Side) inMemory() ModelWeight {
	return ModelWeight{modelName(s.Ref), s.weights, s.shape.Parameters()}
}

// fits reports a model for which there is not enough memory, opened alone for some work.
func fits(ctx context.Context, ref string, c *checkpoint.Checkpoint, device Device, what string, work func(transforms.Shape) int) error {
	weights, err := gpu.WeightBytes(c, device.Device)
	if err != nil {
		return missingModel(err)
	}
	config, err := arch.ParseConfig(c.Config())
	if err != nil {
		return missingModel(err)
	}
	n := Need{For: what, Weights: []ModelWeight{{modelName(ref), weights, config.Parameters()}}, Work: work(transforms.ShapeOf(config))}
	return n.on(device, config).fits(ctx)
}

// fewTexts is what probe, steer and check do with a model.
const fewTexts = "a few texts"

// fewTextsBytes is the memory that it takes.
func fewTextsBytes(s transforms.Shape) int { return s.PassBytes(256, 2, 256) }
