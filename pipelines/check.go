package pipelines

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/persona-transfer/runpipeline/gpu"
	"github.com/persona-transfer/runpipeline/gpu/checkpoint"
	"github.com/persona-transfer/runpipeline/transforms"
	"github.com/persona-transfer/runpipeline/transforms/linear"
)

// A CheckResult is the outcome of one sanity check.
type CheckResult struct {
	Name   string
	Pass   bool
	Detail string // the numbers
}

// Check runs the sanity checks on the experiment's models, calling report after each.
func (e *Experiment) Check(ctx context.Context, report func(CheckResult)) error {
	if err := e.device.runs(); err != nil {
		return Problems{err.Error()}
	}
	for _, s := range e.sides() {
		n := Need{For: fewTexts, Weights: []ModelWeight{s.inMemory()}, Work: fewTextsBytes(s.Shape)}
		if err := n.on(e.device, s.shape).fits(ctx); err != nil {
			return err
		}
	}
	for _, s := range e.sides() {
		if err := e.checkModel(ctx, s.Model, s.Layer, report); err != nil {
			return fmt.Errorf("check %s: %w", modelName(s.Ref), err)
		}
	}
	report(checkPlanted())
	return nil
}

// A subject is a model under examination.
type subject struct {
	d     *gpu.Decoder
	c     *checkpoint.Checkpoint
	site  gpu.Site
	texts [][]int32 // of different lengths
	last  [][]int   // their last tokens
	norm  float64   // of the first text's residual
}

func (e *Experiment) checkModel(ctx context.Context, m transforms.Model, layer int, report func(CheckResult)) error {
	c, err := transforms.OpenFiles(ctx, m.Ref, false)
	if err != nil {
		return err
	}
	defer c.Close()
	d, err := gpu.Open(c, nil, e.device.open)
	if err != nil {
		return err
	}
	defer d.Close()
	s := &subject{d: d, c: c, site: gpu.Site{Layer: layer}}
	for _, text := range []string{"The old man by the window", "A letter", "On Monday morning the teacher said that the boat had left the harbour"} {
		ids, err := transforms.PromptTokens(d.Tokenizer(), false, text)
		if err != nil {
			return err
		}
		s.texts, s.last = append(s.texts, ids), append(s.last, []int{len(ids) - 1})
	}
	checks := []func(context.Context) (CheckResult, error){s.lastToken, s.readBack, s.alphaZero, s.alphaMoves, s.everyToken}
	for _, check := range checks {
		r, err := check(ctx)
		if err != nil {
			return err
		}
		r.Name = modelName(m.Ref) + ": " + r.Name
		report(r)
	}
	return nil
}

// tolerance is how far two ways to compute the same float32 residual may differ, relative to its
// length: a thousand roundings.
const tolerance = 1e-4

// lastToken compares each text read alone with the same text padded: after its end, where capture
// pads, and before its beginning, where generation pads.
func (s *subject) lastToken(ctx context.Context) (CheckResult, error) {
	r := CheckResult{Name: "last token found by length under both paddings"}
	together, err := s.d.Capture(ctx, s.texts, s.last, []gpu.Site{s.site})
	if err != nil {
		return r, err
	}
	prompts, next := make([][]int32, len(s.texts)), make([][]int32, len(s.texts))
	for i, t := range s.texts {
		prompts[i], next[i] = t[:len(t)-1], t[len(t)-1:]
	}
	losses, err := s.d.NLL(ctx, prompts, next)
	if err != nil {
		return r, err
	}
	var worst, worstLoss float64
	for i := len(s.texts) - 1; i >= 0; i-- {
		alone, err := s.d.Capture(ctx, s.texts[i:i+1], s.last[i:i+1], []gpu.Site{s.site})
		if err != nil {
			return r, err
		}
		one, err := s.d.NLL(ctx, prompts[i:i+1], next[i:i+1])
		if err != nil {
			return r, err
		}
		worst = max(worst, distance(alone[0], together[i])/linear.Norm(alone[0]))
		worstLoss = max(worstLoss, math.Abs(float64(one[0][0]-losses[i][0])))
		s.norm = linear.Norm(alone[0])
	}
	r.Pass = worst < tolerance && worstLoss < tolerance*10
	r.Detail = fmt.Sprintf("alone against beside longer texts: residual %.1e relative (capture pads texts), −log p %.1e nats (generation pads cached prefixes)", worst, worstLoss)
	return r, nil
}

