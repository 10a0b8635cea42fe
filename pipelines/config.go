package pipelines

import (
	"encoding/json"
	"math"
	"reflect"
	"slices"

	"github.com/persona-transfer/runpipeline/transforms"
)

// Config is one experiment. The JSON keys keep the spelling of the document that the experiment
// comes from; config.go's sibling load.go reads them, validate.go checks them. Which stages a key
// moves is in stages.go and is tested for every field.
type Config struct {
	SourceModel string `json:"source_model"` // "tiny:qwen2", a folder, a .gguf file, or a hub id "owner/name[@revision]"
	TargetModel string `json:"target_model"`

	LayerIdx       int  `json:"layer_idx"` // block number from 0; the residual after the block
	SourceLayerIdx *int `json:"source_layer_idx,omitempty"`
	TargetLayerIdx *int `json:"target_layer_idx,omitempty"`

	CalibrationTexts Texts    `json:"calibration_texts,omitzero"`
	NTraining        int      `json:"n_training_samples"` // pairs of activations, not texts
	Positions        string   `json:"positions"`          // "last" or "word_ends"
	ChatTemplate     bool     `json:"chat_template"`      // wrap texts and prompts in each model's own template
	TemplateDate     string   `json:"template_date"`      // YYYY-MM-DD, for chat templates that write today's date; empty: they get none
	PersonaDatasets  Personas `json:"persona_datasets"`

	LambdaValues []float64 `json:"lambda_values"`
	LambdaUnit   string    `json:"lambda_unit"` // "relative" (times tr(XᵀX)/d) or "absolute"
	Folds        int       `json:"folds"`
	Fit          Fit       `json:"fit"`

	Conditions     []string  `json:"conditions"`
	AlphaValues    []float64 `json:"alpha_values"`
	AlphaUnit      string    `json:"alpha_unit"`      // "residual", "spread", "native" or "absolute"
	SteerPositions string    `json:"steer_positions"` // "response", "all" or "last_prompt"

	TestPrompts  Texts   `json:"test_prompts"`
	NTestPrompts int     `json:"n_test_prompts"`
	NSeeds       int     `json:"n_seeds"`
	MaxNewTokens int     `json:"max_new_tokens"`
	Temperature  float64 `json:"temperature"`
	TopP         float64 `json:"top_p"`
	TopK         int     `json:"top_k"`
	StopAtEOS    bool    `json:"stop_at_eos"`

	Measures []string `json:"measures"` // further ones, beside the trait scorer and coherence
	UseGPT4  bool     `json:"use_gpt4"` // have a judge read the texts too
	Judge    Judge    `json:"judge"`
	Primary  Primary  `json:"primary"`

	Seed         uint64 `json:"seed"`
	Device       string `json:"device"`                  // "cpu", or as [gpu.ParseDevice] or [gpu.RecordedDevice] reads it
	DevicePlugin string `json:"device_plugin,omitempty"` // where the plugin of another device is: a file or a folder; in no recipe
	DType        string `json:"dtype"`                   // of residual streams and vectors
	OutputDir    string `json:"output_dir"`

	folder  string   // where relative paths in the configuration start
	assumed []string // keys that the file should have and has not: units of values that it has, and the layer
}

// Fit chooses the map's method.
type Fit struct {
	Method string `json:"method"` // "ridge", "ols", "procrustes", "low_rank" or "standardised"
	Centre bool   `json:"centre"` // subtract the means first; false reproduces the reference implementation
	Rank   int    `json:"rank,omitempty"`
}

// Primary declares the endpoint before the run: does Condition beat each of Versus on Measure, and is it no worse
// than the oracle?
type Primary struct {
	Condition string   `json:"condition"`
	Versus    []string `json:"versus"`
	Measure   string   `json:"measure"`
	Margin    float64  `json:"margin"` // of trait, by which Condition may fall short of the oracle and still be no worse
}

// Texts is a list of texts, or the name of a file of them (.txt: one a line; .jsonl: rows with
// "text" and, to keep sentences of one document in one fold, "document"; .json: a list).
type Texts struct {
	File string
	List []Text
}

// A Text is one text and the document it belongs to; texts of no named document stand alone.
type Text struct {
	Document string `json:"document,omitempty"`
	Text     string `json:"text"`
}

// JSONShapes implements [strictjson.Union].
func (*Texts) JSONShapes() (string, []reflect.Type) {
	return "a file name or a list of texts", []reflect.Type{reflect.TypeFor[string](), reflect.TypeFor[[]item]()}
}

// UnmarshalJSON accepts a file name, or a list of strings and {document, text} rows.
func (t *Texts) UnmarshalJSON(b []byte) error {
	*t = Texts{}
	if b[0] == '"' {
		return json.Unmarshal(b, &t.File)
	}
	var items []item
	err := json.Unmarshal(b, &items)
	t.List = texts(items)
	return err
}

// An item is a text as it stands in a list: a string, or a row.
type item Text

// JSONShapes implements [strictjson.Union].
func (*item) JSONShapes() (string, []reflect.Type) {
	return `a string or {"document", "text"}`, []reflect.Type{reflect.TypeFor[string](), reflect.TypeFor[Text]()}
}

// UnmarshalJSON accepts a string or a row.
func (t *item) UnmarshalJSON(b []byte) error {
	*t = item{}
	if b[0] == '"' {
		return json.Unmarshal(b, &t.Text)
	}
	return json.Unmarshal(b, (*Text)(t))
}

func texts(items []item) []Text {
	var list []Text
	for _, one := range items {
		list = append(list, Text(one))
	}
	return list
}

