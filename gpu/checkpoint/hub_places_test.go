package checkpoint

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestHubsBehindAPath reaches the hub as proxies of companies offer it, and revisions whose names have
// slashes. What was downloaded opens without the hub as well.
func TestHubsBehindAPath(t *testing.T) {
	for _, place := range []string{"", "/", "/hf", "/hf/", "/artifactory/api/huggingfaceml/hf//"} {
		for _, revision := range []string{"", "@main", "@refs/pr/1", "@feature/new-data", "@v1.0_a-b"} {
			for _, variable := range []bool{false, true} {
				f := newFakeHub(t, model(t))
				f.branches = []string{"feature/new-data", "v1.0_a-b"}
				hub := f.hub.Config.Handler
				f.hub.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					path, ok := strings.CutPrefix(r.URL.EscapedPath(), strings.TrimRight(place, "/"))
					if !ok || strings.HasPrefix(path, "//") {
						t.Errorf("hub at %q: asked for %s", place, r.URL)
					}
					http.StripPrefix(strings.TrimRight(place, "/"), hub).ServeHTTP(w, r)
				})
				opts := Options{Endpoint: f.hub.URL + place}
				if variable {
					t.Setenv("HF_ENDPOINT", opts.Endpoint)
					opts.Endpoint = ""
				}
				want := ""
				for _, offline := range []bool{false, true} {
					opts.Offline = offline
					c, err := Open(t.Context(), testID+revision, opts)
					if err != nil {
						t.Errorf("hub at %q, %s%s, offline %t: %v", place, testID, revision, offline, err)
						break
					}
					digest, err := c.Digest()
					if c.Close(); err != nil || offline && digest != want {
						t.Errorf("hub at %q, %s%s: digest %s, then %s, %v", place, testID, revision, want, digest, err)
					}
					want = digest
				}
			}
		}
	}
}

// TestCachesPutInPlaceByHand have plain files in place of links, and in refs what an editor or echo wrote.
func TestCachesPutInPlaceByHand(t *testing.T) {
	f := newFakeHub(t, nil)
	f.hub.Config.Handler = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the hub was asked") })
	snapshot := f.cacheFile("snapshots", testCommit)
	if err := os.MkdirAll(snapshot, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, file := range model(t) {
		if err := os.WriteFile(filepath.Join(snapshot, name), file.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	open := func(ref string) error {
		c, err := Open(t.Context(), ref, Options{Endpoint: f.hub.URL, Offline: true})
		if err == nil {
			c.Close()
		}
		return err
	}
	for _, revision := range []string{"main", "feature/new-data"} {
		path := f.cacheFile("refs", revision)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		for content, opens := range map[string]bool{testCommit: true, testCommit + "\n": true, testCommit + "\r\n": true, " " + testCommit + "\n\n": true,
			"": false, "\n": false, "../../up": false, strings.Repeat("1", 40): false} {
			if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
			if err := open(testID + "@" + revision); opens != (err == nil) || err != nil && !errors.Is(err, ErrNotFound) {
				t.Errorf("refs/%s of %q: %v; opens: want %t", revision, content, err, opens)
			}
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if err := open(testID + "@" + revision); !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "nothing of revision "+revision) {
			t.Errorf("without refs/%s: %v", revision, err)
		}
	}
	if err := open(testID + "@" + testCommit); err != nil {
		t.Errorf("by commit, without refs: %v", err)
	}
}
