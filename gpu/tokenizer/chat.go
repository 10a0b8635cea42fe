package tokenizer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/nikolalohinski/gonja/v2/builtins"
	"github.com/nikolalohinski/gonja/v2/config"
	"github.com/nikolalohinski/gonja/v2/exec"
	"github.com/nikolalohinski/gonja/v2/loaders"
)

// ErrNoTemplate reports a vocabulary that has no chat template.
var ErrNoTemplate = errors.New("the model has no chat template")

// A Message is one turn of a conversation.
type Message struct {
	Role    string // "system", "user", "assistant" or what else the template knows
	Content string
}

// chat is what a Tokenizer needs to write a conversation.
type chat struct {
	source   string
	mu       sync.Mutex // held while template runs
	template *exec.Template
	unk, pad string // for templates that name them
}

// namedTemplate is an entry of a chat_template that is a list.
type namedTemplate struct {
	Name     string
	Template string
}

// templates is chat_template in tokenizer_config.json: one template, or a list of named ones.
type templates []namedTemplate

func (t *templates) UnmarshalJSON(data []byte) error {
	var one *string
	if json.Unmarshal(data, &one) == nil {
		if one != nil {
			*t = templates{{"default", *one}}
		}
		return nil
	}
	return json.Unmarshal(data, (*[]namedTemplate)(t))
}

// setTemplates takes the template named default, or the only one there is.
func (t *Tokenizer) setTemplates(list []namedTemplate) error {
	for _, n := range list {
		if n.Name == "default" || len(list) == 1 {
			return t.setTemplate(n.Template)
		}
	}
	return nil
}

// setTemplate keeps the chat template. Whether it can be read is found out when it is used, so that
// a template with new syntax does not stand in the way of those who do not use it.
func (t *Tokenizer) setTemplate(source string) error {
	t.chat.source, t.chat.template = source, nil
	if source == "" {
		return nil
	}
	template, err := parseTemplate(source)
	if err == nil {
		t.chat.template = template
	}
	return nil
}

// ChatTemplate returns the model's chat template in Jinja's language, "" if it has none.
func (t *Tokenizer) ChatTemplate() string { return t.chat.source }

// Chat writes a conversation the way the model was trained to see it: its chat template applied to
// messages, as Hugging Face's apply_chat_template does. With addGenerationPrompt the text ends
// where the model's answer begins. The text contains the special tokens, so encode it with
// [Tokenizer.EncodePlain].
//
// Templates see messages, add_generation_prompt, those of bos_token, eos_token, unk_token and pad_token
// that the model has, and tools and documents as none; they may call raise_exception. They cannot read
// files or recurse or count without end, and there is no strftime_now: with today's date in it a prompt
// would be another one tomorrow; templates that ask whether it is defined work. Chat returns an error
// that wraps [ErrNoTemplate] if there is no template, and other errors for a template that cannot be
// read or that raises one.
func (t *Tokenizer) Chat(messages []Message, addGenerationPrompt bool) (string, error) {
	if t.chat.source == "" {
		return "", fmt.Errorf("write a conversation: %w", ErrNoTemplate)
	}
	text, err := t.render(messages, addGenerationPrompt)
	if err != nil {
		return "", fmt.Errorf("write a conversation: %w", err)
	}
	return text, nil
}

