package arch

import "testing"

// TestProductsAreThoseCountedByHand counts the multiplications of a small model of two blocks matrix by matrix.
func TestProductsAreThoseCountedByHand(t *testing.T) {
	c, err := ParseConfig([]byte(`{"model_type": "llama", "vocab_size": 10, "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2,
		"num_key_value_heads": 1, "head_dim": 6, "intermediate_size": 5, "max_position_embeddings": 64, "rms_norm_eps": 1e-6, "tie_word_embeddings": true}`))
	if err != nil {
		t.Fatal(err)
	}
	const (
		q, k, v, o     = 8 * 12, 8 * 6, 8 * 6, 12 * 8
		gate, up, down = 8 * 5, 8 * 5, 5 * 8
		head           = 8 * 10
		block          = q + k + v + o + gate + up + down
	)
	for _, n := range []struct {
		name      string
		got, want int
	}{
		{"keys and values", c.KeyValueWeights(), k + v},
		{"a block", c.BlockWeights(), block},
		{"the output matrix", c.HeadWeights(), head},
		{"a token", c.TokenProducts(), 2*block + head},
		{"three tokens until after block 0", c.ReadingProducts(3, 0), 3*(k+v) + q + o + gate + up + down},
		{"three tokens until after block 1", c.ReadingProducts(3, 1), 3*block + 3*(k+v) + q + o + gate + up + down},
		{"one token until after block 1", c.ReadingProducts(1, 1), 2 * block},
	} {
		if n.got != n.want {
			t.Errorf("%s: %d multiplications, want %d", n.name, n.got, n.want)
		}
	}
}
