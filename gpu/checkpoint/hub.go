package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// hubID matches "owner/name" and "owner/name@revision".
var hubID = regexp.MustCompile(`^([A-Za-z0-9][A-Za-z0-9._-]*)/([A-Za-z0-9][A-Za-z0-9._-]*)(?:@([A-Za-z0-9][A-Za-z0-9._/-]*))?$`)

// commitHash matches the revisions that never change.
var commitHash = regexp.MustCompile(`^[0-9a-f]{40}$`)

// cacheName matches what may name a file or folder of the cache. Commits and etags of
// huggingface.co are hashes; those of a mirror need not be.
var cacheName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+=-]{0,127}$`)

// A hub is one model on the hub, with everything needed to get it.
type hub struct {
	id       string // owner/name
	revision string // branch, tag or commit
	opts     Options
	endpoint string // where requests go
	shown    string // endpoint as messages show it, without what may be secret
	token    string
	cache    repoCache
	client   *http.Client
}

// newHub returns the model that ref names, with the settings of opts and the environment.
func newHub(ref string, opts Options) (*hub, error) {
	m := hubID.FindStringSubmatch(ref)
	if m == nil || strings.Contains(ref, "..") || strings.Contains(ref, "--") || strings.HasSuffix(ref, "/") {
		return nil, fmt.Errorf("no such file or folder, and not a hub id (owner/name or owner/name@revision): %w", ErrNotFound)
	}
	h := &hub{id: m[1] + "/" + m[2], revision: m[3], opts: opts, client: newClient()}
	if h.revision == "" {
		h.revision = "main"
	}
	h.opts.Offline = opts.Offline || truth(first(os.Getenv("HF_HUB_OFFLINE"), os.Getenv("TRANSFORMERS_OFFLINE")))
	h.endpoint = strings.TrimRight(first(opts.Endpoint, os.Getenv("HF_ENDPOINT"), "https://huggingface.co"), "/")
	h.shown = publicPart(h.endpoint)
	home, err := hfHome()
	if err != nil {
		return nil, err
	}
	dir := first(opts.CacheDir, expand(os.Getenv("HF_HUB_CACHE")), expand(os.Getenv("HUGGINGFACE_HUB_CACHE")), filepath.Join(home, "hub"))
	h.cache = repoCache{dir: dir, folder: "models--" + strings.ReplaceAll(h.id, "/", "--")}
	if h.token = strings.TrimSpace(first(opts.Token, os.Getenv("HF_TOKEN"), os.Getenv("HUGGING_FACE_HUB_TOKEN"))); h.token == "" {
		raw, err := readLocal(first(expand(os.Getenv("HF_TOKEN_PATH")), filepath.Join(home, "token")))
		if err == nil {
			h.token = strings.TrimSpace(string(raw))
		}
	}
	if strings.ContainsFunc(h.token, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return nil, errors.New("the hub's access token has characters that no token has")
	}
	return h, nil
}

// hfHome is the folder that HF_HOME names, by default huggingface in the user's cache.
func hfHome() (string, error) {
	if home := expand(os.Getenv("HF_HOME")); home != "" {
		return home, nil
	}
	if cache := expand(os.Getenv("XDG_CACHE_HOME")); cache != "" {
		return filepath.Join(cache, "huggingface"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("no home folder, and HF_HOME is not set: %w", err)
	}
	return filepath.Join(home, ".cache", "huggingface"), nil
}

// expand replaces variables and a leading ~ as Python's huggingface_hub does.
func expand(path string) string {
	path = os.ExpandEnv(path)
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		if home, err := os.UserHomeDir(); err == nil {
			return filepath.Join(home, rest)
		}
	}
	return path
}

// first returns the first text that is not empty.
func first(texts ...string) string {
	for _, s := range texts {
		if s != "" {
			return s
		}
	}
	return ""
}

// truth tells what huggingface_hub takes for true.
func truth(s string) bool {
	return slices.Contains([]string{"1", "ON", "YES", "TRUE"}, strings.ToUpper(s))
}

// openHub opens a model of the hub, downloading what the cache lacks.
func openHub(ctx context.Context, ref string, opts Options) (*Checkpoint, error) {
	h, err := newHub(ref, opts)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", ref, err)
	}
	c, err := h.open(ctx)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", ref, h.hide(err))
	}
	c.name = ref
	return c, nil
}

// open asks the hub which commit the revision is now and opens that. What the cache holds
// is enough, and the network stays unused, if the revision is itself a commit, if only
// metadata are wanted, or if the network must not or cannot be used.
func (h *hub) open(ctx context.Context) (*Checkpoint, error) {
	cached, cacheErr := h.openSnapshot(h.cache.commit(h.revision))
	if cacheErr == nil && (h.opts.Offline || h.suffices(cached)) {
		return cached, nil
	}
	if h.opts.Offline {
		return nil, fmt.Errorf("offline; cache: %w", cacheErr)
	}
	commit, err := h.fetch(ctx)
	if err == nil {
		if cacheErr == nil {
			cached.Close()
		}
		return h.openSnapshot(commit)
	}
	switch {
	case ctx.Err() != nil:
		if cacheErr == nil {
			cached.Close()
		}
		return nil, ctx.Err()
	case cacheErr == nil:
		return cached, nil
	}
	// The snapshot may have grown before the download failed: say what is missing now.
	if cached, cacheErr = h.openSnapshot(h.cache.commit(h.revision)); cacheErr == nil {
		cached.Close()
		return nil, err
	}
	return nil, fmt.Errorf("%w; cache: %w", err, cacheErr)
}

// suffices tells whether a snapshot of the cache is as good as asking the hub.
func (h *hub) suffices(c *Checkpoint) bool {
	if !h.opts.MetadataOnly && !commitHash.MatchString(h.revision) {
		return false
	}
	if len(c.tensors) == 0 {
		return false
	}
	for _, name := range []string{"tokenizer.json", "tokenizer.model", "qwen.tiktoken", "vocab.json"} {
		if exists(c.folder, name) {
			return true
		}
	}
	return false
}

// openSnapshot opens a commit that is in the cache.
func (h *hub) openSnapshot(commit string) (*Checkpoint, error) {
	dir := h.cache.snapshot(commit)
	if info, err := os.Stat(dir); commit == "" || err != nil || !info.IsDir() {
		return nil, fmt.Errorf("nothing of revision %s: %w", h.revision, ErrNotFound)
	}
	c, err := newFolder(os.DirFS(dir), "", h.opts.MetadataOnly)
	if errors.Is(err, ErrFormat) {
		err = fmt.Errorf("%w (in %s)", err, dir)
	}
	return c, err
}

// fetch downloads what the cache lacks of the revision and returns its commit.
func (h *hub) fetch(ctx context.Context) (string, error) {
	info, err := h.info(ctx)
	if err != nil {
		return "", err
	}
	for _, name := range append(slices.Clone(textFiles), indexFile) {
		if !info.has(name) || name == indexFile && info.has(weightsFile) {
			continue
		}
		if err := h.file(ctx, info.SHA, name); err != nil {
			return "", err
		}
	}
	if err := h.cache.remember(h.revision, info.SHA); err != nil {
		return "", err
	}
	if h.opts.MetadataOnly {
		return info.SHA, nil
	}
	if !info.has(weightsFile) && !info.has(indexFile) {
		return "", info.noWeights()
	}
	files := []string{weightsFile}
	if !info.has(weightsFile) {
		raw, err := readPlain(os.DirFS(h.cache.snapshot(info.SHA)), indexFile)
		if err != nil {
			return "", err
		}
		shards, err := parseIndex(raw)
		if err != nil {
			return "", fmt.Errorf("%s: %w: %w", indexFile, err, ErrFormat)
		}
		files = nil
		for _, s := range shards {
			files = append(files, s.file)
		}
	}
	for _, name := range files {
		if err := h.file(ctx, info.SHA, name); err != nil {
			return "", err
		}
	}
	return info.SHA, nil
}

// noWeights says what the repository has instead of safetensors.
func (r *repoInfo) noWeights() error {
	for _, s := range r.Siblings {
		switch {
		case strings.HasPrefix(s.Name, "pytorch_model"):
			return fmt.Errorf("%.100s: PyTorch's pickle files are not read: convert the model to safetensors, "+
				"for example with transformers' save_pretrained: %w", s.Name, ErrFormat)
		case strings.HasSuffix(s.Name, ".gguf"):
			return fmt.Errorf("a repository of GGUF files: download one, for example %.100s, and name the file: %w", s.Name, ErrFormat)
		}
	}
	return fmt.Errorf("the repository has no safetensors: %w", ErrNotFound)
}
