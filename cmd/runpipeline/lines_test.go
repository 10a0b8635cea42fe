package main

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
)

// TestCtrlCEmptiesTheLine: the first of a row becomes Ctrl-U, the second is left to end the conversation.
func TestCtrlCEmptiesTheLine(t *testing.T) {
	for typed, want := range map[string]string{
		"ab\x03cd":        "ab\x15cd",
		"\x03\x03":        "\x15\x03",
		"a\x03b\x03":      "a\x15b\x15",
		"\x03\x03\x03":    "\x15\x03\x03",
		"no control here": "no control here",
	} {
		all, err := io.ReadAll(&clearing{Reader: strings.NewReader(typed)})
		bytewise, err2 := io.ReadAll(&clearing{Reader: oneByte{strings.NewReader(typed)}})
		if err != nil || err2 != nil || string(all) != want || string(bytewise) != want {
			t.Errorf("%q: %q and %q (%v, %v), want %q", typed, all, bytewise, err, err2, want)
		}
	}
}

type oneByte struct{ io.Reader }

func (r oneByte) Read(b []byte) (int, error) { return r.Reader.Read(b[:1]) }

// TestLinesOfAPipe reads lines and their end, and gives up waiting when the context ends.
func TestLinesOfAPipe(t *testing.T) {
	var shown strings.Builder
	lines := newApp(strings.NewReader("one\ntwo"), io.Discard, &shown).lines()
	for _, want := range []string{"one", "two"} {
		if line, err := lines.read(t.Context(), "> "); line != want || err != nil {
			t.Errorf("%q, %v; want %q", line, err, want)
		}
	}
	if _, err := lines.read(t.Context(), "> "); err != io.EOF {
		t.Errorf("at the end: %v", err)
	}
	if shown.String() != "> > > \n" {
		t.Errorf("shown %q", shown.String())
	}
	r, _ := io.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := newApp(r, io.Discard, io.Discard).lines().read(ctx, ""); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}

// TestInterruptEndsTheTextThenTheCommand: while something is stoppable an interrupt ends that alone, once.
func TestInterruptEndsTheTextThenTheCommand(t *testing.T) {
	a := newApp(nil, io.Discard, io.Discard)
	if a.interrupt() {
		t.Error("an interrupt was taken though nothing runs")
	}
	text, end := a.stoppable(t.Context())
	if !a.interrupt() || text.Err() == nil {
		t.Error("the text was not ended")
	}
	if a.interrupt() {
		t.Error("the second interrupt was taken too")
	}
	end()
	next, end := a.stoppable(t.Context())
	end()
	if a.interrupt() || next.Err() == nil {
		t.Error("an interrupt was taken after the text")
	}
}
