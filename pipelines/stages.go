package pipelines

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	_ "embed"

	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/gpu"
	"github.com/persona-transfer/runpipeline/gpu/arch"
	"github.com/persona-transfer/runpipeline/gpu/checkpoint"
	"github.com/persona-transfer/runpipeline/gpu/tiny"
	"github.com/persona-transfer/runpipeline/transforms"
)

//go:embed data/wordnet-examples.txt
var wordnet string

const (
	// The embedded pair's texts. Alphas, layer and size were chosen with the prompts of the
	// development set; the experiment that is shipped uses the test set.
	tinyCalibrationSeed = 201
	tinyPersonaSeed     = 301
	tinyShownSeed       = 401 // of the text that stands before a prompt to show a persona
	tinyPromptSet       = tiny.Quoted

	// maxOpening bounds the prompts of the anchors: a document is no opening, and attention over a long
	// one takes gigabytes.
	maxOpening = 512
	// draws is how many random directions and projections there are for each persona: enough to know how far what
	// they do lies apart.
	draws = 20
)

// A Side is one of the two models, found, and where in it residuals are read.
type Side struct {
	transforms.Model
	Layer      int          // block number from 0
	name       string       // "source" or "target"
	configured string       // the model as the configuration names it
	shape      *arch.Config // nil if its files were not found
	weights    int          // bytes of its weights where they rest, in float32 or bfloat16 if their files are not there
}

// blocks is how many the model has, 0 if that is not known.
func (s *Side) blocks() int {
	if s.shape == nil {
		return 0
	}
	return s.shape.Layers
}

// An Experiment is a configuration with its models found: everything that its recipes need.
type Experiment struct {
	Config
	Source, Target Side
	notes          []string // what is odd about the models' files

	device   Device
	inputs   map[cache.Digest][]byte // texts of the configuration, which stages read from the store
	personas []transforms.PersonaRef
	stages   []transforms.Stage
	order    []string // names of all stages that an experiment may have, in the order of the data
	common   *common  // with other cells of its sweep
}

// NewExperiment finds the configuration's models and lays out the stages. It reads configuration
// files and the digests of the weights, never the weights themselves if their digest is known. With
// metadataOnly the weights need not be there.
func NewExperiment(ctx context.Context, c Config, metadataOnly bool) (*Experiment, error) {
	return newExperiment(ctx, c, metadataOnly, &common{})
}

func newExperiment(ctx context.Context, c Config, metadataOnly bool, shared *common) (*Experiment, error) {
	e := &Experiment{Config: c, inputs: map[cache.Digest][]byte{}, common: shared}
	e.Source, e.Target = Side{name: "source", configured: c.SourceModel}, Side{name: "target", configured: c.TargetModel}
	var problems Problems
	var missing error
	if e.device, missing = shared.device(c.Device, c.DevicePlugin); errors.Is(missing, ErrConfig) {
		return nil, missing
	}
	for _, s := range e.sides() {
		err := e.find(ctx, s, metadataOnly)
		switch {
		case errors.Is(err, ErrMissing):
			missing = errors.Join(missing, err)
		case err != nil:
			problems = append(problems, fmt.Sprintf("%s_model: %v", s.name, err))
		}
	}
	problems = append(problems, e.layers()...)
	if len(problems) > 0 {
		return nil, problems
	}
	if missing != nil {
		return nil, missing
	}
	e.lay()
	return e, ctx.Err()
}

// sides are the two models, the source first.
func (e *Experiment) sides() []*Side { return []*Side{&e.Source, &e.Target} }

// layers settles which layers are read, of the models that were found, and reports those that they have
// not.
func (e *Experiment) layers() (problems Problems) {
	e.resolveLayers(e.Source.blocks(), e.Target.blocks())
	e.Source.Layer, e.Target.Layer = e.SourceLayer(), e.TargetLayer()
	for _, s := range e.sides() {
		if n := s.blocks(); n > 0 && s.Layer >= n {
			problems = append(problems, fmt.Sprintf("layer_idx: layer %d of %s, which has %d blocks (0 to %d)", s.Layer, s.configured, n, n-1))
		}
	}
	return problems
}

// Warning is a line for the user when the device is much slower than it could be, else "".
func (e *Experiment) Warning() string {
	return e.device.Warning()
}

// Notes tell what is odd about the models' files and was passed over, one line each.
func (e *Experiment) Notes() []string { return e.notes }

// VocabularyWarnings are lines for the user about models whose texts may have other tokens than they know.
func (e *Experiment) VocabularyWarnings(ctx context.Context) (lines []string, err error) {
	for _, s := range e.sides() {
		t, err := s.Text().Tokenizer(ctx)
		if err != nil {
			return nil, err
		}
		if text := t.Warning(); text != "" {
			lines = append(lines, fmt.Sprintf("model %s: %s", modelName(s.Ref), text))
		}
	}
	return slices.Compact(lines), nil
}

