package main

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/persona-transfer/runpipeline/cache/bucket/s3test"
)

// onS3 is process with its store in a folder of the server's bucket.
func onS3(t *testing.T, server *s3test.Server, dir, location string, args ...string) *exec.Cmd {
	t.Helper()
	c := process(t, dir)
	c.Args = append(append(c.Args[:1], args...), "-config", "small.json", "-cache", location)
	c.Env = append(c.Env, server.Environment...)
	return c
}

// outcome runs a command to its end and gives its exit code and what it printed.
func outcome(t *testing.T, c *exec.Cmd) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	start(t, c, 5*time.Minute)
	err := c.Wait()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return c.ProcessState.ExitCode(), out.String(), errs.String()
}

// TestS3RunIsThatOfAFolder runs the experiment in a bucket: the results are those of a run in a folder to the byte,
// another machine finds everything, planning leaves nothing, and the key that opened the bucket is nowhere.
func TestS3RunIsThatOfAFolder(t *testing.T) {
	server := s3test.Start(t)
	whole, dir, other := t.TempDir(), t.TempDir(), t.TempDir()
	want, _ := finish(t, whole)
	at := server.Location("experiment")
	bucket := filepath.Join(server.Folder, s3test.Bucket)

	if code, stdout, stderr := outcome(t, onS3(t, server, dir, at, "plan")); code != exitDone || stdout == "" {
		t.Fatalf("plan exits with %d\n%s", code, stderr)
	}
	if left, err := os.ReadDir(bucket); err != nil || len(left) > 0 {
		t.Errorf("planning left %v in the bucket, %v", left, err)
	}
	code, _, stderr := outcome(t, onS3(t, server, dir, at, "show"))
	if code != exitMissing || !strings.Contains(stderr, "nothing of this experiment is stored yet") {
		t.Errorf("show before the run exits with %d\n%s", code, stderr)
	}
	for _, c := range []struct {
		dir      string
		computes bool
	}{{dir, true}, {other, false}} {
		code, stdout, stderr := outcome(t, onS3(t, server, c.dir, at, "run", "-trace", "trace"))
		if code != exitDone || stdout != string(want) {
			t.Fatalf("run on S3 exits with %d and prints\n%s, want\n%s\n%s", code, stdout, want, stderr)
		}
		if strings.Contains(stdout+stderr, server.Secret) {
			t.Errorf("the run prints the secret key")
		}
		for _, name := range []string{"report.json", "rows.jsonl"} {
			compareFiles(t, filepath.Join(c.dir, "results", name), filepath.Join(whole, "results", name))
		}
		noTwice(t, c.dir)
		if n := len(computedKeys(readTrace(t, c.dir))); (n > 0) != c.computes {
			t.Errorf("the run computed %d units and manifests", n)
		}
		secretFree(t, c.dir, server.Secret)
	}
	if code, stdout, stderr := outcome(t, onS3(t, server, other, at, "show")); code != exitDone || !strings.Contains(stdout, "report") {
		t.Errorf("show exits with %d and prints\n%s%s", code, stdout, stderr)
	}
	secretFree(t, server.Folder, server.Secret)
	stored := process(t, t.TempDir(), "-cache", filepath.Join(bucket, "experiment"))
	if code, stdout, stderr := outcome(t, stored); code != exitDone || stdout != string(want) || len(computedKeys(readTrace(t, stored.Dir))) > 0 {
		t.Errorf("a run in the server's own folder exits with %d and prints\n%s%s", code, stdout, stderr)
	}
}

// TestBucketsAreRepaired flips a bit of what the server holds: fsck finds it and names the object, repairs it, and the
// next run computes what is missing and ends as the first.
func TestBucketsAreRepaired(t *testing.T) {
	if testing.Short() {
		t.Skip("two runs")
	}
	server := s3test.Start(t)
	dir, at := t.TempDir(), server.Location("damaged")
	code, want, stderr := outcome(t, onS3(t, server, dir, at, "run"))
	if code != exitDone {
		t.Fatalf("run exits with %d\n%s", code, stderr)
	}
	root := filepath.Join(server.Folder, s3test.Bucket, "damaged")
	blobs, err := filepath.Glob(filepath.Join(root, "blobs", "*", "*.zst"))
	if err != nil || len(blobs) == 0 {
		t.Fatal(blobs, err)
	}
	content, err := os.ReadFile(blobs[0])
	if err != nil {
		t.Fatal(err)
	}
	content[len(content)/2] ^= 16
	if err := errors.Join(os.Remove(blobs[0]), os.WriteFile(blobs[0], content, 0o644)); err != nil {
		t.Fatal(err)
	}
	name, _ := filepath.Rel(root, blobs[0])
	fsck := func(args ...string) (int, string) {
		c := onS3(t, server, dir, at)
		c.Args = append(append(c.Args[:1], "fsck"), append(args, "-cache", at)...)
		code, stdout, stderr := outcome(t, c)
		return code, stdout + stderr
	}
	if code, said := fsck(); code != exitCorrupt || !strings.Contains(said, filepath.ToSlash(name)) {
		t.Errorf("fsck exits with %d and says\n%s\nwant the name %s", code, said, name)
	}
	if code, said := fsck("-repair"); code != exitDone {
		t.Errorf("fsck -repair exits with %d\n%s", code, said)
	}
	if code, got, stderr := outcome(t, onS3(t, server, t.TempDir(), at, "run")); code != exitDone || got != want {
		t.Errorf("the run after the repair exits with %d and prints\n%s, want\n%s\n%s", code, got, want, stderr)
	}
	if code, said := fsck(); code != exitDone {
		t.Errorf("fsck after the repair exits with %d\n%s", code, said)
	}
}

