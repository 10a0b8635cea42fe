package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// display collects what a screen for people writes.
func display(parts ...string) string {
	var out bytes.Buffer
	s := newScreen(&out, true)
	for _, p := range parts {
		s.Write([]byte(p))
	}
	s.finish()
	return out.String()
}

func TestScreenShowsWhatATerminalWouldActOn(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"plain text\n\twith a tab", "plain text\n\twith a tab"},
		{"é 日本語 😀 ‖h‖ → α", "é 日本語 😀 ‖h‖ → α"},
		{"👩\u200d💻 \u202f\u00a0", "👩\u200d💻 \u202f\u00a0"}, // joiners and spaces are drawn
		{"\x1b[31mred\x1b]0;title\a", `\x1b[31mred\x1b]0;title\x07`},
		{"\x00\b\v\f\x7f", `\x00\x08\x0b\x0c\x7f`},
		{"\u0085\u009b31m", `\u0085\u009b31m`},
		{"\u202aa\u202e\u202c\u2066\u2069b\u2028\u2029", `\u202aa\u202e\u202c\u2066\u2069b\u2028\u2029`},
		{"over\rwritten", `over\x0dwritten`},
		{"line\r\nline\r", "line\r\nline" + `\x0d`},
		{"bad \xff\xc3", `bad \xff\xc3`},
		{"\xed\xa0\x80", `\xed\xa0\x80`},
		{"\xe2\x80", `\xe2\x80`},
		{"a replacement \ufffd of its own", "a replacement \ufffd of its own"},
		{`a backslash \x1b`, `a backslash \x1b`},
		{"", ""},
	} {
		if got := display(c.text); got != c.want {
			t.Errorf("%q is shown as %q, want %q", c.text, got, c.want)
		}
		// However the text is cut into writes, the same comes out.
		if got := display(strings.Split(c.text, "")...); got != c.want {
			t.Errorf("%q, a character at a time, is shown as %q, want %q", c.text, got, c.want)
		}
		var bytewise []string
		for i := range len(c.text) {
			bytewise = append(bytewise, c.text[i:i+1])
		}
		if got := display(bytewise...); got != c.want {
			t.Errorf("%q, a byte at a time, is shown as %q, want %q", c.text, got, c.want)
		}
	}
}

// TestScreenKeepsBytesOfResults: a result in a pipe or a file is for programs.
func TestScreenKeepsBytesOfResults(t *testing.T) {
	const text = "\x1b[31m\xff\r\u202e"
	var out bytes.Buffer
	s := newScreen(&out, false)
	s.Write([]byte(text))
	if err := s.finish(); err != nil || out.String() != text {
		t.Errorf("a result is written as %q, %v", out.String(), err)
	}
}

// TestControlGoesAround: what the command itself says to the terminal arrives.
func TestControlGoesAround(t *testing.T) {
	var out bytes.Buffer
	s := newScreen(&out, true)
	s.control(eraseLine)
	s.Write([]byte(eraseLine))
	if got, want := out.String(), eraseLine+`\x0d\x1b[K`; got != want {
		t.Errorf("written %q, want %q", got, want)
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestScreenKeepsTheFirstFailure(t *testing.T) {
	s := newScreen(broken{}, false)
	s.Write([]byte("a"))
	s.Write([]byte("b"))
	if err := s.finish(); err == nil || err.Error() != "no space left" {
		t.Errorf("finish gives %v", err)
	}
	a := newApp(strings.NewReader(""), broken{}, new(bytes.Buffer))
	if code := a.main(t.Context(), []string{"version"}); code != exitStage {
		t.Errorf("version on a full disk exits with %d, want %d", code, exitStage)
	}
}

// FuzzScreen cuts text anywhere: nothing that a terminal acts on comes out, and what needs no showing
// comes out as it is.
func FuzzScreen(f *testing.F) {
	f.Add([]byte("\x1b[31m é\r\n\u202e\xff"), uint(3))
	f.Fuzz(func(t *testing.T, text []byte, cut uint) {
		at := int(cut % uint(len(text)+1))
		got := display(string(text[:at]), string(text[at:]))
		if got != display(string(text)) {
			t.Fatalf("%q cut at %d is shown as %q", text, at, got)
		}
		harmless := utf8.Valid(text)
		for i, c := range got {
			if c == '\r' && strings.HasPrefix(got[i:], "\r\n") || c == '\n' || c == '\t' {
				continue
			}
			if unicode.IsControl(c) || strings.ContainsRune("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029", c) || !utf8.ValidString(got) {
				t.Fatalf("%q is shown as %q", text, got)
			}
		}
		for _, c := range string(text) {
			harmless = harmless && (c == '\n' || c == '\t' || unicode.IsGraphic(c))
		}
		if harmless && got != string(text) && !strings.ContainsAny(string(text), "\u2028\u2029") {
			t.Fatalf("%q is changed to %q", text, got)
		}
	})
}
