package pipelines

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/persona-transfer/runpipeline/format/strictjson"
	"github.com/persona-transfer/runpipeline/transforms"
	"github.com/persona-transfer/runpipeline/transforms/judge"
	"github.com/persona-transfer/runpipeline/transforms/steer"
)

// Bounds of an experiment: what is beyond is a slip of the keyboard, and would take hours or all the
// memory before anything is printed.
const (
	maxPairs    = 1_000_000 // of activations
	maxWritten  = 100_000   // calibration texts that the embedded pair's grammar writes
	maxLambdas  = 1000
	maxAlphas   = 100
	maxBatch    = 100_000 // texts that are generated together
	maxPersonas = 100
)

var personaName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$`)

// A check collects problems, of a list that is wrong throughout the first ones.
type check struct{ problems Problems }

func (k *check) want(ok bool, format string, args ...any) {
	if !ok && len(k.problems) < 1000 {
		k.problems = append(k.problems, fmt.Sprintf(format, args...))
	}
}

func (k *check) oneOf(key, value string, known ...string) {
	k.want(slices.Contains(known, value), "%s: %q; want one of %s", key, value, strings.Join(known, ", "))
}

// Validate reports everything that is wrong and can be seen without a model.
func (c *Config) Validate() error {
	if p := c.validate(nil); len(p) > 0 {
		slices.Sort(p)
		return p
	}
	return nil
}

// validate also completes what depends on several keys. keys are those that the file gave.
func (c *Config) validate(keys map[string]json.RawMessage) Problems {
	k := &check{}
	if _, ok := keys["n_test_prompts"]; keys != nil && !ok && len(c.TestPrompts.List) > 0 {
		c.NTestPrompts = min(c.NTestPrompts, len(c.TestPrompts.List))
	}
	if _, ok := keys["conditions"]; keys != nil && !ok && len(c.unasked()) > 0 { // the baseline without a vector, if there is a text for it
		c.Conditions = withoutPrompt(c.Conditions)
	}
	var primary map[string]json.RawMessage
	if raw, ok := keys["primary"]; ok && json.Unmarshal(raw, &primary) != nil {
		primary = nil // the reader has said what is wrong
	}
	if _, ok := primary["versus"]; keys != nil && !ok { // the default comparisons, as far as their conditions are run
		c.Primary.Versus = slices.DeleteFunc(c.Primary.Versus, func(name string) bool { return !slices.Contains(c.Conditions, name) })
	}
	k.want(c.SourceModel != "", "source_model: missing")
	k.want(c.TargetModel != "", "target_model: missing")
	_, hasLayer := keys["layer_idx"]
	both := c.SourceLayerIdx != nil && c.TargetLayerIdx != nil
	if keys != nil && !hasLayer && !both && !isTinyPair(c) {
		c.assumed = append(c.assumed, "layer_idx")
	}
	k.want(c.SourceLayer() >= 0, "layer_idx: source layer %d; layers are block numbers from 0", c.SourceLayer())
	k.want(c.TargetLayer() >= 0, "layer_idx: target layer %d; layers are block numbers from 0", c.TargetLayer())
	c.checkMap(k)
	c.checkSteering(k)
	c.checkGeneration(k)
	c.checkTexts(k)
	c.checkMeasures(k)
	c.Judge.check(k)
	checkExperimentDevice(k, c.Device, c.DevicePlugin)
	k.oneOf("dtype", c.DType, "float32")
	k.want(c.OutputDir != "", "output_dir: empty")
	return k.problems
}

func (c *Config) checkMap(k *check) {
	k.want(c.NTraining >= 10 && c.NTraining <= maxPairs, "n_training_samples: %d; want 10 to %d pairs", c.NTraining, maxPairs)
	written := isTinyPair(c) && c.CalibrationTexts.File == "" && c.CalibrationTexts.List == nil
	k.want(!written || c.NTraining <= maxWritten || c.NTraining > maxPairs, "n_training_samples: %d; the embedded pair's own texts give up to %d pairs, more need calibration_texts", c.NTraining, maxWritten)
	k.oneOf("positions", c.Positions, "last", "word_ends")
	if c.TemplateDate != "" {
		_, err := time.Parse(time.DateOnly, c.TemplateDate)
		k.want(err == nil, "template_date: %q; want a date as YYYY-MM-DD", c.TemplateDate)
		k.want(c.ChatTemplate, "template_date: only chat templates have a date, and chat_template is false")
	}
	k.fit(c.LambdaValues, c.LambdaUnit, c.Folds, c.Fit)
}

// fit checks how a map is fitted.
func (k *check) fit(lambdas []float64, unit string, folds int, f Fit) {
	k.want(len(lambdas) > 0, "lambda_values: empty")
	k.want(len(lambdas) <= maxLambdas, "lambda_values: %d values; want at most %d", len(lambdas), maxLambdas)
	for _, l := range lambdas {
		k.want(l >= 0 && !math.IsInf(l, 0) && !math.IsNaN(l), "lambda_values: %g; want finite numbers from 0 up", l)
	}
	k.want(len(slices.Compact(sorted(lambdas))) == len(lambdas), "lambda_values: a value appears twice")
	k.oneOf("lambda_unit", unit, "relative", "absolute")
	k.want(folds >= 2 && folds <= 100, "folds: %d; want 2 to 100", folds)
	k.oneOf("fit.method", f.Method, "ridge", "ols", "procrustes", "low_rank", "standardised")
	k.want(f.Method != "low_rank" || f.Rank > 0, "fit.rank: %d; low_rank wants at least 1", f.Rank)
	k.want(f.Method == "low_rank" || f.Rank == 0, "fit.rank: only low_rank has a rank")
}

func (c *Config) checkSteering(k *check) {
	k.want(len(c.Conditions) > 0, "conditions: empty")
	known := conditionNames()
	seen := map[string]bool{}
	for _, name := range c.Conditions {
		k.want(slices.Contains(known, name), "conditions: unknown condition %q; the nearest known one is %q", name, strictjson.Nearest(name, known))
		k.want(!seen[name], "conditions: %q appears twice", name)
		seen[name] = true
	}
	k.want(len(c.AlphaValues) > 0, "alpha_values: empty")
	k.want(len(c.AlphaValues) <= maxAlphas, "alpha_values: %d values; want at most %d", len(c.AlphaValues), maxAlphas)
	for _, a := range c.AlphaValues {
		k.want(a != 0 && !math.IsInf(a, 0) && !math.IsNaN(a), "alpha_values: %g; want finite numbers other than 0 (the condition none is alpha 0)", a)
	}
	k.want(len(slices.Compact(sorted(c.AlphaValues))) == len(c.AlphaValues), "alpha_values: a value appears twice")
	k.oneOf("alpha_unit", c.AlphaUnit, steer.Units()...)
	k.oneOf("steer_positions", c.SteerPositions, steer.Positions()...)
	c.checkPrimary(k, seen)
}

func (c *Config) checkPrimary(k *check, conditions map[string]bool) {
	known := conditionNames()
	k.oneOf("primary.measure", c.Primary.Measure, "trait", "coherence", "collapse")
	k.want(conditions["none"], "conditions: none is missing; every comparison starts from it")
	k.want(c.Primary.Margin >= 0 && c.Primary.Margin <= 4, "primary.margin: %g; want 0 to 4 points of trait", c.Primary.Margin)
	k.want(c.Primary.Condition != "none", "primary.condition: none is what the others are compared with")
	for _, name := range append([]string{c.Primary.Condition}, c.Primary.Versus...) {
		k.want(slices.Contains(known, name), "primary: unknown condition %q", name)
		k.want(conditions[name] || !slices.Contains(known, name), "primary: condition %q is not among the conditions", name)
	}
}

func (c *Config) checkMeasures(k *check) {
	known := []string{transforms.MeasureProbe, transforms.MeasureJudge}
	seen := map[string]bool{}
	for _, name := range c.Measures {
		k.want(slices.Contains(known, name), "measures: unknown measure %q; the nearest known one is %q", name, strictjson.Nearest(name, known))
		k.want(!seen[name], "measures: %q appears twice", name)
		seen[name] = true
	}
	k.want(c.UseGPT4 || !seen[transforms.MeasureJudge], "measures: %q sends the texts to the endpoint of judge, which use_gpt4 has to allow, and it is false", transforms.MeasureJudge)
}

func (c *Config) checkGeneration(k *check) {
	k.want(c.NTestPrompts >= 2 && c.NTestPrompts <= 10_000, "n_test_prompts: %d; want 2 to 10000", c.NTestPrompts)
	k.want(c.NSeeds >= 1 && c.NSeeds <= 1000, "n_seeds: %d; want 1 to 1000", c.NSeeds)
	k.want(c.NTestPrompts*c.NSeeds <= maxBatch || c.NTestPrompts > 10_000 || c.NSeeds > 1000,
		"n_test_prompts × n_seeds: %d texts in a batch; want at most %d", c.NTestPrompts*c.NSeeds, maxBatch)
	k.want(c.MaxNewTokens >= 1 && c.MaxNewTokens <= 4096, "max_new_tokens: %d; want 1 to 4096", c.MaxNewTokens)
	k.want(c.Temperature >= 0 && c.Temperature <= 100, "temperature: %g; want 0 to 100", c.Temperature)
	k.want(c.TopP > 0 && c.TopP <= 1, "top_p: %g; want more than 0, at most 1", c.TopP)
	k.want(c.TopK >= 0, "top_k: %d; want 0 (all) or more", c.TopK)
}

func (c *Config) checkTexts(k *check) {
	if c.TestPrompts.List != nil || c.TestPrompts.File == "" {
		k.want(len(c.TestPrompts.List) >= c.NTestPrompts, "test_prompts: %d prompts, fewer than n_test_prompts %d", len(c.TestPrompts.List), c.NTestPrompts)
	}
	seen := map[string]bool{}
	for i, t := range c.TestPrompts.List {
		k.text("test_prompts", i, t.Text)
		k.want(!seen[t.Text], "test_prompts: prompt %d repeats an earlier one: %.40q", i+1, t.Text)
		seen[t.Text] = true
	}
	for i, t := range c.CalibrationTexts.List {
		k.size("calibration_texts", i, t.Text)
	}
	k.want(c.CalibrationTexts.File != "" || c.CalibrationTexts.List == nil || len(c.CalibrationTexts.List) >= c.Folds,
		"calibration_texts: %d texts, fewer than the %d folds", len(c.CalibrationTexts.List), c.Folds)
	c.checkPersonas(k)
}

func (c *Config) checkPersonas(k *check) {
	p := c.PersonaDatasets
	k.want(len(p.Sets) > 0 || p.File != "" && p.Sets == nil, "persona_datasets: missing; name at least one persona with positive_texts and negative_texts")
	k.want(len(p.Sets) <= maxPersonas, "persona_datasets: %d personas; want at most %d", len(p.Sets), maxPersonas)
	for _, name := range p.Names() {
		set, key := p.Sets[name], "persona_datasets."+name
		k.want(personaName.MatchString(name), "%s: a persona's name is letters, digits, '_', '-' and '.'", key)
		k.want(len(set.Positive) > 0, "%s.positive_texts: empty", key)
		k.want(len(set.Negative) > 0, "%s.negative_texts: empty", key)
		k.want(len(set.Positive) == 0 || !slices.Equal(set.Positive, set.Negative), "%s: positive_texts and negative_texts are the same, which gives no vector", key)
		for i, t := range set.Positive {
			k.text(key+".positive_texts", i, t)
		}
		for i, t := range set.Negative {
			k.text(key+".negative_texts", i, t)
		}
		k.want(len(set.Description) <= judge.MaxRubric && utf8.ValidString(set.Description), "%s.description: %d bytes; want at most %d, in UTF-8", key, len(set.Description), judge.MaxRubric)
		k.want(!slices.Contains(c.Conditions, "prompt") || set.Prompt != "", "%s.prompt: the condition prompt needs a text that asks for the persona", key)
	}
}

// size refuses what no reader of files would take, in texts that come from a program too.
func (k *check) size(key string, i int, text string) {
	k.want(utf8.ValidString(text), "%s: text %d is not UTF-8", key, i+1)
	k.want(len(text) <= maxText, "%s: text %d has %d bytes; want at most %d", key, i+1, len(text), maxText)
}

func (k *check) text(key string, i int, text string) {
	k.size(key, i, text)
	k.want(strings.TrimSpace(text) != "", "%s: text %d is empty", key, i+1)
}

func sorted(v []float64) []float64 {
	v = slices.Clone(v)
	slices.Sort(v)
	return v
}
