package checkpoint

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

func TestHubModelIsDownloadedOnceIntoTheSharedCache(t *testing.T) {
	f := newFakeHub(t, model(t))
	var told []string
	opts := f.options()
	opts.Progress = func(file string, done, total int64) {
		if done == total {
			told = append(told, file)
		}
	}
	c, err := Open(t.Context(), testID, opts)
	if err != nil {
		t.Fatal(err)
	}
	got := make([]float32, 300)
	if err := c.ReadRows("a", 1, 1, got); err != nil || !slices.Equal(got, ramp(300, 301)) {
		t.Errorf("row of a: %v", err)
	}
	if c.Name() != testID {
		t.Errorf("Name = %q", c.Name())
	}
	digest, err := c.Digest()
	if err != nil {
		t.Error(err)
	}
	c.Close()
	if len(told) != 5 || told[4] != "model-00002-of-00002.safetensors" {
		t.Errorf("progress told of %v", told)
	}
	if f.gets("pytorch_model.bin")+f.gets("model.onnx")+f.gets("README.md") != 0 {
		t.Errorf("files that nobody needs were downloaded: %v", f.log)
	}
	// The layout is huggingface_hub's.
	if raw, err := os.ReadFile(f.cacheFile("refs", "main")); string(raw) != testCommit || err != nil {
		t.Errorf("refs/main = %q, %v", raw, err)
	}
	target, err := os.Readlink(f.cacheFile("snapshots", testCommit, "config.json"))
	if want := filepath.Join("..", "..", "blobs", gitSHA1(f.files["config.json"].Data)); target != want || err != nil {
		t.Errorf("config.json links to %q, %v; want %q", target, err, want)
	}
	// A second time nothing is downloaded; the digest does not depend on the place.
	before := len(f.log)
	c, err = Open(t.Context(), testID, f.options())
	if err != nil {
		t.Fatal(err)
	}
	if again, err := c.Digest(); again != digest || err != nil {
		t.Errorf("second digest %s, %v; want %s", again, err, digest)
	}
	c.Close()
	if len(f.log) != before {
		t.Errorf("the second time %v was downloaded", f.log[before:])
	}
	local, err := OpenFS(f.files, "local")
	if err != nil {
		t.Fatal(err)
	}
	if d, _ := local.Digest(); d != digest {
		t.Errorf("digest of the same files elsewhere %s, want %s", d, digest)
	}
	// Neither a commit in the cache nor an unreachable or broken hub needs the network.
	f.hub.Close()
	for _, ref := range []string{testID + "@" + testCommit, testID} {
		c, err := Open(t.Context(), ref, f.options())
		if err != nil {
			t.Errorf("%s without network: %v", ref, err)
			continue
		}
		c.Close()
	}
}

func TestInterruptedDownloadIsTakenUpAgain(t *testing.T) {
	const name = "model-00001-of-00002.safetensors"
	f := newFakeHub(t, model(t))
	// The connection is cut twice within one run: it goes on by itself.
	f.cut[name] = 700
	c, err := Open(t.Context(), testID, f.options())
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	if want := []string{name, name + " bytes=700-"}; !slices.Equal(f.only(name), want) {
		t.Errorf("requests %v, want %v", f.only(name), want)
	}
}

func TestWhatAnEarlierRunLeftIsUsedIfItIsRight(t *testing.T) {
	const name = "model-00002-of-00002.safetensors"
	tests := []struct {
		what     string
		left     func(data []byte) []byte
		requests []string
	}{
		{"the beginning", func(d []byte) []byte { return d[:900] }, []string{name + " bytes=900-"}},
		{"all of it", func(d []byte) []byte { return d }, nil},
		{"a wrong beginning", func(d []byte) []byte { return make([]byte, 900) }, []string{name + " bytes=900-", name}},
		{"too much", func(d []byte) []byte { return make([]byte, 9000) }, []string{name}},
	}
	for _, test := range tests {
		t.Run(test.what, func(t *testing.T) {
			f := newFakeHub(t, model(t))
			blob := f.blobName(name)
			if err := os.MkdirAll(filepath.Dir(blob), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(blob+".incomplete", test.left(f.files[name].Data), 0o644); err != nil {
				t.Fatal(err)
			}
			c, err := Open(t.Context(), testID, f.options())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if got := f.only(name); !slices.Equal(got, test.requests) {
				t.Errorf("requests %q, want %q", got, test.requests)
			}
			if _, err := os.Stat(blob + ".incomplete"); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the unfinished file is still there: %v", err)
			}
			if raw, _ := os.ReadFile(blob); !bytes.Equal(raw, f.files[name].Data) {
				t.Error("wrong content")
			}
		})
	}
}

