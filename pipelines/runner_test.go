package pipelines

import (
	"bufio"
	"context"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/graph/mtime"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/graph/window"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/state"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/timers"

	"github.com/persona-transfer/runpipeline/transforms"
)

// TestRunListensOnNothing looks at this process's sockets whenever a unit or a stage is done. A port
// of a job service would let everyone who reaches it start programs as this user.
func TestRunListensOnNothing(t *testing.T) {
	before := listening(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if got := listening(t); len(got) != len(before)+1 {
		t.Fatalf("with one more listener the process listens on %q, before on %q: this test sees nothing", got, before)
	}
	l.Close()
	var mu sync.Mutex
	seen, looks := map[string]bool{}, 0
	o := small().experiment(t).runIn(t, t.TempDir(), func(Event, context.CancelFunc) {
		mu.Lock()
		defer mu.Unlock()
		looks++
		for _, s := range listening(t) {
			seen[s] = !slices.Contains(before, s)
		}
	})
	if o.err != nil {
		t.Fatal(o.err)
	}
	for s, mine := range seen {
		if mine {
			t.Errorf("during the run the process listens on %s", s)
		}
	}
	if looks < 20 {
		t.Errorf("looked %d times; that is not a whole run", looks)
	}
}

// listening lists the sockets on which this process accepts connections or, of UDP, datagrams.
func listening(t *testing.T) (sockets []string) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("sockets are found in Linux's /proc")
	}
	mine := map[string]bool{}
	links, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range links {
		if to, err := os.Readlink(fd); err == nil && strings.HasPrefix(to, "socket:[") {
			mine[strings.Trim(to[len("socket:"):], "[]")] = true
		}
	}
	// Columns of proc(5): local address, state and inode; of Unix sockets flags, state and inode.
	for _, table := range []struct {
		name           string
		address, inode int
		listens        func(f []string) bool
	}{
		{"tcp", 1, 9, func(f []string) bool { return f[3] == "0A" }},
		{"tcp6", 1, 9, func(f []string) bool { return f[3] == "0A" }},
		{"udp", 1, 9, func(f []string) bool { return f[3] == "07" }},
		{"udp6", 1, 9, func(f []string) bool { return f[3] == "07" }},
		{"unix", 6, 6, func(f []string) bool { return f[3] == "00010000" }},
	} {
		file, err := os.Open("/proc/self/net/" + table.name)
		if err != nil {
			continue // no such protocol on this machine
		}
		for lines := bufio.NewScanner(file); lines.Scan(); {
			if f := strings.Fields(lines.Text()); len(f) > table.inode && mine[f[table.inode]] && table.listens(f) {
				sockets = append(sockets, table.name+" "+f[table.address]+" inode "+f[table.inode])
			}
		}
		file.Close()
	}
	return sockets
}

// TestRunNeedsNoTemporaryFolder runs without one, and with one that must stay empty.
func TestRunNeedsNoTemporaryFolder(t *testing.T) {
	empty := t.TempDir()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, temp := range []string{filepath.Join(t.TempDir(), "none"), file, empty} {
		store := t.TempDir()
		t.Setenv("TMPDIR", temp)
		if o := small().experiment(t).runIn(t, store, nil); o.err != nil {
			t.Fatalf("run with the temporary folder %s: %v", temp, o.err)
		}
	}
	if left, err := os.ReadDir(empty); err != nil || len(left) > 0 {
		t.Errorf("the run left %v in the temporary folder (%v)", left, err)
	}
}

// TestRunnersThatNeedATemporaryFolderSayWhich asks for Prism where it would crash.
func TestRunnersThatNeedATemporaryFolderSayWhich(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", filepath.Join(dir, "none"))
	_, err := small().experiment(t).Run(t.Context(), Options{Cache: filepath.Join(dir, "store"), Runner: "prism"})
	if err == nil || !strings.Contains(err.Error(), "-runner prism: it needs a temporary folder") {
		t.Errorf("run on Prism without a temporary folder: %v, want a message about TMPDIR", err)
	}
}

// TestPrismGivesTheSameBytes runs the experiment on the other runner of this process.
func TestPrismGivesTheSameBytes(t *testing.T) {
	if testing.Short() {
		t.Skip("two runs")
	}
	_, want := finished(t)
	o := outcomeOf(t.Context(), small().experiment(t), Options{Cache: t.TempDir(), Runner: "prism"}, nil)
	if o.err != nil {
		t.Fatal(o.err)
	}
	o.same(t, want, "on Prism")
}

type statefulFn struct{ Sum state.Value[int] }

func (fn *statefulFn) ProcessElement(p state.Provider, key string, _ int) {
	_ = fn.Sum.Write(p, len(key))
}

type timerFn struct{ Late timers.EventTime }

func (fn *timerFn) ProcessElement(p timers.Provider, key string, _ int) {
	fn.Late.Set(p, mtime.Now().ToTime())
}

func (fn *timerFn) OnTimer(_ timers.Provider, _ string, _ timers.Context) {}

type countingFn struct{ n beam.Counter }

func (fn *countingFn) ProcessElement(ctx context.Context, _ []byte) { fn.n.Inc(ctx, 1) }

// TestDirectRefusesWhatItDoesWrongly builds pipelines that the direct runner would run without an
// error and with a wrong result, or would not run, and the experiment's own, which is none of them.
func TestDirectRefusesWhatItDoesWrongly(t *testing.T) {
	pairs := func(s beam.Scope) beam.PCollection {
		return beam.ParDo(s, func([]byte) (string, int) { return "a", 1 }, beam.Impulse(s))
	}
	for _, c := range []struct {
		name, want string
		build      func(s beam.Scope)
	}{
		{"state", "keeps state", func(s beam.Scope) { beam.ParDo0(s, &statefulFn{Sum: state.MakeValueState[int]("sum")}, pairs(s)) }},
		{"timers", "keeps state or sets timers", func(s beam.Scope) { beam.ParDo0(s, &timerFn{Late: timers.InEventTime("late")}, pairs(s)) }},
		{"windows", "windows other than", func(s beam.Scope) { beam.WindowInto(s, window.NewFixedWindows(1), beam.Impulse(s)) }},
		{"counters of one function used twice", "appears 2 times", func(s beam.Scope) {
			beam.ParDo0(s, &countingFn{}, beam.Impulse(s))
			beam.ParDo0(s, &countingFn{}, beam.Impulse(s))
		}},
		{"counters of one function used once", "", func(s beam.Scope) { beam.ParDo0(s, &countingFn{}, beam.Impulse(s)) }},
		{"a combination", "not checked", func(s beam.Scope) {
			beam.Combine(s, func(a, b int) int { return a + b }, beam.CreateList(s, []int{1, 2}))
		}},
	} {
		p, s := beam.NewPipelineWithRoot()
		c.build(s)
		if err := directRuns(p); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	plan, err := everything().experiment(t).Plan(t.Context(), open(t, t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	p, s := beam.NewPipelineWithRoot()
	build(s, transforms.Env{Run: "test", Cache: "/nowhere"}, plan)
	if err := directRuns(p); err != nil {
		t.Errorf("the whole experiment: %v", err)
	}
}