// A foundModel is what a model's files tell of it.
type foundModel struct {
	shape   *arch.Config
	digest  string
	weights int
	notes   []string
	whole   bool // its weights are there
}

// find settles which model a side is.
func (e *Experiment) find(ctx context.Context, s *Side, metadataOnly bool) error {
	s.Model = transforms.Model{Ref: s.configured, Open: e.device.open, Template: e.ChatTemplate, Date: e.TemplateDate}
	if path, ok := e.modelFile(s.configured); ok {
		s.Ref = path
		if whole, err := filepath.Abs(path); err == nil { // a worker may have another working folder
			s.Ref = whole
		}
	}
	m, err := e.common.models.get(modelKey{s.Ref, s.configured, e.device.open, metadataOnly}, func() (foundModel, error) {
		return findModel(ctx, s.Ref, s.configured, e.device, metadataOnly)
	})
	if s.shape = m.shape; m.shape != nil {
		s.Shape = transforms.ShapeOf(m.shape)
	}
	if err != nil {
		return err
	}
	s.weights, s.Digest, e.notes = m.weights, m.digest, append(e.notes, m.notes...)
	if m.whole {
		s.Device = e.device.String()
	}
	return nil
}

// findModel opens a model's files for as long as it takes to know what they are.
func findModel(ctx context.Context, ref, configured string, device Device, metadataOnly bool) (m foundModel, err error) {
	c, err := transforms.OpenFiles(ctx, ref, metadataOnly)
	if err != nil {
		if errors.Is(err, checkpoint.ErrNotFound) {
			err = fmt.Errorf("%w: %w", ErrMissing, err)
		}
		return m, err
	}
	defer c.Close()
	if m.shape, err = arch.ParseConfig(c.Config()); err != nil {
		return m, err
	}
	m.weights = device.ValueBytes() * m.shape.Parameters()
	if missing := c.MissingShards(); len(missing) > 0 {
		if metadataOnly {
			m.digest = "weights missing"
			return m, nil
		}
		return m, fmt.Errorf("%w: model %s: weight files are not there: %s", ErrMissing, configured, strings.Join(missing, ", "))
	}
	if m.digest, err = c.Digest(); err != nil {
		return m, err
	}
	notes, err := gpu.Examine(c)
	if err != nil {
		return m, err
	}
	if m.weights, err = gpu.WeightBytes(c, device.Device); err != nil {
		return m, err
	}
	for _, note := range notes {
		m.notes = append(m.notes, modelName(configured)+": "+note)
	}
	m.whole = true
	return m, nil
}

