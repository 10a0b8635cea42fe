package arch

// KeyValueWeights is the number of weights with which a block makes a token's key and value, which are all
// that later tokens need of it.
func (c *Config) KeyValueWeights() int { return 2 * c.Hidden * c.KVDim() }

// BlockWeights is the number of weights in the products of a block: a token is multiplied with each once.
// Norms and biases are not counted.
func (c *Config) BlockWeights() int {
	return c.KeyValueWeights() + 2*c.Hidden*c.QueryDim() + 3*c.Hidden*c.Inner
}

// HeadWeights is the number of weights of the output matrix.
func (c *Config) HeadWeights() int { return c.Hidden * c.Vocab }

// ReadingProducts is the number of multiplications with weights that it takes to read a text of so many
// tokens until the residual stream of its last one after block last is known: no later block, and in that
// one nothing of the tokens before but their keys and values.
func (c *Config) ReadingProducts(tokens, last int) int {
	return tokens*(last*c.BlockWeights()+c.KeyValueWeights()) + c.BlockWeights() - c.KeyValueWeights()
}

// TokenProducts is the same for one token that all blocks read and whose logits are wanted.
func (c *Config) TokenProducts() int { return c.Layers*c.BlockWeights() + c.HeadWeights() }
