package tokenizer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrFormat reports a vocabulary that is damaged or uses a part that this package does not know.
var ErrFormat = errors.New("tokenizer cannot be used")

// A vocabulary's ids may have gaps, but are below spareIDs plus idsPerToken for every token, so that
// a small file cannot ask for large tables; maxID bounds them all.
const (
	spareIDs    = 1 << 16
	idsPerToken = 4
	maxID       = 1 << 24
)

// Bounds of what a vocabulary's parts may be, each many times what vocabularies in use have.
const (
	maxToken     = 1 << 12 // bytes of a token, a replacement or a mark; the longest tokens have about 500
	maxComponent = 4 << 20 // bytes of a normalizer, pre_tokenizer, post_processor or decoder; charsmaps have 0.3 MB
	maxParts     = 100     // components in Sequences; the longest have about ten
	maxAround    = 100     // tokens put around every text
	maxGrowth    = 16      // by how much decoders may lengthen a token
)

// expect makes room for the ids of n more tokens.
func (b *builder) expect(n int) {
	b.limit = int32(min(int64(b.limit)+int64(n)*idsPerToken, maxID))
}

// maxDepth bounds how deep Sequences may be nested.
const maxDepth = 8

// each calls f for every part of a Sequence.
func (b *builder) each(parts []json.RawMessage, f func(json.RawMessage)) {
	b.depth++
	defer func() { b.depth-- }()
	if b.depth > maxDepth {
		b.refuse("Sequences nested more than %d deep", maxDepth)
		return
	}
	for _, part := range parts {
		if b.parts++; b.parts > maxParts {
			b.refuse("Sequences of more than %d parts", maxParts)
			return
		}
		f(part)
	}
}

// tokenizerFile is tokenizer.json.
type tokenizerFile struct {
	Added         []addedToken    `json:"added_tokens"`
	Normalizer    json.RawMessage `json:"normalizer"`
	PreTokenizer  json.RawMessage `json:"pre_tokenizer"`
	PostProcessor json.RawMessage `json:"post_processor"`
	Decoder       json.RawMessage `json:"decoder"`
	Model         json.RawMessage `json:"model"`
}

// FromJSON opens a vocabulary from Hugging Face's tokenizer.json, and from tokenizer_config.json,
// which may be nil, what that adds: the tokens that begin and end a text, further added
// tokens, the chat template.
//
// Models: BPE and Unigram. What is put around a text is what tokenizer.json's post-processor says;
// its truncation and padding are not applied. The error wraps [ErrFormat] and names every part
// that is not known.
func FromJSON(tokenizerJSON, tokenizerConfig []byte) (*Tokenizer, error) {
	t, err := fromJSON(tokenizerJSON, tokenizerConfig)
	if err != nil {
		return nil, fmt.Errorf("read tokenizer.json: %w", err)
	}
	return t, nil
}

func fromJSON(tokenizerJSON, tokenizerConfig []byte) (*Tokenizer, error) {
	var file tokenizerFile
	if err := json.Unmarshal(tokenizerJSON, &file); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrFormat, err)
	}
	config, err := parseConfig(tokenizerConfig)
	if err != nil {
		return nil, err
	}
	b := newBuilder()
	b.normalizers(file.Normalizer)
	b.preTokenizer(file.PreTokenizer)
	b.model(file.Model)
	b.numberAdded()
	b.addTokens(file.Added)
	config.addTo(b)
	b.postProcessor(file.PostProcessor)
	b.decoder(file.Decoder)
	if err := b.finish(); err != nil {
		return nil, err
	}
	if err := config.apply(b.tokenizer); err != nil {
		return nil, err
	}
	return b.tokenizer, nil
}

// A builder puts a Tokenizer together and collects everything that is wrong with it.
type builder struct {
	tokenizer *Tokenizer
	byteLevel bool // words are bytes in the guise of printable characters
	added     []addedToken
	addedAt   map[string]int // where in added a text is
	next      int32          // id of the next added token that the model lacks; none: as the token says
	problems  []string
	limit     int32 // ids must be below it
	depth     int   // of components inside Sequences
	parts     int   // of all Sequences
	growth    int   // by how much the decoders lengthen a token at most
}

func newBuilder() *builder {
	return &builder{tokenizer: &Tokenizer{ids: map[string]int32{}, bos: none, eos: none}, addedAt: map[string]int{}, next: none, limit: spareIDs, growth: 1}
}

// refuse notes something that is wrong.
func (b *builder) refuse(format string, args ...any) {
	const longest = 400
	if len(b.problems) > 10*maxProblems { // finish lists no more than maxProblems
		return
	}
	text := fmt.Sprintf(format, args...)
	if len(text) > longest {
		text = strings.ToValidUTF8(text[:longest], "") + "…"
	}
	b.problems = append(b.problems, text)
}

