// Package text takes files of text as people and their programs leave them: with a byte order
// mark in front, in another encoding than UTF-8, or as the stand-in that git keeps where a large
// file should be.
package text

import (
	"bytes"
	"errors"
	"fmt"
)

// mark is what editors on Windows put in front of UTF-8.
const mark = "\xef\xbb\xbf"

// Plain returns the text of a file without its byte order mark. A file in UTF-16 or UTF-32, which
// its mark tells, and one that [Standin] knows are errors.
func Plain(file []byte) ([]byte, error) {
	if err := Standin(file); err != nil {
		return nil, err
	}
	for _, other := range []struct{ mark, name string }{
		{"\xff\xfe\x00\x00", "UTF-32"}, {"\x00\x00\xfe\xff", "UTF-32"}, {"\xff\xfe", "UTF-16"}, {"\xfe\xff", "UTF-16"},
	} {
		if bytes.HasPrefix(file, []byte(other.mark)) {
			return nil, fmt.Errorf("text in %s: save it as UTF-8", other.name)
		}
	}
	return bytes.TrimPrefix(file, []byte(mark)), nil
}

// pointers are the first words of the three lines that git-lfs keeps in place of a file
// (https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md), the second from before its name.
var pointers = [][]byte{[]byte("version https://git-lfs.github.com/spec/"), []byte("version https://hawser.github.com/spec/")}

// maxPointer is the size that git-lfs's own reader looks at.
const maxPointer = 1024

// Standin reports a file that only stands in for another: a pointer of git-lfs, which a clone holds
// in place of every large file when git-lfs is not installed.
func Standin(file []byte) error {
	body := bytes.TrimPrefix(file, []byte(mark))
	for _, p := range pointers {
		if len(file) <= maxPointer && bytes.HasPrefix(body, p) {
			return errPointer
		}
	}
	return nil
}

var errPointer = errors.New("a pointer of git-lfs, not the file itself: " +
	`fetch it with "git lfs install" and "git lfs pull" in the folder that was cloned, or download the file`)