// lay lists the stages, each after those that it reads.
func (e *Experiment) lay() {
	calibration := e.calibration()
	for _, name := range e.PersonaDatasets.Names() {
		set := e.PersonaDatasets.Sets[name]
		e.personas = append(e.personas, transforms.PersonaRef{Name: name,
			Texts: e.personaTexts(set)})
	}
	shards := transforms.Shards(e.NTraining)
	shard := e.shardSize(calibration, shards)
	source := transforms.Capture{Model: e.Source.Model, Layer: e.Source.Layer, Positions: e.Positions, Size: shard}
	target := transforms.Capture{Model: e.Target.Model, Layer: e.Target.Layer, Positions: e.Positions, Size: shard}
	widths := transforms.Widths{Source: e.Source.Shape.Hidden, Target: e.Target.Shape.Hidden, Pairs: e.NTraining}
	anchors, generation := e.anchors(calibration), e.generation()
	var shuffled transforms.Shuffled // what only some conditions need is made only for them
	self, heldOut := false, false
	for _, c := range e.conditions() {
		if c.Shuffles > 0 {
			shuffled = transforms.Shuffled{Permutations: c.Shuffles, Method: e.Fit.Method, Centre: e.Fit.Centre, Rank: e.Fit.Rank, Unit: e.LambdaUnit}
		}
		self, heldOut = self || c.Self, heldOut || c.HeldOut
	}
	carried := []string{"fit", "personas.source", "personas.target", "capture.source", "capture.target"} // what the vectors are made from
	compared := []string{"fit", "personas.source", "personas.target"}
	if heldOut {
		carried, compared = append(carried, "fit.held_out"), append(compared, "fit.held_out")
	}
	if shuffled.Permutations > 0 {
		carried = append(carried, "gram")
	}
	units := len(generation.Batches)
	gated := func(s transforms.Stage) transforms.Stage { // what takes long begins when it is known that there is something to find
		s.After = "gate"
		return s
	}
	e.stages = []transforms.Stage{
		transforms.NewStage("pairs", "pairs", transforms.Pairs{Source: e.Source.Text(), Target: e.Target.Text(), Texts: e.input(calibration.encoded),
			Samples: e.NTraining, Positions: e.Positions, Seed: e.Seed}, 1),
		transforms.NewStage("trait", "trait", transforms.Trait{Personas: e.personas}, len(e.personas)),
		transforms.NewStage("resemblance", "resemblance", transforms.Resemblance{Personas: e.PersonaDatasets.Names(), Pairs: e.NTraining}, len(e.personas), "pairs", "trait"),
		transforms.NewStage("anchors", "generate", anchors, 1),
		transforms.NewStage("anchors.score", "score", anchors.Scoring(), 1, "anchors"),
		transforms.NewStage("yardstick", "yardstick", transforms.YardstickSettings{Personas: e.PersonaDatasets.Names()}, 1, "anchors", "anchors.score", "trait"),
		transforms.NewStage("gate", "gate", transforms.Gate{Measure: e.Primary.Measure}, 1, "yardstick"),
		gated(transforms.NewStage("capture.source", "capture", source, shards, "pairs")),
		gated(transforms.NewStage("capture.target", "capture", target, shards, "pairs")),
		transforms.NewStage("gram", "gram", transforms.Gram{Folds: e.Folds, Widths: widths}, e.Folds, "capture.source", "capture.target"),
		transforms.NewStage("fit", "fit", transforms.Fit{Method: e.Fit.Method, Centre: e.Fit.Centre, Rank: e.Fit.Rank, Lambdas: e.LambdaValues, Unit: e.LambdaUnit,
			Folds: e.Folds, Self: self, Widths: widths}, 1, "gram", "capture.source", "capture.target"),
		transforms.NewStage("fit.held_out", "refit", transforms.Refit{Method: e.Fit.Method, Centre: e.Fit.Centre, Rank: e.Fit.Rank, Unit: e.LambdaUnit, Widths: widths},
			len(e.personas), "capture.source", "capture.target", "resemblance", "fit", "gram"),
		transforms.NewStage("personas.source", "personas", e.personaStage(source, e.Target.Model), len(e.personas)),
		transforms.NewStage("personas.target", "personas", e.personaStage(target, e.Source.Model), len(e.personas)),
		gated(transforms.NewStage("probe.fit", "probe.fit", transforms.ProbeFit{Model: e.Source.Model, Layer: e.Source.Layer, Personas: e.personas, Size: e.personaSize()}, len(e.personas))),
		transforms.NewStage("anchors.probe", "probe", e.probing(anchors), 1, "anchors", "probe.fit"),
		transforms.NewStage("vectors", "vectors", transforms.VectorSettings{Conditions: e.steered(), Personas: e.PersonaDatasets.Names(), Draws: draws, Seed: e.Seed,
			Shuffled: shuffled, Widths: widths}, 1, carried...),
		transforms.NewStage("cosines", "cosines", transforms.Cosines{Conditions: e.carried(), Personas: e.PersonaDatasets.Names(), Seed: e.Seed, Widths: widths},
			1, compared...),
		gated(transforms.NewStage("generate", "generate", generation, units, "vectors")),
		transforms.NewStage("score", "score", generation.Scoring(), units, "generate"),
		transforms.NewStage("probe", "probe", e.probing(generation), units, "generate", "probe.fit"),
	}
	probed := slices.Contains(e.Measures, transforms.MeasureProbe)
	judged := []string{"yardstick", "generate", "score", "trait", "vectors", "fit", "pairs", "resemblance", "cosines"}
	if probed {
		judged = append(judged, "probe.fit", "anchors.probe", "probe")
	}
	if e.UseGPT4 {
		judged = append(judged, "judge")
	}
	e.stages = append(e.stages,
		transforms.NewStage("judge", "judge", e.judging(generation), transforms.JudgeUnits(e.NTestPrompts), "generate"),
		transforms.NewStage("evaluate", "evaluate", e.evaluation(generation), 1, judged...))
	e.order = nil
	for i := range e.stages {
		e.order = append(e.order, e.stages[i].Name)
		e.stages[i].Family = e.Source.Digest + " → " + e.Target.Digest // a first run has nothing in common with one of other models
	}
	e.stages = slices.DeleteFunc(e.stages, func(s transforms.Stage) bool {
		switch s.Name {
		case "fit.held_out":
			return !heldOut
		case "probe.fit", "anchors.probe", "probe":
			return !probed
		case "judge":
			return !e.UseGPT4
		}
		return false
	})
	transforms.Link(e.stages)
}

// probing is the stage that reads texts with the probes: as the source reads, which nothing steers.
func (e *Experiment) probing(g transforms.Generate) transforms.Probe {
	return transforms.Probe{Model: e.Source.Model, Layer: e.Source.Layer, Personas: e.PersonaDatasets.Names(), Texts: len(g.Prompts) * g.Seeds, Tokens: g.Sampling.MaxNewTokens}
}