// render executes the template. The template engine panics on some damaged templates.
func (t *Tokenizer) render(messages []Message, addGenerationPrompt bool) (text string, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("chat template: %v", r)
		}
	}()
	template := t.chat.template
	if template == nil {
		if template, err = parseTemplate(t.chat.source); err != nil {
			return "", err
		}
	}
	t.chat.mu.Lock()
	defer t.chat.mu.Unlock()
	turns := make([]map[string]any, len(messages))
	for i, m := range messages {
		turns[i] = map[string]any{"role": m.Role, "content": m.Content}
	}
	var raised error
	names := map[string]any{
		"messages":              turns,
		"add_generation_prompt": addGenerationPrompt,
		"tools":                 nil,
		"documents":             nil,
		"range":                 boundedRange(),
		"raise_exception": func(message string) (string, error) {
			raised = fmt.Errorf("chat template: %s", message)
			return "", raised
		},
	}
	for name, text := range map[string]string{
		"bos_token": t.Token(t.bos), "eos_token": t.Token(t.eos), "unk_token": t.chat.unk, "pad_token": t.chat.pad,
	} {
		if text != "" { // else it is not defined
			names[name] = text
		}
	}
	var out bytes.Buffer
	if err := template.Execute(&out, exec.NewContext(names)); err != nil {
		if raised != nil {
			return "", raised
		}
		return "", fmt.Errorf("chat template: %w", err)
	}
	return out.String(), nil
}

// environment is Hugging Face's: Jinja's own with json that is not made safe for HTML.
var environment = &exec.Environment{
	Context:           exec.EmptyContext().Update(builtins.GlobalFunctions).Update(builtins.GlobalVariables),
	Filters:           exec.NewFilterSet(map[string]exec.FilterFunction{}).Update(builtins.Filters),
	Tests:             builtins.Tests,
	ControlStructures: statements(),
	Methods:           pythonMethods(),
}

func init() {
	if err := environment.Filters.Replace("tojson", toJSON); err != nil {
		panic("tokenizer: " + err.Error())
	}
}

// parseTemplate reads a template with the settings of Hugging Face's library.
func parseTemplate(source string) (template *exec.Template, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("chat template: %v", r)
		}
	}()
	if err := checkTemplate(source); err != nil {
		return nil, fmt.Errorf("chat template: %w", err)
	}
	settings := config.New()
	settings.TrimBlocks = true
	settings.LeftStripBlocks = true
	if template, err = exec.NewTemplate(templateName, settings, onlyTemplate(plainConditions(source)), environment); err != nil {
		return nil, fmt.Errorf("chat template: %s", withoutSource(err))
	}
	return template, nil
}

const templateName = "chat template"

// onlyTemplate loads one template and nothing else, so that a template cannot read files.
type onlyTemplate string

func (o onlyTemplate) Read(name string) (io.Reader, error) {
	if name != templateName {
		return nil, fmt.Errorf("%q: a chat template stands alone", name)
	}
	return strings.NewReader(string(o)), nil
}

func (o onlyTemplate) Inherit(string) (loaders.Loader, error) { return o, nil }

func (o onlyTemplate) Resolve(name string) (string, error) {
	if name != templateName {
		return "", fmt.Errorf("%q: a chat template stands alone", name)
	}
	return name, nil
}

// toJSON is the filter tojson, with Python's spaces and without escaping for HTML.
func toJSON(_ *exec.Evaluator, in *exec.Value, _ *exec.VarArgs) *exec.Value {
	if in.IsError() {
		return in
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(in.ToGoSimpleType(false)); err != nil {
		return exec.AsValue(err)
	}
	return exec.AsSafeValue(pythonSpaces(strings.TrimSpace(out.String())))
}

// pythonSpaces puts a space behind every comma and colon of json that is not inside a text.
func pythonSpaces(text string) string {
	var b strings.Builder
	inside := false
	for i := 0; i < len(text); i++ {
		b.WriteByte(text[i])
		switch c := text[i]; {
		case inside && c == '\\' && i+1 < len(text):
			i++
			b.WriteByte(text[i])
		case c == '"':
			inside = !inside
		case !inside && (c == ',' || c == ':'):
			b.WriteByte(' ')
		}
	}
	return b.String()
}

// withoutSource returns the end of the template engine's message, which begins with the template.
func withoutSource(err error) string {
	text := err.Error()
	if k := strings.LastIndex(text, "': "); strings.HasPrefix(text, "failed to parse template '") && k >= 0 {
		text = text[k+len("': "):]
	}
	return text
}
