package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// pseudoTerminal gives both ends of a terminal of so many columns.
func pseudoTerminal(t *testing.T, columns int) (user, program *os.File) {
	t.Helper()
	user, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { user.Close() })
	if err := unix.IoctlSetPointerInt(int(user.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(user.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { program.Close() })
	if err := unix.IoctlSetWinsize(int(program.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 40, Col: uint16(columns)}); err != nil {
		t.Fatal(err)
	}
	return user, program
}

// onTerminal runs a process on a terminal of so many columns and gives all that the terminal received.
func onTerminal(t *testing.T, c *exec.Cmd, columns int, while func()) string {
	t.Helper()
	user, program := pseudoTerminal(t, columns)
	c.Stdout, c.Stderr = program, program
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	program.Close()
	received := make(chan string, 1)
	go func() { b, _ := io.ReadAll(user); received <- string(b) }() // ends with EIO when nobody writes any more
	stop := time.AfterFunc(5*time.Minute, func() { c.Process.Kill() })
	defer stop.Stop()
	if while != nil {
		while()
	}
	c.Wait()
	return <-received
}

// TestTerminalReceivesTheBarAndNoOtherSequence runs on a real terminal: results and errors are shown
// there, and the progress bar's own sequence is the only one.
func TestTerminalReceivesTheBarAndNoOtherSequence(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/vector.json", []byte(`{"directions": [{"layer": 1, "values": [`+strings.Repeat("1,", 127)+`1]}]}`), 0o644); err != nil {
		t.Fatal(err)
	}
	c := process(t, dir)
	c.Args = append(c.Args[:1], "steer", "-model", "tiny:llama", "-vector", "vector.json", "-tokens", "1", "-prompt", "x \x1b[31m")
	if text := onTerminal(t, c, 120, nil); strings.Contains(text, "\x1b") || !strings.Contains(text, `| x \x1b[31m`) {
		t.Errorf("steer sends %q", text)
	}
	if testing.Short() {
		return
	}
	text := onTerminal(t, process(t, dir), 120, nil)
	bar := strings.Count(text, eraseLine)
	if bar < 2 || strings.Count(text, "\x1b") != bar || !regexp.MustCompile(`█|░`).MatchString(text) || !strings.Contains(text, "verdict: ") {
		t.Errorf("a run sends %d erased lines of %d sequences: %q", bar, strings.Count(text, "\x1b"), text)
	}
}

// TestConversationOnATerminal types to steer: lines can be edited, Ctrl-C empties a line, ends a text
// that is being generated and nothing else, and at last the conversation.
func TestConversationOnATerminal(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/vector.json", []byte(`{"directions": [{"layer": 1, "values": [`+strings.Repeat("1,", 127)+`1]}]}`), 0o644); err != nil {
		t.Fatal(err)
	}
	user, program := pseudoTerminal(t, 80)
	c := process(t, dir)
	c.Args = append(c.Args[:1], "steer", "-model", "tiny:llama", "-vector", "vector.json", "-tokens", "3", "-temperature", "0")
	c.Stdin, c.Stdout, c.Stderr = program, program, program
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true} // so that the terminal sends it Ctrl-C
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	program.Close()
	kill := time.AfterFunc(2*time.Minute, func() { c.Process.Kill() })
	defer kill.Stop()
	screen := &typist{t: t, terminal: user}
	screen.until("alpha 1 absolute> ")
	screen.send("/alphX\x7fa 2\r") // a typing error, mended
	screen.until("alpha 2 absolute> ")
	screen.send("nonsense\x03/temperature 0.5\r") // Ctrl-C empties the line
	screen.until("alpha 2 absolute> ")
	screen.send("The old boat\r")
	screen.until("plain   | The old boat")
	screen.until("steered | The old boat")
	screen.until("alpha 2 absolute> ")
	screen.send("/tokens 240\r")
	screen.until("alpha 2 absolute> ")
	stopped := false
	for tries := 0; tries < 20 && !stopped; tries++ { // the text may be there before the key is
		screen.send("The dog\r")
		screen.until("plain   | The dog")
		screen.send("\x03")
		stopped = screen.until("stopped", "alpha 2 absolute> ") == "stopped"
	}
	if !stopped {
		t.Errorf("Ctrl-C ended none of 20 texts: %s", screen.all.String())
	}
	screen.send("/help\r")
	screen.until("a prompt is continued")
	screen.until("alpha 2 absolute> ")
	screen.send("/alpha 3\r")
	screen.until("alpha 3 absolute> ")
	screen.send("/alpha 4\r")
	screen.until("alpha 4 absolute> ")
	screen.send("\x1b[A\x1b[A\r") // the history: the line before the last
	screen.until("alpha 3 absolute> ")
	screen.send("\x03\x03")
	if err := c.Wait(); err != nil {
		t.Errorf("after Ctrl-C twice on an empty line: %v\n%s", err, screen.all.String())
	}
}