// conditions lists the conditions that are asked for, in the order of the tables.
func (e *Experiment) conditions() (asked []transforms.Condition) {
	for _, c := range transforms.Conditions() {
		if slices.Contains(e.Conditions, c.Name) {
			asked = append(asked, c)
		}
	}
	return asked
}

// steered names those that add a vector.
func (e *Experiment) steered() (names []string) {
	for _, c := range e.conditions() {
		if c.Steers() {
			names = append(names, c.Name)
		}
	}
	return names
}

// carried names those whose one vector is a persona's own, carried.
func (e *Experiment) carried() (names []string) {
	for _, c := range e.conditions() {
		if c.Carries() {
			names = append(names, c.Name)
		}
	}
	return names
}

// personaStage takes persona vectors where capture reads; at word ends, only at those that the
// other model has too, as in the pairs.
func (e *Experiment) personaStage(at transforms.Capture, partner transforms.Model) transforms.Personas {
	at.Size = e.personaSize()
	p := transforms.Personas{Capture: at, Personas: e.personas}
	if e.Positions == "word_ends" {
		p.Partner = partner.Text()
	}
	return p
}

func (e *Experiment) generation() transforms.Generate {
	g := transforms.Generate{Model: e.Target.Model, Layer: e.Target.Layer, Seeds: e.NSeeds, AlphaUnit: e.AlphaUnit, Positions: e.SteerPositions,
		Sampling: e.sampling(), Sampler: gpu.Sampler, Seed: e.Seed}
	for _, t := range e.TestPrompts.List[:e.NTestPrompts] {
		g.Prompts = append(g.Prompts, t.Text)
	}
	prefixes := map[string]string{}
	for name, set := range e.PersonaDatasets.Sets {
		prefixes[name] = set.Prompt
	}
	g.Batches = transforms.Batches(e.conditions(), e.PersonaDatasets.Names(), e.AlphaValues, prefixes)
	return g
}

func (e *Experiment) sampling() transforms.Sampling {
	return transforms.Sampling{MaxNewTokens: e.MaxNewTokens, Temperature: e.Temperature, TopP: e.TopP, TopK: e.TopK, StopAtEOS: e.StopAtEOS}
}

// anchors are unsteered texts that none of the others depends on, and that depend on neither layer nor alpha.
func (e *Experiment) anchors(calibration corpus) transforms.Generate {
	texts := transforms.AnchorTexts(e.NTestPrompts * e.NSeeds)
	prompts := e.anchorPrompts(calibration, texts)
	return transforms.Generate{Model: e.Target.Model, Prompts: prompts, Seeds: transforms.AnchorSeeds(len(prompts), texts), Sampling: e.sampling(), Sampler: gpu.Sampler, Seed: e.Seed,
		Batches: []transforms.Batch{{Condition: transforms.Anchors}}}
}

// anchorPrompts are at most n openings that are no test prompts: of the grammar for the embedded pair, else
// the first half of the last calibration texts.
func (e *Experiment) anchorPrompts(calibration corpus, n int) []string {
	if isTinyPair(&e.Config) && e.CalibrationTexts.File == "" {
		return tiny.AnchorPrompts(n)
	}
	var prompts []string
	for i := len(calibration.texts) - 1; i >= 0 && len(prompts) < n; i-- {
		if half := opening(calibration.texts[i].Text); half != "" && !slices.Contains(prompts, half) {
			prompts = append(prompts, half)
		}
	}
	return prompts
}

// opening is the first half of a text's words, up to maxOpening bytes.
func opening(text string) string {
	words := strings.Fields(text)
	half := strings.Join(words[:(len(words)+1)/2], " ")
	whole := strings.ToValidUTF8(half[:min(len(half), maxOpening)], "") // without half a character
	return strings.TrimSpace(whole)
}

func (e *Experiment) evaluation(g transforms.Generate) transforms.Evaluate {
	return transforms.Evaluate{SourceModel: modelName(e.Source.Ref), TargetModel: modelName(e.Target.Ref), SourceLayer: e.Source.Layer, TargetLayer: e.Target.Layer,
		Personas: e.PersonaDatasets.Names(), Conditions: e.Conditions, Alphas: e.AlphaValues, AlphaUnit: e.AlphaUnit, Positions: e.Positions,
		Primary: transforms.Primary(e.Primary), Batches: g.Batches, EndAllowed: e.StopAtEOS, Samples: e.NTraining, Seed: e.Seed, Texts: g.Texts()}
}

// modelName is a model's name without the folder that it happens to lie in.
func modelName(ref string) string {
	if strings.HasPrefix(ref, "tiny:") || !checkpoint.IsLocal(ref) {
		return ref
	}
	return filepath.Base(filepath.Clean(ref))
}