func TestDamagedDownloadIsNotKept(t *testing.T) {
	for _, name := range []string{"tokenizer.json", "model-00001-of-00002.safetensors"} {
		f := newFakeHub(t, model(t))
		f.files["tokenizer.json"].Data = []byte("lower case")
		f.files["model-00001-of-00002.safetensors"].Data = append(f.files["model-00001-of-00002.safetensors"].Data, "lower"...)
		f.damage[name] = true
		_, err := Open(t.Context(), testID, f.options())
		if !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), "download "+name) || !strings.Contains(err.Error(), "checksum") {
			t.Errorf("%v", err)
		}
		blobs, _ := os.ReadDir(f.cacheFile("blobs"))
		for _, b := range blobs {
			raw, _ := os.ReadFile(f.cacheFile("blobs", b.Name()))
			if strings.HasSuffix(b.Name(), ".incomplete") || bytes.Contains(raw, []byte("LOWER")) {
				t.Errorf("%s was kept", b.Name())
			}
		}
	}
}

var errFull = errors.New("no space left on device")

func TestDiskFullSaysSoAndKeepsWhatArrived(t *testing.T) {
	f := newFakeHub(t, model(t))
	old := openPart
	defer func() { openPart = old }()
	openPart = func(name string) (partFile, error) {
		file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
		return &smallDisk{file, 600}, err
	}
	_, err := Open(t.Context(), testID, f.options())
	if !errors.Is(err, errFull) || !strings.Contains(err.Error(), "download model-00001-of-00002.safetensors") {
		t.Fatalf("%v", err)
	}
	info, err := os.Stat(f.blobName("model-00001-of-00002.safetensors") + ".incomplete")
	if err != nil || info.Size() != 600 {
		t.Errorf("%v, %v; want 600 bytes kept", info, err)
	}
	openPart = old
	c, err := Open(t.Context(), testID, f.options())
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}

// A smallDisk has room for a number of bytes per file.
type smallDisk struct {
	*os.File
	room int
}

func (d *smallDisk) Write(p []byte) (int, error) {
	n, err := d.File.Write(p[:min(len(p), d.room)])
	if d.room -= n; n < len(p) && err == nil {
		err = errFull
	}
	return n, err
}

func TestRefusalsAreOneClearMessage(t *testing.T) {
	f := newFakeHub(t, model(t))
	tests := []struct {
		name, ref, token string
		change           func()
		want             []string
	}{
		{"unknown model", "some-owner/other", "", nil, []string{"open some-owner/other: ", "no such model"}},
		{"unknown revision", testID + "@v9", "", nil, []string{`no revision "v9"`}},
		{"listed, but gone", testID, "", func() { f.gone = true }, []string{"download vocab.json: no such file at " + f.hub.URL + "/" + testID}},
		{"gated without token", testID, "", func() { f.gated = true }, []string{"gated", "accept its terms at " + f.hub.URL + "/" + testID, "HF_TOKEN"}},
		{"gated with another's token", testID, "hf_Other", nil, []string{"gated", "gives no access"}},
		{"busy", testID, "", func() { f.gated, f.broken = false, true }, []string{"answers 503"}},
		{"no network", testID, testToken, func() { f.hub.Close() }, []string{"cannot be reached", "nothing of revision main"}},
		{"a file", "some-owner/x.gguf", "", nil, []string{"no such file: not found"}},
		{"a folder", "testdata/x", "", nil, []string{"the folder testdata is here, but without x"}},
		{"one word", "llama", "", nil, []string{"no such file or folder, and not a hub id"}},
		{"a path", "some/where/else", "", nil, []string{"no such file or folder"}},
		{"a way out", "some-owner/..", "", nil, []string{"no such file or folder"}},
		{"a revision's way out", testID + "@a/../../b", "", nil, []string{"no such file or folder"}},
	}
	for _, test := range tests {
		if test.change != nil {
			test.change()
		}
		opts := f.options()
		opts.Token = test.token
		_, err := Open(t.Context(), test.ref, opts)
		if !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: %v does not wrap ErrNotFound", test.name, err)
			continue
		}
		for _, want := range test.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v; want %q in it", test.name, err, want)
			}
		}
		if strings.Contains(err.Error(), "hf_") || strings.Contains(err.Error(), "Signature") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

