package cache

import (
	"crypto/sha256"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// A Recipe is the full description of one repeatable computation: its kind, its version,
// its settings, and the digests of its inputs. Its text is what is hashed and what the
// store keeps beside the result, so every key can be explained later.
//
//	kind 5:ridge
//	version 1:3
//	lambda 2:10
//	source 64:9f2c…
//
// Each line is "name length:value", where length counts the bytes of value. The length
// makes the text unambiguous: no value, however odd, can imitate the line that follows it.
//
// The methods that add a field return the recipe itself, so that one reads as a list.
// They panic on a name that is malformed or already taken: that is a bug of the caller,
// and a recipe is built before any work is done. A Recipe is not safe for concurrent use
// while fields are added.
type Recipe struct {
	fields []Field
	taken  map[string]bool
}

// A Field is one line of a recipe. Names are visible ASCII without spaces; values are any
// bytes.
type Field struct{ Name, Value string }

// NewRecipe begins the recipe of a computation of the given kind. The version is raised
// in the commit that changes the bytes which the computation makes.
func NewRecipe(kind string, version int) *Recipe {
	r := &Recipe{taken: make(map[string]bool)}
	return r.Text("kind", kind).Int("version", int64(version))
}

// Text records value as it is.
func (r *Recipe) Text(name, value string) *Recipe {
	if err := r.add(name, value); err != nil {
		panic("cache: " + err.Error())
	}
	return r
}

func (r *Recipe) add(name, value string) error {
	switch {
	case !validName(name):
		return fmt.Errorf("recipe field name %.80q is not visible ASCII", name)
	case r.taken[name]:
		return fmt.Errorf("recipe field %q is given twice", name)
	}
	r.taken[name] = true
	r.fields = append(r.fields, Field{name, value})
	return nil
}

// Int records value in decimal.
func (r *Recipe) Int(name string, value int64) *Recipe {
	return r.Text(name, strconv.FormatInt(value, 10))
}

// Uint records value in decimal.
func (r *Recipe) Uint(name string, value uint64) *Recipe {
	return r.Text(name, strconv.FormatUint(value, 10))
}

// Float records value exactly: the shortest decimal that reads back as the same float64.
// It panics on NaN, which compares unequal to itself and so can never describe a setting.
func (r *Recipe) Float(name string, value float64) *Recipe {
	return r.Text(name, formatFloat(name, value, 64))
}

// Bool records value as true or false.
func (r *Recipe) Bool(name string, value bool) *Recipe {
	return r.Text(name, strconv.FormatBool(value))
}

// Strings records values in order, each with its length: "[5:silly 5:angry]". Long lists
// belong into a stored artifact and into the recipe by digest.
func (r *Recipe) Strings(name string, values []string) *Recipe {
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = frame(v)
	}
	return r.Text(name, "["+strings.Join(words, " ")+"]")
}

// Input records an input by its content, never by its path or by the key that made it, so
// a rerun that reproduces the same bytes stops the change from spreading.
func (r *Recipe) Input(name string, content Digest) *Recipe {
	return r.Text(name, content.String())
}

// Fields returns a copy of the recipe's lines, kind and version included.
func (r *Recipe) Fields() []Field { return append([]Field(nil), r.fields...) }

// Kind returns what the recipe was begun with.
func (r *Recipe) Kind() string { return r.fields[0].Value }

// String returns the recipe's text, the pre-image of its key.
func (r *Recipe) String() string {
	var text strings.Builder
	for _, f := range r.fields {
		text.WriteString(f.Name + " " + frame(f.Value) + "\n")
	}
	return text.String()
}

// Key returns the SHA-256 of the recipe's text.
func (r *Recipe) Key() ActionKey { return sha256.Sum256([]byte(r.String())) }

// ParseRecipe reads a text that [Recipe.String] wrote, and nothing else: for any text it
// accepts, the parsed recipe's String is that text to the byte.
func ParseRecipe(text string) (*Recipe, error) {
	r := &Recipe{taken: make(map[string]bool)}
	for line := 1; text != ""; line++ {
		name, rest, ok := strings.Cut(text, " ")
		if !ok {
			return nil, fmt.Errorf("parse recipe, field %d: no space after the name", line)
		}
		value, rest, err := unframe(rest)
		if err != nil {
			return nil, fmt.Errorf("parse recipe, field %d: %w", line, err)
		}
		if err := r.add(name, value); err != nil {
			return nil, fmt.Errorf("parse recipe, field %d: %w", line, err)
		}
		text = rest
	}
	if len(r.fields) < 2 || r.fields[0].Name != "kind" || r.fields[1].Name != "version" {
		return nil, fmt.Errorf("parse recipe: it does not begin with kind and version")
	}
	if v := r.fields[1].Value; !isInt(v) {
		return nil, fmt.Errorf("parse recipe: version %.40q is not a number", v)
	}
	return r, nil
}

// frame is the inverse of the first half of unframe: "length:value".
func frame(value string) string { return strconv.Itoa(len(value)) + ":" + value }

// unframe splits "length:value\nrest".
func unframe(text string) (value, rest string, err error) {
	digits, _, ok := strings.Cut(text[:min(len(text), 20)], ":")
	n, convErr := strconv.Atoi(digits)
	if !ok || convErr != nil || n < 0 || strconv.Itoa(n) != digits {
		return "", "", fmt.Errorf("no length before the value")
	}
	body := text[len(digits)+1:]
	if n >= len(body) || body[n] != '\n' {
		return "", "", fmt.Errorf("value is not %d bytes and a newline", n)
	}
	return body[:n], body[n+1:], nil
}

func validName(name string) bool {
	for i := range len(name) {
		if name[i] <= ' ' || name[i] > '~' {
			return false
		}
	}
	return name != ""
}

func isInt(text string) bool {
	n, err := strconv.ParseInt(text, 10, 64)
	return err == nil && strconv.FormatInt(n, 10) == text
}

func formatFloat(name string, value float64, bits int) string {
	if math.IsNaN(value) {
		panic(fmt.Sprintf("cache: recipe field %q is NaN", name))
	}
	return strconv.FormatFloat(value, 'g', -1, bits)
}