// readBack extracts h at the site and injects −h there: what is read back must be 0.
func (s *subject) readBack(ctx context.Context) (CheckResult, error) {
	r := CheckResult{Name: fmt.Sprintf("extract h after block %d, inject −h, read back 0", s.site.Layer)}
	h, err := s.d.Capture(ctx, s.texts[:1], s.last[:1], []gpu.Site{s.site})
	if err != nil {
		return r, err
	}
	if _, x, bad := notFinite(h); bad {
		r.Detail = fmt.Sprintf("h holds %g", x)
		return r, nil
	}
	minus := make([]float32, len(h[0]))
	for i, x := range h[0] {
		minus[i] = -x
	}
	back, err := s.d.CaptureSteered(ctx, s.texts[:1], s.last[:1], []gpu.Site{s.site}, [][]gpu.Push{{{Site: s.site, Vector: minus}}})
	if err != nil {
		return r, err
	}
	got := linear.Norm(back[0]) / linear.Norm(h[0])
	r.Pass, r.Detail = got < tolerance, fmt.Sprintf("‖h − h‖/‖h‖ = %.1e", got)
	return r, nil
}

// alphaZero steers with a zero vector: not one bit of the logits may change.
func (s *subject) alphaZero(ctx context.Context) (CheckResult, error) {
	r := CheckResult{Name: "alpha 0 leaves the logits bit-identical"}
	plain, err := s.d.Logits(ctx, s.texts[:1], nil)
	if err != nil {
		return r, err
	}
	zero, err := s.d.Logits(ctx, s.texts[:1], [][]gpu.Push{{{Site: s.site, Vector: make([]float32, s.d.Config().Hidden)}}})
	if err != nil {
		return r, err
	}
	if _, x, bad := notFinite(plain); bad {
		r.Detail = fmt.Sprintf("the logits hold %g", x)
		return r, nil
	}
	differ := 0
	for i := range plain[0] {
		if math.Float32bits(plain[0][i]) != math.Float32bits(zero[0][i]) {
			differ++
		}
	}
	r.Pass, r.Detail = differ == 0, fmt.Sprintf("%d of %d logits differ", differ, len(plain[0]))
	return r, nil
}

// alphaMoves steers with half the residual's length in a drawn direction: the logits must move.
func (s *subject) alphaMoves(ctx context.Context) (CheckResult, error) {
	r := CheckResult{Name: "alpha ≠ 0 moves the logits"}
	if s.norm-s.norm != 0 {
		r.Detail = fmt.Sprintf("‖h‖ = %g", s.norm)
		return r, nil
	}
	plain, err := s.d.Logits(ctx, s.texts[:1], nil)
	if err != nil {
		return r, err
	}
	draw := rand.New(rand.NewPCG(1, 2))
	v := make([]float32, s.d.Config().Hidden)
	for i := range v {
		v[i] = float32(draw.NormFloat64() * s.norm / 2 / math.Sqrt(float64(len(v))))
	}
	steered, err := s.d.Logits(ctx, s.texts[:1], [][]gpu.Push{{{Site: s.site, Vector: v}}})
	if err != nil {
		return r, err
	}
	moved := distance(plain[0], steered[0]) / linear.Norm(plain[0])
	r.Pass, r.Detail = moved > 1e-3, fmt.Sprintf("‖Δlogits‖/‖logits‖ = %.2g", moved)
	return r, nil
}

