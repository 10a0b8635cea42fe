package tokenizer

import (
	"encoding/json"
	"fmt"
	"maps"
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
	Special            []string     // texts of all tokens that are named as special ones
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
		SEP      tokenText             `json:"sep_token"`
		CLS      tokenText             `json:"cls_token"`
		MASK     tokenText             `json:"mask_token"`
		More     tokenList             `json:"additional_special_tokens"`
		Extra    tokenList             `json:"extra_special_tokens"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, fmt.Errorf("%w: tokenizer_config.json: %v", ErrFormat, err)
	}
	c.BOS, c.EOS, c.AddBOS, c.AddEOS = string(file.BOS), string(file.EOS), file.AddBOS, file.AddEOS
	c.UNK, c.PAD = string(file.UNK), string(file.PAD)
	c.Legacy, c.Templates = file.Legacy, file.Template
	named := append(tokenList{file.BOS, file.EOS, file.UNK, file.PAD, file.SEP, file.CLS, file.MASK}, file.More...)
	for _, text := range append(named, file.Extra...) {
		c.Special = append(c.Special, string(text))
	}
	special := make(map[string]bool, len(c.Special))
	for _, text := range c.Special {
		special[text] = true
	}
	for text, token := range file.Added {
		id, err := strconv.ParseInt(text, 10, 32)
		if err != nil || id < 0 || id >= maxID {
			return nil, fmt.Errorf("%w: tokenizer_config.json: token id %.40q", ErrFormat, text)
		}
		token.ID = int32(id)
		token.Special = token.Special || special[token.Content]
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

// tokenList is a list of tokens, or an object that gives each a name.
type tokenList []tokenText

func (t *tokenList) UnmarshalJSON(data []byte) error {
	if len(data) == 0 || data[0] != '{' {
		return json.Unmarshal(data, (*[]tokenText)(t))
	}
	var named map[string]tokenText
	if err := json.Unmarshal(data, &named); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(named)) {
		*t = append(*t, named[name])
	}
	return nil
}

// addTo adds the tokens of tokenizer_config.json to those that are recognised in text. As in transformers
// they replace added tokens of the same text; a token that is only named as a special one is
// recognised too, if the vocabulary has it.
func (c *tokenizerConfig) addTo(b *builder) {
	b.addTokens(c.Added)
	for _, text := range c.Special {
		id, ok := b.tokenizer.ids[text]
		if _, added := b.addedAt[text]; ok && !added {
			b.addTokens([]addedToken{{ID: id, Content: text, Special: true}})
		}
	}
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
	t.setTemplates(c.Templates)
	return nil
}