func TestTokenComesFromWherePythonKeepsIt(t *testing.T) {
	f := newFakeHub(t, model(t))
	f.gated = true
	path := filepath.Join(t.TempDir(), "my-token")
	if err := os.WriteFile(path, []byte(testToken+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	opts := f.options()
	opts.MetadataOnly = true
	open := func(name string) {
		t.Helper()
		opts.CacheDir = t.TempDir()
		c, err := Open(t.Context(), testID, opts)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		c.Close()
	}
	t.Setenv("HF_TOKEN_PATH", path)
	open("HF_TOKEN_PATH")
	t.Setenv("HF_TOKEN_PATH", "")
	if err := os.WriteFile(filepath.Join(os.Getenv("HF_HOME"), "token"), []byte(testToken), 0o600); err != nil {
		t.Fatal(err)
	}
	open("HF_HOME/token")
	os.Remove(filepath.Join(os.Getenv("HF_HOME"), "token"))
	t.Setenv("HF_TOKEN", testToken)
	open("HF_TOKEN")
	t.Setenv("HF_TOKEN", "")
	t.Setenv("HUGGING_FACE_HUB_TOKEN", testToken)
	open("HUGGING_FACE_HUB_TOKEN")
	t.Setenv("HF_TOKEN", "hf_two\nlines")
	if _, err := Open(t.Context(), testID, opts); err == nil || strings.Contains(err.Error(), "hf_two") {
		t.Errorf("token of two lines: %v", err)
	}
}

func TestMetadataOnlyDownloadsNoWeights(t *testing.T) {
	f := newFakeHub(t, model(t))
	opts := f.options()
	opts.MetadataOnly = true
	c, err := Open(t.Context(), testID+"@refs/pr/1", opts)
	if err != nil {
		t.Fatal(err)
	}
	shards := []string{"model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"}
	if got := c.MissingShards(); !slices.Equal(got, shards) {
		t.Errorf("MissingShards = %v", got)
	}
	if got := fmt.Sprint(c.Tensors()); got != "[{a  []} {b  []} {c  []}]" {
		t.Errorf("Tensors = %v", got)
	}
	if string(c.Config()) != `{"model_type":"llama"}` {
		t.Errorf("Config = %s", c.Config())
	}
	c.Close()
	if f.gets("model-") != 0 {
		t.Errorf("%v", f.log)
	}
	// From now on metadata come from the cache; the weights are missing and named.
	f.hub.Close()
	if c, err = Open(t.Context(), testID+"@refs/pr/1", opts); err != nil {
		t.Fatal(err)
	}
	c.Close()
	for _, offline := range []bool{false, true} {
		_, err = Open(t.Context(), testID+"@refs/pr/1", Options{Endpoint: f.hub.URL, Offline: offline})
		if !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "missing 2 of 2 weight files: "+strings.Join(shards, ", ")) {
			t.Errorf("offline=%t: %v", offline, err)
		}
	}
}

func TestOfflineNeverAsksTheHub(t *testing.T) {
	f := newFakeHub(t, model(t))
	t.Setenv("HF_HUB_OFFLINE", "1")
	_, err := Open(t.Context(), testID, f.options())
	if !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "offline; cache: nothing of revision main") {
		t.Errorf("%v", err)
	}
	t.Setenv("HF_HUB_OFFLINE", "0")
	c, err := Open(t.Context(), testID, f.options())
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	f.hub.Config.Handler = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the hub was asked") })
	for _, env := range []string{"HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"} {
		t.Setenv("HF_HUB_OFFLINE", "")
		t.Setenv(env, "true")
		if c, err = Open(t.Context(), testID, f.options()); err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
}

func TestRepositoriesWithoutSafetensorsAreRefusedByName(t *testing.T) {
	for name, want := range map[string]string{"pytorch_model-00001-of-00002.bin": "convert the model to safetensors", "model.Q4_K_M.gguf": "GGUF files", "tf_model.h5": "no safetensors"} {
		f := newFakeHub(t, fstest.MapFS{"config.json": {Data: []byte("{}")}, name: {Data: make([]byte, 5)}})
		_, err := Open(t.Context(), testID, f.options())
		if err == nil || !strings.Contains(err.Error(), want) || f.gets(name) != 0 {
			t.Errorf("%s: %v, %v", name, err, f.log)
		}
	}
}

func TestDownloadStopsWithItsContext(t *testing.T) {
	f := newFakeHub(t, model(t))
	ctx, cancel := contextThatEnds(t)
	opts := f.options()
	opts.Progress = func(string, int64, int64) { cancel() }
	if _, err := Open(ctx, testID, opts); !errors.Is(err, ctx.Err()) || ctx.Err() == nil {
		t.Errorf("%v, want %v", err, ctx.Err())
	}
}
