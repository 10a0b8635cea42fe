package strictjson

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// MaxDepth is how deep objects and lists may be nested: many times what any file of ours needs.
const MaxDepth = 64

// Unmarshal decodes one JSON value into v, a pointer. The error is [Problems]. Where the text is JSON
// and something else is wrong, v holds what could be read, so that a caller can go on and look for more.
func Unmarshal(data []byte, v any) error {
	err := check(data, reflect.TypeOf(v).Elem())
	if p, ok := err.(Problems); ok && p[len(p)-1].Malformed {
		return err
	}
	if decoding := json.Unmarshal(data, v); err == nil && decoding != nil { // of a type that reads itself
		return Problems{{Line: 1, Column: 1, Text: strings.TrimPrefix(decoding.Error(), "json: ")}}
	}
	return err
}

// Check reads one JSON value of no particular type. The error is [Problems].
func Check(data []byte) error { return check(data, nil) }

func check(data []byte, t reflect.Type) error {
	r := &reader{text: data, schemas: map[reflect.Type]*schema{}}
	if r.value(t) {
		if r.space(); r.at < len(r.text) {
			r.malformed(r.at, "text after the end of the JSON value: %s", r.found())
		}
	}
	if r.more > 0 {
		last := &r.problems[len(r.problems)-1]
		last.Text += fmt.Sprintf(" (and %d more)", r.more)
	}
	if len(r.problems) > 0 {
		return r.problems
	}
	return nil
}

// A step of a path is a key or the number of an item.
type step struct {
	key  *string
	item int
}

// A reader goes once over a text. Its methods that read something return false where the text is no
// JSON, having said so.
type reader struct {
	text     []byte
	at       int
	path     []step
	schemas  map[reflect.Type]*schema
	problems Problems
	more     int // problems that were not kept
}

func (r *reader) space() {
	for r.at < len(r.text) && (r.text[r.at] == ' ' || r.text[r.at] == '\t' || r.text[r.at] == '\n' || r.text[r.at] == '\r') {
		r.at++
	}
}

// peek is the next byte, 0 at the end.
func (r *reader) peek() byte {
	if r.at < len(r.text) {
		return r.text[r.at]
	}
	return 0
}

// found says what is there instead.
func (r *reader) found() string {
	if r.at >= len(r.text) {
		return "the end of the text"
	}
	c, size := utf8.DecodeRune(r.text[r.at:])
	if c == utf8.RuneError && size == 1 {
		return fmt.Sprintf("the byte %#02x, which is not UTF-8", r.text[r.at])
	}
	return strconv.QuoteRune(c)
}

// value reads a value of a type, nil for any.
func (r *reader) value(t reflect.Type) bool {
	r.space()
	start := r.at
	s := r.describe(t)
	if s.kind == union {
		s = r.choose(s)
	}
	switch c := r.peek(); {
	case c == '{':
		return r.object(r.want(s, start, "object", object))
	case c == '[':
		return r.list(r.want(s, start, "array", list))
	case c == '"':
		_, ok := r.string(false)
		r.want(s, start, "string", text)
		return ok
	case c == 't':
		r.want(s, start, "bool", boolean)
		return r.word("true")
	case c == 'f':
		r.want(s, start, "bool", boolean)
		return r.word("false")
	case c == 'n':
		if !r.word("null") {
			return false
		}
		r.null(s, start)
		return true
	case c == '-' || '0' <= c && c <= '9':
		return r.number(s)
	}
	return r.malformed(start, "want a value, found %s", r.found())
}

// want reports a value of another kind than the schema's. It returns the schema to go on with: after such
// a report one that accepts anything.
func (r *reader) want(s *schema, start int, got string, is kind) *schema {
	switch s.kind {
	case is, free:
		return s
	}
	r.report(start, "want %s, got a JSON %s", s.want, got)
	return &schema{}
}

func (r *reader) null(s *schema, start int) {
	switch {
	case s.null:
	case len(r.path) > 0 && r.path[len(r.path)-1].key != nil:
		r.report(start, "null; leave the key out for its default")
	default:
		r.report(start, "null; want %s", s.want)
	}
}

