package tokenizer

import "fmt"

// FromSentencePiece opens a SentencePiece tokenizer.model, BPE or Unigram. User-defined symbols are
// taken whole, as SentencePiece does. Control symbols are found in text, as in Hugging Face's
// conversion, and the text between them is normalised by itself. tokenizer_config.json, which may be
// nil, says whether the texts get the tokens that begin and end them (add_bos_token, add_eos_token); if
// it does not, BPE models that have one get the one that begins, as LLaMA's and Gemma's. With
// "legacy": false only the very start of a text gets the prefix space, not what follows a special token.
//
// The error wraps [ErrFormat].
func FromSentencePiece(model, tokenizerConfig []byte) (*Tokenizer, error) {
	t, err := fromSentencePiece(model, tokenizerConfig)
	if err != nil {
		return nil, fmt.Errorf("read tokenizer.model: %w", err)
	}
	return t, nil
}

func fromSentencePiece(data, tokenizerConfig []byte) (*Tokenizer, error) {
	p, err := parsePieces(data)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrFormat, err)
	}
	config, err := parseConfig(tokenizerConfig)
	if err != nil {
		return nil, err
	}
	for i := range config.Added { // they are cut out of the text before SentencePiece normalises it
		config.Added[i].Normalized = false
	}
	b := newBuilder()
	users, err := p.users()
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrFormat, err)
	}
	switch {
	case p.suffix:
		b.refuse("treat_whitespace_as_suffix")
	case !p.escape:
		b.refuse("escape_whitespaces is off")
	case p.kind == 2:
		b.scoredBPE(scored{tokens: p.tokens, scores: p.scores, types: p.types, unk: p.unk, byteFallback: p.byteFallback, users: users})
	case p.kind == 1:
		b.scoredUnigram(p)
	default:
		b.refuse("model type %d, which is neither BPE nor Unigram", p.kind)
	}
	b.pieceText(p, users, config.Legacy == nil || *config.Legacy)
	config.addTo(b)
	if err := b.finish(); err != nil {
		return nil, err
	}
	t := b.tokenizer
	if err := config.apply(t); err != nil {
		return nil, err
	}
	for _, s := range []struct {
		id  int64
		def *int32
	}{{p.bos, &t.bos}, {p.eos, &t.eos}} {
		if *s.def < 0 && s.id >= 0 && s.id < int64(len(p.tokens)) && p.types[s.id] == controlToken {
			*s.def = int32(s.id)
		}
	}
	t.surround(config.AddBOS == nil && p.kind == 2 || config.AddBOS != nil && *config.AddBOS, config.AddEOS != nil && *config.AddEOS)
	return t, nil
}

// surround puts the tokens that begin and end a text, where there are such, around every text.
func (t *Tokenizer) surround(bos, eos bool) {
	if bos && t.bos >= 0 {
		t.before = []int32{t.bos}
	}
	if eos && t.eos >= 0 {
		t.after = []int32{t.eos}
	}
}

// pieceText sets how text gets into and out of a SentencePiece vocabulary.
func (b *builder) pieceText(p *pieceModel, users *matcher, everyPiece bool) {
	t := b.tokenizer
	if len(p.charsmap) > 0 {
		n, err := precompiled(p.charsmap, users)
		if err != nil {
			b.refuse("%v", err)
		}
		t.normalize = append(t.normalize, n)
	}
	if p.squeeze {
		t.normalize = append(t.normalize, squeezeSpaces)
	}
	if p.dummyPrefix && everyPiece {
		t.normalize = append(t.normalize, func(s span) span { return prepend(s, " ") })
	}
	t.normalize = append(t.normalize, replaceAll(literal(" "), "▁"))
	if p.squeeze {
		t.normalize = append(t.normalize, trimMarks)
	}
	if p.dummyPrefix || p.squeeze {
		t.decoders = append(t.decoders, decodePrefix(p.squeeze))
	}
	t.decoders = append(t.decoders, decodeReplace(literal("▁"), " "), decodeFallback, decodeFuse)
	if p.dummyPrefix && !everyPiece {
		t.words, t.track = metaspace('▁', prependFirst, false), true
	}
}

// scoredUnigram sets a Unigram model.
func (b *builder) scoredUnigram(p *pieceModel) {
	b.expect(len(p.tokens))
	for i, token := range p.tokens {
		b.setToken(int32(i), token)
		if p.types[i] == controlToken || p.types[i] == unknownToken {
			b.addTokens([]addedToken{{ID: int32(i), Content: token, Special: true}})
		}
	}
	unk := int32(none)
	if p.unk >= 0 && p.unk < int64(len(p.tokens)) {
		unk = int32(p.unk)
	}
	m, err := newUnigram(p.tokens, p.scores, unk, p.byteFallback, p.types)
	if err != nil {
		b.refuse("%v", err)
		return
	}
	m.float32, m.unkScore = true, float64(float32(m.unkScore))
	b.tokenizer.model = m
}
