package tokenizer

import (
	"errors"
	"strings"
	"testing"
)

// TestChatPlaceRefusesWhatATemplateChanges has templates that write something else than the message, or write
// something else around it because of what it says: no place in that is known to be the message's.
func TestChatPlaceRefusesWhatATemplateChanges(t *testing.T) {
	tok := openBPE(t, []string{"a"}, "", "", "")
	const short = "a b a b a"
	for template, why := range map[string]string{
		"{{ messages[0].content | upper }}":            "capitals",
		"a b a b a":                                    "no message",
		"{{ messages[0].content | replace('a', '') }}": "letters are missing",
		"{% if 'b' in messages[0].content %}a {% endif %}{{ messages[0].content }}":         "more in front of it",
		"{{ messages[0].content[:1] }}":                                                     "the beginning, which is also elsewhere",
		"{{ messages[0].content }}{{ messages[0].content | length }}":                       "its length",
		"{{ messages[0].content }}|{{ messages[0].content | upper }}":                       "once as it is, once in capitals",
		"{% if messages[0].content | length > 3 %}{{ raise_exception('long') }}{% endif %}": "an error",
	} {
		tok.setTemplate(template)
		whole, place, err := tok.ChatPlace(short)
		if err == nil || why != "an error" && !errors.Is(err, ErrPlace) {
			t.Errorf("%s (%s): %q, %v, %v, want ErrPlace", template, why, whole, place, err)
		}
	}
}

// TestPromptsKeepTheEndThatTheyName: what a vocabulary puts behind every text is no part of a prompt, the
// same token in the text is.
func TestPromptsKeepTheEndThatTheyName(t *testing.T) {
	const added = `, "added_tokens": [{"id": 1, "content": "</s>", "special": true}, {"id": 2, "content": "<s>", "special": true}]`
	process := func(single string) string {
		return `, "post_processor": {"type": "TemplateProcessing", "single": [` + single + `], "special_tokens": {"</s>": {"ids": [1]}, "<s>": {"ids": [2]}}}`
	}
	const bos, text, eos = `{"SpecialToken": {"id": "<s>"}}`, `{"Sequence": {"id": "A"}}`, `{"SpecialToken": {"id": "</s>"}}`
	for _, c := range []struct{ single, text, want string }{
		{text, "a</s>", "a</s>"},
		{text, "</s>", "</s>"},
		{text + "," + eos, "a", "a"},
		{text + "," + eos, "a</s>", "a</s>"},
		{text + "," + eos, "</s> </s>", "</s></s>"},
		{bos + "," + text + "," + eos, "", "<s>"},
		{bos + "," + text + "," + eos + "," + eos, "a", "<s>a"},
		{eos + "," + text, "a", "</s>a"},
		{text + "," + eos + "," + bos, "a</s>", "a</s></s><s>"},
	} {
		tok := openBPE(t, []string{"a"}, "", added+process(c.single), `{"eos_token": "</s>", "bos_token": "<s>"}`)
		ids, err := tok.EncodePrompt(c.text)
		if err != nil {
			t.Fatal(err)
		}
		var got strings.Builder
		for _, id := range ids {
			got.WriteString(tok.Token(id))
		}
		if got.String() != c.want {
			t.Errorf("%s: prompt %q is %q, want %q", c.single, c.text, got.String(), c.want)
		}
	}
}

// TestPromptsNeedRows: a prompt with a token that the model has no row for is an error, as any text with it.
func TestPromptsNeedRows(t *testing.T) {
	tok := openBPE(t, []string{"a", "b"}, "", "", "")
	tok.Limit(1)
	if ids, err := tok.EncodePrompt("ab"); err == nil {
		t.Errorf("a prompt with token 1 of 1 row: %v, want an error", ids)
	}
	if ids, err := tok.EncodePrompt("aa"); err != nil || len(ids) != 2 {
		t.Errorf("a prompt of token 0: %v, %v", ids, err)
	}
}
