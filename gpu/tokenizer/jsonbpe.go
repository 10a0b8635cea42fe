package tokenizer

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// bpeSpec is a BPE model in tokenizer.json.
type bpeSpec struct {
	Vocab        map[string]int32
	Merges       merges
	Dropout      *float64
	UnkToken     *string `json:"unk_token"`
	Prefix       *string `json:"continuing_subword_prefix"`
	Suffix       *string `json:"end_of_word_suffix"`
	FuseUnk      bool    `json:"fuse_unk"`
	ByteFallback bool    `json:"byte_fallback"`
	IgnoreMerges bool    `json:"ignore_merges"`
}

// merges are pairs of tokens, best first.
type merges []merge

// A merge is a pair of tokens, a list of two or, in older files, one text. It is empty for a line that
// names the version of such a file.
type merge [2]string

func (m *merge) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '"' {
		var line string
		if err := json.Unmarshal(data, &line); err != nil {
			return err
		}
		return m.fromLine(line)
	}
	var pair []string
	if err := json.Unmarshal(data, &pair); err != nil {
		return err
	}
	if len(pair) != 2 {
		return fmt.Errorf("a merge joins %d tokens", len(pair))
	}
	*m = merge(pair)
	return nil
}

// fromLine reads a merge of the form "left right".
func (m *merge) fromLine(line string) error {
	if strings.HasPrefix(line, "#version") {
		return nil
	}
	left, right, ok := strings.Cut(line, " ")
	if !ok || strings.Contains(right, " ") {
		return fmt.Errorf("merge %.40q is no pair", line)
	}
	*m = merge{left, right}
	return nil
}

// fromLines reads merges of the form "left right".
func (m *merges) fromLines(lines []string) error {
	*m = make(merges, len(lines))
	for i, line := range lines {
		if err := (*m)[i].fromLine(line); err != nil {
			return err
		}
	}
	return nil
}

// bpe sets a BPE model.
func (b *builder) bpe(data json.RawMessage) error {
	var spec bpeSpec
	if err := json.Unmarshal(data, &spec); err != nil {
		return fmt.Errorf("model BPE: %w", err)
	}
	if spec.Dropout != nil && *spec.Dropout != 0 {
		return fmt.Errorf("model BPE with dropout %g, which gives other tokens every time", *spec.Dropout)
	}
	m := &bpe{
		byteLevel:    b.byteLevel,
		byteFallback: spec.ByteFallback,
		fuseUnk:      spec.FuseUnk,
		ignoreMerges: spec.IgnoreMerges,
		prefix:       orEmpty(spec.Prefix),
		suffix:       orEmpty(spec.Suffix),
		unk:          none,
	}
	if len(m.prefix) > maxToken || len(m.suffix) > maxToken {
		return fmt.Errorf("model BPE with marks of %d and %d bytes, at most %d are read", len(m.prefix), len(m.suffix), maxToken)
	}
	if m.byteLevel && (m.prefix != "" || m.suffix != "") {
		return fmt.Errorf("model BPE with marks inside byte-level words")
	}
	if spec.UnkToken != nil {
		if id, ok := spec.Vocab[*spec.UnkToken]; ok {
			m.unk = id
		}
	}
	if err := b.vocabulary(m, spec.Vocab); err != nil {
		return err
	}
	if err := m.setMerges(spec.Vocab, spec.Merges); err != nil {
		return err
	}
	m.ready()
	b.tokenizer.model = m
	return nil
}

func orEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// vocabulary gives the tokenizer and its model their tokens.
func (b *builder) vocabulary(m *bpe, vocab map[string]int32) error {
	tokens := make([]string, 0, len(vocab))
	for token := range vocab {
		tokens = append(tokens, token)
	}
	slices.Sort(tokens)
	m.vocab = make(map[string]int32, len(vocab))
	b.expect(len(vocab))
	for _, token := range tokens {
		id := vocab[token]
		if id < 0 || id >= b.limit {
			return fmt.Errorf("model BPE: token %.40q has id %d", token, id)
		}
		if int(id) < len(b.tokenizer.known) && b.tokenizer.known[id] {
			return fmt.Errorf("model BPE: tokens %.40q and %.40q have the same id %d", b.tokenizer.texts[id], token, id)
		}
		b.setToken(id, token)
		if !m.byteLevel {
			m.vocab[token] = id
		} else if raw, ok := bytesOf(token); ok {
			m.vocab[raw] = id
		}
	}
	return nil
}

// setMerges makes the pairs that may be joined from the merges of a vocabulary file.
func (m *bpe) setMerges(vocab map[string]int32, pairs merges) error {
	m.joins = newPairTable(len(pairs))
	for rank, p := range pairs {
		if p == (merge{}) {
			continue
		}
		left, okLeft := vocab[p[0]]
		right, okRight := vocab[p[1]]
		whole, okWhole := vocab[p[0]+strings.TrimPrefix(p[1], m.prefix)]
		switch {
		case !okLeft:
			return fmt.Errorf("model BPE: merge %d joins %.40q, which is no token", rank, p[0])
		case !okRight:
			return fmt.Errorf("model BPE: merge %d joins %.40q, which is no token", rank, p[1])
		case !okWhole:
			return fmt.Errorf("model BPE: merge %d makes %.40q, which is no token", rank, p[0]+p[1])
		}
		m.joins.set(left, right, uint32(rank), whole)
	}
	return nil
}
