package gpu

import (
	"fmt"

	"github.com/persona-transfer/runpipeline/gpu/arch"
	"github.com/persona-transfer/runpipeline/gpu/checkpoint"
	"github.com/persona-transfer/runpipeline/gpu/tokenizer"
)

// fewBeyond, or a tenth of the embedding, is how many tokens may lie beyond the embedding: published
// models have 1 to 4, fine-tuned ones some more. A tokenizer with more is another model's.
const fewBeyond = 64

// OpenTokenizer makes the tokenizer that a checkpoint's files describe: the vocabulary inside a
// GGUF, else the first of the files that [tokenizer.Open] knows. It refuses texts that need a token
// without a row in the embedding.
func OpenTokenizer(c *checkpoint.Checkpoint) (*tokenizer.Tokenizer, error) {
	t, err := openTokenizer(c)
	if err != nil {
		return nil, err
	}
	config, err := arch.ParseConfig(c.Config())
	if err != nil { // reported to callers that need more than the tokenizer
		return t, nil
	}
	if n := t.Size(); n-config.Vocab > max(fewBeyond, config.Vocab/10) {
		return nil, fmt.Errorf("the tokenizer has ids up to %d, the embedding has %d rows: they do not belong together", n-1, config.Vocab)
	}
	t.Limit(config.Vocab)
	return t, nil
}

func openTokenizer(c *checkpoint.Checkpoint) (*tokenizer.Tokenizer, error) {
	if v := c.GGUF(); v != nil {
		return tokenizer.FromVocab(tokenizer.Vocab{Model: v.Model, Pre: v.Pre, Tokens: v.Tokens, Scores: v.Scores, Types: v.Types, Merges: v.Merges,
			BOS: v.BOS, EOS: v.EOS, UNK: v.UNK, PAD: v.PAD, Ends: v.Ends, AddBOS: v.AddBOS, AddEOS: v.AddEOS, AddSpacePrefix: v.AddSpacePrefix, ChatTemplate: v.ChatTemplate})
	}
	return tokenizer.Open(c)
}
