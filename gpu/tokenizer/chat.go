package tokenizer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/persona-transfer/runpipeline/gpu/tokenizer/jinja"
)

// ErrNoTemplate reports a vocabulary that has no chat template.
var ErrNoTemplate = errors.New("the model has no chat template")

// ErrNoDate reports a chat template that needs today's date when none was given.
var ErrNoDate = errors.New("the chat template asks for the date")

// A Message is one turn of a conversation.
type Message struct {
	Role    string // "system", "user", "assistant" or what else the template knows
	Content string
}

// chat is what a Tokenizer needs to write a conversation.
type chat struct {
	source   string
	template *jinja.Template
	unread   error  // why template is nil
	unk, pad string // for templates that name them
	now      time.Time
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
func (t *Tokenizer) setTemplates(list []namedTemplate) {
	for _, n := range list {
		if n.Name == "default" || len(list) == 1 {
			t.setTemplate(n.Template)
			return
		}
	}
}

// setTemplate parses the chat template. A syntax error is kept until the template is used, so that it
// does not concern callers that never use it.
func (t *Tokenizer) setTemplate(source string) {
	t.chat.source = source
	t.chat.template, t.chat.unread = jinja.Parse(source)
}

// At returns the tokenizer with a time for chat templates that write today's date. Without one they get no
// date: a prompt would be another one tomorrow.
func (t *Tokenizer) At(now time.Time) *Tokenizer {
	dated := *t
	dated.chat.now = now
	return &dated
}

// ChatTemplate returns the model's chat template in Jinja's language, "" if it has none.
func (t *Tokenizer) ChatTemplate() string { return t.chat.source }

// Chat writes a conversation the way the model was trained to see it: its chat template applied to
// messages, as Hugging Face's apply_chat_template does. With addGenerationPrompt the text ends
// where the model's answer begins. The text contains the special tokens, so encode it with
// [Tokenizer.EncodePlain].
//
// Templates see messages, add_generation_prompt, those of bos_token, eos_token, unk_token and pad_token
// that the model has, and tools and documents as none; they may call raise_exception, and strftime_now on a
// tokenizer that [Tokenizer.At] was told a time. They read nothing else and end within a second (package
// jinja). Chat returns an error that wraps [ErrNoTemplate] if there is no template, one that wraps [ErrNoDate]
// if strftime_now is called and there is none, and other errors for a template that cannot be read, that
// raises one, or that takes too long or too much memory.
func (t *Tokenizer) Chat(messages []Message, addGenerationPrompt bool) (string, error) {
	if t.chat.source == "" {
		return "", fmt.Errorf("write a conversation: %w", ErrNoTemplate)
	}
	if t.chat.template == nil {
		return "", fmt.Errorf("write a conversation: read the chat template: %w", t.chat.unread)
	}
	turns := make([]any, len(messages))
	for i, m := range messages {
		turns[i] = jinja.Pairs{{Key: "role", Value: m.Role}, {Key: "content", Value: m.Content}}
	}
	variables := jinja.Pairs{
		{Key: "messages", Value: turns},
		{Key: "tools", Value: nil},
		{Key: "documents", Value: nil},
		{Key: "add_generation_prompt", Value: addGenerationPrompt},
	}
	for _, token := range []jinja.Pair{
		{Key: "bos_token", Value: t.Token(t.bos)}, {Key: "eos_token", Value: t.Token(t.eos)},
		{Key: "unk_token", Value: t.chat.unk}, {Key: "pad_token", Value: t.chat.pad},
	} {
		if token.Value != "" { // else it is not defined
			variables = append(variables, token)
		}
	}
	if !t.chat.now.IsZero() {
		variables = append(variables, jinja.Pair{Key: "strftime_now", Value: jinja.Now(t.chat.now)})
	}
	text, err := t.chat.template.Render(context.Background(), variables)
	var undefined *jinja.Undefined
	if errors.As(err, &undefined) && undefined.Name == "strftime_now" {
		return "", fmt.Errorf("write a conversation: %w", ErrNoDate)
	}
	if err != nil {
		return "", fmt.Errorf("write a conversation: chat template: %w", err)
	}
	return text, nil
}
