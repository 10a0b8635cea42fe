package gputest

import (
	"bytes"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/persona-transfer/runpipeline/format/safetensors"
	"github.com/persona-transfer/runpipeline/gpu/tokenizer"
)

// Folder is the model as a Hugging Face folder in memory, without a tokenizer. change, if not
// nil, may change the tensors first.
func (r *Reference) Folder(config []byte, change func([]safetensors.Tensor) []safetensors.Tensor) fs.FS {
	shapes := r.Config.Tensors()
	var tensors []safetensors.Tensor
	for name, w := range r.Weights {
		tensors = append(tensors, safetensors.Tensor{Name: name, Shape: shapes[name], Data: w})
	}
	slices.SortFunc(tensors, func(a, b safetensors.Tensor) int { return strings.Compare(a.Name, b.Name) })
	if change != nil {
		tensors = change(tensors)
	}
	var b bytes.Buffer
	if err := safetensors.Write(&b, tensors, nil); err != nil {
		panic(fmt.Sprintf("gputest: %v", err))
	}
	return fstest.MapFS{"config.json": {Data: config}, "model.safetensors": {Data: b.Bytes()}}
}

// Tokenizer is a tokenizer of n tokens, n > 7, that stands in where a test needs one. Token 7
// ends a text.
func Tokenizer(t testing.TB, n int) *tokenizer.Tokenizer {
	t.Helper()
	var vocab strings.Builder
	for i := range n {
		if i > 0 {
			vocab.WriteByte(',')
		}
		fmt.Fprintf(&vocab, "%q:%d", fmt.Sprintf("t%d", i), i)
	}
	tok, err := tokenizer.FromJSON([]byte(`{"version": "1.0", "added_tokens": [], "normalizer": null, "pre_tokenizer": null,
		"post_processor": null, "decoder": null, "model": {"type": "BPE", "dropout": null, "unk_token": null,
		"continuing_subword_prefix": null, "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false,
		"vocab": {`+vocab.String()+`}, "merges": []}}`), []byte(`{"eos_token": "t7"}`))
	if err != nil {
		t.Fatal(err)
	}
	return tok
}
