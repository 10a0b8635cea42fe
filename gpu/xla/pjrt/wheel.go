package pjrt

import (
	"encoding/base64"
	"encoding/csv"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/persona-transfer/runpipeline/format/files"
)

const (
	maxRecord = 16 << 20 // bytes of a wheel's list of files that are read
	maxAbove  = 3        // folders above a library in which its wheel's folder may lie
)

// distInfo is the name of the folder in which an installed wheel says what it is.
var distInfo = regexp.MustCompile(`^([A-Za-z0-9_.]{1,100})-([A-Za-z0-9_.+!]{1,100})\.dist-info$`)

// wheelOf names package and version that a library was installed from: those of the wheel beside it whose list of
// files has the library with this digest. It is "" if there is none.
func wheelOf(path, digest string) string {
	folder := filepath.Dir(path)
	for range maxAbove {
		entries, _ := os.ReadDir(folder)
		for _, e := range entries {
			name := distInfo.FindStringSubmatch(e.Name())
			if name == nil {
				continue
			}
			inside, err := filepath.Rel(folder, path)
			if err == nil && recorded(filepath.Join(folder, e.Name(), "RECORD"), filepath.ToSlash(inside), digest) {
				return strings.ReplaceAll(name[1], "_", "-") + " " + name[2]
			}
		}
		folder = filepath.Dir(folder)
	}
	return ""
}

// recorded tells whether a wheel's list of files, lines "path,sha256=…,bytes", has a file with a digest.
func recorded(list, file, digest string) bool {
	f, err := files.Open(list)
	if err != nil {
		return false
	}
	defer f.Close()
	r := csv.NewReader(io.LimitReader(f, maxRecord))
	r.FieldsPerRecord, r.LazyQuotes = -1, true
	for {
		line, err := r.Read()
		if err != nil {
			return false
		}
		if len(line) < 2 || line[0] != file {
			continue
		}
		sum, ok := strings.CutPrefix(line[1], "sha256=")
		raw, err := base64.RawURLEncoding.DecodeString(sum)
		return ok && err == nil && hex.EncodeToString(raw) == digest
	}
}
