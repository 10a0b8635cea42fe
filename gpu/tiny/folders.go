package tiny

import (
	"embed"
	"io/fs"
)

//go:embed qwen2 llama
var folders embed.FS

// Names of the two models, for [Folder].
const (
	Source = "qwen2"
	Target = "llama"
)

// Folder returns a model of the pair as a Hugging Face folder: config.json,
// generation_config.json, tokenizer.json, tokenizer_config.json and model.safetensors. It
// reports false for any name but "qwen2" and "llama".
func Folder(name string) (fs.FS, bool) {
	if name != Source && name != Target {
		return nil, false
	}
	folder, err := fs.Sub(folders, name)
	return folder, err == nil
}
