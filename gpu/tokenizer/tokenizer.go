package tokenizer

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// A Tokenizer turns text into tokens and back. Open one with [Open], [FromJSON],
// [FromSentencePiece], [FromTiktoken] or [FromVocab]. It is safe for concurrent use.
type Tokenizer struct {
	texts   []string // token texts by id, as the vocabulary writes them
	known   []bool   // ids that have a token
	special []bool   // ids that decoding leaves out on request
	ids     map[string]int32

	raw        *matcher // added tokens searched for in the text as it is
	normalized *matcher // added tokens searched for in the normalised text
	normalize  []normalizer
	words      pretokenizer // nil: the whole piece is one word
	track      bool         // words go by where in the original text a piece begins
	model      model
	before     []int32 // put in front of every encoding
	after      []int32 // put behind it
	decoders   []decoder
	joinWith   string // between tokens if there is no decoder

	bos, eos int32   // -1 if none
	ends     []int32 // where a GGUF has more than eos
	warning  string
	rows     int // ids from here on are refused; 0: none
	chat     chat
}

// none stands for a token id where there is no token.
const none = -1

// Encode returns the tokens of text, with the special tokens that the vocabulary puts around
// every text, and special tokens in the text recognised: encode(text).ids of Hugging Face's
// library.
//
// The error wraps [ErrFormat]: the vocabulary's patterns, replacements or tokens are such that the text would
// take too much time or memory. Whether they do depends on the vocabulary and the text alone.
// A text that needs a token beyond [Tokenizer.Limit] is an error, too.
func (t *Tokenizer) Encode(text string) ([]int32, error) {
	ids := make([]int32, 0, len(t.before)+len(text)/3+len(t.after)+1)
	ids = append(ids, t.before...)
	ids, _, err := t.encode(text, ids, nil)
	if err != nil {
		return nil, err
	}
	ids = append(ids, t.after...)
	return ids, t.within(text, ids)
}

// EncodePrompt returns the tokens of Encode for a text that is to be continued: without the end-of-text
// tokens that the vocabulary puts behind every text, but with those that are written in the text itself.
func (t *Tokenizer) EncodePrompt(text string) ([]int32, error) {
	ids, _, err := t.encode(text, slices.Clone(t.before), nil)
	if err != nil {
		return nil, err
	}
	after := t.after
	for len(after) > 0 && after[len(after)-1] == t.eos {
		after = after[:len(after)-1]
	}
	ids = append(ids, after...)
	return ids, t.within(text, ids)
}

// EncodePlain returns the tokens of text without special tokens around it. Special tokens in the
// text are still recognised. Its error is that of Encode.
func (t *Tokenizer) EncodePlain(text string) ([]int32, error) {
	ids, _, err := t.encode(text, make([]int32, 0, len(text)/3+1), nil)
	if err == nil {
		err = t.within(text, ids)
	}
	return ids, err
}

// EncodeRendered returns the tokens of EncodePlain and where they end, as EncodeEnds does: for text
// that a chat template has put its own special tokens around.
func (t *Tokenizer) EncodeRendered(text string) (ids []int32, ends []int, err error) {
	if ids, ends, err = t.encode(text, nil, make([]int, 0, len(text)/3+1)); err == nil {
		err = t.within(text, ids)
	}
	return ids, ends, err
}

// EncodeEnds returns the tokens of Encode and where they end: ends[i] is the number of bytes of
// text up to and including token i. It is 0 for tokens that stand for no text before the first
// that does, and for those that are put around every text; it is -1 where a token ends inside
// a character of text. Its error is that of Encode.
func (t *Tokenizer) EncodeEnds(text string) (ids []int32, ends []int, err error) {
	ids = append(ids, t.before...)
	ends = make([]int, len(t.before), len(t.before)+len(text)/3+len(t.after)+1)
	if ids, ends, err = t.encode(text, ids, ends); err != nil {
		return nil, nil, err
	}
	ids = append(ids, t.after...)
	return ids, append(ends, make([]int, len(t.after))...), t.within(text, ids)
}

