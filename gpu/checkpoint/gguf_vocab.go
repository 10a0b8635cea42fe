package checkpoint

import (
	"slices"

	"github.com/persona-transfer/runpipeline/format/gguf"
)

// GGUFVocab is the tokenizer inside a GGUF file. Whether tokens and spaces are added is
// what llama.cpp does when the file does not say.
type GGUFVocab struct {
	Model  string    // kind: "gpt2" (byte-level BPE) or "llama" (SentencePiece)
	Pre    string    // name of the split pattern of a "gpt2" vocabulary, such as "smollm"; empty in files of before May 2024
	Tokens []string  // text of each token
	Scores []float32 // SentencePiece scores; nil if the file has none
	Types  []int32   // 1 normal, 2 unknown, 3 control, 4 user defined, 5 unused, 6 byte; nil if the file has none
	Merges []string  // BPE merges, "left right", best first

	BOS, EOS, UNK, PAD int   // token ids, -1 if there is none
	Ends               []int // tokens at which generation ends, in order

	AddBOS, AddEOS bool // whether encoding adds them
	AddSpacePrefix bool // whether encoding puts a space before the text
	ChatTemplate   string
}

// startWithBOS are the split patterns for which llama.cpp adds a BOS unless told otherwise.
var startWithBOS = []string{"llama3", "llama-v3", "llama-bpe", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2", "jina-v5-nano", "tekken", "chameleon"}

// vocab reads the tokenizer's metadata.
func (m *ggufModel) vocab() *GGUFVocab {
	v := &GGUFVocab{Model: m.token("model"), Pre: m.token("pre")}
	v.ChatTemplate, _ = m.meta["tokenizer.chat_template"].(string)
	m.tokenList("tokens", gguf.KindString, -1, func(a gguf.Array) (err error) { v.Tokens, err = a.Strings(); return err })
	m.tokenList("merges", gguf.KindString, -1, func(a gguf.Array) (err error) { v.Merges, err = a.Strings(); return err })
	m.tokenList("scores", gguf.KindFloat32, len(v.Tokens), func(a gguf.Array) (err error) { v.Scores, err = a.Float32s(); return err })
	m.tokenList("token_type", gguf.KindInt32, len(v.Tokens), func(a gguf.Array) error {
		all, err := a.Ints()
		for _, t := range all {
			v.Types = append(v.Types, int32(t))
		}
		return err
	})
	bos, eos, unk := -1, -1, -1
	if v.Model == "llama" { // SentencePiece's defaults
		bos, eos, unk = 1, 2, 0
	}
	v.BOS, v.EOS = m.tokenID("bos", bos, v), m.tokenID("eos", eos, v)
	v.UNK, v.PAD = m.tokenID("unknown", unk, v), m.tokenID("padding", -1, v)
	m.findEnds(v)
	v.AddBOS = m.tokenBool("add_bos_token", v.Model == "llama" || slices.Contains(startWithBOS, v.Pre))
	v.AddEOS = m.tokenBool("add_eos_token", false)
	v.AddSpacePrefix = m.tokenBool("add_space_prefix", v.Model == "llama")
	return v
}

func (m *ggufModel) token(key string) string {
	s, _ := m.meta["tokenizer.ggml."+key].(string)
	return s
}

// tokenList reads a list of the tokenizer's metadata if it is there; n is how many entries it should
// have, -1 if that is open.
func (m *ggufModel) tokenList(key string, kind gguf.Kind, n int, read func(gguf.Array) error) {
	key = "tokenizer.ggml." + key
	v, ok := m.meta[key]
	if !ok {
		return
	}
	a, ok := v.(gguf.Array)
	switch {
	case !ok || a.Kind != kind:
		m.problem("metadata %s is not a list of the right type", key)
	case n >= 0 && a.Len != n:
		m.problem("metadata %s has %d entries for %d tokens", key, a.Len, n)
	default:
		if err := read(a); err != nil {
			m.problem("metadata %s: %v", key, err)
		}
	}
}

// tokenID returns the id of a special token; a default counts only if the vocabulary has it. An id
// that the vocabulary does not have, often -1 or its size, is passed over as llama.cpp does.
func (m *ggufModel) tokenID(key string, def int, v *GGUFVocab) int {
	if def >= len(v.Tokens) {
		def = -1
	}
	value, ok := m.meta["tokenizer.ggml."+key+"_token_id"]
	if !ok {
		return def
	}
	id, ok := gguf.Int(value)
	switch {
	case !ok:
		m.problem("metadata tokenizer.ggml.%s_token_id is %s, not a whole number", key, show(value))
		return def
	case id >= 0 && id < int64(len(v.Tokens)):
		return int(id)
	case def >= 0:
		m.note("metadata tokenizer.ggml.%s_token_id is %s for %d tokens: token %d is taken", key, show(value), len(v.Tokens), def)
	default:
		m.note("metadata tokenizer.ggml.%s_token_id is %s for %d tokens: there is none", key, show(value), len(v.Tokens))
	}
	return def
}

func (m *ggufModel) tokenBool(key string, def bool) bool {
	if v, ok := m.meta["tokenizer.ggml."+key].(bool); ok {
		return v
	}
	return def
}
