package tokenizer

import (
	"errors"
	"fmt"
	"io/fs"
)

// Files is where a model keeps its files. File returns an error that wraps [fs.ErrNotExist] for
// a file that is not there.
type Files interface {
	File(name string) ([]byte, error)
}

// Open opens a model's vocabulary from the first of tokenizer.json, tokenizer.model and
// qwen.tiktoken that files has, with tokenizer_config.json, and chat_template.jinja in place of
// the chat template in that, if they are there. Where tokenizer_config.json lists no added tokens,
// special_tokens_map.json and added_tokens.json name them.
func Open(files Files) (*Tokenizer, error) {
	optional := func(name string) ([]byte, error) {
		data, err := files.File(name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		return data, err
	}
	config, err := optional("tokenizer_config.json")
	if err != nil {
		return nil, err
	}
	specialMap, err := optional("special_tokens_map.json")
	if err != nil {
		return nil, err
	}
	added, err := optional("added_tokens.json")
	if err != nil {
		return nil, err
	}
	if config, err = withLegacy(config, specialMap, added); err != nil {
		return nil, fmt.Errorf("open tokenizer: %w", err)
	}
	template, err := optional("chat_template.jinja")
	if err != nil {
		return nil, err
	}
	for _, kind := range []struct {
		name string
		open func(data, config []byte) (*Tokenizer, error)
	}{
		{"tokenizer.json", FromJSON},
		{"tokenizer.model", FromSentencePiece},
		{"qwen.tiktoken", FromTiktoken},
	} {
		data, err := optional(kind.name)
		if err != nil {
			return nil, err
		}
		if data == nil {
			continue
		}
		t, err := kind.open(data, config)
		if err == nil && template != nil {
			t.setTemplate(string(template))
		}
		if err != nil {
			return nil, err
		}
		return t, nil
	}
	return nil, fmt.Errorf("open tokenizer: none of tokenizer.json, tokenizer.model, qwen.tiktoken: %w", fs.ErrNotExist)
}
