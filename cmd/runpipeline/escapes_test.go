package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/persona-transfer/runpipeline/format/safetensors"
)

// hostile is text that would turn a terminal red, retitle it, and turn the direction of writing.
const hostile = "\x1b[31mred\x1b]0;title\a\u202e\u009b"

// quotedHostile is hostile inside of a JSON string.
var quotedHostile = func() string { b, _ := json.Marshal(hostile); return strings.Trim(string(b), `"`) }()

// TestNoSourceReachesTheTerminal plants control characters in everything whose text the command prints,
// and runs it as on a terminal. What arrives must show that it was there and do nothing.
func TestNoSourceReachesTheTerminal(t *testing.T) {
	s := newScript(t)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	model := func(name, file, content string) string {
		must(copyModel("llama", name))
		s.write(filepath.Join(name, file), content)
		return "./" + name
	}
	badType := model("type", "config.json", `{"model_type": "`+quotedHostile+`"}`)
	badShards := model("shards", "model.safetensors.index.json", `{"metadata": {}, "weight_map": {"model.norm.weight": "`+quotedHostile+`.safetensors"}}`)
	must(os.Remove("shards/model.safetensors"))
	badTensor := model("tensor", "model.safetensors.index.json", `{}`)
	must(os.Remove("tensor/model.safetensors.index.json"))
	must(writeTensor("tensor/model.safetensors", hostile))
	table := safetensors.Tensor{Name: "resid.0", Shape: []int{8, 2}, Data: []float32{1, 2, 3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7}}
	named := table
	named.Name = hostile
	must(writeTensors("tables.safetensors", nil, table, named))
	must(writeTensors("probed.safetensors", map[string]string{"layers": "[1]", "model": hostile}, table))
	badTemplate := model("template", "tokenizer_config.json", `{"chat_template": "{{ raise_exception('`+quotedHostile+`') }}"}`)
	s.write("arch.gguf", ggufOf(hostile))
	s.write("vector.json", `{"directions": [{"layer": 1, "values": [`+strings.Repeat("1,", 127)+`1]}]}`)
	s.write("foreign.json", `{"manifest": {"format": "runpipeline vector 2", "draw": "0", "norm": "1", "layer": "1", "hidden": "128", "model": "`+quotedHostile+`", "model_digest": "12345678", "alpha_unit": "`+quotedHostile+`"},`+
		`"directions": [{"layer": 1, "values": [`+strings.Repeat("1,", 127)+`1]}]}`)
	speaks := saysEscape(t, "speaks")
	s.write("key.json", `{"`+quotedHostile+`": 1}`)
	s.write("persona.json", `{"persona_datasets": {"`+quotedHostile+`": {"positive_texts": [], "negative_texts": []}}}`)
	s.write(hostile+".txt", "")
	small := []string{"plan", "-config", "small.json", "-cache", "cache"}
	with := func(set ...string) []string {
		args := small
		for _, one := range set {
			args = append(args, "-set", one)
		}
		return args
	}
	for what, args := range map[string][]string{
		"model_type":            with("target_model=" + badType),
		"model_type, of probe":  {"probe", "-model", badType, "-text", "x"},
		"shard name":            append([]string{"run"}, with("target_model=" + badShards)[1:]...),
		"tensor name":           {"probe", "-model", badTensor, "-text", "x"},
		"GGUF architecture":     {"probe", "-model", "arch.gguf", "-text", "x"},
		"chat template":         {"steer", "-model", badTemplate, "-vector", "vector.json", "-chat", "-prompt", "x"},
		"hub name":              {"probe", "-model", "owner/" + hostile, "-text", "x"},
		"manifest of a vector":  {"steer", "-model", "tiny:llama", "-vector", "foreign.json", "-prompt", "x"},
		"name of a vector":      {"steer", "-model", "tiny:llama", "-vector", hostile + ".gguf", "-prompt", "x"},
		"prompt":                {"steer", "-model", "tiny:llama", "-vector", "vector.json", "-tokens", "1", "-prompt", "x " + hostile},
		"what a model says":     {"steer", "-model", speaks, "-vector", "vector.json", "-tokens", "1", "-temperature", "0", "-prompt", "The boat"},
		"key":                   {"plan", "-config", "key.json"},
		"persona":               {"plan", "-config", "persona.json"},
		"setting":               with(hostile + "=1"),
		"value of a setting":    with("positions=" + hostile),
		"file of texts":         with("test_prompts=" + hostile + ".txt"),
		"file of texts, absent": with("test_prompts=" + hostile + ".json"),
		"configuration":         {"plan", "-config", hostile},
		"store":                 {"show", "-config", "small.json", "-cache", hostile},
		"command":               {hostile},
		"flag":                  {"plan", "-" + hostile},
		"argument":              {"plan", hostile},
		"runner":                {"run", "-runner", hostile},
		"trace":                 {"run", "-config", "small.json", "-cache", "cache", "-trace", hostile + "/t"},
		"output folder":         {"run", "-config", "small.json", "-cache", "cache", "-set", "output_dir=small.json/" + hostile},
		"tensors of fit":        {"fit", "-source", "tables.safetensors", "-target", hostile + ".npy", "-out", "m.json"},
		"model of fit":          {"fit", "-source", "probed.safetensors:resid.*", "-target", "probed.safetensors:resid.*", "-set", "folds=2", "-set", "fit.method=ridge", "-out", "m.json"},
		"model of bench":        {"bench", "-model", hostile + ".gguf", "-device", hostile},
	} {
		for _, stdin := range []string{"", "x " + hostile + "\n/" + hostile + "\n"} {
			var out, errs bytes.Buffer
			a := newApp(strings.NewReader(stdin), &out, &errs)
			a.stdout.show = true // as on a terminal
			a.main(t.Context(), args)
			text := out.String() + errs.String()
			if i := strings.IndexAny(text, "\x1b\a\u202e\u009b\r"); i >= 0 {
				t.Errorf("%s: the terminal receives %q", what, text[max(0, i-40):min(len(text), i+40)])
			}
			if !strings.Contains(text, `\x1b`) {
				t.Errorf("%s: nothing of it is to be seen in %q", what, text)
			}
		}
	}
}

