package tokenizer

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// patternSpec is a pattern in tokenizer.json: a literal or a regular expression.
type patternSpec struct{ String, Regex *string }

func (b *builder) pattern(what string, spec patternSpec) pattern {
	switch {
	case spec.String != nil:
		return literal(*spec.String)
	case spec.Regex != nil:
		p, err := compile(*spec.Regex)
		if err != nil {
			b.refuse("%s: %v", what, err)
			return literal("")
		}
		return p
	}
	b.refuse("%s without a pattern", what)
	return literal("")
}

// normalizers appends what the normalizer component in data does to the tokenizer.
func (b *builder) normalizers(data json.RawMessage) {
	var p struct {
		Normalizers         []json.RawMessage
		Prepend             string
		Pattern             patternSpec
		Content             string
		StripLeft           bool   `json:"strip_left"`
		StripRight          bool   `json:"strip_right"`
		PrecompiledCharsmap []byte `json:"precompiled_charsmap"`
	}
	add := func(n normalizer) { b.tokenizer.normalize = append(b.tokenizer.normalize, n) }
	switch kind := b.read("normalizer", data, &p); kind {
	case "":
	case "Sequence":
		b.each(p.Normalizers, b.normalizers)
	case "NFC":
		add(unicodeForm(norm.NFC))
	case "NFD":
		add(unicodeForm(norm.NFD))
	case "NFKC":
		add(unicodeForm(norm.NFKC))
	case "NFKD":
		add(unicodeForm(norm.NFKD))
	case "Lowercase":
		add(lowercase)
	case "StripAccents":
		add(stripAccents)
	case "Nmt":
		add(nmt)
	case "Strip":
		add(stripSpace(p.StripLeft, p.StripRight))
	case "Prepend":
		add(prependTo(p.Prepend))
	case "Replace":
		add(replaceAll(b.pattern("normalizer Replace", p.Pattern), p.Content))
	case "Precompiled":
		n, err := precompiledGraphemes(p.PrecompiledCharsmap)
		if err != nil {
			b.refuse("normalizer Precompiled: %v", err)
		}
		add(n)
	default:
		b.refuse("unknown normalizer %s", kind)
	}
}

// preTokenizer sets how the tokenizer cuts text into words.
func (b *builder) preTokenizer(data json.RawMessage) {
	t := b.tokenizer
	if parts := b.preTokenizers(data); len(parts) > 0 {
		t.words = sequence(parts)
		t.track = t.track && len(parts)+len(t.normalize) > 1 // else its input is the original
	}
}

func (b *builder) preTokenizers(data json.RawMessage) []pretokenizer {
	var p struct {
		Pretokenizers    []json.RawMessage
		Pattern          patternSpec
		Behavior         string
		Invert           bool
		AddPrefixSpace   *bool `json:"add_prefix_space"`
		UseRegex         *bool `json:"use_regex"`
		IndividualDigits bool  `json:"individual_digits"`
		Delimiter        string
		Length           int
		metaspaceSpec
	}
	kind := b.read("pre_tokenizer", data, &p)
	if kind != "" && kind != "Sequence" && b.byteLevel {
		b.refuse("pre_tokenizer %s behind ByteLevel", kind)
	}
	split := func(pat pattern, behavior string, invert bool) []pretokenizer {
		s, err := splitter(pat, behavior, invert)
		if err != nil {
			b.refuse("pre_tokenizer %s: %v", kind, err)
		}
		return []pretokenizer{s}
	}
	switch kind {
	case "":
	case "Sequence":
		var out []pretokenizer
		b.each(p.Pretokenizers, func(part json.RawMessage) { out = append(out, b.preTokenizers(part)...) })
		return out
	case "ByteLevel":
		b.byteLevel = true
		prefix, cut := p.AddPrefixSpace == nil || *p.AddPrefixSpace, p.UseRegex == nil || *p.UseRegex
		if prefix || cut {
			return []pretokenizer{byteLevel(prefix, cut)}
		}
	case "Split":
		return split(b.pattern("pre_tokenizer Split", p.Pattern), p.Behavior, p.Invert)
	case "Metaspace":
		mark, scheme := b.metaspace("pre_tokenizer", p.metaspaceSpec, p.AddPrefixSpace)
		b.tokenizer.track = b.tokenizer.track || scheme == prependFirst
		return []pretokenizer{metaspace(mark, scheme, p.Split == nil || *p.Split)}
	case "Digits":
		if p.IndividualDigits {
			return split(runePattern(isNumber), isolated, false)
		}
		return split(runePattern(isNumber), contiguous, false)
	case "Punctuation":
		if p.Behavior == "" {
			p.Behavior = isolated
		}
		return split(runePattern(isPunctuation), p.Behavior, false)
	case "Whitespace":
		return split(wordOrSigns{}, removed, true)
	case "WhitespaceSplit":
		return split(runePattern(unicode.IsSpace), removed, false)
	case "BertPreTokenizer":
		return append(split(runePattern(unicode.IsSpace), removed, false), split(runePattern(isPunctuation), isolated, false)...)
	case "CharDelimiterSplit":
		return split(literal(p.Delimiter), removed, false)
	case "FixedLength":
		if p.Length < 1 {
			b.refuse("pre_tokenizer FixedLength with length %d", p.Length)
		}
		return []pretokenizer{fixedLength(p.Length)}
	default:
		b.refuse("unknown pre_tokenizer %s", kind)
	}
	return nil
}

// metaspaceSpec is what the pre-tokenizer and the decoder of SentencePiece's spaces share.
type metaspaceSpec struct {
	Replacement   string
	PrependScheme *string `json:"prepend_scheme"`
	Split         *bool
}

func (b *builder) metaspace(what string, p metaspaceSpec, addPrefixSpace *bool) (mark rune, scheme string) {
	mark, n := utf8.DecodeRuneInString(p.Replacement)
	if n == 0 || n != len(p.Replacement) {
		b.refuse("%s Metaspace with replacement %q", what, p.Replacement)
	}
	scheme = prependAlways
	if p.PrependScheme != nil {
		scheme = *p.PrependScheme
	}
	switch scheme {
	case prependAlways, prependFirst, prependNever:
	default:
		b.refuse("%s Metaspace with prepend_scheme %q", what, scheme)
	}
	if addPrefixSpace != nil && !*addPrefixSpace {
		scheme = prependNever
	}
	return mark, scheme
}

// model sets the tokenizer's model and vocabulary.
func (b *builder) model(data json.RawMessage) {
	var kind struct {
		Type   string
		Merges json.RawMessage
		Vocab  json.RawMessage
	}
	if err := json.Unmarshal(data, &kind); err != nil {
		b.refuse("model: %v", err)
		return
	}
	if kind.Type == "" { // files from before 2021 do not say
		switch {
		case len(kind.Merges) > 0:
			kind.Type = "BPE"
		case strings.HasPrefix(string(kind.Vocab), "["):
			kind.Type = "Unigram"
		}
	}
	var err error
	switch kind.Type {
	case "BPE":
		err = b.bpe(data)
	case "Unigram":
		err = b.unigram(data)
	default:
		err = fmt.Errorf("unknown model %q", kind.Type)
	}
	if err != nil {
		b.refuse("%v", err)
	}
}
