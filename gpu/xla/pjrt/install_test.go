package pjrt

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// A member is a file of a wheel.
type member struct {
	name    string
	content []byte
	mode    fs.FileMode
}

func wheel(t testing.TB, members ...member) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, m := range members {
		h := &zip.FileHeader{Name: m.name, Method: zip.Deflate}
		h.SetMode(m.mode | 0o644)
		w, err := z.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(m.content); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func digestOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

var (
	good    = member{name: "a_wheel/pjrt_c_api_cpu_plugin.so", content: plugin()}
	licence = member{name: "a_wheel-1.0.dist-info/licenses/LICENSE", content: []byte("Apache")}
	other   = member{name: "a_wheel/__init__.py", content: []byte("print('ran')")}
)

// release puts an invented release for the processor in the place of the real one.
func release(t *testing.T, content []byte) Release {
	t.Helper()
	r := Release{Platform: CPU, Package: "a-wheel", Version: "1.0", Name: "a_wheel-1.0-py3-none-any.whl", Size: int64(len(content)), Wheel: digestOf(content), Member: good.name, Library: digestOf(good.content)}
	before := releases
	releases = append(releases[:len(releases):len(releases)], r)
	t.Cleanup(func() { releases = before })
	return r
}

// contents are the files in a folder.
func contents(t *testing.T, folder string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(folder, path)
			names = append(names, rel)
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return names
}

func TestInstallFromAWheel(t *testing.T) {
	folder := bare(t)
	content := wheel(t, good, licence, other)
	release(t, content)
	from := put(t, content, t.TempDir(), "any.whl")
	for range 2 { // the second takes the place of the first
		f, _, err := Install(t.Context(), CPU, Source{From: from})
		if err != nil || f.Path != filepath.Join(folder, good.name) || f.Compiler() != "a-wheel-1.0" {
			t.Fatalf("installed %+v, %v", f, err)
		}
	}
	if got, want := fmt.Sprint(contents(t, filepath.Dir(folder))), "[lock xla-cpu/a_wheel/pjrt_c_api_cpu_plugin.so xla-cpu/a_wheel-1.0.dist-info/licenses/LICENSE]"; got != want {
		t.Errorf("the folder holds %s, want %s", got, want)
	}
	if f, err := Find(CPU, ""); err != nil || f.From != installer {
		t.Errorf("found %+v, %v", f, err)
	}
}

// Nothing is installed that is not expected, and what was there stays.
func TestInstallRefuses(t *testing.T) {
	folder := bare(t)
	dir := t.TempDir()
	content := wheel(t, good)
	release(t, content)
	if _, _, err := Install(t.Context(), CPU, Source{From: put(t, content, dir, "good.whl")}); err != nil {
		t.Fatal(err)
	}
	at := func(name string) member { return member{name: name, content: good.content} }
	outside := filepath.Join(filepath.Dir(filepath.Dir(folder)), "escaped")
	cuda := put(t, plugin(), dir, "cards", "xla_cuda_plugin.so")
	for name, c := range map[string]struct {
		content []byte
		want    string
	}{
		"another wheel":    {nil, "its SHA-256 is"},
		"above":            {wheel(t, at("../../escaped/pjrt_c_api_cpu_plugin.so")), "no plain file inside it"},
		"absolute":         {wheel(t, at(outside+"/pjrt_c_api_cpu_plugin.so")), "no plain file inside it"},
		"of Windows":       {wheel(t, at(`..\escaped\pjrt_c_api_cpu_plugin.so`)), "no plain file inside it"},
		"a link":           {wheel(t, member{good.name, []byte("/etc/passwd"), fs.ModeSymlink}), "no plain file inside it"},
		"two":              {wheel(t, good, at("b/pjrt_c_api_cpu_plugin.so")), "2 plugins"},
		"twice the same":   {wheel(t, good, good), "file exists"},
		"none":             {wheel(t, licence, other), "0 plugins"},
		"for cards":        {wheel(t, at("a/xla_cuda_plugin.so")), "0 plugins"},
		"no library":       {wheel(t, member{name: good.name, content: []byte("text")}), "no shared library"},
		"a long licence":   {wheel(t, good, member{name: licence.name, content: make([]byte, maxText+1)}), "more than"},
		"cut":              {content[:len(content)-30], "no wheel"},
		"too deep to find": {wheel(t, at("a/b/c/pjrt_c_api_cpu_plugin.so")), "no file in this folder"},
		"a text":           {[]byte("hello"), "no shared library"},
		"empty":            {[]byte{}, "neither a wheel nor a shared library"},
	} {
		t.Run(name, func(t *testing.T) {
			s := Source{From: put(t, c.content, dir, "bad.whl"), SHA256: digestOf(c.content)}
			if c.content == nil {
				s = Source{From: put(t, wheel(t, good, other), dir, "bad.whl")}
			}
			f, _, err := Install(t.Context(), CPU, s)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("installed %+v, %v; want %q", f, err, c.want)
			}
			if got := fmt.Sprint(contents(t, filepath.Dir(folder))); got != "[lock xla-cpu/a_wheel/pjrt_c_api_cpu_plugin.so]" {
				t.Errorf("the folder holds %s", got)
			}
			if _, err := os.Stat(outside); err == nil {
				t.Error("it wrote outside of its folder")
			}
		})
	}
	for name, s := range map[string]Source{"of another kind": {From: filepath.Dir(cuda)}, "that is not there": {From: filepath.Join(dir, "gone.whl")}, "a digest of nothing": {SHA256: strings.Repeat("0", 64)}, "no digest": {From: cuda, SHA256: "abc"}} {
		if f, _, err := Install(t.Context(), CPU, s); err == nil {
			t.Errorf("%s: installed %+v", name, f)
		}
	}
	unlock, err := lock(filepath.Join(filepath.Dir(folder), "lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	if _, _, err := Install(t.Context(), CPU, Source{From: filepath.Join(dir, "good.whl")}); err == nil || !strings.Contains(err.Error(), "another installation") {
		t.Errorf("two installations at once: %v", err)
	}
}

// A card's plugin is useless without NVIDIA's libraries: they are linked, or the user is told.
func TestInstallForCards(t *testing.T) {
	bare(t)
	site := t.TempDir()
	put(t, plugin(), site, "jax_plugins", "xla_cuda13", "xla_cuda_plugin.so")
	s := Source{From: site, SHA256: digestOf(plugin())}
	if _, notes, err := Install(t.Context(), CUDA, s); err != nil || len(notes) != 1 || !strings.Contains(notes[0], "-from SITE-PACKAGES") {
		t.Errorf("without libraries: %q, %v", notes, err)
	}
	put(t, nil, site, "nvidia", "cu13", "lib", "libcudart.so")
	f, notes, err := Install(t.Context(), CUDA, s)
	if err != nil || notes != nil {
		t.Fatalf("with libraries: %q, %v", notes, err)
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(f.Path), "..", "nvidia", "cu13", "lib", "libcudart.so")); err != nil {
		t.Errorf("where the plugin looks for its libraries: %v", err)
	}
}

