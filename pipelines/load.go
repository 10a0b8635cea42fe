package pipelines

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/persona-transfer/runpipeline/gpu/tiny"
)

// ErrConfig reports that a configuration cannot be run; nothing was run.
var ErrConfig = errors.New("configuration")

// ErrMissing reports that a model or a file that the configuration names is not there.
var ErrMissing = errors.New("missing")

// Problems is everything that is wrong with a configuration. It wraps [ErrConfig].
type Problems []string

// Error lists the problems, one a line.
func (p Problems) Error() string {
	if len(p) == 1 {
		return "configuration: " + p[0]
	}
	return fmt.Sprintf("configuration: %d problems\n  %s", len(p), strings.Join(p, "\n  "))
}

// Unwrap makes errors.Is(err, ErrConfig) true.
func (p Problems) Unwrap() error { return ErrConfig }

// LoadConfig reads a configuration file and applies overrides of the form dotted.key=JSON. An empty
// path is the embedded experiment. Relative paths in a file start at the file's folder.
func LoadConfig(path string, overrides []string) (Config, error) {
	raw := []byte("{}")
	folder := ""
	if path != "" {
		b, err := os.ReadFile(path)
		if err != nil {
			return Config{}, fmt.Errorf("%w: configuration file %s: %v", ErrMissing, path, errors.Unwrap(err))
		}
		raw, folder = b, filepath.Dir(path)
	}
	raw, err := override(raw, overrides)
	if err != nil {
		return Config{}, err
	}
	return ParseConfig(raw, folder)
}

// ParseConfig reads a configuration from JSON (nil: the embedded experiment), fills in defaults and
// checks everything that can be checked without a model. All problems are reported at once; if the
// only ones are files that are not there, the error wraps [ErrMissing] instead of [ErrConfig].
func ParseConfig(raw []byte, folder string) (Config, error) {
	if raw == nil {
		raw = []byte("{}")
	}
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(raw, &keys); err != nil {
		return Config{}, Problems{"not a JSON object: " + position(raw, err)}
	}
	if keys == nil {
		return Config{}, Problems{"not a JSON object: null"}
	}
	c := general()
	if isTiny(keys) {
		c = tinyPair()
	}
	c.folder = folder
	problems := oddities(raw)
	problems = append(problems, c.decode(keys)...)
	seedUnits(keys, &c)
	bad, missing := c.readFiles()
	problems = append(problems, bad...)
	if isTinyPair(&c) {
		fillTiny(&c)
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
	if t := &c.CalibrationTexts; isTinyPair(&c) && t.File == "" && t.List == nil {
		for _, text := range tiny.CalibrationTexts(tinyCalibrationSeed, c.NTraining) {
			t.List = append(t.List, Text{Text: text})
		}
	}
	return c, nil
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

// decode sets each key in turn, so that every wrong one is reported.
func (c *Config) decode(keys map[string]json.RawMessage) (problems Problems) {
	fields := map[string]reflect.Value{}
	var names []string
	v := reflect.ValueOf(c).Elem()
	for i := range v.NumField() {
		if tag, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ","); tag != "" {
			fields[tag], names = v.Field(i), append(names, tag)
		}
	}
	for key, raw := range keys {
		f, ok := fields[key]
		if !ok {
			problems = append(problems, fmt.Sprintf("%s: unknown key; the nearest known one is %q", key, nearest(key, names)))
			continue
		}
		if string(raw) == "null" && f.Kind() != reflect.Pointer {
			problems = append(problems, fmt.Sprintf("%s: null; leave the key out for its default", key))
			continue
		}
		if err := strict(raw, f.Addr().Interface()); err != nil {
			problems = append(problems, fmt.Sprintf("%s: %s", key, describe(err, f.Type())))
		}
	}
	return problems
}

// seedUnits gives values that come without their unit key the unit of the original document.
func seedUnits(keys map[string]json.RawMessage, c *Config) {
	for value, unit := range map[string]*string{"alpha": &c.AlphaUnit, "lambda": &c.LambdaUnit} {
		_, hasValue := keys[value+"_values"]
		_, hasUnit := keys[value+"_unit"]
		if hasValue && !hasUnit {
			*unit = "absolute"
		}
	}
}

// fillTiny gives the embedded pair personas and prompts of its own grammar where the configuration
// has none.
func fillTiny(c *Config) {
	if c.PersonaDatasets.File == "" && c.PersonaDatasets.Sets == nil {
		c.PersonaDatasets.Sets = map[string]Persona{}
		for _, name := range []string{"silly", "angry", "pirate"} {
			positive, negative := tiny.PersonaTexts(name, 100, tinyPersonaSeed)
			c.PersonaDatasets.Sets[name] = Persona{Positive: positive, Negative: negative}
		}
	}
	if c.TestPrompts.File == "" && c.TestPrompts.List == nil && c.NTestPrompts > 0 && c.NTestPrompts <= 10_000 {
		for _, t := range tiny.TestPrompts(tinyPromptSet, c.NTestPrompts) {
			c.TestPrompts.List = append(c.TestPrompts.List, Text{Text: t})
		}
	}
}
