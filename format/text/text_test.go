package text_test

import (
	"strings"
	"testing"

	"github.com/persona-transfer/runpipeline/format/text"
)

func TestPlainTakesFilesAsEditorsLeaveThem(t *testing.T) {
	for in, want := range map[string]string{
		"":                          "",
		"{}":                        "{}",
		"\xef\xbb\xbf{}":            "{}",
		"\xef\xbb\xbf":              "",
		"\xef\xbb\xbf\xef\xbb\xbfa": "\xef\xbb\xbfa", // only the first is a mark
		"a\xef\xbb\xbfb":            "a\xef\xbb\xbfb",
	} {
		if got, err := text.Plain([]byte(in)); string(got) != want || err != nil {
			t.Errorf("Plain(%q) = %q, %v, want %q", in, got, err, want)
		}
	}
	for in, want := range map[string]string{
		"\xff\xfe{\x00}\x00":            "UTF-16",
		"\xfe\xff\x00{\x00}":            "UTF-16",
		"\xff\xfe\x00\x00{\x00\x00\x00": "UTF-32",
		"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n":             "git lfs pull",
		"version https://git-lfs.github.com/spec/v1\r\noid sha256:0\r\nsize 1\r\n":       "git lfs pull",
		"\xef\xbb\xbfversion https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n": "git lfs pull",
		"version https://hawser.github.com/spec/v1\noid sha256:0\nsize 1\n":              "git lfs pull",
	} {
		if got, err := text.Plain([]byte(in)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Plain(%q) = %q, %v, want an error that says %q", in, got, err, want)
		}
	}
}

func TestATextAboutPointersIsNone(t *testing.T) {
	about := "version https://git-lfs.github.com/spec/v1 is how a pointer begins." + strings.Repeat(" It is short.", 100)
	if err := text.Standin([]byte(about)); err != nil {
		t.Error(err)
	}
}
