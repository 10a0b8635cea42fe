package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// A lineReader asks for one line after the other. The end of the input is io.EOF.
type lineReader interface {
	read(ctx context.Context, prompt string) (string, error)
}

// lines reads what is typed: with editing and a history where both ends are a terminal, else as it comes.
func (a *app) lines() lineReader {
	in, ok := a.stdin.(*os.File)
	if ok && a.stderr.terminal && term.IsTerminal(int(in.Fd())) {
		return newEditor(in, a.stderr)
	}
	scanner := bufio.NewScanner(a.stdin)
	scanner.Buffer(nil, maxLine)
	return &plainLines{scanner, a.stderr}
}

// maxLine is more than anybody types.
const maxLine = 1 << 20

// plainLines reads lines from a pipe or a file.
type plainLines struct {
	scanner *bufio.Scanner
	prompt  io.Writer
}

func (p *plainLines) read(ctx context.Context, prompt string) (string, error) {
	io.WriteString(p.prompt, prompt)
	return await(ctx, func() (string, error) {
		if p.scanner.Scan() {
			return p.scanner.Text(), nil
		}
		if err := p.scanner.Err(); err != nil {
			return "", err
		}
		io.WriteString(p.prompt, "\n")
		return "", io.EOF
	})
}

// await waits for a line or the end of ctx, whichever comes first: a read of a terminal cannot be
// broken off. After an interrupt nothing more is read.
func await(ctx context.Context, read func() (string, error)) (string, error) {
	type result struct {
		line string
		err  error
	}
	done := make(chan result, 1)
	go func() {
		line, err := read()
		done <- result{line, err}
	}()
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case r := <-done:
		return r.line, r.err
	}
}

// An editor reads lines from a terminal, which is raw while a line is typed and as it was before while
// a text is generated, so that Ctrl-C is an interrupt then. The prompt and what is typed go to the
// terminal through x/term, which draws printable characters only.
type editor struct {
	in       *os.File
	screen   *screen
	terminal *term.Terminal
}

func newEditor(in *os.File, s *screen) *editor {
	ends := struct {
		io.Reader
		io.Writer
	}{&clearing{Reader: in}, s.w}
	return &editor{in, s, term.NewTerminal(ends, "")}
}

func (e *editor) read(ctx context.Context, prompt string) (string, error) {
	before, err := term.MakeRaw(int(e.in.Fd()))
	if err != nil {
		return "", err
	}
	defer term.Restore(int(e.in.Fd()), before)
	e.terminal.SetPrompt(prompt)
	if width, height, err := term.GetSize(int(e.in.Fd())); err == nil && width > 0 {
		e.terminal.SetSize(width, height)
	}
	return await(ctx, func() (string, error) {
		line, err := e.terminal.ReadLine()
		if errors.Is(err, term.ErrPasteIndicator) {
			err = nil
		}
		if err == io.EOF {
			io.WriteString(e.screen.w, "\r\n")
		}
		return strings.ToValidUTF8(line, ""), err
	})
}

// clearing turns a Ctrl-C into a Ctrl-U, which empties the line. A second one in a row is left, and ends
// the conversation.
type clearing struct {
	io.Reader
	again bool
}

const ctrlC, ctrlU = 3, 21

func (c *clearing) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	for i, key := range b[:n] {
		if key == ctrlC && !c.again {
			b[i] = ctrlU
		}
		c.again = key == ctrlC
	}
	return n, err
}
