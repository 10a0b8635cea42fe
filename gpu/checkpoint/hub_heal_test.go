package checkpoint

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

// harm is a way in which a file of the hub's cache gets lost: while a folder is moved, copied or
// cleaned up.
var harm = map[string]func(t *testing.T, link string){
	"link to nowhere": func(t *testing.T, link string) { relink(t, link, "/nowhere/blobs/x") },
	"link to itself":  func(t *testing.T, link string) { relink(t, link, filepath.Base(link)) },
	"blob deleted": func(t *testing.T, link string) {
		blob, err := filepath.EvalSymlinks(link)
		if err == nil {
			err = os.Remove(blob)
		}
		if err != nil {
			t.Fatal(err)
		}
	},
	"blob empty": func(t *testing.T, link string) {
		if err := os.Truncate(link, 0); err != nil {
			t.Fatal(err)
		}
	},
	"file empty": func(t *testing.T, link string) {
		if err := errors.Join(os.Remove(link), os.WriteFile(link, nil, 0o644)); err != nil {
			t.Fatal(err)
		}
	},
}

func relink(t *testing.T, link, target string) {
	if err := errors.Join(os.Remove(link), os.Symlink(target, link)); err != nil {
		t.Fatal(err)
	}
}

// TestWhatTheCacheLostIsFetchedAgain also for a commit, which otherwise is not asked for, and for
// metadata alone. Without the hub the message names the file.
func TestWhatTheCacheLostIsFetchedAgain(t *testing.T) {
	for what, injure := range harm {
		for _, name := range []string{"config.json", "tokenizer.json", "generation_config.json", "model-00001-of-00002.safetensors", indexFile} {
			for _, ref := range []string{testID, testID + "@" + testCommit} {
				for _, metadata := range []bool{false, true} {
					if metadata && strings.HasSuffix(name, ".safetensors") {
						continue // weights are not asked for
					}
					t.Run(what+" "+name+" "+ref, func(t *testing.T) {
						files := model(t)
						files["generation_config.json"] = &fstest.MapFile{Data: []byte(`{"eos_token_id":2}`)}
						f := newFakeHub(t, files)
						whole, err := Open(t.Context(), ref, f.options())
						if err != nil {
							t.Fatal(err)
						}
						want, _ := whole.Digest()
						whole.Close()
						injure(t, f.cacheFile("snapshots", testCommit, name))

						o := f.options()
						o.Offline = true
						if c, err := Open(t.Context(), ref, o); err == nil {
							c.Close()
							t.Error("opened offline")
						} else if !strings.Contains(err.Error(), name) {
							t.Errorf("offline: %v, want it to name %s", err, name)
						}
						o = f.options()
						o.MetadataOnly = metadata
						c, err := Open(t.Context(), ref, o)
						if err != nil {
							t.Fatal(err)
						}
						defer c.Close()
						if got, err := c.Digest(); got != want || err != nil {
							t.Errorf("digest %s, %v, want %s", got, err, want)
						}
					})
				}
			}
		}
	}
}
