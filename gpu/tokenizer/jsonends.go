package tokenizer

import "encoding/json"

// postProcessor sets what is put around every encoding.
func (b *builder) postProcessor(data json.RawMessage) {
	type special struct{ IDs []int32 }
	var p struct {
		Processors    []json.RawMessage
		Single        []struct{ SpecialToken, Sequence *struct{ ID string } }
		SpecialTokens map[string]special `json:"special_tokens"`
		Cls, Sep      json.RawMessage
	}
	t := b.tokenizer
	switch kind := b.read("post_processor", data, &p); kind {
	case "", "ByteLevel": // ByteLevel trims offsets, which we report untrimmed
	case "Sequence":
		b.each(p.Processors, b.postProcessor)
	case "TemplateProcessing":
		var before, after []int32
		sequences := 0
		for _, item := range p.Single {
			switch {
			case item.Sequence != nil && item.Sequence.ID == "A":
				sequences++
			case item.SpecialToken != nil:
				ids := p.SpecialTokens[item.SpecialToken.ID].IDs
				if len(ids) == 0 {
					b.refuse("post_processor TemplateProcessing: no ids for %.40q", item.SpecialToken.ID)
				}
				if len(before)+len(after)+len(ids) > maxAround {
					b.refuse("post_processor TemplateProcessing: more than %d tokens around every text", maxAround)
					return
				}
				if sequences == 0 {
					before = append(before, ids...)
				} else {
					after = append(after, ids...)
				}
			}
		}
		if sequences != 1 {
			b.refuse("post_processor TemplateProcessing with %d places for the text", sequences)
		}
		t.before, t.after = append(before, t.before...), append(t.after, after...)
	case "BertProcessing", "RobertaProcessing":
		cls, sep := b.namedID(p.Cls), b.namedID(p.Sep)
		t.before, t.after = append([]int32{cls}, t.before...), append(t.after, sep)
	default:
		b.refuse("unknown post_processor %s", kind)
	}
}

// namedID reads a pair of token and id.
func (b *builder) namedID(data json.RawMessage) int32 {
	var text string
	var id int32
	if err := json.Unmarshal(data, &[]any{&text, &id}); err != nil {
		b.refuse("post_processor: %v", err)
	}
	return id
}

// decoder appends what the decoder component in data does to the tokenizer.
func (b *builder) decoder(data json.RawMessage) {
	var p struct {
		Decoders       []json.RawMessage
		Pattern        patternSpec
		Content        string
		Start, Stop    int
		Suffix         *string
		AddPrefixSpace *bool `json:"add_prefix_space"`
		metaspaceSpec
	}
	add := func(d decoder) { b.tokenizer.decoders = append(b.tokenizer.decoders, d) }
	switch kind := b.read("decoder", data, &p); kind {
	case "":
	case "Sequence":
		b.each(p.Decoders, b.decoder)
	case "ByteLevel":
		add(decodeBytes)
	case "ByteFallback":
		add(decodeFallback)
	case "Fuse":
		add(decodeFuse)
	case "Replace":
		pat := b.pattern("decoder Replace", p.Pattern)
		if re, ok := pat.(*regex); ok && (re.nested || len(re.insts) > maxDecoderInsts) {
			b.refuse("decoder Replace with the regular expression %.200q", re.expr)
		}
		b.grow(p.Content, pat)
		add(decodeReplace(pat, p.Content))
	case "Strip":
		add(decodeStrip(p.Content, p.Start, p.Stop))
	case "Metaspace":
		add(decodeMetaspace(b.metaspace("decoder", p.metaspaceSpec, p.AddPrefixSpace)))
	case "BPEDecoder":
		suffix := "</w>"
		if p.Suffix != nil {
			suffix = *p.Suffix
		}
		b.grow(" ", literal(suffix))
		add(decodeSuffix(suffix))
	default:
		b.refuse("unknown decoder %s", kind)
	}
}

// maxDecoderInsts bounds regular expressions in decoders. Together with what b.grow bounds it makes that
// decoding cannot fail.
const maxDecoderInsts = 100

// grow notes by how much a decoder may lengthen a token that writes content for each match of p.
func (b *builder) grow(content string, p pattern) {
	shortest := 1 // the number of bytes that a match has at least
	if text, ok := p.(literal); ok {
		shortest = len(text)
	}
	factor := max(1, len(content))
	if shortest > 0 {
		factor = (factor + shortest - 1) / shortest
	} else if content != "" { // between all characters
		factor = 1 + len(content)
	}
	if b.growth *= factor; b.growth > maxGrowth {
		b.refuse("decoders that make a token more than %d times as long", maxGrowth)
		b.growth = 1
	}
}