// TestResultsInAPipeKeepTheirBytes: what a model says is for programs there.
func TestResultsInAPipeKeepTheirBytes(t *testing.T) {
	s := newScript(t)
	s.write("vector.json", `{"directions": [{"layer": 1, "values": [`+strings.Repeat("1,", 127)+`1]}]}`)
	code, stdout, _ := call(t, "steer", "-model", saysEscape(t, "speaks"), "-vector", "vector.json", "-tokens", "1", "-temperature", "0", "-prompt", "The boat")
	if code != exitDone || !strings.Contains(stdout, "The boat\x1b\n") {
		t.Errorf("steer exits with %d and writes %q", code, stdout)
	}
}

// writeTensor writes a file of one small tensor.
func writeTensor(path, name string) error {
	return writeTensors(path, nil, safetensors.Tensor{Name: name, DType: "I32", Shape: []int{1}, Data: []int32{1}})
}

func writeTensors(path string, metadata map[string]string, list ...safetensors.Tensor) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return safetensors.Write(f, list, metadata)
}

// ggufOf is a GGUF file with nothing but its architecture.
func ggufOf(architecture string) string {
	text := func(s string) string { return fmt.Sprintf("%c\x00\x00\x00\x00\x00\x00\x00%s", len(s), s) }
	return "GGUF\x03\x00\x00\x00" + strings.Repeat("\x00", 8) + "\x01\x00\x00\x00\x00\x00\x00\x00" + text("general.architecture") + "\x08\x00\x00\x00" + text(architecture)
}

// saysEscape makes a model that continues "The boat" with the byte 0x1b: that byte's token and the one
// that tiny:llama would choose have changed their numbers.
func saysEscape(t *testing.T, folder string) string {
	t.Helper()
	code, stdout, stderr := call(t, "probe", "-model", "tiny:llama", "-text", "The boat", "-tokens", "1", "-json")
	var probes []struct{ Plain struct{ Greedy []int } }
	if err := json.Unmarshal([]byte(stdout), &probes); err != nil || code != exitDone {
		t.Fatalf("probe exits with %d: %v%s", code, err, stderr)
	}
	chosen := probes[0].Plain.Greedy[0]
	if err := copyModel("llama", folder); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, "tokenizer.json")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var whole map[string]any
	if err := json.Unmarshal(b, &whole); err != nil {
		t.Fatal(err)
	}
	vocabulary := whole["model"].(map[string]any)["vocab"].(map[string]any)
	for word, id := range vocabulary {
		if id == float64(chosen) {
			vocabulary[word], vocabulary["<0x1B>"] = vocabulary["<0x1B>"], id
			break
		}
	}
	if b, err = json.Marshal(whole); err == nil {
		err = os.WriteFile(path, b, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	return "./" + folder
}
