package tokenizer

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
)

// Types of tokens, the same numbers in sentencepiece_model.proto and in GGUF.
const (
	normalToken  = 1
	unknownToken = 2
	controlToken = 3
	userToken    = 4
	unusedToken  = 5
	byteTokens   = 6
)

// A pieceModel is what matters of SentencePiece's ModelProto, with the defaults of
// https://github.com/google/sentencepiece/blob/master/src/sentencepiece_model.proto.
type pieceModel struct {
	tokens       []string
	scores       []float64
	types        []int32
	kind         int64 // 1 Unigram, 2 BPE, 3 words, 4 characters
	unk          int64
	bos, eos     int64
	byteFallback bool
	suffix       bool // white space is a suffix of words
	charsmap     []byte
	dummyPrefix  bool
	squeeze      bool // remove_extra_whitespaces
	escape       bool
}

// FromSentencePiece opens a SentencePiece tokenizer.model, BPE or Unigram. As in Hugging Face's
// conversion control and user-defined symbols are found in text, and the text between them is
// normalised by itself. tokenizer_config.json, which may be nil, says whether the texts get the
// tokens that begin and end them (add_bos_token, add_eos_token); if it does not, BPE models that
// have one get the one that begins, as LLaMA's and Gemma's. With "legacy": false only the very start of
// a text gets the prefix space, not what follows a special token.
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
	b := newBuilder()
	switch {
	case p.suffix:
		b.refuse("treat_whitespace_as_suffix")
	case !p.escape:
		b.refuse("escape_whitespaces is off")
	case p.kind == 2:
		b.scoredBPE(scored{tokens: p.tokens, scores: p.scores, types: p.types, unk: p.unk, byteFallback: p.byteFallback})
	case p.kind == 1:
		b.scoredUnigram(p)
	default:
		b.refuse("model type %d, which is neither BPE nor Unigram", p.kind)
	}
	b.pieceText(p, config.Legacy == nil || *config.Legacy)
	b.addTokens(config.missing(b.added))
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
func (b *builder) pieceText(p *pieceModel, everyPiece bool) {
	t := b.tokenizer
	if len(p.charsmap) > 0 {
		n, err := precompiled(p.charsmap)
		if err != nil {
			b.refuse("%v", err)
		}
		t.normalize = append(t.normalize, n)
	}
	if p.squeeze {
		t.normalize = append(t.normalize, squeezeSpaces)
	}
	if p.dummyPrefix && everyPiece {
		t.normalize = append(t.normalize, prependTo(" "))
	}
	t.normalize = append(t.normalize, replaceAll(literal(" "), "▁"))
	if p.squeeze {
		t.normalize = append(t.normalize, trimMarks)
	}
	t.decoders = []decoder{decodeReplace(literal("▁"), " "), decodeFallback, decodeFuse}
	if p.dummyPrefix {
		spaces := 1
		if p.squeeze { // no text began with a space of its own
			spaces = math.MaxInt32
		}
		t.decoders = append(t.decoders, decodeStrip(" ", spaces, 0))
		if !everyPiece {
			t.words = metaspace('▁', prependFirst, false)
		}
	}
}

// scored is a vocabulary whose tokens have scores in place of merges: the pair that makes the best
// token is joined first.
type scored struct {
	tokens       []string
	scores       []float64
	types        []int32
	unk          int64
	byteFallback bool
	longLeft     bool // of two ways to make the same token, the one with the longer left part first
}

// scoredBPE sets a BPE model, and makes control and user-defined tokens found in text.
func (b *builder) scoredBPE(v scored) {
	if len(v.tokens) == 0 || len(v.tokens) > 1<<(32-leftBits)-1 {
		b.refuse("%d tokens", len(v.tokens))
		return
	}
	b.expect(len(v.tokens))
	m := &bpe{vocab: make(map[string]int32, len(v.tokens)), byteFallback: v.byteFallback, fuseUnk: true, unk: none, longLeft: v.longLeft}
	if v.unk >= 0 && v.unk < int64(len(v.tokens)) {
		m.unk = int32(v.unk)
	}
	order := make([]int32, 0, len(v.tokens))
	m.rank = make([]uint32, len(v.tokens))
	for i, token := range v.tokens {
		b.setToken(int32(i), token)
		m.rank[i] = never
		if _, ok := m.vocab[token]; ok && token != "" && !v.longLeft {
			b.refuse("token %.40q appears twice", token)
		}
		m.vocab[token] = int32(i)
		switch v.types[i] {
		case normalToken, userToken:
			order = append(order, int32(i))
		case unusedToken:
			if !v.longLeft {
				b.refuse("unused piece %.40q in a BPE model", token)
			}
		}
		if v.types[i] == controlToken || v.types[i] == userToken || v.types[i] == unknownToken {
			b.addTokens([]addedToken{{ID: int32(i), Content: token, Special: v.types[i] != userToken}})
		}
	}
	// Users' tokens are better than all others: nothing takes their parts away from them.
	slices.SortStableFunc(order, func(i, j int32) int {
		if a, b := v.types[i] == userToken, v.types[j] == userToken; a != b {
			if a {
				return -1
			}
			return 1
		} else if a || v.scores[i] == v.scores[j] {
			return 0
		}
		if v.scores[i] > v.scores[j] {
			return -1
		}
		return 1
	})
	for at, id := range order {
		m.rank[id] = uint32(at)
		if at > 0 && !v.longLeft && v.scores[id] == v.scores[order[at-1]] && v.types[id] == v.types[order[at-1]] {
			m.rank[id] = m.rank[order[at-1]]
		}
	}
	m.ready()
	b.tokenizer.model = m
}

