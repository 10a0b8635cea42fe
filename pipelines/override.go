package pipelines

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/persona-transfer/runpipeline/format/strictjson"
)

// override applies dotted.key=JSON settings to a JSON object. A value that is no JSON is taken as a
// string, so that -set source_model=tiny:llama needs no quotes; one that is JSON must be strict.
func override(raw []byte, settings []string) ([]byte, error) {
	if len(settings) == 0 {
		return raw, nil
	}
	var root map[string]json.RawMessage
	if err := strictjson.Unmarshal(raw, &root); err != nil || root == nil {
		return raw, nil // ParseConfig says what is wrong
	}
	var problems Problems
	for _, s := range settings {
		key, text, ok := strings.Cut(s, "=")
		if !ok || key == "" {
			problems = append(problems, fmt.Sprintf("-set %s: want key=value", s))
			continue
		}
		value, err := settingValue(text)
		if err == nil {
			err = assign(root, path(key), value)
		}
		if err != nil {
			problems = append(problems, fmt.Sprintf("-set %s: %v", s, err))
		}
	}
	if len(problems) > 0 {
		return nil, problems
	}
	return json.Marshal(root)
}

// path is where a dotted key is: in a sweep, whose keys are dotted themselves, under the whole of it.
func path(key string) []string {
	if swept, ok := strings.CutPrefix(key, "sweep."); ok {
		return []string{"sweep", swept}
	}
	return strings.Split(key, ".")
}

// settingValue is the JSON of what stands behind the equals sign.
func settingValue(text string) (json.RawMessage, error) {
	value := []byte(text)
	if !json.Valid(value) {
		value = []byte(quoted(text))
	}
	return value, strictjson.Check(value)
}

// quoted writes a string as JSON and keeps bytes that are not UTF-8, so that the reader refuses them.
func quoted(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(text) {
		switch c := text[i]; {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ':
			fmt.Fprintf(&b, `\u%04x`, c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// assign sets one value. Objects on the way are opened and closed again, nothing else of them is read.
func assign(at map[string]json.RawMessage, path []string, value json.RawMessage) error {
	if len(path) > strictjson.MaxDepth {
		return fmt.Errorf("nested deeper than %d", strictjson.MaxDepth)
	}
	if len(path) == 1 {
		at[path[0]] = value
		return nil
	}
	next := map[string]json.RawMessage{}
	if inner, ok := at[path[0]]; ok {
		if err := json.Unmarshal(inner, &next); err != nil || next == nil {
			return fmt.Errorf("%s is not an object", path[0])
		}
	}
	if err := assign(next, path[1:], value); err != nil {
		return err
	}
	inner, err := json.Marshal(next)
	at[path[0]] = inner
	return err
}
