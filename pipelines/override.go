package pipelines

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// override applies dotted.key=JSON settings to a JSON object. A value that is no JSON is taken as a
// string, so that -set source_model=tiny:llama needs no quotes.
func override(raw []byte, settings []string) ([]byte, error) {
	if len(settings) == 0 {
		return raw, nil
	}
	if !json.Valid(raw) || len(oddities(raw)) > 0 {
		return raw, nil // ParseConfig says what is wrong
	}
	var root map[string]any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&root); err != nil || root == nil {
		return raw, nil
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
