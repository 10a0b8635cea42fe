package pipelines

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/persona-transfer/runpipeline/format/strictjson"
	"github.com/persona-transfer/runpipeline/gpu/tiny"
)

// ErrConfig reports that a configuration cannot be run; nothing was run.
var ErrConfig = errors.New("configuration")

// ErrMissing reports that a model or a file that the configuration names is not there.
var ErrMissing = errors.New("missing")

// Problems is everything that is wrong with a configuration. It wraps [ErrConfig].
type Problems []string

// maxProblems is more than anybody reads.
const maxProblems = 30

// Error lists the problems, one a line.
func (p Problems) Error() string {
	if len(p) == 1 {
		return "configuration: " + p[0]
	}
	shown, more := p, ""
	if len(p) > maxProblems {
		shown, more = p[:maxProblems], fmt.Sprintf("\n  and %d more", len(p)-maxProblems)
	}
	return fmt.Sprintf("configuration: %d problems\n  %s%s", len(p), strings.Join(shown, "\n  "), more)
}

// Unwrap makes errors.Is(err, ErrConfig) true.
func (p Problems) Unwrap() error { return ErrConfig }

// A loader reads the cells of a sweep.
type loader struct {
	folder string // where relative paths start
	common common
}

// parse reads raw, which is the file with the overrides in it, fills in defaults and checks
// everything that can be checked without a model. All problems are reported at once; if the only ones are
// files that are not there, the error wraps [ErrMissing] instead of [ErrConfig].
func (l *loader) parse(ctx context.Context, file, raw []byte) (Config, error) {
	var keys map[string]json.RawMessage
	c, problems := general(), Problems(nil)
	if err := json.Unmarshal(raw, &keys); err == nil && keys == nil {
		return Config{}, Problems{"not a JSON object: null"}
	} else if err == nil && isTiny(keys) {
		c = tinyPair()
	}
	c.folder = l.folder
	if err := strictjson.Unmarshal(raw, &c); err != nil {
		if keys == nil || malformed(err) {
			return Config{}, Problems{"not a JSON object: " + err.Error()}
		}
		problems = problemsOf(err)
	}
	seedUnits(file, keys, &c)
	bad, missing := c.readFiles(ctx, &l.common)
	if ctx.Err() != nil {
		return c, ctx.Err()
	}
	problems = append(problems, bad...)
	if isTinyPair(&c) {
		l.fillTiny(&c)
	}
	problems = append(problems, c.validate(keys)...)
	if len(problems) > 0 {
		problems = append(problems, missing...)
		slices.Sort(problems)
		return c, slices.Compact(problems)
	}
	if len(missing) > 0 {
		return c, fmt.Errorf("%w: %s", ErrMissing, strings.Join(missing, "\n  "))
	}
	return c, nil
}

func malformed(err error) bool {
	var p strictjson.Problems
	return errors.As(err, &p) && p[len(p)-1].Malformed
}

// problemsOf lists what a reader found.
func problemsOf(err error) (problems Problems) {
	var found strictjson.Problems
	if errors.As(err, &found) {
		for _, p := range found {
			problems = append(problems, p.String())
		}
	}
	return problems
}

func isTiny(keys map[string]json.RawMessage) bool {
	for _, k := range []string{"source_model", "target_model"} {
		if raw, ok := keys[k]; ok && !bytes.HasPrefix(bytes.TrimSpace(raw), []byte(`"tiny:`)) {
			return false
		}
	}
	return true
}

func isTinyPair(c *Config) bool {
	return strings.HasPrefix(c.SourceModel, "tiny:") && strings.HasPrefix(c.TargetModel, "tiny:")
}

// seedUnits gives values that a file names without their unit key the unit of the original document,
// and notes it. An override of the values alone keeps the unit that is in force without it.
func seedUnits(file []byte, keys map[string]json.RawMessage, c *Config) {
	var inFile map[string]json.RawMessage
	if json.Unmarshal(file, &inFile) != nil {
		return // the reader says what is wrong
	}
	for value, unit := range map[string]*string{"alpha": &c.AlphaUnit, "lambda": &c.LambdaUnit} {
		_, hasValue := inFile[value+"_values"]
		_, hasUnit := keys[value+"_unit"]
		if hasValue && !hasUnit {
			*unit = "absolute"
			c.assumed = append(c.assumed, value+"_unit")
		}
	}
	slices.Sort(c.assumed)
}

// fillTiny gives the embedded pair personas and prompts of its own grammar where the configuration
// has none.
func (l *loader) fillTiny(c *Config) {
	if c.PersonaDatasets.File == "" && c.PersonaDatasets.Sets == nil {
		c.PersonaDatasets.Sets, _ = l.common.personas.get("", tinyPersonas)
	}
	if c.TestPrompts.File == "" && c.TestPrompts.List == nil && c.NTestPrompts > 0 && c.NTestPrompts <= 10_000 {
		for _, t := range tiny.TestPrompts(tinyPromptSet, c.NTestPrompts) {
			c.TestPrompts.List = append(c.TestPrompts.List, Text{Text: t})
		}
	}
}

func tinyPersonas() (map[string]Persona, error) {
	sets := map[string]Persona{}
	for _, name := range []string{"silly", "angry", "pirate"} {
		positive, negative := tiny.PersonaTexts(name, 100, tinyPersonaSeed)
		shown, _ := tiny.PersonaTexts(name, 1, tinyShownSeed)
		sets[name] = Persona{Positive: positive, Negative: negative, Prompt: shown[0]}
	}
	return sets, nil
}
