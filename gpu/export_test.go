package gpu

import "github.com/persona-transfer/runpipeline/gpu/tokenizer"

// OpenSource opens a decoder on weights that are not in a checkpoint.
func OpenSource(c *Config, src source, tok *tokenizer.Tokenizer) (*Decoder, error) {
	d, err := newDecoder(c, src, "cpu")
	if err == nil {
		d.tok = tok
	}
	return d, err
}
