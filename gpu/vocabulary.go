package gpu

import (
	"github.com/persona-transfer/runpipeline/gpu/checkpoint"
	"github.com/persona-transfer/runpipeline/gpu/tokenizer"
)

// OpenTokenizer makes the tokenizer that a checkpoint's files describe: the vocabulary inside a
// GGUF, else the first of the files that [tokenizer.Open] knows. Texts that need a token without a row
// in the embedding are refused by it.
func OpenTokenizer(c *checkpoint.Checkpoint) (*tokenizer.Tokenizer, error) {
	t, err := openTokenizer(c)
	if err != nil {
		return nil, err
	}
	if config, err := ParseConfig(c.Config()); err == nil {
		t.Limit(config.Vocab)
	}
	return t, nil
}

func openTokenizer(c *checkpoint.Checkpoint) (*tokenizer.Tokenizer, error) {
	if v := c.GGUF(); v != nil {
		return tokenizer.FromVocab(tokenizer.Vocab{Model: v.Model, Pre: v.Pre, Tokens: v.Tokens, Scores: v.Scores, Types: v.Types, Merges: v.Merges,
			BOS: v.BOS, EOS: v.EOS, UNK: v.UNK, PAD: v.PAD, AddBOS: v.AddBOS, AddEOS: v.AddEOS, AddSpacePrefix: v.AddSpacePrefix, ChatTemplate: v.ChatTemplate})
	}
	return tokenizer.Open(c)
}
