package checkpoint

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"unicode/utf8"
)

// A headerEntry is one tensor as a safetensors header describes it.
type headerEntry struct {
	name       string
	dtype      string
	shape      []int
	begin, end int64
}

// parseHeader reads the JSON of a safetensors header. encoding/json by itself would accept
// repeated keys, other spellings of keys and invalid text, so the header is read token by
// token.
func parseHeader(raw []byte) (entries []headerEntry, meta map[string]string, err error) {
	if len(raw) == 0 || raw[0] != '{' {
		return nil, nil, errors.New("header does not begin with {")
	}
	if !utf8.Valid(raw) {
		return nil, nil, errors.New("header is not UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	err = readObject(dec, maxTensors, func(key string) error {
		if key == "__metadata__" {
			meta, err = readMetadata(dec)
			return err
		}
		e := headerEntry{name: key, begin: -1}
		if err := e.read(dec); err != nil {
			return fmt.Errorf("tensor %q: %w", key, err)
		}
		entries = append(entries, e)
		return nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("header: %w", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, nil, errors.New("header: text after its end")
	}
	return entries, meta, nil
}

// readMetadata reads an object of texts, or null, which is as good as none.
func readMetadata(dec *json.Decoder) (map[string]string, error) {
	token, err := dec.Token()
	if err != nil || token == nil {
		return nil, err
	}
	if token != json.Delim('{') {
		return nil, fmt.Errorf("__metadata__: %s where an object belongs", show(token))
	}
	meta := make(map[string]string)
	return meta, readMembers(dec, maxKeys, func(key string) (err error) {
		meta[key], err = readString(dec)
		return err
	})
}

// read fills e from the object that comes next.
func (e *headerEntry) read(dec *json.Decoder) error {
	err := readObject(dec, maxKeys, func(key string) (err error) {
		switch key {
		case "dtype":
			e.dtype, err = readString(dec)
		case "shape":
			e.shape = []int{}
			err = readInts(dec, func(n int64) error {
				if len(e.shape) == maxRank || int64(int(n)) != n {
					return fmt.Errorf("more than %d dimensions, or one of %d", maxRank, n)
				}
				e.shape = append(e.shape, int(n))
				return nil
			})
		case "data_offsets":
			var at []int64
			err = readInts(dec, func(n int64) error {
				if len(at) == 2 {
					return errors.New("more than two offsets")
				}
				at = append(at, n)
				return nil
			})
			if err == nil && len(at) != 2 {
				err = errors.New("fewer than two offsets")
			}
			if err == nil {
				e.begin, e.end = at[0], at[1]
			}
		default:
			err = fmt.Errorf("unknown key %.100q", key)
		}
		return err
	})
	if err == nil && (e.dtype == "" || e.shape == nil || e.begin < 0) {
		err = errors.New("dtype, shape and data_offsets are not all there")
	}
	return err
}

// readObject reads an object of at most limit keys, calling value for each to read what belongs
// to it. A key that occurs twice is an error, and so is one that is longer than any name.
func readObject(dec *json.Decoder, limit int, value func(key string) error) error {
	if err := readDelim(dec, '{'); err != nil {
		return err
	}
	return readMembers(dec, limit, value)
}

// readMembers is readObject behind the opening brace.
func readMembers(dec *json.Decoder, limit int, value func(key string) error) error {
	seen := make(map[string]bool)
	for dec.More() {
		key, err := readString(dec)
		if err != nil {
			return err
		}
		if len(key) > maxName {
			return fmt.Errorf("a name of %d bytes, %.40q…, at most %d are read", len(key), key, maxName)
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
	return readDelim(dec, '}')
}

// Bounds of what a file may list, each several times what any model has: entries of a header
// take ten times their size in memory.
const (
	maxTensors = 1 << 17 // of one file; mixtures of experts have up to 92000 in all
	maxKeys    = 1 << 14 // of metadata
	maxName    = 1 << 10 // bytes
)

// readInts reads an array of integers that are not negative.
func readInts(dec *json.Decoder, value func(int64) error) error {
	if err := readDelim(dec, '['); err != nil {
		return err
	}
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return err
		}
		number, ok := token.(json.Number)
		if !ok {
			return fmt.Errorf("%s is not a number", show(token))
		}
		n, err := strconv.ParseUint(number.String(), 10, 63)
		if err != nil {
			return fmt.Errorf("%.100s is not a size", number)
		}
		if err := value(int64(n)); err != nil {
			return err
		}
	}
	return readDelim(dec, ']')
}

func readDelim(dec *json.Decoder, want json.Delim) error {
	token, err := dec.Token()
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	if err == nil && token != want {
		err = fmt.Errorf("%s where %v belongs", show(token), want)
	}
	return err
}

func readString(dec *json.Decoder) (string, error) {
	token, err := dec.Token()
	if err != nil {
		return "", err
	}
	s, ok := token.(string)
	if !ok {
		return "", fmt.Errorf("%s is not text", show(token))
	}
	return s, nil
}
