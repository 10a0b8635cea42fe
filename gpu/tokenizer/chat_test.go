package tokenizer

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
)

// withTemplate returns a tokenizer with the special tokens <s> and </s> and a chat template.
func withTemplate(t testing.TB, source string) *Tokenizer {
	t.Helper()
	config, err := json.Marshal(map[string]any{"bos_token": "<s>", "eos_token": map[string]any{"content": "</s>"}, "chat_template": source})
	if err != nil {
		t.Fatal(err)
	}
	tok, err := FromJSON(unzip(t, "vocab/llama1.json.gz"), config)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// TestChatTemplatesMatchHuggingFace renders templates of the families in use as Hugging Face's
// apply_chat_template does (jinja/testdata/templates.py): those of its conversations that are messages of text
// and nothing else, which is what a Message holds.
func TestChatTemplatesMatchHuggingFace(t *testing.T) {
	var file struct {
		Templates     map[string]string
		Conversations []struct {
			Messages  []map[string]any
			Variables map[string]any
		}
		Cases []struct {
			Template            string
			Conversation        int
			Prompt              bool
			Text, Error, Raised *string
		}
	}
	if err := json.Unmarshal(unzip(t, "../jinja/testdata/templates.json.gz"), &file); err != nil {
		t.Fatal(err)
	}
	talks := map[int][]Message{}
	for i, c := range file.Conversations {
		if m, ok := plainMessages(c.Messages); ok && len(c.Variables) == 0 {
			talks[i] = m
		}
	}
	toks := map[string]*Tokenizer{}
	for name, source := range file.Templates {
		toks[name] = withTemplate(t, source)
	}
	rendered := 0
	for _, c := range file.Cases {
		messages, ok := talks[c.Conversation]
		if !ok {
			continue
		}
		got, err := toks[c.Template].Chat(messages, c.Prompt)
		switch {
		case c.Raised != nil && (err == nil || !strings.Contains(err.Error(), *c.Raised)):
			t.Errorf("%s of %v: %q, %v; want error %q", c.Template, messages, got, err, *c.Raised)
		case c.Error != nil && err == nil:
			t.Errorf("%s of %v: %q, want an error as Python's: %s", c.Template, messages, got, *c.Error)
		case c.Text != nil && err != nil:
			t.Errorf("%s of %v: %v", c.Template, messages, err)
		case c.Text != nil && got != *c.Text:
			t.Errorf("%s of %v, %t:\n     %q\nwant %q", c.Template, messages, c.Prompt, got, *c.Text)
		}
		rendered++
	}
	if len(toks) < 60 || rendered < 1000 {
		t.Fatalf("%d templates, %d cases", len(toks), rendered)
	}
}

// plainMessages returns messages that have a role and a text and nothing else.
func plainMessages(all []map[string]any) (out []Message, ok bool) {
	for _, m := range all {
		role, ok1 := m["role"].(string)
		text, ok2 := m["content"].(string)
		if !ok1 || !ok2 || len(m) != 2 {
			return nil, false
		}
		out = append(out, Message{role, text})
	}
	return out, true
}

func TestNamedTemplatesUseTheDefault(t *testing.T) {
	config := []byte(`{"chat_template": [{"name": "tool_use", "template": "tools"}, {"name": "default", "template": "{{ messages[0].content }}"}]}`)
	tok, err := FromJSON(unzip(t, "vocab/llama1.json.gz"), config)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := tok.Chat([]Message{{"user", "hi"}}, true); got != "hi" || err != nil {
		t.Errorf("Chat = %q, %v, want hi", got, err)
	}
}

func TestTemplatesThatCannotBeUsedAreErrors(t *testing.T) {
	tok, err := FromJSON(unzip(t, "vocab/llama1.json.gz"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tok.Chat([]Message{{"user", "hi"}}, true); !errors.Is(err, ErrNoTemplate) {
		t.Errorf("no template: %v, want %v", err, ErrNoTemplate)
	}
	for _, source := range []string{
		"{% if %}", "{{ messages[0", "{% unknown %}", "{{ strftime_now('%Y') }}", "{% include '/etc/hostname' %}",
		"{% import '/etc/hostname' as x %}", "{% extends 'x' %}", "{{ raise_exception('no') }}", "{{ messages | nofilter }}",
	} {
		tok := withTemplate(t, source)
		if text, err := tok.Chat([]Message{{"user", "hi"}}, true); err == nil {
			t.Errorf("template %q: %q, want an error", source, text)
		}
		if tok.ChatTemplate() != source {
			t.Errorf("ChatTemplate() = %q, want %q", tok.ChatTemplate(), source)
		}
	}
}

// TestHostileTemplatesAreRefused has one template for each way to misuse a conversation; package jinja has
// the whole list.
func TestHostileTemplatesAreRefused(t *testing.T) {
	for _, c := range []struct{ source, want string }{
		{"{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "nested more than"},
		{"{% include 'chat template' %}", "stands alone"},
		{"{% for i in range(90000) %}{% for j in range(90000) %}{% endfor %}{% endfor %}", "too many steps"},
		{"{{ 'a' * 10 ** 10 }}", "too much memory"},
		{"{{ " + strings.Repeat("(", 5000) + "1" + strings.Repeat(")", 5000) + " }}", "nested more than"},
		{strings.Repeat("x", 1<<17), "bytes long"},
	} {
		if text, err := withTemplate(t, c.source).Chat([]Message{{"user", "hi"}}, true); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("template %.60q: %q, %v, want an error with %q", c.source, text, err, c.want)
		}
	}
}

// TestTemplatesAreToldTheDateThatTheCallerHas: without one, those that cannot do without are refused by an error
// of their own.
func TestTemplatesAreToldTheDateThatTheCallerHas(t *testing.T) {
	bare := openBPE(t, []string{"a"}, "", "", "")
	for _, c := range []struct {
		template, dated, undated string
	}{
		{"{{ strftime_now('%d %b %Y') }}", "27 Nov 2026", ""},
		{"{% set f = strftime_now %}{{ f('%Y') }}", "2026", ""},
		{"{% if strftime_now is defined %}{{ strftime_now('%Y') }}{% else %}26 Jul 2024{% endif %}", "2026", "26 Jul 2024"},
		{"{% if date_string is defined %}{{ date_string }}{% else %}{{ strftime_now('%Y-%m-%d') }}{% endif %}", "2026-11-27", ""},
	} {
		bare.setTemplate(c.template)
		dated := bare.At(time.Date(2026, 11, 27, 0, 0, 0, 0, time.UTC))
		if got, err := dated.Chat(nil, true); err != nil || got != c.dated {
			t.Errorf("%s: %q, %v, want %q", c.template, got, err, c.dated)
		}
		got, err := bare.Chat(nil, true)
		if got != c.undated || (c.undated == "") != errors.Is(err, ErrNoDate) {
			t.Errorf("%s without a date: %q, %v, want %q or ErrNoDate", c.template, got, err, c.undated)
		}
	}
	bare.setTemplate("{{ other_function('%Y') }}")
	if _, err := bare.Chat(nil, true); err == nil || errors.Is(err, ErrNoDate) {
		t.Errorf("another function that there is not: %v", err)
	}
}
