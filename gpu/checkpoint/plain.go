package checkpoint

import (
	"bytes"
	"fmt"
	"io/fs"
	"path"

	"github.com/persona-transfer/runpipeline/format/text"
)

// readPlain reads one of the small files of fsys as its readers want it: text without a byte order
// mark, JSON without the numbers that only Python writes. What [Checkpoint.Digest] covers is the
// file as it is.
func readPlain(fsys fs.FS, name string) ([]byte, error) {
	data, err := readText(fsys, name)
	if ext := path.Ext(name); err != nil || ext == ".model" || ext == ".jinja" { // protocol buffers; a template's mark is its text, as in transformers
		return data, err
	}
	if data, err = text.Plain(data); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", name, err, ErrFormat)
	}
	if path.Ext(name) == ".json" {
		data = fromPython(data)
	}
	return data, nil
}

// fromPython quotes NaN, Infinity and -Infinity, which Python's json reads and writes although JSON does
// not have them: in a key that is not read they do no harm, and in one that is read they are no number.
func fromPython(data []byte) []byte {
	var out []byte
	from := 0 // what is before it is in out
	for i := 0; i < len(data); i++ {
		switch data[i] {
		case '"':
			i = stringEnd(data, i)
		case 'N', 'I', '-':
			for _, word := range []string{"NaN", "Infinity", "-Infinity"} {
				if bytes.HasPrefix(data[i:], []byte(word)) {
					out = append(append(append(append(out, data[from:i]...), '"'), word...), '"')
					from = i + len(word)
					i = from - 1
					break
				}
			}
		}
	}
	if from == 0 {
		return data
	}
	return append(out, data[from:]...)
}

// stringEnd is where the string that begins at i ends; the end of data if it does not.
func stringEnd(data []byte, i int) int {
	for i++; i < len(data) && data[i] != '"'; i++ {
		if data[i] == '\\' {
			i++
		}
	}
	return i
}
