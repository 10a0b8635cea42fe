// Package s3test runs a server that speaks Amazon's S3 for a test: versitygw with files of the test's own
// behind it, on this machine's loopback, with keys made for the occasion. It is found in PATH;
// scripts/s3-check.sh puts it there. Without it the tests that need it are skipped.
package s3test

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// A Server runs until the test is over.
type Server struct {
	Folder      string   // holds a folder for each bucket, and in it a file for each object
	Environment []string // what a client needs to be let in, and nothing that leads elsewhere
	Secret      string   // one of them, which no output may have

	address string
	command *exec.Cmd
	stop    sync.Once
}

// Bucket is the name of the one bucket that there is.
const Bucket = "artifacts"

// Start starts a server, or skips the test where there is none.
func Start(t testing.TB) *Server {
	t.Helper()
	program, err := exec.LookPath("versitygw")
	if err != nil {
		t.Skip("no versitygw in PATH; scripts/s3-check.sh builds one and runs the tests with it")
	}
	dir := t.TempDir()
	s := &Server{Folder: filepath.Join(dir, "buckets"), Secret: "secret-" + rand.Text(), address: free(t)}
	key, sidecar := "key-"+rand.Text(), filepath.Join(dir, "attributes")
	for _, d := range []string{filepath.Join(s.Folder, Bucket), sidecar} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	nowhere := filepath.Join(dir, "nowhere")
	s.Environment = []string{"AWS_ACCESS_KEY_ID=" + key, "AWS_SECRET_ACCESS_KEY=" + s.Secret, "AWS_SESSION_TOKEN=", "AWS_PROFILE=", "AWS_REGION=us-east-1",
		"AWS_CONFIG_FILE=" + nowhere, "AWS_SHARED_CREDENTIALS_FILE=" + nowhere, "AWS_EC2_METADATA_DISABLED=true"}
	var said bytes.Buffer
	s.command = exec.Command(program, "--port", s.address, "--quiet", "posix", "--sidecar", sidecar, s.Folder)
	s.command.Env = append(os.Environ(), "ROOT_ACCESS_KEY="+key, "ROOT_SECRET_KEY="+s.Secret)
	s.command.Stdout, s.command.Stderr = &said, &said
	if err := s.command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		c, err := net.Dial("tcp", s.address)
		if err == nil {
			c.Close()
			return s
		}
		if time.Now().After(deadline) {
			s.Stop()
			t.Fatalf("versitygw does not answer: %v\n%s", err, &said)
		}
	}
}

// Stop ends the server at once, as if its machine had gone.
func (s *Server) Stop() {
	s.stop.Do(func() {
		s.command.Process.Kill()
		s.command.Wait()
	})
}

// Location is that of a store in a folder of the bucket.
func (s *Server) Location(folder string) string { return s.At(Bucket, folder) }

// At is the location of a folder in any bucket, also one that there is not.
func (s *Server) At(bucket, folder string) string {
	return fmt.Sprintf("s3://%s/%s?region=us-east-1&endpoint=http://%s", bucket, folder, s.address)
}

// Setenv lets this process in, for the rest of the test.
func (s *Server) Setenv(t *testing.T) {
	for _, e := range s.Environment {
		name, value, _ := strings.Cut(e, "=")
		t.Setenv(name, value)
	}
}

// free gives an address of this machine that nobody listens on.
func free(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
