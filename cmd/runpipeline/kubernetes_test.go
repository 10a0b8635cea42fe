package main

import (
	"bufio"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestPodsStartWhatThereIs starts each command of docs/kubernetes.yaml as it stands there, but on a free port of the
// loopback, and looks that the image has the program where the pods look for it.
func TestPodsStartWhatThereIs(t *testing.T) {
	read := func(name string) string {
		b, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	image, pods := read("Dockerfile"), read("docs/kubernetes.yaml")
	commands := regexp.MustCompile(`(?s)command: \[(.*?)\]\n`).FindAllStringSubmatch(pods, -1)
	if len(commands) != 2 {
		t.Fatalf("%d commands in the pods, want that of the workers and the one that deals", len(commands))
	}
	for _, command := range commands {
		words := strings.FieldsFunc(command[1], func(r rune) bool { return strings.ContainsRune(" \n\"", r) })
		for i, w := range words { // commas separate the words of the list, and addresses inside a word
			words[i] = strings.TrimSuffix(w, ",")
		}
		words = slices.DeleteFunc(words, func(w string) bool { return w == "" })
		if !strings.Contains(image, " "+words[0]+"\n") {
			t.Errorf("the image has no %s", words[0])
		}
		c := process(t, t.TempDir())
		c.Args = append(c.Args[:1], words[1:]...)
		for i, w := range c.Args {
			if w == "0.0.0.0:50000" {
				c.Args[i] = "127.0.0.1:0"
			}
		}
		out, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		start(t, c, time.Minute)
		line, _ := bufio.NewReader(out).ReadString('\n')
		if _, _, err := net.SplitHostPort(strings.TrimSpace(line)); err != nil || c.Args[1] != "worker" {
			t.Errorf("%q says %q, want the address of a pool", c.Args[1:], line)
		}
		c.Process.Signal(os.Interrupt)
		c.Wait()
	}
	for _, built := range regexp.MustCompile(`go build .* \./(\S+)\n`).FindAllStringSubmatch(image, -1) {
		if _, err := os.Stat(filepath.Join("..", "..", built[1], "main.go")); err != nil {
			t.Error(err)
		}
	}
}