// encode appends the tokens of text to ids, and where they end to ends unless that is nil.
func (t *Tokenizer) encode(text string, ids []int32, ends []int) ([]int32, []int, error) {
	if text == "" {
		return ids, ends, nil
	}
	w := newWork(len(text))
	s := span{text: text, tracked: ends != nil || t.track, work: w}
	var pieces, inner []piece
	var words []span
	var scratch []int32
	for _, p := range t.raw.split(sanitize(s), pieces) {
		inner = append(inner[:0], p)
		if p.id < 0 {
			inner = t.normalized.split(t.normal(p.span), inner[:0])
		}
		for _, p := range inner {
			if p.id >= 0 {
				ids = append(ids, p.id)
				if ends != nil {
					ends = append(ends, p.offset(len(p.text)))
				}
				continue
			}
			words = words[:0]
			if t.words == nil {
				words = append(words, p.span)
			} else if w.err == nil {
				words = t.words(p.span, words)
			}
			for _, word := range words {
				if word.text == "" {
					continue
				}
				ids, scratch = t.model.tokens(w, word.text, ids, scratch[:0])
				if ends != nil && w.err == nil {
					for _, end := range scratch {
						ends = append(ends, word.offset(int(end)))
					}
				}
				if w.err != nil {
					break
				}
			}
		}
		if w.err != nil {
			return nil, nil, fmt.Errorf("encode a text of %d bytes: %w", len(text), w.err)
		}
	}
	return ids, ends, nil
}

// normal returns s in the form in which the model reads it.
func (t *Tokenizer) normal(s span) span {
	for _, n := range t.normalize {
		s = n(s)
	}
	return s
}

// Decode returns the text of tokens, without the special ones if skipSpecial: Hugging Face's
// decode without its cleaning up of spaces. Ids that have no token are left out.
func (t *Tokenizer) Decode(ids []int32, skipSpecial bool) string {
	tokens := make([]string, 0, len(ids))
	for _, id := range ids {
		if id < 0 || int(id) >= len(t.texts) || !t.known[id] || skipSpecial && t.special[id] {
			continue
		}
		tokens = append(tokens, t.texts[id])
	}
	for _, d := range t.decoders {
		tokens = d(tokens)
	}
	return strings.Join(tokens, t.joinWith)
}

// Continuation returns the text that continuation adds to that of prompt. Some vocabularies write
// a token differently at the start of a text, and a character may begin in the prompt and end in
// the continuation, so this is not Decode(continuation). Special tokens are left out.
func (t *Tokenizer) Continuation(prompt, continuation []int32) string {
	before := t.Decode(prompt, true)
	whole := t.Decode(append(prompt[:len(prompt):len(prompt)], continuation...), true)
	i := 0
	for i < len(before) && i < len(whole) && before[i] == whole[i] {
		i++
	}
	for i > 0 && i < len(whole) && !utf8.RuneStart(whole[i]) {
		i--
	}
	return whole[i:]
}

// Size returns the largest id plus one: the number of rows that an embedding needs.
func (t *Tokenizer) Size() int { return len(t.texts) }

// Token returns the text of a token as the vocabulary writes it, "" if there is no such token.
func (t *Tokenizer) Token(id int32) string {
	if id < 0 || int(id) >= len(t.texts) {
		return ""
	}
	return t.texts[id]
}

// ID returns the token that the vocabulary writes as token.
func (t *Tokenizer) ID(token string) (int32, bool) {
	id, ok := t.ids[token]
	return id, ok
}

// Special reports whether a token is a special one, such as the end of a text.
func (t *Tokenizer) Special(id int32) bool {
	return id >= 0 && int(id) < len(t.special) && t.special[id]
}

// BOS returns the token that begins a text, if the vocabulary names one.
func (t *Tokenizer) BOS() (int32, bool) { return t.bos, t.bos >= 0 }

// EOS returns the token that ends a text, if the vocabulary names one.
func (t *Tokenizer) EOS() (int32, bool) { return t.eos, t.eos >= 0 }

// Ends returns the tokens at which generation ends: all that a GGUF file has, else the one that ends a text.
func (t *Tokenizer) Ends() []int32 {
	if len(t.ends) == 0 && t.eos >= 0 {
		return []int32{t.eos}
	}
	return t.ends
}

// Warning is a line for the user when tokens may be others than those the model knows, else "".
func (t *Tokenizer) Warning() string { return t.warning }
