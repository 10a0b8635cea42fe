package pipelines

import (
	"context"
	"strings"
	"time"

	"github.com/persona-transfer/runpipeline/transforms"
)

// A Cost is what a unit is expected to take. Where the expectation of one unit is wrong by a factor, that
// of others of its pace is wrong by the same.
type Cost struct {
	Pace    string
	Seconds float64
}

// Costs are those of each unit of each stage that is still to be computed, at most: whether an open stage,
// or a unit of a stage that was begun, has to be computed is not known before its inputs are.
//
// They are kept by the stage's ID.
type Costs map[string][]Cost

// Total is what all units take, in seconds.
func (c Costs) Total() (seconds float64) {
	for id := range c {
		seconds += c.Of(id)
	}
	return seconds
}

// Of is what the units of a stage take.
func (c Costs) Of(id string) (seconds float64) {
	for _, u := range c[id] {
		seconds += u.Seconds
	}
	return seconds
}

// Costs says what the units of a plan take on this machine. It measures the machine's speed at the widest
// model's widths, in about a third of a second, if there is anything to compute; where the device is known by its text
// alone there is nothing to measure, and nothing is said.
func (s *Sweep) Costs(ctx context.Context, plan *Plan) (Costs, error) {
	if plan.Done() {
		return Costs{}, nil
	}
	hidden, inner := 0, 0
	for _, side := range s.sides() {
		hidden, inner = max(hidden, side.shape.Hidden), max(inner, side.shape.Inner)
	}
	var speeds once[string, transforms.Speed]
	costs := Costs{}
	for _, step := range plan.Steps {
		device := s.owner(step.Stage.ID).device
		if step.State != Run && step.State != Open || device.recorded {
			continue
		}
		speed, err := speeds.get(device.open, func() (transforms.Speed, error) {
			return transforms.MeasureSpeed(ctx, device.open, hidden, inner)
		})
		if err != nil {
			return nil, err
		}
		costs.add(step.Stage, speed)
	}
	return costs, nil
}

// add reckons what the units of a stage take at a speed.
func (c Costs) add(stage transforms.Stage, speed transforms.Speed) {
	for _, w := range stage.Works() {
		c[stage.ID] = append(c[stage.ID], Cost{string(w.Pace), w.Seconds(speed)})
	}
}

// operations counts those of the models' products, a multiplication and an addition as two.
func operations(plan *Plan) int {
	products := 0.
	for _, s := range plan.missing() {
		for _, w := range s.Works() {
			products += w.Products
		}
	}
	return int(2 * products)
}

// byPace says how the time is spread, in the order of the stages, if it is on more than one pace.
func byPace(costs Costs) string {
	sum := map[string]float64{}
	for _, units := range costs {
		for _, u := range units {
			sum[u.Pace] += u.Seconds
		}
	}
	var parts []string
	for _, pace := range []transforms.Pace{transforms.Reading, transforms.Algebra, transforms.Writing, transforms.Scoring, transforms.Counting} {
		if s := sum[string(pace)]; s >= 1 {
			parts = append(parts, string(pace)+" "+Roughly(s))
		}
	}
	if len(parts) < 2 {
		return ""
	}
	return ": " + strings.Join(parts, ", ")
}

// Roughly writes a number of seconds as precisely as an estimate of it is worth.
func Roughly(seconds float64) string {
	step := time.Second
	switch {
	case seconds >= 600:
		step = time.Minute
	case seconds >= 60:
		step = 10 * time.Second
	case seconds < 1:
		return "under 1s"
	}
	text := time.Duration(seconds * float64(time.Second)).Round(step).String()
	if step == time.Minute {
		text = strings.TrimSuffix(text, "0s")
	}
	return text
}

// WithDownloads gives a context whose downloads of models tell told how many bytes of a file have arrived;
// a total of less than 0 is not known. Other goroutines may call it.
func WithDownloads(ctx context.Context, told func(model, file string, done, total int64)) context.Context {
	return transforms.WithDownloads(ctx, told)
}

// shardSize is what a model reads of the texts of one of the shards of pairs.
func (e *Experiment) shardSize(calibration corpus, shards int) transforms.ReadingSize {
	size, _ := e.common.shards.get(shardKey{e.corpusKey(), e.Positions, e.NTraining}, func() (transforms.ReadingSize, error) { // nothing fails
		texts := make([]string, len(calibration.texts))
		for i, t := range calibration.texts {
			texts[i] = t.Text
		}
		return transforms.SizeOf(texts, e.Positions, e.NTraining/max(shards, 1)), nil
	})
	return size
}

// personaSize is what a model reads for the vector of a persona: every other text.
func (e *Experiment) personaSize() transforms.ReadingSize {
	var texts []string
	for _, name := range e.PersonaDatasets.Names() {
		set := e.PersonaDatasets.Sets[name]
		texts = append(append(texts, set.Positive...), set.Negative...)
	}
	size := transforms.SizeOf(texts, e.Positions, 0)
	size.Tokens /= 2 * max(len(e.PersonaDatasets.Sets), 1)
	return size
}

// missing lists the stages that are to be computed.
func (p *Plan) missing() (stages []transforms.Stage) {
	for _, s := range p.Steps {
		if s.State == Run || s.State == Open {
			stages = append(stages, s.Stage)
		}
	}
	return stages
}