// A package index as the tests need it: it cuts every answer off after some bytes.
func fakeIndex(t *testing.T, r Release, content []byte, cut int, page string) (asked *[]string) {
	t.Helper()
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		t.Skip("the releases are for Linux on amd64, and nothing is fetched elsewhere")
	}
	asked = new([]string)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /simple/a-wheel/", func(w http.ResponseWriter, req *http.Request) {
		if user, password, _ := req.BasicAuth(); user != "me" || password != "secret" || req.Header.Get("Accept") != simpleJSON {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		fmt.Fprint(w, page)
	})
	mux.HandleFunc("GET /files/", func(w http.ResponseWriter, req *http.Request) {
		*asked = append(*asked, req.Header.Get("Range"))
		if cut <= 0 {
			http.ServeContent(w, req, "", time.Time{}, bytes.NewReader(content))
			return
		}
		from := 0
		fmt.Sscanf(req.Header.Get("Range"), "bytes=%d-", &from)
		w.Header().Set("Content-Length", fmt.Sprint(len(content)-from))
		if from > 0 {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(content)-1, len(content)))
			w.WriteHeader(http.StatusPartialContent)
		}
		w.Write(content[from:min(from+cut, len(content))])
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	t.Setenv("PIP_INDEX_URL", strings.Replace(server.URL, "//", "//me:secret@", 1)+"/simple")
	before := pause
	pause = time.Millisecond
	t.Cleanup(func() { pause = before })
	return asked
}

