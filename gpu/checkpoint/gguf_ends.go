package checkpoint

import "slices"

// What a token of a GGUF is, as far as the ends of texts go by it.
const (
	normalToken  = 1
	controlToken = 3
	userToken    = 4
)

// endTexts are the tokens that end a text whatever the metadata say, by their texts.
var endTexts = []string{"<|eot_id|>", "<|im_end|>", "<|end|>", "<|return|>", "<|call|>", "<|flush|>", "<|calls|>", "<end_of_turn>", "<|endoftext|>",
	"</s>", "<|eom_id|>", "<EOT>", "_<EOT>", "[EOT]", "[EOS]", "<|end_of_text|>", "<end_of_utterance>", "<eos>", "<turn|>", "<|tool_response>"}

// endKeys are the special tokens that end a text besides eos, and for those of code models the texts by which
// they are found where the metadata do not name them.
var endKeys = []struct {
	key   string
	texts []string
}{
	{"eot", nil}, {"eom", nil}, // their texts are among endTexts
	{"fim_pad", []string{"<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>", "[PAD]"}},
	{"fim_rep", []string{"<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<REPO>", "<reponame>"}},
	{"fim_sep", []string{"<|file_sep|>"}},
}

// findEnds sets the tokens at which generation ends as llama.cpp does (src/llama-vocab.cpp, special_eog_ids): eos,
// the ends of turns and messages and the marks between files that the metadata name, and tokens whose texts
// are known for it. Those known by their text count as control tokens, except </s>, which in vocabularies
// with another eos, Gemma's among them, is a piece of HTML: their tokenizers write it out.
func (m *ggufModel) findEnds(v *GGUFVocab) {
	ids := make(map[string]int, len(v.Tokens))
	for i, text := range v.Tokens {
		ids[text] = i
	}
	byText := func(text string) (int, bool) {
		id, ok := ids[text]
		if ok && text != "</s>" {
			v.setType(id, controlToken)
		}
		return id, ok
	}
	ends := map[int]bool{}
	if v.EOS >= 0 {
		ends[v.EOS] = true
	}
	for _, k := range endKeys {
		id := m.tokenID(k.key, -1, v)
		for _, text := range k.texts {
			if id < 0 {
				if found, ok := byText(text); ok {
					id = found
				}
			}
		}
		if id >= 0 {
			ends[id] = true
		}
	}
	for _, text := range endTexts {
		if id, ok := byText(text); ok {
			ends[id] = true
		}
	}
	has := func(text string) bool { id, ok := ids[text]; return ok && ends[id] }
	calls := has("<|call|>") || has("<|calls|>")
	if has("<|end|>") && calls && (has("<|return|>") || has("<|flush|>")) { // ends a message, not the answer
		delete(ends, ids["<|end|>"])
		v.setType(ids["<|end|>"], userToken)
	}
	if has("</s>") && has("<|tool_response>") {
		delete(ends, ids["</s>"])
	}
	for id := range ends {
		v.Ends = append(v.Ends, id)
	}
	slices.Sort(v.Ends)
}

// setType changes what a token is.
func (v *GGUFVocab) setType(id int, kind int32) {
	if v.Types == nil {
		v.Types = slices.Repeat([]int32{normalToken}, len(v.Tokens))
	}
	if id < len(v.Types) {
		v.Types[id] = kind
	}
}
