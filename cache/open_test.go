package cache

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestOpenTakesFoldersAndRefusesOtherLocations also looks that nothing is left of what was refused: a
// folder called "s3:" would be found by the next program that knows such stores.
func TestOpenTakesFoldersAndRefusesOtherLocations(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for _, location := range []string{"s3://bucket/store", "gs://bucket", "file:///tmp/store", "mem://", "S3+x.y-1://b"} {
		if s, err := Open(t.Context(), location); err == nil || s != nil || !strings.Contains(err.Error(), "open cache "+location+": ") || !strings.Contains(err.Error(), "name a folder") {
			t.Errorf("Open(%q) = %v, %v", location, s, err)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Fatalf("refused locations left %v, %v", left, err)
	}
	for _, location := range []string{"store", "./s3://odd", filepath.Join(dir, "a", "b"), "s3:/bucket", "3s://digit"} {
		if _, err := Open(t.Context(), location); err != nil {
			t.Errorf("Open(%q): %v", location, err)
		}
		if _, err := os.Stat(filepath.Join(location, "VERSION")); err != nil {
			t.Errorf("Open(%q) made no store there: %v", location, err)
		}
	}
}

// TestLocationIsTheSameInEveryFolder: a worker may run in another folder than the command.
func TestLocationIsTheSameInEveryFolder(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if got, err := Location("store"); err != nil || got != filepath.Join(dir, "store") {
		t.Errorf("Location = %q, %v, want %q", got, err, filepath.Join(dir, "store"))
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("asking for a location left %v, %v", left, err)
	}
}

func TestLocationsAreShownWithoutSecrets(t *testing.T) {
	for location, want := range map[string]string{
		"/tmp/a?b@c":                            "/tmp/a?b@c", // a folder
		"s3://bucket":                           "s3://bucket",
		"s3://bucket/a/b?region=x&secret=y":     "s3://bucket/a/b",
		"s3://key:secret@bucket/a@b":            "s3://bucket/a@b",
		"s3://key:sec@ret@bucket":               "s3://bucket",
		"s3://bucket?endpoint=http://k:s@host/": "s3://bucket",
		"s3://key:sec/ret?@bucket/a?b":          "s3://bucket/a",
		"s3://bucket/a#secret":                  "s3://bucket/a",
		"s3://key:secret/folder":                "s3://key/folder",
	} {
		if got := Shown(location); got != want {
			t.Errorf("Shown(%q) = %q, want %q", location, got, want)
		}
	}
	if _, err := Location("ftp://me:hunter2@host/x?key=hunter2"); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("Location = %v", err)
	}
}
