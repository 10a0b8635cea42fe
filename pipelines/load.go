package pipelines

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
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
// checks everything that can be checked without a model. All problems are reported at once.
func ParseConfig(raw []byte, folder string) (Config, error) {
	if raw == nil {
		raw = []byte("{}")
	}
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(raw, &keys); err != nil {
		return Config{}, Problems{"not a JSON object: " + position(raw, err)}
	}
	c := general()
	if isTiny(keys) {
		c = tinyPair()
	}
	c.folder = folder
	var problems Problems
	problems = append(problems, c.decode(keys)...)
	seedUnits(keys, &c)
	problems = append(problems, c.readFiles()...)
	if isTinyPair(&c) {
		fillTiny(&c)
	}
	problems = append(problems, c.validate(keys)...)
	if len(problems) > 0 {
		slices.Sort(problems)
		return c, slices.Compact(problems)
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
			problems = append(problems, fmt.Sprintf("%s: %s", key, describe(err)))
		}
	}
	return problems
}

// describe turns a decoding error into words for a person who does not know Go.
func describe(err error) string {
	var t *json.UnmarshalTypeError
	if errors.As(err, &t) {
		at := ""
		if t.Field != "" {
			at = t.Field + ": "
		}
		return fmt.Sprintf("%swant %s, got a JSON %s", at, plainType(t.Type), t.Value)
	}
	return strings.TrimPrefix(err.Error(), "json: ")
}

func plainType(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Int, reflect.Int64:
		return "a whole number"
	case reflect.Uint64:
		return "a whole number from 0 to 2⁶⁴−1"
	case reflect.Float64:
		return "a number"
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "a string"
	case reflect.Slice:
		return "a list"
	case reflect.Pointer:
		return plainType(t.Elem())
	default:
		return "an object"
	}
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

// readFiles replaces file names by their contents.
func (c *Config) readFiles() (problems Problems) {
	for key, t := range map[string]*Texts{"calibration_texts": &c.CalibrationTexts, "test_prompts": &c.TestPrompts} {
		if t.File == "" {
			continue
		}
		list, err := readTexts(c.path(t.File))
		if err != nil {
			problems = append(problems, fmt.Sprintf("%s: %s: %v", key, t.File, err))
		}
		t.List = list
	}
	if p := &c.PersonaDatasets; p.File != "" {
		b, err := os.ReadFile(c.path(p.File))
		if err == nil {
			err = strict(b, &p.Sets)
		}
		if err != nil {
			problems = append(problems, fmt.Sprintf("persona_datasets: %s: %v", p.File, reason(err)))
		}
	}
	return problems
}

func (c *Config) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(c.folder, name)
}

func reason(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// readTexts reads a .txt, .jsonl or .json file of texts.
func readTexts(path string) ([]Text, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, reason(err)
	}
	if strings.HasSuffix(path, ".json") {
		var t Texts
		if err := t.UnmarshalJSON(bytes.TrimSpace(b)); err != nil {
			return nil, err
		}
		return t.List, nil
	}
	var list []Text
	lines := bufio.NewScanner(bytes.NewReader(b))
	lines.Buffer(nil, 16<<20)
	for n := 1; lines.Scan(); n++ {
		line := bytes.TrimRight(lines.Bytes(), "\r")
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		row := Text{Text: string(line)}
		if strings.HasSuffix(path, ".jsonl") {
			row = Text{}
			if err := strict(line, &row); err != nil {
				return nil, fmt.Errorf("line %d: %s", n, describe(err))
			}
		}
		list = append(list, row)
	}
	return list, lines.Err()
}

// fillTiny gives the embedded pair the texts of its own grammar where the configuration has none.
func fillTiny(c *Config) {
	if c.CalibrationTexts.File == "" && c.CalibrationTexts.List == nil && c.NTraining > 0 && c.NTraining <= 1_000_000 {
		for _, t := range tiny.CalibrationTexts(tinyCalibrationSeed, c.NTraining) {
			c.CalibrationTexts.List = append(c.CalibrationTexts.List, Text{Text: t})
		}
	}
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

// override applies dotted.key=JSON settings to a JSON object. A value that is no JSON is taken as a
// string, so that -set source_model=tiny:llama needs no quotes.
func override(raw []byte, settings []string) ([]byte, error) {
	if len(settings) == 0 {
		return raw, nil
	}
	var root map[string]any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&root); err != nil {
		return nil, Problems{"not a JSON object: " + position(raw, err)}
	}
	var problems Problems
	for _, s := range settings {
		key, text, ok := strings.Cut(s, "=")
		if !ok || key == "" {
			problems = append(problems, fmt.Sprintf("-set %s: want key=value", s))
			continue
		}
		var value any
		vd := json.NewDecoder(strings.NewReader(text))
		vd.UseNumber()
		if err := vd.Decode(&value); err != nil || vd.More() {
			value = text
		}
		if err := assign(root, strings.Split(key, "."), value); err != nil {
			problems = append(problems, fmt.Sprintf("-set %s: %v", s, err))
		}
	}
	if len(problems) > 0 {
		return nil, problems
	}
	return json.Marshal(root)
}

func assign(at map[string]any, path []string, value any) error {
	for _, name := range path[:len(path)-1] {
		next, ok := at[name]
		if !ok {
			next = map[string]any{}
			at[name] = next
		}
		if at, ok = next.(map[string]any); !ok {
			return fmt.Errorf("%s is not an object", name)
		}
	}
	at[path[len(path)-1]] = value
	return nil
}

// position says where in the text a JSON error is.
func position(raw []byte, err error) string {
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) {
		return describe(err)
	}
	before := raw[:min(int(syntax.Offset), len(raw))]
	return fmt.Sprintf("line %d: %v", 1+bytes.Count(before, []byte("\n")), err)
}

// nearest gives the known name with the smallest edit distance.
func nearest(name string, known []string) string {
	best, distance := "", 1<<30
	slices.Sort(known)
	for _, k := range known {
		if d := edits(name, k); d < distance {
			best, distance = k, d
		}
	}
	return best
}

// edits is the Levenshtein distance.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
