package main

import (
	"encoding/json"
	"fmt"
	"io/fs"

	"github.com/persona-transfer/runpipeline/gpu/tiny"
)

const (
	// letters are those of which the made-up words consist. The embedded model's vocabulary has none of them, so
	// none of its merges takes part of a word away.
	letters = "αβγδεζηθικλμνξοπρςστυφχψωабвгдежзийклмнопрстуфхцчшщъыьэюя"
	space   = "▁" // as the vocabulary writes it
)

// tokenizerFiles are the files of a tokenizer of as many tokens as the shape has: the embedded model's, then the
// letters, then words of one, two and three letters, each a merge of the word with a letter less and its last letter.
func tokenizerFiles(s shape) (map[string][]byte, error) {
	folder, _ := tiny.Folder(tiny.Target)
	raw, err := fs.ReadFile(folder, "tokenizer.json")
	if err != nil {
		return nil, err
	}
	var tok, model map[string]json.RawMessage
	var vocab map[string]int
	var merges [][2]string
	decode := func(from []byte, to any) {
		if err == nil {
			err = json.Unmarshal(from, to)
		}
	}
	decode(raw, &tok)
	decode(tok["model"], &model)
	decode(model["vocab"], &vocab)
	decode(model["merges"], &merges)
	if err != nil {
		return nil, fmt.Errorf("tokenizer of the embedded model: %w", err)
	}
	add := func(token string) bool {
		if len(vocab) < s.vocab {
			vocab[token] = len(vocab)
		}
		return len(vocab) < s.vocab
	}
	if len(vocab)+len([]rune(letters)) > s.vocab {
		return nil, fmt.Errorf("a vocabulary of %d: the tokenizer has %d tokens at least", s.vocab, len(vocab)+len([]rune(letters)))
	}
	for _, letter := range letters {
		add(string(letter))
	}
	more := len(vocab) < s.vocab
	for words := []string{space}; more; {
		var next []string
		for _, word := range words {
			for _, letter := range letters {
				if !more {
					break
				}
				next, merges = append(next, word+string(letter)), append(merges, [2]string{word, string(letter)})
				more = add(word + string(letter))
			}
		}
		words = next
	}
	if model["vocab"], err = json.Marshal(vocab); err == nil {
		model["merges"], err = json.Marshal(merges)
	}
	if err == nil {
		tok["model"], err = json.Marshal(model)
	}
	out := map[string][]byte{}
	if err == nil {
		out["tokenizer.json"], err = json.Marshal(tok)
	}
	if err != nil {
		return nil, err
	}
	out["tokenizer_config.json"], err = fs.ReadFile(folder, "tokenizer_config.json")
	return out, err
}