// everyToken forces one token: a long push along its row of the output matrix, after the last
// block, makes it win. If the push is applied at every generated token, nothing else is generated.
func (s *subject) everyToken(ctx context.Context) (CheckResult, error) {
	const n = 12
	r := CheckResult{Name: "the vector is applied at every generated token"}
	if s.norm-s.norm != 0 {
		r.Detail = fmt.Sprintf("‖h‖ = %g", s.norm)
		return r, nil
	}
	site := gpu.Site{Layer: s.d.Config().Layers - 1}
	row, token, err := s.forcing(ctx, site)
	if err != nil {
		return r, err
	}
	if row == nil {
		r.Detail = "no token was found that a push alone makes win"
		return r, nil
	}
	rows := []gpu.Row{{Prompt: s.texts[0], Push: []gpu.Push{{Site: site, Vector: row}}}, {Prompt: s.texts[0]}}
	out, err := s.d.Generate(ctx, rows, gpu.Sampling{MaxNewTokens: n})
	if err != nil {
		return r, err
	}
	count := func(tokens []int32) (k int) {
		for _, t := range tokens {
			if t == token {
				k++
			}
		}
		return k
	}
	pushed, free := count(out[0].Tokens), count(out[1].Tokens)
	r.Pass = pushed == n && free < n
	r.Detail = fmt.Sprintf("token %q forced: %d of %d steered, %d of %d unsteered", s.d.Tokenizer().Token(token), pushed, n, free, n)
	return r, nil
}

// forcing finds a token and a push that makes it win whatever came before.
func (s *subject) forcing(ctx context.Context, site gpu.Site) ([]float32, int32, error) {
	for _, word := range []string{" the", " boat", " and", "a", ".", " old"} {
		ids, err := s.d.Tokenizer().EncodePlain(word)
		if err != nil {
			return nil, 0, err
		}
		if len(ids) == 0 {
			continue
		}
		token := ids[len(ids)-1]
		row := make([]float32, s.d.Config().Hidden)
		if err := s.c.ReadRows(s.d.Config().OutputTensor(), int(token), 1, row); err != nil {
			return nil, 0, err
		}
		scale := float32(1000 * s.norm / linear.Norm(row))
		for i := range row {
			row[i] *= scale
		}
		logits, err := s.d.Logits(ctx, s.texts[:1], [][]gpu.Push{{{Site: site, Vector: row}}})
		if err != nil {
			return nil, 0, err
		}
		if slices.Max(logits[0]) == logits[0][token] {
			return row, token, nil
		}
	}
	return nil, 0, nil
}

// distance is ‖a − b‖.
func distance(a, b []float32) float64 {
	sum := 0.0
	for i := range a {
		d := float64(a[i]) - float64(b[i])
		sum += d * d
	}
	return math.Sqrt(sum)
}

// checkPlanted fits data that were made by a known map with noise: cross-validation must prefer a
// small penalty over a useless one, and the map must come back.
func checkPlanted() CheckResult {
	const n, d, e, folds = 600, 24, 20, 5
	draw := rand.New(rand.NewPCG(3, 4))
	planted := make([]float64, d*e)
	for i := range planted {
		planted[i] = draw.NormFloat64()
	}
	var xs, ys []float32
	var fold []int
	r := CheckResult{Name: "lambda and W recovered on planted data"}
	for i := range n {
		x, y := make([]float32, d), make([]float32, e)
		for j := range x {
			x[j] = float32(draw.NormFloat64())
		}
		for k := range y {
			sum := 3 + 0.01*draw.NormFloat64()
			for j := range x {
				sum += float64(x[j]) * planted[j*e+k]
			}
			y[k] = float32(sum)
		}
		xs, ys, fold = append(xs, x...), append(ys, y...), append(fold, i%folds)
	}
	pairs, err := linear.NewTable(d, e, xs, ys, fold)
	if err != nil {
		r.Detail = err.Error()
		return r
	}
	found, err := linear.FitBest(pairs, []float64{1e-6, 1e-3, 1, 1e3}, linear.Spec{Method: linear.Ridge, Centre: true, Unit: linear.Relative})
	if err != nil {
		r.Detail = err.Error()
		return r
	}
	cv, w := found.CV, found.Map
	var difference, length float64
	for i := range planted {
		difference += (w.W[i] - planted[i]) * (w.W[i] - planted[i])
		length += planted[i] * planted[i]
	}
	relative := math.Sqrt(difference / length)
	r.Pass = cv.Best <= 1e-3 && relative < 0.01
	r.Detail = fmt.Sprintf("lambda %g of 1e-6 … 1e3, ‖Ŵ − W‖/‖W‖ = %.1e with noise of 1 %% of a unit", cv.Best, relative)
	return r
}
