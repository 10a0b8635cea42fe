package pipelines

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/gpu"
	"github.com/persona-transfer/runpipeline/transforms"
)

// withMemory is a context in which there is so much memory.
func withMemory(ctx context.Context, bytes int) context.Context {
	return WithMemory(ctx, func() Memory { return Memory{Bytes: bytes, Source: "a test"} })
}

// TestWhatDoesNotFitIsNotBegun gives a run one byte less than it takes: nothing is stored and no model is
// opened. With that byte it runs.
func TestWhatDoesNotFitIsNotBegun(t *testing.T) {
	e, dir := small().experiment(t), t.TempDir()
	plan := planOf(t, e, dir)
	total := e.Alone().need(plan).Total()
	events := 0
	o := Options{Cache: dir, Runner: "direct", Progress: func(Event) { events++ }}
	_, err := e.Run(withMemory(t.Context(), total-1), o)
	var noRoom *NoRoom
	if !errors.As(err, &noRoom) || !errors.Is(err, ErrMemory) || noRoom.Need.Total() != total || noRoom.There.Bytes != total-1 {
		t.Fatalf("one byte too few: %v", err)
	}
	blobs, _ := filepath.Glob(filepath.Join(dir, "*", "*", "*"))
	if events > 0 || len(blobs) > 0 {
		t.Errorf("%d events, and stored: %v", events, blobs)
	}
	if _, err := e.Run(withMemory(t.Context(), total), o); err != nil {
		t.Errorf("with the memory that it needs: %v", err)
	}
}

// TestAModelAloneNeedsItsWeightsAndTheRest is of the commands that open one.
func TestAModelAloneNeedsItsWeightsAndTheRest(t *testing.T) {
	const weights = 1<<20 + 950<<10 // of tiny:llama, a little less
	for name, open := range map[string]func(context.Context) error{
		"probe and steer": func(ctx context.Context) error {
			m, err := OpenModel(ctx, "tiny:llama", onCPU)
			if err == nil {
				m.Close()
			}
			return err
		},
		"bench": func(ctx context.Context) error {
			ctx, cancel := context.WithCancel(ctx)
			_, err := RunBench(ctx, BenchOptions{Model: "tiny:llama", Device: "cpu", Layer: -1, Repeat: 1}, func(int) { cancel() })
			if errors.Is(err, context.Canceled) { // it had begun
				return nil
			}
			return err
		},
		"check": func(ctx context.Context) error {
			ctx, cancel := context.WithCancel(ctx)
			err := small().experiment(t).Check(ctx, func(CheckResult) { cancel() })
			if errors.Is(err, context.Canceled) {
				return nil
			}
			return err
		},
	} {
		err := open(withMemory(t.Context(), processBytes+weights))
		var noRoom *NoRoom
		if !errors.As(err, &noRoom) || noRoom.Need.weights() == 0 {
			t.Errorf("%s with the memory of the process and the weights: %v", name, err)
		}
		if err := open(withMemory(t.Context(), 2<<30)); err != nil {
			t.Errorf("%s with 2 GiB: %v", name, err)
		}
		if err := open(WithMemory(t.Context(), func() Memory { return Memory{} })); err != nil {
			t.Errorf("%s where nobody says how much there is: %v", name, err)
		}
	}
}

