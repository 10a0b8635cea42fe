package tokenizer

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// patternQwen is the split pattern of Qwen's first generation, from tokenization_qwen.py in
// https://huggingface.co/Qwen/Qwen-7B.
const patternQwen = patternQwen2

// qwenExtras is the number of spare special tokens behind <|im_end|>.
const qwenExtras = 205

// FromTiktoken opens qwen.tiktoken, the vocabulary of Qwen's first generation: a line for every
// token with its bytes in base 64 and its rank, which is its id. Behind them come
// <|endoftext|>, <|im_start|>, <|im_end|> and <|extra_0|> … <|extra_204|>. tokenizer_config.json
// may be nil. The text is brought into form NFC first, as Qwen's own code does.
//
// The error wraps [ErrFormat].
func FromTiktoken(ranks, tokenizerConfig []byte) (*Tokenizer, error) {
	t, err := fromTiktoken(ranks, tokenizerConfig)
	if err != nil {
		return nil, fmt.Errorf("read qwen.tiktoken: %w", err)
	}
	return t, nil
}

func fromTiktoken(ranks, tokenizerConfig []byte) (*Tokenizer, error) {
	config, err := parseConfig(tokenizerConfig)
	if err != nil {
		return nil, err
	}
	b := newBuilder()
	b.byteLevel = true
	m := &bpe{vocab: map[string]int32{}, byteLevel: true, ignoreMerges: true, unk: none}
	n := 0
	for line := range bytes.SplitSeq(ranks, []byte("\n")) {
		n++
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			continue
		}
		if err := b.tiktokenLine(m, string(line)); err != nil {
			return nil, fmt.Errorf("%w: line %d: %v", ErrFormat, n, err)
		}
	}
	for i := range 256 {
		if _, ok := m.vocab[string([]byte{byte(i)})]; !ok {
			b.refuse("no token for byte %d", i)
		}
	}
	next := int32(len(b.tokenizer.texts))
	if int(next) != len(m.vocab) {
		b.refuse("%d ranks up to %d", len(m.vocab), next-1)
	}
	specials := []string{"<|endoftext|>", "<|im_start|>", "<|im_end|>"}
	for i := range qwenExtras {
		specials = append(specials, fmt.Sprintf("<|extra_%d|>", i))
	}
	for i, text := range specials {
		b.addTokens([]addedToken{{ID: next + int32(i), Content: text, Special: true}})
	}
	t := b.tokenizer
	t.normalize = []normalizer{unicodeForm(norm.NFC)}
	t.words, _ = splitter(scanned{scanners[patternQwen]}, isolated, false)
	t.decoders = []decoder{decodeBytes}
	m.ready()
	t.model = m
	if err := b.finish(); err != nil {
		return nil, err
	}
	if t.eos = t.ids["<|endoftext|>"]; config.EOS == "" {
		config.EOS = "<|endoftext|>"
	}
	return t, config.apply(t)
}

// tiktokenLine reads one token and its rank.
func (b *builder) tiktokenLine(m *bpe, line string) error {
	text, number, ok := strings.Cut(line, " ")
	if !ok {
		return fmt.Errorf("%.40q is no token and rank", line)
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return fmt.Errorf("token %.40q: %v", text, err)
	}
	rank, err := strconv.ParseInt(number, 10, 32)
	if err != nil || rank < 0 || rank >= int64(b.limit) {
		return fmt.Errorf("rank %.40q", number)
	}
	if _, ok := m.vocab[string(raw)]; ok || len(raw) == 0 {
		return fmt.Errorf("token %.40q is empty or appears twice", text)
	}
	id := int32(rank)
	b.expect(1)
	b.setToken(id, textOf(string(raw)))
	m.vocab[string(raw)] = id
	for len(m.rank) <= int(id) {
		m.rank = append(m.rank, never)
	}
	m.rank[id] = uint32(id)
	return nil
}
