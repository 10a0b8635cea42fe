package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/persona-transfer/runpipeline/format/safetensors"
	"github.com/persona-transfer/runpipeline/gpu/arch"
	"github.com/persona-transfer/runpipeline/gpu/tiny"
)

// widthQuantity is capture with models of random weights whose every width is a multiple of d.
func widthQuantity() quantity {
	return quantity{varied: "width d", work: "capture, 16 texts, random weights",
		sizes: []int{128, 256, 512, 1024},
		// Weights are d² in every block; a token's values are d.
		time: power(2), memory: power(1),
		open: func(ctx context.Context, d int) (*job, error) {
			folder, err := os.MkdirTemp("", "growth")
			if err != nil {
				return nil, err
			}
			defer os.RemoveAll(folder)
			if err := writeModel(folder, d); err != nil {
				return nil, err
			}
			s := subject{ref: folder}
			return s.job(ctx, s.capture(16))
		}}
}

// writeModel writes a model of two blocks and width d, with the tokenizer of an embedded one.
func writeModel(folder string, d int) error {
	const headSize = 32
	config := fmt.Appendf(nil, `{"model_type": "llama", "vocab_size": 2048, "hidden_size": %d, "intermediate_size": %d, "num_hidden_layers": 2,
		"num_attention_heads": %d, "max_position_embeddings": 256, "tie_word_embeddings": true, "eos_token_id": 2}`, d, 3*d, d/headSize)
	c, err := arch.ParseConfig(config)
	if err != nil {
		return err
	}
	var tensors []safetensors.Tensor
	for name, shape := range c.Tensors() {
		n := 1
		for _, s := range shape {
			n *= s
		}
		w := activations(1, n, uint64(len(name)))
		for i := range w {
			w[i] *= .02
		}
		tensors = append(tensors, safetensors.Tensor{Name: name, Shape: shape, Data: w})
	}
	out, err := os.Create(filepath.Join(folder, "model.safetensors"))
	if err != nil {
		return err
	}
	defer out.Close()
	if err := safetensors.Write(out, tensors, nil); err != nil {
		return err
	}
	like, _ := tiny.Folder(tiny.Target)
	for _, name := range []string{"tokenizer.json", "tokenizer_config.json"} {
		b, err := fs.ReadFile(like, name)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(folder, name), b, 0o600); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(folder, "config.json"), config, 0o600)
}