// TestWhatWouldHelp: hints name what takes the memory, and nothing else.
func TestWhatWouldHelp(t *testing.T) {
	const gib = 1 << 30
	seven := func(bytes int) []ModelWeight { return []ModelWeight{{"seven", bytes, 7_000_000_000}} }
	for name, c := range map[string]struct {
		n      Need
		source string
		want   []string
		not    string
	}{
		"weights in float32": {Need{For: "stage capture.source", Weights: seven(28e9)}, "the machine's memory",
			[]string{"quantised files: as GGUF of type Q4_K_M the weights are about 3.95 GiB", "end other programs", "GOMEMLIMIT=SIZE"}, "n_seeds"},
		"many texts": {Need{For: "stage generate", Weights: seven(4 * gib), Work: 6 * gib, Rows: true}, "the limit of the control group /x",
			[]string{"fewer or shorter texts side by side: a smaller n_seeds"}, "quantised"},
		"long texts that are read": {Need{For: "stage capture.source", Weights: seven(4 * gib), Work: 6 * gib}, "GOMEMLIMIT",
			[]string{"raise GOMEMLIMIT"}, "n_seeds"},
	} {
		e := &NoRoom{c.n, Memory{Bytes: gib, Source: c.source}}
		for _, want := range c.want {
			if !strings.Contains(e.Hint(), want) {
				t.Errorf("%s: %q, want %q", name, e.Hint(), want)
			}
		}
		if strings.Contains(e.Hint(), c.not) {
			t.Errorf("%s: %q speaks of %s", name, e.Hint(), c.not)
		}
	}
	many := Need{Weights: append(seven(4*gib), seven(2*gib)...), Work: 6 * gib}
	if got, want := many.Total(), 12*gib+processBytes+256<<20+6*gib/8; got != want {
		t.Errorf("two models of 4 and 2 GiB and 6 GiB of work take %s, want %s", Size(got), Size(want))
	}
	e := &NoRoom{Need{For: "stage capture.source", Weights: seven(28e9)}, Memory{Bytes: 24 * gib, Source: "the machine's memory"}}
	const want = "not enough memory: it takes about 29.7 GiB for stage capture.source: the weights of seven 26.1 GiB, everything else 3.63 GiB; there are 24 GiB (the machine's memory); no weights were read"
	if e.Error() != want {
		t.Errorf("got  %s\nwant %s", e, want)
	}
}

// TestAWorkerSeesForItself: where the driver knows nothing of the memory, as with a remote runner, a stage
// ends before it reads weights that are more than there is.
func TestAWorkerSeesForItself(t *testing.T) {
	e, dir := small().experiment(t), t.TempDir()
	transforms.CloseModels() // of tests before
	asked := 0
	ctx := WithMemory(t.Context(), func() Memory { // plenty for the plan, then hardly any
		if asked++; asked > 1 {
			return Memory{Bytes: 1 << 20, Source: "a test"}
		}
		return Memory{}
	})
	_, err := e.Run(ctx, Options{Cache: dir, Runner: "direct"})
	if !errors.Is(err, gpu.ErrMemory) || !strings.Contains(err.Error(), "open model tiny:llama: not enough memory: its weights are 3 MiB, there are 1 (a test)") {
		t.Errorf("a worker without memory: %v", err)
	}
}

// TestAnOpenModelKeepsItsWork: stages that work while a model is open that has read and written find less
// memory by what it took for that, and by nothing once it is closed.
func TestAnOpenModelKeepsItsWork(t *testing.T) {
	e := small().experiment(t)
	plan, err := e.Plan(t.Context(), cache.NewMemory())
	if err != nil {
		t.Fatal(err)
	}
	needs := map[string]Need{}
	for _, n := range e.Alone().needs(plan) {
		needs[strings.TrimPrefix(n.For, "stage ")] = n
	}
	work := func(stage string) int {
		s := plan.step(stage).Stage
		most := 0.
		for _, w := range s.Works() {
			most = max(most, w.Bytes)
		}
		return int(most)
	}
	target := max(work("anchors"), work("anchors.score"))
	if got := needs["yardstick"]; len(got.Weights) != 1 || got.Work != target {
		t.Errorf("while the target waits: %v, of which work %d, want %d", got, got.Work, target)
	}
	if got, want := needs["gram"].Work, work("gram")+max(target, work("capture.target"))+work("capture.source"); got != want {
		t.Errorf("while both wait: work %d, want %d", got, want)
	}
	if got := needs["evaluate"]; got.Weights != nil || got.Work != work("evaluate") {
		t.Errorf("when both are closed: %v", got)
	}
}
