package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/persona-transfer/runpipeline/format/gguf"
)

// Options say how [Open] finds a model. The zero value follows the environment.
type Options struct {
	MetadataOnly bool   // weights are not downloaded, and missing shards are not an error
	Offline      bool   // never use the network (default: HF_HUB_OFFLINE, then TRANSFORMERS_OFFLINE)
	Endpoint     string // the hub's address (default: HF_ENDPOINT, then https://huggingface.co)
	CacheDir     string // the hub's cache folder (default: HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE, HF_HOME/hub, ~/.cache/huggingface/hub)
	Token        string // the hub's access token (default: HF_TOKEN, HUGGING_FACE_HUB_TOKEN, the file HF_TOKEN_PATH, HF_HOME/token)

	// Progress, if set, is told how many bytes of a file have arrived; total is -1 if the
	// hub did not say. Calls come from one goroutine at a time.
	Progress func(file string, done, total int64)
}

// Open opens the model that ref names: a folder in Hugging Face's layout, a .gguf file, or
// a hub id "owner/name" or "owner/name@revision". An existing path is always taken as one.
func Open(ctx context.Context, ref string, opts Options) (*Checkpoint, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	info, err := os.Stat(ref)
	switch {
	case err == nil && info.IsDir():
		return openFolder(os.DirFS(ref), ref, opts.MetadataOnly)
	case err == nil && !info.Mode().IsRegular():
		return nil, fmt.Errorf("open %w", checkMode(ref, info.Mode()))
	case err == nil && isGGUF(ref):
		return openGGUF(ref, ref)
	case err == nil:
		return nil, fmt.Errorf("open %s: neither a folder nor a GGUF file: %w", ref, ErrFormat)
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("open %w", err)
	case slices.Contains([]string{".gguf", ".safetensors", ".bin", ".json"}, strings.ToLower(filepath.Ext(ref))):
		return nil, fmt.Errorf("open %s: no such file: %w", ref, ErrNotFound)
	}
	// models/x, mistyped, looks like a hub id: say what else it may have been meant to be.
	if owner, name, _ := strings.Cut(ref, "/"); isFolder(owner) {
		c, err := openHub(ctx, ref, opts)
		if err != nil {
			err = fmt.Errorf("%w (the folder %s is here, but without %s)", err, owner, name)
		}
		return c, err
	}
	return openHub(ctx, ref, opts)
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// isGGUF tells a GGUF by its name or its first bytes.
func isGGUF(path string) bool {
	if strings.EqualFold(filepath.Ext(path), ".gguf") {
		return true
	}
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	magic := make([]byte, len(gguf.Magic))
	_, err = io.ReadFull(f, magic)
	return err == nil && string(magic) == gguf.Magic
}

// IsLocal reports whether Open takes ref as a folder or file of this machine, not as a hub id.
func IsLocal(ref string) bool {
	_, err := os.Stat(ref)
	return err == nil || NamesFile(ref)
}

// NamesFile reports whether ref can only mean a folder or file, be it there or not: a path that is
// absolute or begins with a dot, or the name of a GGUF.
func NamesFile(ref string) bool {
	return strings.HasSuffix(ref, ".gguf") || strings.HasPrefix(ref, ".") || filepath.IsAbs(ref)
}
