package tokenizer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
)

// withLegacy completes tokenizer_config.json by what folders of before 2023 have in files of their own, as
// transformers does where added_tokens_decoder is missing: special_tokens_map.json names special tokens, over
// what the configuration says, and added_tokens.json gives ids to tokens that the vocabulary lacks. Any of
// the three may be nil.
func withLegacy(config, specialMap, added []byte) ([]byte, error) {
	if specialMap == nil && added == nil {
		return config, nil
	}
	whole := map[string]json.RawMessage{}
	if len(config) > 0 {
		if err := json.Unmarshal(config, &whole); err != nil {
			return nil, fmt.Errorf("%w: tokenizer_config.json: %v", ErrFormat, err)
		}
	}
	if decoder := whole["added_tokens_decoder"]; len(decoder) > 0 && !bytes.Equal(decoder, []byte("null")) {
		return config, nil
	}
	if whole == nil { // the file is null
		whole = map[string]json.RawMessage{}
	}
	if specialMap != nil {
		if err := json.Unmarshal(specialMap, &whole); err != nil {
			return nil, fmt.Errorf("%w: special_tokens_map.json: %v", ErrFormat, err)
		}
	}
	if added != nil {
		if err := addLegacy(whole, added); err != nil {
			return nil, err
		}
	}
	return json.Marshal(whole)
}

// addLegacy writes added_tokens.json, {"text": id, …}, as added_tokens_decoder. What is not named as a
// special token is searched for in the normalised text.
func addLegacy(config map[string]json.RawMessage, added []byte) error {
	var ids map[string]int32
	if err := json.Unmarshal(added, &ids); err != nil {
		return fmt.Errorf("%w: added_tokens.json: %v", ErrFormat, err)
	}
	named, err := json.Marshal(config)
	if err != nil {
		return err
	}
	c, err := parseConfig(named)
	if err != nil {
		return err
	}
	special := map[string]bool{}
	for _, text := range c.Special {
		special[text] = true
	}
	decoder := map[string]addedToken{}
	for text, id := range ids {
		key := strconv.Itoa(int(id))
		if other, ok := decoder[key]; ok {
			return fmt.Errorf("%w: added_tokens.json: %.40q and %.40q have the id %d", ErrFormat, min(text, other.Content), max(text, other.Content), id)
		}
		decoder[key] = addedToken{Content: text, Special: special[text], Normalized: !special[text]}
	}
	config["added_tokens_decoder"], err = json.Marshal(decoder)
	return err
}