// secretFree looks into every file of a folder.
func secretFree(t *testing.T, dir, secret string) {
	t.Helper()
	n := 0
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		n++
		b, err := os.ReadFile(path)
		if bytes.Contains(b, []byte(secret)) {
			t.Errorf("%s holds the secret key", path)
		}
		return err
	})
	if err != nil || n == 0 {
		t.Errorf("looked into %d files, %v", n, err)
	}
}

// TestProcessesShareABucket starts the experiment eight times at once on one bucket.
func TestProcessesShareABucket(t *testing.T) {
	if testing.Short() {
		t.Skip("eight runs")
	}
	server := s3test.Start(t)
	var running [8]*exec.Cmd
	var stdout, stderr [8]bytes.Buffer
	for i := range running {
		running[i] = onS3(t, server, t.TempDir(), server.Location("shared"))
		running[i].Stdout, running[i].Stderr = &stdout[i], &stderr[i]
		start(t, running[i], 10*time.Minute)
	}
	for i, c := range running {
		if err := c.Wait(); err != nil {
			t.Errorf("process %d: %v\n%s", i+1, err, &stderr[i])
		}
		if !bytes.Equal(stdout[i].Bytes(), stdout[0].Bytes()) || stdout[i].Len() == 0 {
			t.Errorf("process %d prints\n%s, the first\n%s", i+1, &stdout[i], &stdout[0])
		}
		compareFiles(t, filepath.Join(c.Dir, "results", "rows.jsonl"), filepath.Join(running[0].Dir, "results", "rows.jsonl"))
	}
}

// TestBucketsThatCannotBeUsed looks at exit codes and messages: what cannot be opened is a mistake in -cache, what
// goes away later a failed stage; one line names the place, and none the key.
func TestBucketsThatCannotBeUsed(t *testing.T) {
	server := s3test.Start(t)
	const hidden = "hunter2"
	for _, c := range []struct {
		name, location, want string
		env                  []string
	}{
		{"no such bucket", server.At("elsewhere", "folder"), "-cache: open cache s3://elsewhere/folder: NoSuchBucket: ", nil},
		{"wrong key", server.Location("folder"), "-cache: open cache s3://artifacts/folder: SignatureDoesNotMatch: ", []string{"AWS_SECRET_ACCESS_KEY=" + hidden}},
		{"key in the location", "s3://AKIA:" + hidden + "@artifacts/folder", "-cache: open cache s3://artifacts/folder: there is a user before the bucket's name; ", nil},
		{"key in the query", "s3://artifacts/folder?secret_key=" + hidden, "-cache: open cache s3://artifacts/folder: after the question mark there may be region, ", nil},
	} {
		for _, command := range []string{"run", "plan", "show"} {
			p := onS3(t, server, t.TempDir(), c.location, command)
			p.Env = append(p.Env, c.env...)
			code, stdout, stderr := outcome(t, p)
			last := lastLine(stderr)
			if code != exitConfig || stdout != "" || !strings.Contains(last, c.want) || strings.Contains(stderr, hidden) || strings.Contains(stderr, server.Secret) {
				t.Errorf("%s: %s exits with %d and says %q, want %q", c.name, command, code, stderr, c.want)
			}
		}
	}
	dir := t.TempDir()
	c := onS3(t, server, dir, server.Location("folder"), "run", "-trace", "trace")
	go func() { // once something is stored
		for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline) && len(readTrace(t, dir)) < 3; {
			time.Sleep(5 * time.Millisecond)
		}
		server.Stop()
	}()
	code, stdout, stderr := outcome(t, c)
	last := lastLine(stderr)
	if code != exitStage || stdout != "" || !strings.HasPrefix(last, "runpipeline: ") || !strings.Contains(last, "s3://artifacts/folder/") || !strings.Contains(last, "connection refused") || strings.Contains(stderr, server.Secret) {
		t.Errorf("without its server the run exits with %d and says\n%s", code, stderr)
	}
}

func lastLine(text string) string {
	text = strings.TrimSpace(text)
	return text[strings.LastIndexByte(text, '\n')+1:]
}
