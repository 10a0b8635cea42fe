package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/persona-transfer/runpipeline/gpu/tiny"
)

// TestDownloadsAreToldOf plays two downloads against a clock of the test's own: on a terminal one line that
// keeps to it, elsewhere a line now and then, and nothing of what is there within a second.
func TestDownloadsAreToldOf(t *testing.T) {
	play := func(terminal, quiet bool) string {
		var out bytes.Buffer
		w := newScreen(&out, true)
		w.terminal = terminal
		d := newDownloads(w)
		now := time.Date(2026, 11, 27, 0, 0, 0, 0, time.UTC)
		d.now, d.quiet = func() time.Time { return now }, quiet
		const total = 600 << 20
		for i := range 11 { // half a second
			d.progress("owner/name", "tokenizer.json", int64(i)<<10, 10<<10)
			now = now.Add(50 * time.Millisecond)
		}
		for done := int64(100 << 20); done <= total; done += 1 << 20 { // 100 seconds, taken up again at 100 MiB
			d.progress("owner/name", "model\x1b.safetensors", done, total)
			now = now.Add(200 * time.Millisecond)
		}
		d.progress("owner/name", "endless", 1, -1)
		now = now.Add(2 * time.Second)
		d.progress("owner/name", "endless", 3<<20, -1)
		d.end()
		return out.String()
	}
	lines := strings.Split(play(false, false), "\n")
	if len(lines) != 7 || strings.Contains(strings.Join(lines, ""), "\x1b") {
		t.Errorf("elsewhere: %d lines %q", len(lines)-1, lines)
	}
	for i, want := range []string{
		`^downloading model\\x1b\.safetensors of owner/name: 105 MiB of 600 MiB, 18%, 5 MiB a second$`,
		`^downloading .*: 255 MiB of 600 MiB, 42%, 5 MiB a second$`, `^downloading .*: 405 MiB`, `^downloading .*: 555 MiB`,
		`^downloaded model\\x1b\.safetensors of owner/name: 600 MiB in 1m40s$`, `^downloading endless of owner/name: 3 MiB, 1\.5 MiB a second$`, `^$`,
	} {
		if i < len(lines) && !regexp.MustCompile(want).MatchString(lines[i]) {
			t.Errorf("line %d is %q, want %s", i, lines[i], want)
		}
	}
	drawn := play(true, false)
	if n := strings.Count(drawn, "\n"); n != 1 || strings.Count(drawn, eraseLine) < 400 || !strings.HasSuffix(drawn, eraseLine) {
		t.Errorf("a terminal receives %d whole lines and %d erased ones, and at the end %q", n, strings.Count(drawn, eraseLine), drawn[max(0, len(drawn)-50):])
	}
	for _, line := range strings.Split(drawn, eraseLine) {
		if utf8.RuneCountInString(line) > 80 {
			t.Errorf("a line of %d: %q", utf8.RuneCountInString(line), line)
		}
	}
	if got := play(true, true); got != "" {
		t.Errorf("quietly: %q", got)
	}
}

// A slowHub has one model of the embedded pair, whose tokenizer takes its time.
func slowHub(t *testing.T) *httptest.Server {
	files, _ := tiny.Folder("qwen2")
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/models/owner/name/revision/main", func(w http.ResponseWriter, r *http.Request) {
		siblings := []map[string]string{}
		entries, err := fs.ReadDir(files, ".")
		if err != nil {
			t.Error(err)
		}
		for _, e := range entries {
			siblings = append(siblings, map[string]string{"rfilename": e.Name()})
		}
		json.NewEncoder(w).Encode(map[string]any{"sha": strings.Repeat("5", 40), "siblings": siblings})
	})
	mux.HandleFunc("GET /owner/name/resolve/{commit}/{file}", func(w http.ResponseWriter, r *http.Request) {
		name := path.Base(r.URL.Path)
		data, err := fs.ReadFile(files, name)
		if err != nil {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		sum := sha256.Sum256(data)
		w.Header().Set("ETag", `"`+hex.EncodeToString(sum[:])+`"`)
		w.Header().Set("X-Repo-Commit", r.PathValue("commit"))
		w.Header().Set("Content-Length", strconv.Itoa(len(data)))
		if r.Method == http.MethodHead {
			return
		}
		half := 0
		if name == "tokenizer.json" {
			half = len(data) / 2
			w.Write(data[:half])
			w.(http.Flusher).Flush()
			time.Sleep(patience + 200*time.Millisecond)
		}
		io.Copy(w, bytes.NewReader(data[half:]))
	})
	hub := httptest.NewServer(mux)
	t.Cleanup(hub.Close)
	return hub
}

// TestPlanTellsOfItsDownloads opens a hub id whose file takes more than a second: a line says so, none with
// -quiet, and no secret of the hub's address is in it.
func TestPlanTellsOfItsDownloads(t *testing.T) {
	hub := slowHub(t)
	const secret = "SecretNobodyMaySee"
	t.Setenv("HF_ENDPOINT", strings.Replace(hub.URL, "http://", "http://user:"+secret+"@", 1))
	t.Setenv("HF_HUB_OFFLINE", "")
	for _, quiet := range []bool{false, true} {
		t.Setenv("HF_HOME", t.TempDir())
		var stdout, stderr bytes.Buffer
		config := filepath.Join(t.TempDir(), "small.json")
		if err := os.WriteFile(config, []byte(strings.Replace(small, "tiny:qwen2", "owner/name", 1)), 0o644); err != nil {
			t.Fatal(err)
		}
		args := []string{"plan", "-config", config, "-cache", t.TempDir()}
		if quiet {
			args = append(args, "-quiet")
		}
		code := newApp(strings.NewReader(""), &stdout, &stderr).main(context.Background(), args)
		want := "downloaded tokenizer.json of owner/name: "
		if strings.Contains(stderr.String(), want) == quiet || strings.Contains(stderr.String()+stdout.String(), secret) || code != exitDone {
			t.Errorf("quiet %t: plan (exit %d) says %s", quiet, code, &stderr)
		}
	}
}