// read decodes one component and returns its type, "" if there is none.
func (b *builder) read(what string, data json.RawMessage, into any) string {
	if len(data) == 0 || bytes.Equal(data, []byte("null")) {
		return ""
	}
	if len(data) > maxComponent {
		b.refuse("%s of %d bytes, at most %d are read", what, len(data), maxComponent)
		return ""
	}
	var kind struct{ Type string }
	if err := json.Unmarshal(data, &kind); err != nil {
		b.refuse("%s: %v", what, err)
		return ""
	}
	if into != nil {
		if err := json.Unmarshal(data, into); err != nil {
			b.refuse("%s %s: %v", what, kind.Type, err)
			return ""
		}
	}
	if kind.Type == "" {
		b.refuse("%s without a type", what)
	}
	return kind.Type
}

// setToken gives id its text.
func (b *builder) setToken(id int32, text string) {
	t := b.tokenizer
	if id < 0 || id >= b.limit {
		b.refuse("token %.40q has id %d", text, id)
		return
	}
	if len(text) > maxToken {
		b.refuse("token %.40q… has %d bytes, at most %d are read", text, len(text), maxToken)
		return
	}
	for int(id) >= len(t.texts) {
		n := int(id) + 1 - len(t.texts)
		t.texts = append(t.texts, make([]string, n)...)
		t.known = append(t.known, make([]bool, n)...)
		t.special = append(t.special, make([]bool, n)...)
	}
	t.texts[id], t.known[id] = text, true
	t.ids[text] = id
}

// numberAdded makes added tokens that the model lacks get ids behind the model's, in their order, as
// Hugging Face's library does whatever ids the file gives them.
func (b *builder) numberAdded() {
	b.next = 0
	for _, known := range b.tokenizer.known {
		if known {
			b.next++
		}
	}
}

// addTokens makes tokens found in text. A token that the model has keeps the model's id; of two with the
// same text the last holds.
func (b *builder) addTokens(tokens []addedToken) {
	b.expect(len(tokens))
	for _, a := range tokens {
		if a.Content == "" {
			continue
		}
		if id, ok := b.tokenizer.ids[a.Content]; ok {
			a.ID = id
		} else if b.next >= 0 && a.ID >= 0 && a.ID < b.limit {
			a.ID = b.next
		}
		if b.next >= 0 {
			b.next = max(b.next, a.ID+1)
		}
		b.setToken(a.ID, a.Content)
		if i, ok := b.addedAt[a.Content]; ok {
			a.Special = a.Special || b.added[i].Special
			b.added[i] = a
			continue
		}
		b.addedAt[a.Content] = len(b.added)
		b.added = append(b.added, a)
	}
}

// maxProblems is how many problems an error lists.
const maxProblems = 50

// finish completes the tokenizer, or returns an error that lists everything that was wrong.
func (b *builder) finish() error {
	if len(b.problems) > 0 {
		slices.Sort(b.problems)
		list := slices.Compact(b.problems)
		if n := len(list); n > maxProblems {
			list = append(list[:maxProblems:maxProblems], fmt.Sprintf("and %d more", n-maxProblems))
		}
		return fmt.Errorf("%w: %s", ErrFormat, strings.Join(list, "; "))
	}
	t := b.tokenizer
	if len(t.before)+len(t.after) > maxAround {
		return fmt.Errorf("%w: %d tokens around every text", ErrFormat, len(t.before)+len(t.after))
	}
	size := 0
	for _, a := range b.added {
		size += len(a.Content)
	}
	w := newWork(size)
	var raw, normalized []addedToken
	specials := map[string]bool{}
	var rawTexts, normalizedTexts []string
	for _, a := range b.added {
		if a.Special {
			specials[a.Content] = true
		}
		if a.Normalized {
			normalized = append(normalized, a)
			normalizedTexts = append(normalizedTexts, t.normal(span{text: a.Content, work: w}).text)
		} else {
			raw = append(raw, a)
			rawTexts = append(rawTexts, a.Content)
		}
	}
	for id, text := range t.texts { // by text: some files have a special token under two ids
		t.special[id] = t.known[id] && specials[text]
	}
	if w.err != nil {
		return fmt.Errorf("normalise the added tokens: %w", w.err)
	}
	var err error
	if t.raw, err = newMatcher(raw, rawTexts); err == nil {
		t.normalized, err = newMatcher(normalized, normalizedTexts)
	}
	if err != nil {
		return fmt.Errorf("%w: %v", ErrFormat, err)
	}
	if len(t.decoders) == 0 {
		t.joinWith = " "
	}
	return nil
}
