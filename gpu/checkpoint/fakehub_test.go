package checkpoint

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/persona-transfer/runpipeline/format/safetensors"
)

const (
	testID     = "some-owner/Some-Model.v1"
	testCommit = "0123456789abcdef0123456789abcdef01234567"
	testToken  = "hf_SecretTokenNobodyMaySee"
)

// A fakeHub speaks the routes of huggingface.co that are used here. Files of 1000 bytes and
// more count as big: they lie on another server and are announced by a redirect.
type fakeHub struct {
	t        *testing.T
	files    fstest.MapFS
	hub      *httptest.Server
	store    *httptest.Server
	gated    bool
	broken   bool // answers 503
	gone     bool // the list of files names one that is not there
	commit   string
	branches []string
	etag     func(data []byte) string // of small files

	mu     sync.Mutex
	busy   map[string]int // file → how many questions are answered 503
	cut    map[string]int // file → how many bytes of the next answer arrive
	damage map[string]bool
	log    []string // "GET file bytes=…"
}

func newFakeHub(t *testing.T, files fstest.MapFS) *fakeHub {
	f := &fakeHub{t: t, files: files, commit: testCommit, etag: gitSHA1,
		busy: make(map[string]int), cut: make(map[string]int), damage: make(map[string]bool)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/models/{owner}/{name}/revision/{rev}", f.info)
	mux.HandleFunc("GET /{owner}/{name}/resolve/{commit}/{file}", f.resolve)
	f.hub = httptest.NewServer(mux)
	f.store = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			t.Error("the token went to another host")
		}
		f.send(w, r, strings.TrimPrefix(r.URL.Path, "/"))
	}))
	t.Cleanup(f.hub.Close)
	t.Cleanup(f.store.Close)
	for _, env := range []string{"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH", "HF_ENDPOINT", "HF_HUB_OFFLINE",
		"TRANSFORMERS_OFFLINE", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "XDG_CACHE_HOME"} {
		t.Setenv(env, "")
	}
	t.Setenv("HF_HOME", t.TempDir())
	old := backoff
	backoff = time.Millisecond
	t.Cleanup(func() { backoff = old })
	return f
}

func (f *fakeHub) options() Options { return Options{Endpoint: f.hub.URL} }

// refuse answers requests that may not see the model.
func (f *fakeHub) refuse(w http.ResponseWriter, r *http.Request) bool {
	switch auth := r.Header.Get("Authorization"); {
	case f.broken:
		w.WriteHeader(http.StatusServiceUnavailable)
	case r.PathValue("owner")+"/"+r.PathValue("name") != testID:
		w.Header().Set("X-Error-Code", "RepoNotFound")
		w.WriteHeader(http.StatusNotFound)
	case f.gated && auth == "":
		w.Header().Set("X-Error-Code", "GatedRepo")
		w.WriteHeader(http.StatusUnauthorized)
	case f.gated && auth != "Bearer "+testToken:
		w.Header().Set("X-Error-Code", "GatedRepo")
		w.WriteHeader(http.StatusForbidden)
	default:
		return false
	}
	return true
}

func (f *fakeHub) info(w http.ResponseWriter, r *http.Request) {
	if f.refuse(w, r) {
		return
	}
	if rev := r.PathValue("rev"); rev != "main" && rev != "refs/pr/1" && rev != f.commit && !slices.Contains(f.branches, rev) {
		w.Header().Set("X-Error-Code", "RevisionNotFound")
		w.WriteHeader(http.StatusNotFound)
		return
	}
	var siblings []map[string]string
	for name := range f.files {
		siblings = append(siblings, map[string]string{"rfilename": name})
	}
	if f.gone {
		siblings = append(siblings, map[string]string{"rfilename": "vocab.json"})
	}
	json.NewEncoder(w).Encode(map[string]any{"id": testID, "sha": f.commit, "siblings": siblings})
}

func (f *fakeHub) resolve(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("file")
	if f.refuse(w, r) {
		return
	}
	file, ok := f.files[name]
	if !ok || r.PathValue("commit") != f.commit {
		w.Header().Set("X-Error-Code", "EntryNotFound")
		w.WriteHeader(http.StatusNotFound)
		return
	}
	if f.isBusy(name) {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("X-Repo-Commit", f.commit)
	if len(file.Data) < 1000 {
		w.Header().Set("ETag", `"`+f.etag(file.Data)+`"`)
		f.send(w, r, name)
		return
	}
	sum := sha256.Sum256(file.Data)
	w.Header().Set("X-Linked-Etag", `"`+hex.EncodeToString(sum[:])+`"`)
	w.Header().Set("X-Linked-Size", strconv.Itoa(len(file.Data)))
	http.Redirect(w, r, f.store.URL+"/"+name+"?Signature=secret", http.StatusFound)
}

// gitSHA1 is the etag that huggingface.co gives a small file.
func gitSHA1(data []byte) string {
	sum := sha1.Sum(fmt.Appendf(nil, "blob %d\x00%s", len(data), data))
	return hex.EncodeToString(sum[:])
}

// isBusy tells whether the next question about a file is to be put off.
func (f *fakeHub) isBusy(name string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.busy[name]--
	return f.busy[name] >= 0
}

// send sends a file or what Range asks of it, cut or damaged if that was ordered.
func (f *fakeHub) send(w http.ResponseWriter, r *http.Request, name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.Method == http.MethodGet {
		f.log = append(f.log, strings.TrimSpace(name+" "+r.Header.Get("Range")))
	}
	data := f.files[name].Data
	if f.damage[name] {
		data = bytes.ToUpper(data)
	}
	cut, ok := f.cut[name]
	if !ok || r.Method == http.MethodHead {
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
		return
	}
	delete(f.cut, name)
	from := 0
	fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from)
	w.Header().Set("Content-Length", strconv.Itoa(len(data)-from))
	if from > 0 {
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(data)-1, len(data)))
		w.WriteHeader(http.StatusPartialContent)
	}
	w.Write(data[from : from+cut]) // fewer than announced: the connection is closed
}

func (f *fakeHub) gets(name string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, line := range f.log {
		if strings.HasPrefix(line, name) {
			n++
		}
	}
	return n
}

// model is a sharded folder whose shards count as big.
func model(t *testing.T) fstest.MapFS {
	fsys := sharded(t)
	fsys["model-00001-of-00002.safetensors"].Data = file(t,
		safetensors.Tensor{Name: "a", Shape: []int{2, 300}, Data: ramp(600, 1)}, safetensors.Tensor{Name: "b", DType: "BF16", Shape: []int{4}, Data: ramp(4, 10)})
	fsys["model-00002-of-00002.safetensors"].Data = file(t, safetensors.Tensor{Name: "c", Shape: []int{3, 200}, Data: ramp(600, 7)})
	fsys["pytorch_model.bin"] = &fstest.MapFile{Data: make([]byte, 2000)}
	fsys["model.onnx"] = &fstest.MapFile{Data: make([]byte, 2000)}
	return fsys
}

func (f *fakeHub) cacheFile(parts ...string) string {
	return filepath.Join(append([]string{os.Getenv("HF_HOME"), "hub", "models--some-owner--Some-Model.v1"}, parts...)...)
}

func (f *fakeHub) only(name string) []string {
	var out []string
	for _, line := range f.log {
		if strings.HasPrefix(line, name) {
			out = append(out, line)
		}
	}
	return out
}

// blobName returns where the cache keeps a big file.
func (f *fakeHub) blobName(name string) string {
	sum := sha256.Sum256(f.files[name].Data)
	return f.cacheFile("blobs", hex.EncodeToString(sum[:]))
}