// choose finds the shape of a union that the text has.
func (r *reader) choose(u *schema) *schema {
	var is kind
	switch c := r.peek(); {
	case c == '{':
		is = object
	case c == '[':
		is = list
	case c == '"':
		is = text
	}
	for _, t := range u.shapes {
		if s := r.describe(t); s.kind == is && is != free {
			return s
		}
	}
	return u
}

func (r *reader) word(word string) bool {
	if !strings.HasPrefix(string(r.text[r.at:min(r.at+len(word), len(r.text))]), word) {
		return r.malformed(r.at, "want a value, found %s", r.found())
	}
	r.at += len(word)
	return true
}

// enter is called at the opening of an object or a list.
func (r *reader) enter() bool {
	if len(r.path) >= MaxDepth {
		return r.malformed(r.at, "nested deeper than %d", MaxDepth)
	}
	r.path = append(r.path, step{})
	r.at++
	return true
}

// leave is called at the end of one.
func (r *reader) leave() { r.path = r.path[:len(r.path)-1] }

func (r *reader) object(s *schema) bool {
	if !r.enter() {
		return false
	}
	defer r.leave()
	seen := map[string]struct{}{}
	for first := true; ; first = false {
		if r.space(); r.peek() == '}' && first {
			r.at++
			return true
		}
		start := r.at
		if r.peek() != '"' {
			return r.malformed(start, "want a key in quotes, found %s", r.found())
		}
		key, ok := r.string(true)
		if !ok {
			return false
		}
		r.path[len(r.path)-1].key = &key
		if _, twice := seen[key]; twice {
			r.report(start, "the key is given twice")
		}
		seen[key] = struct{}{}
		if r.space(); r.peek() != ':' {
			return r.malformed(r.at, "want ':' after a key, found %s", r.found())
		}
		r.at++
		if !r.value(r.member(s, key, start)) {
			return false
		}
		r.path[len(r.path)-1].key = nil
		switch r.space(); r.peek() {
		case ',':
			r.at++
		case '}':
			r.at++
			return true
		default:
			return r.malformed(r.at, "want ',' or '}' after a value, found %s", r.found())
		}
	}
}

// member is the type of an object's value.
func (r *reader) member(s *schema, key string, start int) reflect.Type {
	if s.fields == nil {
		return s.elem
	}
	t, ok := s.fields[key]
	if ok {
		return t
	}
	near := ""
	if len(r.problems) < maxProblems { // comparing takes longer than reading
		near = nearest(Nearest(key, s.names))
	}
	if path := r.path; len(path) > 1 { // the object is at fault
		r.path = path[:len(path)-1]
		r.report(start, "unknown key %s%s", strconv.Quote(shorten(key)), near)
		r.path = path
		return nil
	}
	r.report(start, "unknown key%s", near)
	return nil
}

func nearest(name string) string {
	if name == "" {
		return ""
	}
	return "; the nearest known one is " + strconv.Quote(name)
}

func (r *reader) list(s *schema) bool {
	start := r.at
	n, ok := r.items(s)
	if ok && s.kind == list && s.length >= 0 && n != s.length {
		r.report(start, "want %s, got %d", s.want, n)
	}
	return ok
}

// items reads a list and counts.
func (r *reader) items(s *schema) (n int, ok bool) {
	if !r.enter() {
		return 0, false
	}
	defer r.leave()
	for {
		if r.space(); r.peek() == ']' && n == 0 {
			r.at++
			return 0, true
		}
		n++
		r.path[len(r.path)-1].item = n
		if !r.value(s.elem) {
			return n, false
		}
		switch r.space(); r.peek() {
		case ',':
			r.at++
		case ']':
			r.at++
			return n, true
		default:
			return n, r.malformed(r.at, "want ',' or ']' after a value, found %s", r.found())
		}
	}
}

