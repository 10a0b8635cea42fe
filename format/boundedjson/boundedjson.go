// Package boundedjson reads JSON that lists what a large file holds, token by token, so that a hostile
// list is refused before it takes memory: the header of a safetensors file, the index of a folder of
// them. What is wrong in a small file that a person wrote is told better by strictjson.
package boundedjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// MaxName is the longest key in bytes, several times that of any model's tensor.
const MaxName = 1 << 10

// A Reader reads the values of one text front to back. The caller asks for what should come next; an
// error ends the reading.
type Reader struct{ dec *json.Decoder }

// NewReader returns a Reader of text.
func NewReader(text []byte) *Reader {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	return &Reader{dec}
}

// Object reads an object of at most limit keys, calling value for each to read what belongs to it. A
// key that occurs twice is an error, and so is one longer than [MaxName].
func (r *Reader) Object(limit int, value func(key string) error) error {
	if err := r.delim('{'); err != nil {
		return err
	}
	return r.members(limit, value)
}

// ObjectOrNull is Object for a value that may be null instead; found is false if it is.
func (r *Reader) ObjectOrNull(limit int, value func(key string) error) (found bool, err error) {
	token, err := r.token()
	if err != nil || token == nil {
		return false, err
	}
	if token != json.Delim('{') {
		return false, fmt.Errorf("%s where an object belongs", show(token))
	}
	return true, r.members(limit, value)
}

// members reads an object behind its opening brace.
func (r *Reader) members(limit int, value func(key string) error) error {
	seen := make(map[string]bool)
	for r.dec.More() {
		key, err := r.String()
		if err != nil {
			return err
		}
		if len(key) > MaxName {
			return fmt.Errorf("a name of %d bytes, %.40q…, at most %d are read", len(key), key, MaxName)
		}
		if seen[key] {
			return fmt.Errorf("%q occurs twice", key)
		}
		if seen[key] = true; len(seen) > limit {
			return fmt.Errorf("more than %d entries", limit)
		}
		if err := value(key); err != nil {
			return err
		}
	}
	return r.delim('}')
}

// String reads a text.
func (r *Reader) String() (string, error) {
	token, err := r.token()
	if err != nil {
		return "", err
	}
	s, ok := token.(string)
	if !ok {
		return "", fmt.Errorf("%s is not text", show(token))
	}
	return s, nil
}

// Sizes reads a list of at most limit whole numbers from 0 to the largest int64. It is never nil
// without an error.
func (r *Reader) Sizes(limit int) ([]int64, error) {
	if err := r.delim('['); err != nil {
		return nil, err
	}
	sizes := []int64{}
	for r.dec.More() {
		token, err := r.token()
		if err != nil {
			return nil, err
		}
		number, ok := token.(json.Number)
		if !ok {
			return nil, fmt.Errorf("%s is not a number", show(token))
		}
		n, err := strconv.ParseUint(number.String(), 10, 63)
		if err != nil {
			return nil, fmt.Errorf("%.100s is not a size", number)
		}
		if len(sizes) == limit {
			return nil, fmt.Errorf("a list of more than %d sizes", limit)
		}
		sizes = append(sizes, int64(n))
	}
	return sizes, r.delim(']')
}

// Skip passes over a value of any kind.
func (r *Reader) Skip() error {
	var skipped json.RawMessage
	return r.dec.Decode(&skipped)
}

// End reports text behind what has been read.
func (r *Reader) End() error {
	if _, err := r.dec.Token(); err != io.EOF {
		return errors.New("text after its end")
	}
	return nil
}

func (r *Reader) delim(want json.Delim) error {
	token, err := r.token()
	if err == nil && token != want {
		err = fmt.Errorf("%s where %v belongs", show(token), want)
	}
	return err
}

func (r *Reader) token() (json.Token, error) {
	token, err := r.dec.Token()
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return token, err
}

// show writes a token for a message.
func show(token json.Token) string { return fmt.Sprintf("%.100s", fmt.Sprint(token)) }
