package tokenizer

import (
	"fmt"
	"strings"
)

// A Vocab is the vocabulary inside a GGUF file, under the names of its metadata keys.
type Vocab struct {
	Model  string    // tokenizer.ggml.model: "gpt2" (byte-level BPE) or "llama" (SentencePiece BPE)
	Pre    string    // tokenizer.ggml.pre: how a gpt2 vocabulary cuts text into words
	Tokens []string  // tokenizer.ggml.tokens, by id
	Scores []float32 // tokenizer.ggml.scores, by id; llama only
	Types  []int32   // tokenizer.ggml.token_type, by id; none: all normal
	Merges []string  // tokenizer.ggml.merges, "left right", best first; gpt2 only

	BOS, EOS, UNK, PAD int   // ids, -1 if none
	Ends               []int // ids of the tokens at which generation ends, EOS among them

	AddBOS, AddEOS bool
	AddSpacePrefix bool // llama only
	ChatTemplate   string
}

// FromVocab opens the vocabulary of a GGUF file. What its pre-tokeniser names mean is llama.cpp's
// knowledge (src/llama-vocab.cpp); where llama.cpp approximates a vocabulary's own pattern, the
// vocabulary's own is used.
//
// Tokens of the type "user-defined" and special ones are found in text. Runs of spaces among the
// former, which Gemma has, are left to the model, as Hugging Face does: the two agree on up to 31
// spaces in a row.
//
// The error wraps [ErrFormat]; an unknown kind or pre-tokeniser is named.
func FromVocab(v Vocab) (*Tokenizer, error) {
	b := newBuilder()
	if v.Types == nil {
		v.Types = make([]int32, len(v.Tokens))
		for i := range v.Types {
			v.Types[i] = normalToken
		}
	}
	if len(v.Types) != len(v.Tokens) {
		b.refuse("%d tokens with %d types", len(v.Tokens), len(v.Types))
	} else {
		switch v.Model {
		case "gpt2":
			b.byteLevelVocab(v)
		case "llama":
			b.scoredVocab(v)
		default:
			b.refuse("unknown kind of vocabulary %q", v.Model)
		}
	}
	if err := b.finish(); err != nil {
		return nil, fmt.Errorf("read vocabulary of GGUF: %w", err)
	}
	t := b.tokenizer
	for _, s := range []struct {
		id  int
		def *int32
	}{{v.BOS, &t.bos}, {v.EOS, &t.eos}} {
		if s.id >= 0 && s.id < len(v.Tokens) {
			*s.def = int32(s.id)
			t.special[s.id] = true
		}
	}
	for _, id := range v.Ends {
		if id >= 0 && id < len(v.Tokens) {
			t.ends = append(t.ends, int32(id))
		}
	}
	if v.Model == "gpt2" && v.Pre == "" {
		t.warning = "the GGUF file does not say how its vocabulary cuts text into words (tokenizer.ggml.pre, which files of before May 2024 lack): " +
			"texts are cut as llama.cpp does by default and may have other tokens than those the model was trained on; convert the model anew"
	}
	t.surround(v.AddBOS, v.AddEOS)
	if v.ChatTemplate != "" {
		t.setTemplate(v.ChatTemplate)
	}
	return t, nil
}

// scoredVocab sets a SentencePiece BPE.
func (b *builder) scoredVocab(v Vocab) {
	if len(v.Scores) != len(v.Tokens) {
		b.refuse("%d tokens with %d scores", len(v.Tokens), len(v.Scores))
		return
	}
	s := scored{tokens: make([]string, len(v.Tokens)), scores: make([]float64, len(v.Tokens)), types: make([]int32, len(v.Types)),
		unk: int64(v.UNK), byteFallback: true, longLeft: true}
	copy(s.types, v.Types)
	for i, token := range v.Tokens {
		s.tokens[i], s.scores[i] = token, float64(v.Scores[i])
		if s.scores[i] != s.scores[i] {
			b.refuse("the score of %.40q is no number", token)
			return
		}
		if v.Types[i] == userToken && len(token) <= maxToken && strings.Trim(token, " ") == "" {
			s.tokens[i] = strings.Repeat("▁", len(token))
		}
	}
	b.scoredBPE(s)
	b.added = withoutMarks(b.added)
	b.swallowSpaces()
	b.pieceText(&pieceModel{dummyPrefix: v.AddSpacePrefix}, nil, true)
}

// withoutMarks leaves out added tokens that are runs of ▁: text has spaces in their place.
func withoutMarks(tokens []addedToken) []addedToken {
	var out []addedToken
	for _, a := range tokens {
		if strings.Trim(a.Content, "▁") != "" {
			out = append(out, a)
		}
	}
	return out
}

// swallowSpaces makes the added tokens of a Phi-3 vocabulary, which is known by its marks of turns, swallow
// the white space behind them. GGUF does not say so; llama.cpp goes by the model's name.
func (b *builder) swallowSpaces() {
	for _, mark := range []string{"<|user|>", "<|assistant|>", "<|end|>"} {
		if _, ok := b.addedAt[mark]; !ok {
			return
		}
	}
	for i := range b.added {
		switch a := &b.added[i]; a.Content {
		case "<unk>", "<s>", "<|endoftext|>":
		default:
			a.RStrip = true
		}
	}
}

// byteLevelVocab sets a byte-level BPE.
func (b *builder) byteLevelVocab(v Vocab) {
	pre, ok := preTokenizers[v.Pre]
	if !ok {
		b.refuse("unknown pre-tokeniser %q", v.Pre)
		return
	}
	var parts []pretokenizer
	for _, expr := range pre.splits {
		p, err := compile(expr)
		if err != nil {
			b.refuse("pre-tokeniser %s: %v", v.Pre, err)
			return
		}
		part, _ := splitter(p, isolated, false)
		parts = append(parts, part)
	}
	b.tokenizer.words = sequence(parts)
	b.tokenizer.decoders = []decoder{decodeBytes}
	b.byteLevel = true

	m := &bpe{byteLevel: true, ignoreMerges: pre.ignoreMerges, unk: none}
	vocab := make(map[string]int32, len(v.Tokens))
	var added []addedToken
	for i, token := range v.Tokens {
		kind := v.Types[i]
		if kind == controlToken || kind == userToken || kind == unknownToken {
			added = append(added, addedToken{ID: int32(i), Content: token, Special: kind != userToken})
		}
		vocab[token] = int32(i)
	}
	var pairs merges
	err := pairs.fromLines(v.Merges)
	if err == nil {
		err = b.vocabulary(m, vocab)
	}
	if err == nil {
		err = m.setMerges(vocab, pairs)
	}
	if err != nil {
		b.refuse("%v", err)
		return
	}
	for i, token := range v.Tokens { // of equal tokens the last is found in text
		b.setToken(int32(i), token)
	}
	b.addTokens(added)
	m.ready()
	b.tokenizer.model = m
}
