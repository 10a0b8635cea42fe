package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/dlclark/regexp2"
)

// vocabulary is the number of tokens of each model. Half as many break words under
// steering; see the comment on the splits for what the tokens are spent on.
const vocabulary = 2048

// qwenSplit is the split pattern of Qwen2's tokenizer.json.
const qwenSplit = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`

const endOfText = "<|endoftext|>"

// object is a JSON object whose keys are written in alphabetical order.
type object = map[string]any

// qwenTokenizer trains a tokenizer of the Qwen2 family: byte-level BPE over the pieces of
// the split pattern. The end-of-text token is the last id.
func qwenTokenizer(texts []string) (tokenizerJSON, tokenizerConfig []byte, err error) {
	re, err := regexp2.Compile(qwenSplit, regexp2.None)
	if err != nil {
		return nil, nil, fmt.Errorf("compile the split pattern: %w", err)
	}
	letters := byteLetters()
	counts := map[string]int{}
	for _, text := range texts {
		m, err := re.FindStringMatch(text)
		for ; m != nil && err == nil; m, err = re.FindNextMatch(m) {
			counts[m.String()]++
		}
		if err != nil {
			return nil, nil, fmt.Errorf("split %q: %w", text, err)
		}
	}
	b := newBPE(alphabet(letters))
	b.learn(vocabulary-1, counts, func(piece string) (tokens []string) {
		for _, c := range []byte(piece) {
			tokens = append(tokens, letters[c])
		}
		return tokens
	})
	byteLevel := object{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false}
	return tokenizerFiles(object{
		"normalizer": object{"type": "NFC"},
		"pre_tokenizer": object{"type": "Sequence", "pretokenizers": []object{
			{"type": "Split", "pattern": object{"Regex": qwenSplit}, "behavior": "Isolated", "invert": false},
			byteLevel,
		}},
		"post_processor": byteLevel,
		"decoder":        byteLevel,
		"added_tokens":   []object{addedToken(len(b.tokens), endOfText)},
		"model":          b.model("", false),
	}, object{"bos_token": nil, "eos_token": endOfText, "pad_token": endOfText, "unk_token": nil})
}

// llamaTokenizer trains a tokenizer of the LLaMA 2 family: BPE over characters, a space
// written as "▁", characters outside the alphabet as their bytes. As SentencePiece does
// by default, no merge learned crosses from letters to other characters or across a word
// start; line breaks, "—" and "♪" are left to the bytes.
func llamaTokenizer(texts []string) (tokenizerJSON, tokenizerConfig []byte, err error) {
	base := []string{"<unk>", "<s>", "</s>"}
	for i := range 256 {
		base = append(base, fmt.Sprintf("<0x%02X>", i))
	}
	base = append(base, "▁")
	for c := '!'; c <= '~'; c++ {
		base = append(base, string(c))
	}
	counts := map[string]int{}
	for _, text := range texts {
		for _, piece := range metaspaceWords(text) {
			counts[piece]++
		}
	}
	b := newBPE(base)
	b.learn(vocabulary, counts, func(piece string) []string { return strings.Split(piece, "") })
	return tokenizerFiles(object{
		"normalizer": object{"type": "Sequence", "normalizers": []object{
			{"type": "Prepend", "prepend": "▁"},
			{"type": "Replace", "pattern": object{"String": " "}, "content": "▁"},
		}},
		"pre_tokenizer": nil,
		"post_processor": object{"type": "TemplateProcessing",
			"single":         []object{special("<s>", 0), sequence("A", 0)},
			"pair":           []object{special("<s>", 0), sequence("A", 0), special("<s>", 1), sequence("B", 1)},
			"special_tokens": object{"<s>": object{"id": "<s>", "ids": []int{1}, "tokens": []string{"<s>"}}},
		},
		"decoder": object{"type": "Sequence", "decoders": []object{
			{"type": "Replace", "pattern": object{"String": "▁"}, "content": " "},
			{"type": "ByteFallback"},
			{"type": "Fuse"},
			{"type": "Strip", "content": " ", "start": 1, "stop": 0},
		}},
		"added_tokens": []object{addedToken(0, "<unk>"), addedToken(1, "<s>"), addedToken(2, "</s>")},
		"model":        b.model("<unk>", true),
	}, object{"bos_token": "<s>", "eos_token": "</s>", "pad_token": nil, "unk_token": "<unk>"})
}

// metaspaceWords returns the pieces of a text that llamaTokenizer learns from.
func metaspaceWords(text string) []string {
	var pieces []string
	var piece []rune
	flush := func() {
		if len(piece) > 0 {
			pieces = append(pieces, string(piece))
		}
		piece = nil
	}
	for _, c := range "▁" + strings.ReplaceAll(text, " ", "▁") {
		if c != '▁' && (c <= ' ' || c > '~') {
			flush()
			continue
		}
		if n := len(piece); n > 0 && (c == '▁' || piece[n-1] != '▁' && letter(c) != letter(piece[n-1])) {
			flush()
		}
		piece = append(piece, c)
	}
	flush()
	return pieces
}

func letter(c rune) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

// byteLetters returns the printable character that byte-level BPE writes for each byte:
// the byte itself where it is printable in Latin-1, and U+0100 onwards for the others.
func byteLetters() (letters [256]string) {
	next := rune(256)
	for i := range 256 {
		c := rune(i)
		if c >= '!' && c <= '~' || c >= '¡' && c <= '¬' || c >= '®' && c <= 'ÿ' {
			letters[i] = string(c)
			continue
		}
		letters[i] = string(next)
		next++
	}
	return letters
}

// alphabet returns the letters in order of their code points, as Hugging Face's trainer
// numbers them.
func alphabet(letters [256]string) []string {
	var printable, others []string
	for i, l := range letters {
		if l == string(rune(i)) {
			printable = append(printable, l)
		} else {
			others = append(others, l)
		}
	}
	return append(printable, others...)
}

// model returns the "model" object of a tokenizer.json.
func (b *bpe) model(unknown string, byteFallback bool) object {
	merges := make([][2]string, len(b.merges))
	for i, m := range b.merges {
		merges[i] = [2]string{b.tokens[m.left], b.tokens[m.right]}
	}
	m := object{
		"type": "BPE", "dropout": nil, "unk_token": nil, "continuing_subword_prefix": nil, "end_of_word_suffix": nil,
		"fuse_unk": byteFallback, "byte_fallback": byteFallback, "ignore_merges": false,
		"vocab": orderedIDs(b.tokens), "merges": merges,
	}
	if unknown != "" {
		m["unk_token"] = unknown
	}
	return m
}

// orderedIDs is a vocabulary that is written in the order of its ids.
type orderedIDs []string

// MarshalJSON writes {"first": 0, "second": 1, …}.
func (tokens orderedIDs) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	for i, token := range tokens {
		name, err := marshal(token, "")
		if err != nil {
			return nil, fmt.Errorf("write token %d: %w", i, err)
		}
		fmt.Fprintf(&b, ",%s:%d", bytes.TrimSpace(name), i)
	}
	return append(append([]byte{'{'}, bytes.TrimPrefix(b.Bytes(), []byte{','})...), '}'), nil
}

func addedToken(id int, content string) object {
	return object{"id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}
}

func special(token string, kind int) object {
	return object{"SpecialToken": object{"id": token, "type_id": kind}}
}

func sequence(name string, kind int) object {
	return object{"Sequence": object{"id": name, "type_id": kind}}
}

// tokenizerFiles completes and writes tokenizer.json and tokenizer_config.json. The class
// is PreTrainedTokenizerFast because the model classes of transformers 5 rebuild parts of
// tokenizer.json from their own defaults.
func tokenizerFiles(tok, config object) (tokenizerJSON, tokenizerConfig []byte, err error) {
	tok["version"], tok["truncation"], tok["padding"] = "1.0", nil, nil
	config["tokenizer_class"] = "PreTrainedTokenizerFast"
	config["clean_up_tokenization_spaces"] = false
	config["model_max_length"] = positions
	if tokenizerJSON, err = marshal(tok, " "); err != nil {
		return nil, nil, fmt.Errorf("write tokenizer.json: %w", err)
	}
	if tokenizerConfig, err = marshal(config, "  "); err != nil {
		return nil, nil, fmt.Errorf("write tokenizer_config.json: %w", err)
	}
	return tokenizerJSON, tokenizerConfig, nil
}

// marshal writes v as JSON with a line break at the end and without HTML escapes.
func marshal(v any, indent string) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", indent)
	err := e.Encode(v)
	return b.Bytes(), err
}