// MarshalJSON writes the form that was read.
func (t Texts) MarshalJSON() ([]byte, error) {
	if t.File != "" {
		return json.Marshal(t.File)
	}
	plain := make([]string, len(t.List))
	for i, row := range t.List {
		if row.Document != "" {
			return json.Marshal(t.List)
		}
		plain[i] = row.Text
	}
	return json.Marshal(plain)
}

// Personas maps a persona's name to its texts, or names a JSON file that does.
type Personas struct {
	File string
	Sets map[string]Persona
}

// A Persona is described by texts that have the trait and texts that lack it. Even-numbered texts
// (from 0) fit the vectors; odd ones train the trait scorer.
type Persona struct {
	Positive    []string `json:"positive_texts"`
	Negative    []string `json:"negative_texts"`
	Prompt      string   `json:"prompt,omitempty"`      // asks for the persona, or shows it; the condition "prompt" puts it before each test prompt
	Description string   `json:"description,omitempty"` // tells the judge what the persona is; without one, its prompt or its name does
}

// JSONShapes implements [strictjson.Union].
func (*Personas) JSONShapes() (string, []reflect.Type) {
	return "a file name or an object of personas", []reflect.Type{reflect.TypeFor[string](), reflect.TypeFor[map[string]Persona]()}
}

// UnmarshalJSON accepts a file name or an object.
func (p *Personas) UnmarshalJSON(b []byte) error {
	*p = Personas{}
	if b[0] == '"' {
		return json.Unmarshal(b, &p.File)
	}
	return json.Unmarshal(b, &p.Sets)
}

// MarshalJSON writes the form that was read.
func (p Personas) MarshalJSON() ([]byte, error) {
	if p.File != "" {
		return json.Marshal(p.File)
	}
	return json.Marshal(p.Sets)
}

// Names lists the personas in alphabetical order, the order of every table.
func (p Personas) Names() []string {
	names := make([]string, 0, len(p.Sets))
	for name := range p.Sets {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// SourceLayer is the block whose residual is read in the source model.
func (c *Config) SourceLayer() int { return or(c.SourceLayerIdx, c.LayerIdx) }

// TargetLayer is the block whose residual is read and steered in the target model.
func (c *Config) TargetLayer() int { return or(c.TargetLayerIdx, c.LayerIdx) }

// depth is where a layer is read that nobody chose, as a share of the blocks: the layers that carry a
// persona best were block 17 of 30 in SmolLM2 and 11 of 18 in Gemma 3.
const depth = 0.6

// resolveLayers puts the layers that nobody chose at a relative depth of each model.
func (c *Config) resolveLayers(sourceBlocks, targetBlocks int) {
	if !slices.Contains(c.assumed, "layer_idx") {
		return
	}
	chosen := func(idx *int, blocks int) *int {
		if idx != nil {
			return idx
		}
		return new(int(math.Round(depth * float64(blocks-1))))
	}
	c.SourceLayerIdx, c.TargetLayerIdx = chosen(c.SourceLayerIdx, sourceBlocks), chosen(c.TargetLayerIdx, targetBlocks)
}

func or(p *int, otherwise int) int {
	if p != nil {
		return *p
	}
	return otherwise
}

// conditionNames lists the conditions there are, in the order of the tables; defaultConditions those
// that run unless the configuration names others.
func conditionNames() []string {
	return namesOf(func(transforms.Condition) bool { return true })
}

func defaultConditions() []string {
	return namesOf(func(c transforms.Condition) bool { return !c.Optional })
}

// withoutPrompt drops the condition that needs a text of each persona.
func withoutPrompt(conditions []string) []string {
	return slices.DeleteFunc(slices.Clone(conditions), func(name string) bool { return name == "prompt" })
}

// unasked names the personas without a text that asks for them.
func (c *Config) unasked() (names []string) {
	for _, name := range c.PersonaDatasets.Names() {
		if c.PersonaDatasets.Sets[name].Prompt == "" {
			names = append(names, name)
		}
	}
	return names
}

func namesOf(want func(transforms.Condition) bool) (names []string) {
	for _, c := range transforms.Conditions() {
		if want(c) {
			names = append(names, c.Name)
		}
	}
	return names
}

// general are the defaults for any pair of models; tinyPair those of the embedded one.
func general() Config {
	return Config{
		NTraining: 5000, Positions: "word_ends",
		LambdaValues: []float64{1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1, 10}, LambdaUnit: "relative",
		Folds: 5, Fit: Fit{Method: "ridge", Centre: true},
		Conditions: defaultConditions(), AlphaValues: []float64{.2, .3, .45, .6, .8}, AlphaUnit: "spread", SteerPositions: "response",
		NTestPrompts: 30, NSeeds: 3, MaxNewTokens: 40, Temperature: .8, TopP: .95, TopK: 50, StopAtEOS: true,
		Primary:  Primary{Condition: "ridge", Versus: []string{"none", "shuffled_pairs"}, Measure: "trait", Margin: .5},
		Measures: []string{transforms.MeasureProbe}, Judge: defaultJudge(),
		Seed: 42, Device: "cpu", DType: "float32", OutputDir: "./results",
	}
}

// tinyPair fills in what differs for the embedded pair. Alphas were chosen on prompts of their own.
func tinyPair() Config {
	c := general()
	c.SourceModel, c.TargetModel, c.LayerIdx = "tiny:qwen2", "tiny:llama", 3
	c.Positions = "last"
	c.AlphaValues, c.AlphaUnit = []float64{.4, .55, .6, .65, 1}, "residual"
	c.MaxNewTokens, c.TopK, c.StopAtEOS = 28, 0, false
	return c
}
