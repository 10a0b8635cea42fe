package tokenizer

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
)

// tokenizerConfig is what matters of tokenizer_config.json.
type tokenizerConfig struct {
	BOS, EOS, UNK, PAD string
	AddBOS             *bool
	AddEOS             *bool
	Legacy             *bool
	Templates          []namedTemplate
	Added              []addedToken // added_tokens_decoder, sorted by id
}

// parseConfig reads tokenizer_config.json; nil is an empty one.
func parseConfig(data []byte) (*tokenizerConfig, error) {
	c := new(tokenizerConfig)
	if len(data) == 0 {
		return c, nil
	}
	var file struct {
		BOS      tokenText             `json:"bos_token"`
		EOS      tokenText             `json:"eos_token"`
		UNK      tokenText             `json:"unk_token"`
		PAD      tokenText             `json:"pad_token"`
		AddBOS   *bool                 `json:"add_bos_token"`
		AddEOS   *bool                 `json:"add_eos_token"`
		Legacy   *bool                 `json:"legacy"`
		Template templates             `json:"chat_template"`
		Added    map[string]addedToken `json:"added_tokens_decoder"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, fmt.Errorf("%w: tokenizer_config.json: %v", ErrFormat, err)
	}
	c.BOS, c.EOS, c.AddBOS, c.AddEOS = string(file.BOS), string(file.EOS), file.AddBOS, file.AddEOS
	c.UNK, c.PAD = string(file.UNK), string(file.PAD)
	c.Legacy, c.Templates = file.Legacy, file.Template
	for text, token := range file.Added {
		id, err := strconv.ParseInt(text, 10, 32)
		if err != nil || id < 0 || id >= maxID {
			return nil, fmt.Errorf("%w: tokenizer_config.json: token id %.40q", ErrFormat, text)
		}
		token.ID = int32(id)
		c.Added = append(c.Added, token)
	}
	slices.SortFunc(c.Added, func(a, b addedToken) int { return int(a.ID) - int(b.ID) })
	return c, nil
}

// tokenText is a token that is written as a text or as an object with a content.
type tokenText string

func (t *tokenText) UnmarshalJSON(data []byte) error {
	var object struct{ Content string }
	if len(data) > 0 && data[0] == '{' {
		if err := json.Unmarshal(data, &object); err != nil {
			return err
		}
		*t = tokenText(object.Content)
		return nil
	}
	return json.Unmarshal(data, (*string)(t))
}

// missing returns the added tokens that only tokenizer_config.json has.
func (c *tokenizerConfig) missing(have []addedToken) []addedToken {
	known := map[string]bool{}
	for _, a := range have {
		known[a.Content] = true
	}
	var out []addedToken
	for _, a := range c.Added {
		if !known[a.Content] {
			out = append(out, a)
		}
	}
	return out
}

// apply sets what the configuration says of special tokens and chats.
func (c *tokenizerConfig) apply(t *Tokenizer) error {
	for _, s := range []struct {
		text string
		id   *int32
	}{{c.BOS, &t.bos}, {c.EOS, &t.eos}} {
		if id, ok := t.ids[s.text]; ok && s.text != "" {
			*s.id = id
			t.special[id] = true
		}
	}
	t.chat.unk, t.chat.pad = c.UNK, c.PAD
	return t.setTemplates(c.Templates)
}
