package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/persona-transfer/runpipeline/pipelines/report"
)

// A screen is where the command writes: everything for standard output and standard error goes
// through one. Text comes from models, files and hubs, and some of it may be meant for the terminal:
// an escape sequence can hide, forge and retitle, and on some terminals type. So control characters
// are shown, as \x1b or \u202e, once and here, and nobody who prints has to think of it.
//
// Errors and progress are always shown so: they are read by people, often later and from a log.
// Results are shown so on a terminal only; in a file or a pipe they keep their bytes, because
// programs read them. A backslash stays one backslash: this is for looking at, not for reading back.
type screen struct {
	w        io.Writer
	terminal bool
	show     bool // control characters are shown

	mu   sync.Mutex
	held []byte // the beginning of a character, or a carriage return, whose rest has not come yet
	err  error  // the first failure to write
}

// newScreen wraps a writer, once. Text for people is shown wherever it goes, a result on a terminal.
func newScreen(w io.Writer, people bool) *screen {
	if s, ok := w.(*screen); ok {
		return s
	}
	f, ok := w.(interface{ Fd() uintptr })
	terminal := ok && term.IsTerminal(int(f.Fd()))
	return &screen{w: w, terminal: terminal, show: people || terminal}
}

// Write writes text. It always takes all of it: the first failure is kept for the end of the command,
// since nobody who prints a line looks at the error.
func (s *screen) Write(text []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.show {
		s.put(text)
		return len(text), s.err
	}
	all := append(s.held, text...)
	shown, rest := visible(all, false)
	s.held = bytes.Clone(rest)
	s.put(shown)
	return len(text), s.err
}

// control writes a sequence that is meant for the terminal.
func (s *screen) control(sequence string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put([]byte(sequence))
}

// columns is how wide the terminal is now; 80 where that cannot be known.
func (s *screen) columns() int {
	if f, ok := s.w.(interface{ Fd() uintptr }); ok {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
			return width
		}
	}
	return 80
}

// width is how wide lines may be: that of the terminal, 0 where there is none.
func (s *screen) width() int {
	if !s.terminal {
		return 0
	}
	return s.columns()
}

// line writes a line, broken between words where it is wider than the terminal.
func (s *screen) line(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if s.show { // what is shown is longer
		shown, _ := visible([]byte(text), true)
		text = string(shown)
	}
	for l := range strings.SplitSeq(text, "\n") {
		for _, part := range report.Wrap(l, s.width()) {
			fmt.Fprintln(s, part)
		}
	}
}

// finish writes what is left of a broken character and gives the first failure.
func (s *screen) finish() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	shown, _ := visible(s.held, true)
	s.held = nil
	s.put(shown)
	return s.err
}

func (s *screen) put(b []byte) {
	if len(b) > 0 && s.err == nil {
		_, s.err = s.w.Write(b)
	}
}

// visible replaces what a terminal would act on. Unless it is the end, rest is what cannot be judged
// before more has come.
func visible(text []byte, end bool) (shown, rest []byte) {
	if !bytes.ContainsFunc(text, acts) {
		return text, nil
	}
	var out bytes.Buffer
	for len(text) > 0 {
		c, size := utf8.DecodeRune(text)
		switch {
		case c == utf8.RuneError && size == 1 && !end && !utf8.FullRune(text):
			return out.Bytes(), text
		case c == utf8.RuneError && size == 1:
			fmt.Fprintf(&out, `\x%02x`, text[0])
		case c == '\r' && len(text) == 1 && !end:
			return out.Bytes(), text
		case c == '\r' && len(text) > 1 && text[1] == '\n': // a line that ends as on Windows
			out.WriteByte('\r')
		case !acts(c) || c == utf8.RuneError: // a replacement character that the text itself has
			out.Write(text[:size])
		case c < utf8.RuneSelf:
			fmt.Fprintf(&out, `\x%02x`, c)
		default:
			fmt.Fprintf(&out, `\u%04x`, c)
		}
		text = text[size:]
	}
	return out.Bytes(), nil
}

// acts reports what a terminal might not just draw: control characters (C0 but newline and tab, DEL,
// C1), overrides and isolates of the writing direction, line and paragraph separators; and broken
// UTF-8, which is decoded to RuneError.
func acts(c rune) bool {
	switch {
	case c == '\n' || c == '\t':
		return false
	case unicode.IsControl(c), c == utf8.RuneError:
		return true
	}
	return strings.ContainsRune("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029", c)
}
