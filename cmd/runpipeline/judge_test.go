package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/transforms/judge/judgetest"
)

// manners are how a judge of a script behaves.
var manners = map[string]func(judgetest.Request) judgetest.Reply{
	"fair":   judgetest.Always(judgetest.Fair),
	"plain":  judgetest.Always(judgetest.Plain),
	"chatty": judgetest.Always(judgetest.Say("What a lovely text! I would give it 80, or 90.")),
	"closed": judgetest.Always(func(w http.ResponseWriter, r judgetest.Request) {
		judgetest.Status(401, fmt.Sprintf(`{"error":{"message":"Incorrect API key provided: %s"}}`, r.Key))(w, r)
	}),
}

// judgeIs starts the script's judge, or changes its manner.
func (s *script) judgeIs(manner string) error {
	how, ok := manners[manner]
	if !ok {
		return fmt.Errorf("no such manner")
	}
	if s.judge == nil {
		s.judge = judgetest.New(how)
		s.t.Cleanup(s.judge.Close)
	}
	s.judge.Script(how)
	return nil
}

// stored tells whether a text stands in a recipe or an output of a store.
func stored(dir, text string) (found bool, err error) {
	s, err := cache.Open(context.Background(), dir)
	if err != nil {
		return false, err
	}
	err = s.Actions(context.Background(), func(a cache.Action, err error) error {
		found = found || strings.Contains(a.Recipe, text)
		return err
	})
	if err != nil {
		return found, err
	}
	return found, s.Blobs(context.Background(), func(d cache.Digest, _ int64) error {
		b, err := s.Read(context.Background(), d)
		found = found || bytes.Contains(b, []byte(text))
		return err
	})
}

// TestKilledRunAsksOnlyTheRest kills the command while it asks a judge. The next run asks what had no answer
// yet: of what was asked before the kill, only the question that was under way.
func TestKilledRunAsksOnlyTheRest(t *testing.T) {
	if testing.Short() {
		t.Skip("two runs, and one to compare with")
	}
	judge := judgetest.New(judgetest.Always(judgetest.Fair))
	t.Cleanup(judge.Close)
	args := []string{"-set", "use_gpt4=true", "-set", "judge.endpoint=" + judge.URL, "-set", "judge.concurrency=1", "-set", "judge.model=judge-1"}
	run := func(dir string) []byte {
		t.Helper()
		c := process(t, dir, args...)
		var stderr bytes.Buffer
		c.Stderr = &stderr
		out, err := c.Output()
		if err != nil {
			t.Fatalf("run: %v\n%s", err, &stderr)
		}
		return out
	}
	whole := t.TempDir()
	want := run(whole)
	n := len(judge.Asked())
	if n < 10 {
		t.Fatalf("an undisturbed run asks %d questions", n)
	}

	dir := t.TempDir()
	c := process(t, dir, args...)
	var kill sync.Once
	judge.Script(func(r judgetest.Request) judgetest.Reply {
		if r.Number == n+n/2 {
			kill.Do(func() { c.Process.Kill() })
			time.Sleep(100 * time.Millisecond)
		}
		return judgetest.Fair
	})
	start(t, c, time.Minute)
	if err := c.Wait(); err == nil {
		t.Fatal("the run was not killed")
	}
	before := len(judge.Asked())
	got := run(dir)
	all := judge.Asked()[n:]
	if rest := len(all) - (before - n); rest != n-(before-n)+1 {
		t.Errorf("%d questions, killed at the %dth: the next run asks %d", n, before-n, rest)
	}
	seen := map[string]int{}
	for i, r := range all {
		if at, ok := seen[r.Raw]; ok && at != before-n-1 {
			t.Errorf("question %d was asked again as %d", at, i)
		}
		seen[r.Raw] = i
	}
	if !bytes.Equal(got, want) {
		t.Errorf("after the kill standard output is\n%s, want\n%s", got, want)
	}
	for _, name := range []string{"report.json", "rows.jsonl"} {
		compareFiles(t, filepath.Join(dir, "results", name), filepath.Join(whole, "results", name))
	}
}
