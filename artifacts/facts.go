package artifacts

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/apache/arrow/go/v17/arrow"
)

// ErrFormat reports bytes that are not what their kind says: damaged, of another version,
// or made by something else.
var ErrFormat = errors.New("not in the expected format")

// facts are the schema metadata of a table: everything that is not a row. Decoders take out the facts
// they know; one that is left over is an error, so that nothing a later version adds is silently
// ignored.
type facts map[string]string

// extraPrefix begins the facts that a caller adds for people; their keys are free.
const extraPrefix = "note."

// formatVersion is the layout of every kind, raised together.
const formatVersion = "2" // 2: scales as facts, no columns that were always empty; 1: Arrow file without nulls or compression, facts in the schema

func newFacts(kind string) facts { return facts{"kind": kind, "version": formatVersion} }

// expect takes kind and version out.
func (f facts) expect(kind string) error {
	if got := f.take("kind"); got != kind {
		return fmt.Errorf("its kind is %.40q, want %q", got, kind)
	}
	if got := f.take("version"); got != formatVersion {
		return fmt.Errorf("its version is %.40q, want %q", got, formatVersion)
	}
	return nil
}

// take returns a fact and removes it.
func (f facts) take(key string) string {
	value := f[key]
	delete(f, key)
	return value
}

// text takes a fact that must be there, though it may be empty.
func (f facts) text(key string) (string, error) {
	if _, ok := f[key]; !ok {
		return "", fmt.Errorf("fact %q is missing", key)
	}
	return f.take(key), nil
}

// integer takes a fact that is a decimal number of at least low.
func (f facts) integer(key string, low int) (int, error) {
	text, err := f.text(key)
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < low || n > math.MaxInt32 || strconv.Itoa(n) != text {
		return 0, fmt.Errorf("fact %q is %.40q, want a number from %d on", key, text, low)
	}
	return n, nil
}

// float takes a fact that is a finite number in its shortest form.
func (f facts) float(key string) (float64, error) {
	text, err := f.text(key)
	if err != nil {
		return 0, err
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || v-v != 0 || formatFloat(v) != text {
		return 0, fmt.Errorf("fact %q is %.40q, want a finite number", key, text)
	}
	return v, nil
}

func formatFloat(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// metadata returns the facts in the order in which they are written. It refuses what a
// reader would.
func (f facts) metadata() (arrow.Metadata, error) {
	keys := slices.Sorted(maps.Keys(f))
	values := make([]string, len(keys))
	size := 0
	for i, k := range keys {
		values[i] = f[k]
		if !utf8.ValidString(k + values[i]) {
			return arrow.Metadata{}, fmt.Errorf("fact %q is not UTF-8", k)
		}
		size += len(k) + len(values[i])
	}
	if len(keys) > maxFacts || size > maxDescription/2 { // the other half is for their frames
		return arrow.Metadata{}, fmt.Errorf("%d facts of %d bytes", len(keys), size)
	}
	return arrow.NewMetadata(keys, values), nil
}

// setNotes adds what a caller wants to tell people.
func (f facts) setNotes(notes map[string]string) {
	for k, v := range notes {
		f[extraPrefix+k] = v
	}
}

// notes takes them out again; nil if there are none.
func (f facts) notes() map[string]string {
	var notes map[string]string
	for k, v := range f {
		if name, ok := strings.CutPrefix(k, extraPrefix); ok {
			if notes == nil {
				notes = make(map[string]string)
			}
			notes[name] = v
			delete(f, k)
		}
	}
	return notes
}

// none checks that every fact has been taken.
func (f facts) none() error {
	if len(f) == 0 {
		return nil
	}
	return fmt.Errorf("fact %.40q is not known", slices.Sorted(maps.Keys(f))[0])
}
