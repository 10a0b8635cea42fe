package xla

import (
	"context"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/persona-transfer/runpipeline/gpu/arch"
	"github.com/persona-transfer/runpipeline/gpu/engine"
	"github.com/persona-transfer/runpipeline/gpu/engine/enginetest"
	"github.com/persona-transfer/runpipeline/gpu/gputest"
)

// TestGradientIsTheSlopeOfTheLoss compares the gradient with finite differences of the
// float64 reference, for every tensor along a random direction.
func TestGradientIsTheSlopeOfTheLoss(t *testing.T) {
	for _, family := range []string{"llama", "qwen2"} {
		t.Run(family, func(t *testing.T) {
			config, err := arch.ParseConfig([]byte(gputest.Configs[family]))
			if err != nil {
				t.Fatal(err)
			}
			r := gputest.Model(config, 3)
			const rows, length = 2, 11
			tokens := r.Text(rows*(length+1), 8)
			loss, grads, err := gradient(config, r, rows, length, tokens)
			if err != nil {
				t.Fatal(err)
			}
			if want := referenceLoss(r, tokens, rows, length); math.Abs(loss-want) > 1e-4 {
				t.Errorf("loss %g, want %g", loss, want)
			}
			for name := range r.Weights {
				checkSlope(t, r, name, grads[name], func() float64 { return referenceLoss(r, tokens, rows, length) })
			}
		})
	}
}

func checkSlope(t *testing.T, r *gputest.Reference, name string, grad []float32, loss func() float64) {
	t.Helper()
	rng := rand.New(rand.NewPCG(4, 4))
	w := r.Weights[name]
	old := slices.Clone(w)
	const h = 1e-3
	along := make([]float64, len(w))
	var want, size float64
	for i := range along {
		along[i] = rng.NormFloat64()
		size += float64(grad[i]) * float64(grad[i])
	}
	shift := func(by float64) float64 {
		for i := range w {
			w[i] = old[i] + float32(by*along[i])
		}
		return loss()
	}
	want = (shift(h) - shift(-h)) / (2 * h)
	copy(w, old)
	var got float64
	for i := range along {
		// The step that was really made: w is float32.
		got += float64(grad[i]) * (float64(old[i]+float32(h*along[i])) - float64(old[i]-float32(h*along[i]))) / (2 * h)
	}
	// Third derivatives and float32 gradients leave about a thousandth.
	if math.Abs(got-want) > 5e-3*math.Sqrt(size)+1e-6 {
		t.Errorf("%s: slope %g, want %g (gradient's norm %g)", name, got, want, math.Sqrt(size))
	}
}

// referenceLoss is the mean of −log p(next) over rows of length+1 tokens.
func referenceLoss(r *gputest.Reference, tokens []int32, rows, length int) float64 {
	var sum float64
	for row := range rows {
		text := tokens[row*(length+1) : (row+1)*(length+1)]
		pass := r.Forward(text[:length], 0)
		for i := range length {
			sum -= logSoftmax(pass.Logits(i), int(text[i+1]))
		}
	}
	return sum / float64(rows*length)
}

func smallTrain(t *testing.T, seed uint64, steps int, progress func(int, float64)) map[string][]float32 {
	t.Helper()
	config, err := arch.ParseConfig([]byte(gputest.Configs["qwen2"]))
	if err != nil {
		t.Fatal(err)
	}
	o := DefaultTrain()
	o.Seed, o.Steps, o.Rows, o.Length = seed, steps, 4, 16
	w, err := Train(context.Background(), config, o, func(step int) []int32 {
		out := make([]int32, 4*17)
		for i := range out {
			out[i] = int32((i*7 + step) % 5)
		}
		return out
	}, progress)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestTrainingLearnsAndRepeats(t *testing.T) {
	var losses []float64
	smallTrain(t, 1, 60, func(_ int, loss float64) { losses = append(losses, loss) })
	if start, want := losses[0], math.Log(211); math.Abs(start-want) > 0.5 {
		t.Errorf("first loss %g, want about log of the vocabulary %g", start, want)
	}
	if end := losses[len(losses)-1]; end > 0.5 {
		t.Errorf("loss of a text of period 5 after %d steps is %g", len(losses), end)
	}
	few := smallTrain(t, 1, 5, nil)
	if !reflect.DeepEqual(few, smallTrain(t, 1, 5, nil)) {
		t.Error("the same seed gave other weights")
	}
	if reflect.DeepEqual(few, smallTrain(t, 2, 5, nil)) {
		t.Error("another seed gave the same weights")
	}
}

// TestTrainedWeightsAreStoredAsTheyAreRead reads what Train returns.
func TestTrainedWeightsAreStoredAsTheyAreRead(t *testing.T) {
	config, _ := arch.ParseConfig([]byte(gputest.Configs["qwen2"]))
	r := &gputest.Reference{Config: config, Weights: smallTrain(t, 1, 10, nil)}
	text := []int32{0, 2, 4, 1, 3}
	m := opener(goDevice(t), Options{})(t, config, r)
	defer m.Close()
	last := engine.Place{Token: 4, Layer: config.Layers - 1}
	got := enginetest.Forward(t, m, engine.Item{Tokens: text, Residuals: []engine.Place{last}})[0].Residuals[0]
	if e := enginetest.Relative(got, r.Forward(text, 0).Residual[last.Layer][4]); !(e < 1e-5) {
		t.Errorf("relative difference %.1e", e)
	}
}

func TestTrainRefuses(t *testing.T) {
	config, _ := arch.ParseConfig([]byte(gputest.Configs["llama"]))
	o := DefaultTrain()
	o.Steps = 1
	short := func(int) []int32 { return []int32{1, 2, 3} }
	if _, err := Train(context.Background(), config, o, short, nil); err == nil {
		t.Error("a batch of three tokens was accepted")
	}
	o.Steps = 0
	if _, err := Train(context.Background(), config, o, short, nil); err == nil {
		t.Error("no steps were accepted")
	}
}

func logSoftmax(x []float64, i int) float64 {
	top := slices.Max(x)
	var sum float64
	for _, v := range x {
		sum += math.Exp(v - top)
	}
	return x[i] - top - math.Log(sum)
}

// gradient returns the mean loss of rows of tokens and its gradient by every stored tensor,
// at the weights of src.
func gradient(c *arch.Config, src arch.Source, rows, length int, tokens []int32) (float64, map[string][]float32, error) {
	o := DefaultTrain()
	o.Rows, o.Length, o.Steps = rows, length, 1
	t, err := newTrainer(c, o)
	if err != nil {
		return 0, nil, err
	}
	m, err := Load(t.dev, c, src, Options{})
	if err != nil {
		return 0, nil, err
	}
	defer m.Close()
	p, err := t.dev.newProgram("gradient", func(in []*node) []*node {
		tape := newTape()
		w := bind(t.params, in[1:])
		out := []*node{t.loss(tape, w, in[0])}
		for _, x := range in[1:] {
			out = append(out, tape.grads[x])
		}
		return out
	})
	if err != nil {
		return 0, nil, err
	}
	call := &call{dev: t.dev, program: p}
	call.ints(func(x []int32) { copy(x, tokens) }, rows, length+1)
	call.keep(m.values...)
	out, err := call.run()
	if err != nil {
		return 0, nil, err
	}
	var loss float64
	err = read(out[0], func(x []float32) { loss = float64(x[0]) })
	t.state = out[1:]
	grads, err2 := t.tensors()
	return loss, grads, firstError(err, err2)
}
