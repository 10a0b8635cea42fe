package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
)

// emptyGoogle is Google Cloud Storage with empty buckets, which counts what somebody wants to write.
func emptyGoogle(t *testing.T) (address string, written *atomic.Int64) {
	t.Helper()
	written = new(atomic.Int64)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			written.Add(1)
			http.Error(w, "nothing is written here", http.StatusForbidden)
		case strings.HasSuffix(r.URL.Path, "/o"):
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, `{"kind": "storage#objects"}`)
		default:
			http.Error(w, "no such object", http.StatusNotFound)
		}
	}))
	t.Cleanup(s.Close)
	return s.Listener.Addr().String(), written
}

// TestDataflowDryRun builds a job with its store at Google: it is printed, nothing is written anywhere, and what
// Dataflow's machines could not reach is refused before.
func TestDataflowDryRun(t *testing.T) {
	address, written := emptyGoogle(t)
	run := func(args ...string) *exec.Cmd {
		c := process(t, t.TempDir())
		c.Args = append(append(c.Args[:1], "run", "-config", "small.json", "-runner=dataflow"), args...)
		c.Env = append(c.Env, "STORAGE_EMULATOR_HOST="+address, "GOOGLE_APPLICATION_CREDENTIALS="+c.Dir+"/none.json")
		return c
	}
	job := []string{"-beam", "project=a-project", "-beam", "region=europe-west4", "-beam", "staging_location=gs://staging/folder", "-beam", "dry_run=true"}
	code, stdout, stderr := outcome(t, run(append(job, "-cache", "gs://artifacts/folder")...))
	if code != exitDone || lastLine(stderr) != "dry run: nothing was submitted and nothing stored; the job that Dataflow would get is on standard output" {
		t.Errorf("a dry run exits with %d and says\n%s", code, stderr)
	}
	var got struct {
		Name, ProjectID string
		Environment     struct {
			WorkerPools []struct{ NumThreadsPerWorker int }
		}
	}
	if err := json.Unmarshal([]byte(stdout), &got); err != nil {
		t.Fatalf("%v\n%s", err, stdout)
	}
	if !strings.HasPrefix(got.Name, "runpipeline2") || got.ProjectID != "a-project" || len(got.Environment.WorkerPools) != 1 || got.Environment.WorkerPools[0].NumThreadsPerWorker != 1 {
		t.Errorf("the job is %+v", got)
	}
	if strings.Contains(stdout, "none.json") || strings.Contains(stdout, "runpipeline.test") {
		t.Errorf("the job has names of files of this machine:\n%s", stdout)
	}
	if n := written.Load(); n > 0 {
		t.Errorf("a dry run wrote %d times", n)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{append(job, "-cache", t.TempDir()), "a store of this machine, and -runner dataflow has its workers on other machines"},
		{[]string{"-cache", "gs://artifacts/folder"}, "-runner dataflow: name the project that pays with -beam project="},
	} {
		if code, stdout, stderr := outcome(t, run(c.args...)); code != exitConfig || stdout != "" || !strings.Contains(stderr, c.want) {
			t.Errorf("%q exits with %d and says\n%s%s, want %q", c.args, code, stdout, stderr, c.want)
		}
	}
}