func TestInstallFetches(t *testing.T) {
	content := wheel(t, good, licence)
	r := release(t, content)
	page := fmt.Sprintf(`{"files": [{"filename": "x.whl", "url": "/no"}, {"filename": %q, "url": "../../files/w.whl", "hashes": {"sha256": %q}}]}`, r.Name, r.Wheel)
	for name, c := range map[string]struct {
		content []byte
		cut     int
		begun   []byte // of the file, from an earlier try
		page    string
		want    string // in the error; "" it works
		asked   int
	}{
		"at once":            {content, 0, nil, page, "", 1},
		"in pieces":          {content, len(content)/3 + 1, nil, page, "", 3},
		"begun before":       {content, 0, content[:100], page, "", 1},
		"begun as another":   {content, 0, bytes.Repeat([]byte("x"), 100), page, "", 2},
		"begun and too long": {content, 0, append(content[:len(content):len(content)], 0), page, "", 1},
		"another file":       {bytes.Repeat([]byte("x"), len(content)), 0, nil, page, "what arrived has the SHA-256", 1},
		"a longer file":      {append(content[:len(content):len(content)], 0), 0, nil, page, "more than the", 1},
		"a shorter file":     {content[:100], 0, nil, page, "-from installs it", 5},
		"another digest":     {content, 0, nil, strings.Replace(page, r.Wheel, digestOf(nil), 1), "the file of this name has the SHA-256", 0},
		"no such file":       {content, 0, nil, `{"files": []}`, "has no a_wheel", 0},
		"no JSON":            {content, 0, nil, "<html>", "does not answer in JSON", 0},
		"no address":         {content, 0, nil, strings.Replace(page, "../../files/w.whl", "file:///etc/passwd", 1), "gives no address", 0},
	} {
		t.Run(name, func(t *testing.T) {
			folder := bare(t)
			asked := fakeIndex(t, r, c.content, c.cut, c.page)
			part := filepath.Join(filepath.Dir(folder), r.Name+".part")
			if c.begun != nil {
				put(t, c.begun, part)
			}
			var last int64
			f, _, err := Install(t.Context(), CPU, Source{Progress: func(_ string, done, total int64) { last = done }})
			if c.want != "" {
				if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret") {
					t.Errorf("installed %+v, %v; want %q", f, err, c.want)
				}
			} else if err != nil || f.Compiler() != "a-wheel-1.0" || last != r.Size {
				t.Errorf("installed %+v, told of %d bytes, %v", f, last, err)
			} else if _, err := os.Stat(part); err == nil {
				t.Error("the wheel is still there")
			}
			if len(*asked) != c.asked {
				t.Errorf("asked %d times for the file (%q), want %d", len(*asked), *asked, c.asked)
			}
		})
	}
}

// A server that says nothing any more does not hold an installation up for ever, and an interrupt ends it.
func TestInstallEnds(t *testing.T) {
	content := wheel(t, good)
	r := release(t, content)
	bare(t)
	fakeIndex(t, r, content, 0, "")
	silent := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) { <-req.Context().Done() }))
	t.Cleanup(silent.Close)
	t.Setenv("PIP_INDEX_URL", silent.URL)
	before := stall
	stall = 20 * time.Millisecond
	t.Cleanup(func() { stall = before })
	if _, _, err := Install(t.Context(), CPU, Source{}); err == nil || !strings.Contains(err.Error(), "cannot be reached") {
		t.Errorf("of a silent server: %v", err)
	}
	stall = time.Hour
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, _, err := Install(ctx, CPU, Source{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("interrupted: %v", err)
	}
}