// string reads a string; decoded gives what it stands for.
func (r *reader) string(decoded bool) (value string, ok bool) {
	start, escaped := r.at, false
	r.at++
	for {
		c := r.peek()
		switch {
		case r.at >= len(r.text):
			return "", r.malformed(start, "a string without its closing quote")
		case c == '"':
			r.at++
			if !decoded {
				return "", true
			}
			return decode(r.text[start:r.at], escaped), true
		case c == '\\':
			escaped = true
			if !r.escape() {
				return "", false
			}
		case c < ' ':
			return "", r.malformed(r.at, "the control character %#02x in a string; write an escape", c)
		case c < utf8.RuneSelf:
			r.at++
		default:
			char, size := utf8.DecodeRune(r.text[r.at:])
			if char == utf8.RuneError && size == 1 {
				return "", r.malformed(r.at, "the byte %#02x in a string, which is not UTF-8", c)
			}
			r.at += size
		}
	}
}

// decode gives the meaning of a string that has been read.
func decode(quoted []byte, escaped bool) string {
	if !escaped {
		return string(quoted[1 : len(quoted)-1])
	}
	var value string
	if err := json.Unmarshal(quoted, &value); err != nil {
		panic("strictjson: " + err.Error())
	}
	return value
}

// escape reads \n, \u00e9 and the like, a surrogate pair as a whole.
func (r *reader) escape() bool {
	start := r.at
	r.at++
	switch c := r.peek(); {
	case c != 0 && strings.IndexByte(`"\/bfnrt`, c) >= 0:
		r.at++
		return true
	case c != 'u':
		return r.malformed(start, `\ before %s in a string`, r.found())
	}
	r.at++
	high, ok := r.hex(start)
	if !ok || !utf16.IsSurrogate(high) {
		return ok
	}
	if r.at+1 < len(r.text) && r.text[r.at] == '\\' && r.text[r.at+1] == 'u' {
		r.at += 2
		low, ok := r.hex(start)
		if !ok || utf16.DecodeRune(high, low) != utf8.RuneError {
			return ok
		}
	}
	return r.malformed(start, `\u%04x in a string is half of a surrogate pair`, high)
}

func (r *reader) hex(start int) (rune, bool) {
	digits := string(r.text[r.at:min(r.at+4, len(r.text))])
	n, err := strconv.ParseUint(digits, 16, 16)
	if err != nil || len(digits) < 4 {
		return 0, r.malformed(start, `\u in a string without four hexadecimal digits`)
	}
	r.at += 4
	return rune(n), true
}

// number reads a number and tries it on the type.
func (r *reader) number(s *schema) bool {
	start := r.at
	digits := func() bool {
		from := r.at
		for c := r.peek(); '0' <= c && c <= '9'; c = r.peek() {
			r.at++
		}
		return r.at > from
	}
	if r.peek() == '-' {
		r.at++
	}
	ok := r.peek() == '0'
	if ok {
		r.at++
	} else {
		ok = digits()
	}
	if ok && r.peek() == '.' {
		r.at++
		ok = digits()
	}
	if c := r.peek(); ok && (c == 'e' || c == 'E') {
		r.at++
		if c := r.peek(); c == '+' || c == '-' {
			r.at++
		}
		ok = digits()
	}
	if !ok {
		return r.malformed(r.at, "want a digit, found %s", r.found())
	}
	r.fit(s, start, string(r.text[start:r.at]))
	return true
}

// fit tries a number on a type.
func (r *reader) fit(s *schema, start int, literal string) {
	var err error
	switch s.kind {
	case free:
		_, err = strconv.ParseFloat(literal, 64)
	case signed:
		_, err = strconv.ParseInt(literal, 10, s.bits)
	case unsigned:
		_, err = strconv.ParseUint(literal, 10, s.bits)
	case float:
		_, err = strconv.ParseFloat(literal, s.bits)
	default:
		err = strconv.ErrSyntax
	}
	want := s.want
	if want == "" {
		want = "a number that a float64 holds"
	}
	if err != nil {
		r.report(start, "want %s, got %s", want, shorten(literal))
	}
}