// A typist types on a terminal and reads what it shows.
type typist struct {
	t        *testing.T
	terminal *os.File
	all      strings.Builder
	seen     int // bytes of all that earlier calls of until have passed
}

func (p *typist) send(keys string) {
	p.t.Helper()
	if _, err := p.terminal.WriteString(keys); err != nil {
		p.t.Fatal(err)
	}
}

// until reads on until the terminal shows one of the texts, and says which came first.
func (p *typist) until(texts ...string) string {
	p.t.Helper()
	buffer := make([]byte, 4096)
	for {
		first, at := "", -1
		for _, text := range texts {
			if i := strings.Index(p.all.String()[p.seen:], text); i >= 0 && (at < 0 || i < at) {
				first, at = text, i
			}
		}
		if at >= 0 {
			p.seen += at + len(first)
			return first
		}
		n, err := p.terminal.Read(buffer)
		p.all.Write(buffer[:n])
		if err != nil {
			p.t.Fatalf("waiting for %q: %v; the terminal shows %q", texts, err, p.all.String())
		}
	}
}

// TestNarrowTerminals runs small on terminals of 50 and 80 columns, then again, and plans it: whatever is
// drawn or printed keeps to the terminal, and the bar tells how far generation is and how long it takes.
// In a pipe COLUMNS changes nothing.
func TestNarrowTerminals(t *testing.T) {
	if testing.Short() {
		t.Skip("it runs an experiment three times")
	}
	for _, columns := range []int{50, 80} {
		dir := t.TempDir()
		if err := os.WriteFile(dir+"/small.json", []byte(small), 0o644); err != nil {
			t.Fatal(err)
		}
		on := func(args ...string) string {
			c := process(t, dir)
			c.Args = append(c.Args[:1], append(args, "-config", "small.json", "-cache", "cache")...)
			text := onTerminal(t, c, columns, nil)
			for _, drawn := range strings.Split(text, eraseLine) {
				for line := range strings.Lines(drawn) {
					if line = strings.TrimRight(line, "\r\n"); utf8.RuneCountInString(line) > columns && !strings.Contains(line, dir) {
						t.Errorf("%s on %d columns: a line of %d: %q", args[0], columns, utf8.RuneCountInString(line), line)
					}
				}
			}
			return text
		}
		if text := on("plan"); !strings.Contains(text, "at its peak") || !strings.Contains(text, "on this machine") {
			t.Errorf("plan on %d columns: %q", columns, text)
		}
		first := on("run", "-set", "max_new_tokens=60", "-set", "n_seeds=60")
		if !regexp.MustCompile(`\d% generate [0-9]+/[0-9]+, about [0-9a-z ]+ left`).MatchString(first) || !strings.Contains(first, "verdict: ") {
			t.Errorf("a run on %d columns: %q", columns, first)
		}
		if text := on("run", "-set", "max_new_tokens=60", "-set", "n_seeds=60"); !strings.Contains(text, "verdict: ") || strings.Contains(text, eraseLine) {
			t.Errorf("a rerun on %d columns: %q", columns, text)
		}
		if text := on("show", "-set", "max_new_tokens=60", "-set", "n_seeds=60"); !strings.Contains(text, "fit/map") {
			t.Errorf("show on %d columns: %q", columns, text)
		}
		c := process(t, dir)
		c.Args = append(c.Args[:1], "run", "-config", "small.json", "-cache", "cache", "-set", "max_new_tokens=60", "-set", "n_seeds=60")
		plain, err := c.Output()
		if err != nil {
			t.Fatal(err)
		}
		c = process(t, dir)
		c.Args = append(c.Args[:1], "run", "-config", "small.json", "-cache", "cache", "-set", "max_new_tokens=60", "-set", "n_seeds=60")
		c.Env = append(c.Env, fmt.Sprintf("COLUMNS=%d", columns))
		if narrow, err := c.Output(); err != nil || string(narrow) != string(plain) {
			t.Errorf("in a pipe COLUMNS=%d changes the table (%v)", columns, err)
		}
	}
}