// scoredUnigram sets a Unigram model.
func (b *builder) scoredUnigram(p *pieceModel) {
	b.expect(len(p.tokens))
	for i, token := range p.tokens {
		b.setToken(int32(i), token)
		if p.types[i] == controlToken || p.types[i] == userToken || p.types[i] == unknownToken {
			b.addTokens([]addedToken{{ID: int32(i), Content: token, Special: p.types[i] != userToken}})
		}
	}
	unk := int32(none)
	if p.unk >= 0 && p.unk < int64(len(p.tokens)) {
		unk = int32(p.unk)
	}
	m := newUnigram(p.tokens, p.scores, unk, p.byteFallback, func(id int) bool { return p.types[id] != normalToken })
	m.float32 = true
	b.tokenizer.model = m
}

// parsePieces reads a ModelProto.
func parsePieces(data []byte) (*pieceModel, error) {
	p := &pieceModel{kind: 1, bos: 1, eos: 2, dummyPrefix: true, squeeze: true, escape: true}
	err := fields(data, func(field int, v uint64, sub []byte) error {
		switch field {
		case 1:
			return p.piece(sub)
		case 2:
			return fields(sub, func(field int, v uint64, _ []byte) error {
				switch field {
				case 3:
					p.kind = int64(v)
				case 24:
					p.suffix = v != 0
				case 35:
					p.byteFallback = v != 0
				case 40:
					p.unk = int64(int32(v))
				case 41:
					p.bos = int64(int32(v))
				case 42:
					p.eos = int64(int32(v))
				}
				return nil
			})
		case 3:
			return fields(sub, func(field int, v uint64, sub []byte) error {
				switch field {
				case 2:
					p.charsmap = sub
				case 3:
					p.dummyPrefix = v != 0
				case 4:
					p.squeeze = v != 0
				case 5:
					p.escape = v != 0
				}
				return nil
			})
		}
		return nil
	})
	if err == nil && len(p.tokens) == 0 {
		err = fmt.Errorf("no pieces")
	}
	return p, err
}

// piece reads one SentencePiece message.
func (p *pieceModel) piece(data []byte) error {
	token, score, kind := "", 0.0, int32(normalToken)
	err := fields(data, func(field int, v uint64, sub []byte) error {
		switch field {
		case 1:
			token = string(sub)
		case 2:
			score = float64(math.Float32frombits(uint32(v)))
		case 3:
			kind = int32(v)
		}
		return nil
	})
	if err == nil && math.IsNaN(score) {
		err = fmt.Errorf("the score of %.40q is no number", token)
	}
	p.tokens, p.scores, p.types = append(p.tokens, token), append(p.scores, score), append(p.types, kind)
	return err
}

// fields calls each for every field of a protocol buffer message: v is the value of a number, sub
// that of a text or message. See https://protobuf.dev/programming-guides/encoding/.
func fields(data []byte, each func(field int, v uint64, sub []byte) error) error {
	for len(data) > 0 {
		tag, n := binary.Uvarint(data)
		if n <= 0 || tag>>3 == 0 || tag>>3 > 1<<29-1 {
			return fmt.Errorf("damaged protocol buffer")
		}
		data = data[n:]
		var v uint64
		var sub []byte
		switch size := 0; tag & 7 {
		case 0:
			if v, n = binary.Uvarint(data); n <= 0 {
				return fmt.Errorf("damaged number in a protocol buffer")
			}
			data = data[n:]
		case 1, 5:
			if size = 8; tag&7 == 5 {
				size = 4
			}
			if len(data) < size {
				return fmt.Errorf("protocol buffer ends inside a number")
			}
			var number [8]byte
			copy(number[:], data[:size])
			v, data = binary.LittleEndian.Uint64(number[:]), data[size:]
		case 2:
			length, n := binary.Uvarint(data)
			if n <= 0 || length > uint64(len(data)-n) {
				return fmt.Errorf("protocol buffer ends inside a field")
			}
			sub, data = data[n:n+int(length)], data[n+int(length):]
		default:
			return fmt.Errorf("protocol buffer with wire type %d", tag&7)
		}
		if err := each(int(tag>>3), v, sub); err != nil {
			return err
		}
	}
	return nil
}
