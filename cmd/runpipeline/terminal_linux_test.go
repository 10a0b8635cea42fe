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

	"golang.org/x/sys/unix"
)

// pseudoTerminal gives both ends of a terminal.
func pseudoTerminal(t *testing.T) (user, program *os.File) {
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
	return user, program
}

// onTerminal runs a process on a terminal and gives all that the terminal received.
func onTerminal(t *testing.T, c *exec.Cmd, while func()) string {
	t.Helper()
	user, program := pseudoTerminal(t)
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
	if text := onTerminal(t, c, nil); strings.Contains(text, "\x1b") || !strings.Contains(text, `| x \x1b[31m`) {
		t.Errorf("steer sends %q", text)
	}
	if testing.Short() {
		return
	}
	text := onTerminal(t, process(t, dir), nil)
	bar := strings.Count(text, eraseLine)
	if bar < 2 || strings.Count(text, "\x1b") != bar || !regexp.MustCompile(`█|░`).MatchString(text) || !strings.Contains(text, "verdict: ") {
		t.Errorf("a run sends %d erased lines of %d sequences: %q", bar, strings.Count(text, "\x1b"), text)
	}
}
