package transforms

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"runtime/metrics"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"

	"github.com/persona-transfer/runpipeline/cache"
)

// A toy is a kind whose units write what they read and their number, and fail where they are told.
type toy struct {
	Text  string `json:"text"`
	Fail  []int  `json:"fail" key:"-"`  // with an error of the unit's own
	Panic []int  `json:"panic" key:"-"` // with a bug
	Break []int  `json:"break" key:"-"` // with damage in the store, which the next unit would meet too
	Never []int  `json:"never" key:"-"` // with what follows from the settings
	Lose  []int  `json:"lose" key:"-"`  // with a store that does not answer now

	Matrices float64 `json:"matrices" key:"-"` // bytes, of a stage of matrices
	Stored   float64 `json:"stored" key:"-"`   // bytes that a unit says that it writes
}

// growth is by what percentage the heap might grow while the last unit of a toy was at work.
var growth atomic.Uint64

var errToy = errors.New("toy unit failed")

func init() {
	register("test", 1, many, func(s toy, _ int) Work {
		if s.Matrices > 0 {
			return Work{Pace: Algebra, Elements: 1000, Bytes: s.Matrices}
		}
		return Work{Pace: Counting, Elements: 1000, Stored: s.Stored}
	}, toyUnit)
}

func toyUnit(ctx context.Context, u *Unit, s toy) (cache.ActionKey, error) {
	r := u.Recipe().Struct(s).Int("index", int64(u.Index))
	var read []byte
	for _, name := range u.Stage.Inputs {
		r.Input(name, u.Input(name).Digest())
		for _, o := range u.Input(name) {
			read = append(read, o.Name+" "+o.Digest.Short()+"\n"...)
		}
	}
	return u.Do(ctx, r, func(context.Context) ([]Product, error) {
		switch {
		case slices.Contains(s.Fail, u.Index):
			return nil, errToy
		case slices.Contains(s.Panic, u.Index):
			panic("a bug")
		case slices.Contains(s.Lose, u.Index):
			return nil, &fs.PathError{Op: "read", Path: "something", Err: errToy}
		case slices.Contains(s.Break, u.Index):
			return nil, fmt.Errorf("read something: %w", cache.ErrCorrupt)
		case slices.Contains(s.Never, u.Index):
			return nil, fmt.Errorf("%w: too few", ErrTexts)
		}
		sample := []metrics.Sample{{Name: "/gc/gogc:percent"}}
		metrics.Read(sample)
		growth.Store(sample[0].Value.Uint64())
		text := fmt.Appendf(nil, "%s %d\n%s", s.Text, u.Index, read)
		return []Product{{Name: "out", Kind: KindJSON, Write: writeBytes(text)}}, nil
	})
}

// A trial run of stages: what was computed and found, and which stages have a manifest.
type trialRun struct {
	ran, found []string // "stage/unit"
	committed  []string
	failed     []string // "stage/unit"
	err        error    // the first typed one
}

// onRunners tests on both runners of this process. run runs stages, each reading those before it that
// it names.
func onRunners(t *testing.T, test func(t *testing.T, run func(ctx context.Context, dir string, stages ...Stage) trialRun)) {
	for _, name := range []string{"direct", "prism"} {
		t.Run(name, func(t *testing.T) {
			test(t, func(ctx context.Context, dir string, stages ...Stage) trialRun {
				return runStages(t, ctx, name, dir, stages...)
			})
		})
	}
}

func runStages(t *testing.T, ctx context.Context, runner, dir string, stages ...Stage) trialRun {
	t.Helper()
	var r trialRun
	var mu sync.Mutex
	env := Env{Run: t.Name(), Cache: dir}
	if len(stages) > 0 && stages[0].ID == "" {
		Link(stages)
	}
	end := Begin(ctx, env.Run, func(ev Event) {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case ev.Err != nil:
			r.failed = append(r.failed, fmt.Sprintf("%s/%d", ev.Stage, ev.Unit))
		case !ev.Ends():
		case ev.Unit < 0:
			r.committed = append(r.committed, ev.Stage)
		case ev.Hit:
			r.found = append(r.found, fmt.Sprintf("%s/%d", ev.Stage, ev.Unit))
		default:
			r.ran = append(r.ran, fmt.Sprintf("%s/%d", ev.Stage, ev.Unit))
		}
	}, stages...)
	p, s := beam.NewPipelineWithRoot()
	built := map[string]beam.PCollection{}
	for _, stage := range stages {
		var open []beam.PCollection
		for _, in := range stage.Before() {
			open = append(open, built[in])
		}
		built[stage.ID] = Apply(s, env, stage, nil, open)
	}
	_, beamErr := beam.Run(ctx, runner, p)
	err := cmp.Or(end())
	mu.Lock()
	defer mu.Unlock()
	if r.err = err; err == nil && beamErr != nil && ctx.Err() == nil {
		t.Errorf("the runner failed and nobody knows why: %v", beamErr)
	}
	slices.Sort(r.ran)
	slices.Sort(r.found)
	slices.Sort(r.committed)
	return r
}

func toyStage(name string, units int, s toy, inputs ...string) Stage {
	s.Text = name
	return NewStage(name, "test", s, units, inputs...)
}

// byName identifies a stage by its name, for tests that have only some stages of an experiment.
func byName(s Stage) Stage {
	s.ID, s.Reads = s.Name, s.Inputs
	if s.After != "" {
		s.Gates = []string{s.After}
	}
	return s
}

func (r trialRun) check(t *testing.T, what string, ran, found, committed []string) {
	t.Helper()
	for _, c := range []struct {
		name      string
		got, want []string
	}{{"computed", r.ran, ran}, {"found", r.found, found}, {"committed", r.committed, committed}} {
		if !slices.Equal(c.got, c.want) {
			t.Errorf("%s: %s %v, want %v", what, c.name, c.got, c.want)
		}
	}
}

// TestApplyRunsStagesInTheirOrder runs a stage and two that read it, then the same again.
func TestApplyRunsStagesInTheirOrder(t *testing.T) {
	onRunners(t, func(t *testing.T, run func(context.Context, string, ...Stage) trialRun) {
		dir := t.TempDir()
		stages := []Stage{toyStage("a", 3, toy{}), toyStage("b", 2, toy{}, "a"), toyStage("c", 1, toy{}, "a", "b")}
		all := []string{"a/0", "a/1", "a/2", "b/0", "b/1", "c/0"}
		r := run(t.Context(), dir, stages...)
		r.check(t, "first run", all, nil, []string{"a", "b", "c"})
		if r.err != nil {
			t.Error(r.err)
		}
		run(t.Context(), dir, stages...).check(t, "second run", nil, all, []string{"a", "b", "c"})

		store := openTest(t, dir)
		a := manifestOf(t, store, stages[0])
		var names []string
		for i, o := range a {
			names = append(names, o.Name)
			b, err := store.Read(t.Context(), o.Digest)
			if want := fmt.Sprintf("a %d\n", i); err != nil || string(b) != want {
				t.Errorf("output %d of a is %q (%v), want %q", i, b, err, want)
			}
		}
		if want := []string{"0000.out", "0001.out", "0002.out"}; !slices.Equal(names, want) {
			t.Errorf("a's manifest lists %v, want the units in order: %v", names, want)
		}
		c := manifestOf(t, store, stages[2], a, manifestOf(t, store, stages[1], a))
		text, err := store.Read(t.Context(), c[0].Digest)
		if err != nil || bytes.Count(text, []byte("\n")) != 1+3+2 {
			t.Errorf("c read %q (%v), want three outputs of a and two of b", text, err)
		}
	})
}

// TestApplyTakesManyUnitsAndLongSettings runs a stage of more units than an experiment has, with settings of
// more bytes than a message between Beam's processes may have by default (4 MiB).
func TestApplyTakesManyUnitsAndLongSettings(t *testing.T) {
	long := toy{}
	for i := range 700_000 {
		long.Fail = append(long.Fail, 1_000_000+i)
	}
	stages := []Stage{toyStage("many", 1000, toy{}), toyStage("long", 2, long, "many")}
	if n := len(stages[1].Settings); n < 4<<20 {
		t.Fatalf("settings of %d bytes are not long", n)
	}
	r := runStages(t, t.Context(), "direct", t.TempDir(), stages...)
	if r.err != nil || len(r.ran) != 1002 || !slices.Equal(r.committed, []string{"long", "many"}) {
		t.Errorf("%d units ran, %v are committed (%v); want 1002 and both stages", len(r.ran), r.committed, r.err)
	}
}

// TestApplyKeepsAnIncompleteStageOut lets one unit fail, by an error and by a panic: its stage and
// those below commit nothing, the other units are kept, and the cause keeps its type.
func TestApplyKeepsAnIncompleteStageOut(t *testing.T) {
	onRunners(t, func(t *testing.T, run func(context.Context, string, ...Stage) trialRun) {
		for _, c := range []struct {
			name string
			bad  toy
			want string
		}{
			{"error", toy{Fail: []int{1}}, "b, unit 2 of 3: toy unit failed"},
			{"panic", toy{Panic: []int{1}}, "b, unit 2 of 3: internal error: a bug"},
		} {
			t.Run(c.name, func(t *testing.T) {
				dir := t.TempDir()
				stages := func(s toy) []Stage {
					return []Stage{toyStage("a", 2, toy{}), toyStage("b", 3, s, "a"), toyStage("c", 1, toy{}, "b"), toyStage("d", 1, toy{}, "a", "c")}
				}
				r := run(t.Context(), dir, stages(c.bad)...)
				r.check(t, "failing run", []string{"a/0", "a/1", "b/0", "b/2"}, nil, []string{"a"})
				if r.err == nil || !strings.HasPrefix(r.err.Error(), c.want) || c.name == "error" && !errors.Is(r.err, errToy) {
					t.Errorf("failing run: error %v, want %q", r.err, c.want)
				}
				r = run(t.Context(), dir, stages(toy{})...)
				r.check(t, "repaired run", []string{"b/1", "c/0", "d/0"}, []string{"a/0", "a/1", "b/0", "b/2"}, []string{"a", "b", "c", "d"})
			})
		}
	})
}

// TestApplyWaitsForWhatAStageComesAfter: a stage does not begin before those it comes after, nor if they
// fail, but it reads nothing of them: other bytes there leave its key as it is.
func TestApplyWaitsForWhatAStageComesAfter(t *testing.T) {
	onRunners(t, func(t *testing.T, run func(context.Context, string, ...Stage) trialRun) {
		after := func(gate string, bad toy) []Stage {
			c := toyStage("c", 2, toy{}, "a")
			c.After = "gate"
			g := toyStage("gate", 1, bad)
			if gate != "" {
				bad.Text = gate
				g = NewStage("gate", "test", bad, 1)
			}
			return []Stage{toyStage("a", 1, toy{}), g, c}
		}
		dir := t.TempDir()
		r := run(t.Context(), dir, after("", toy{Fail: []int{0}})...)
		r.check(t, "closed gate", []string{"a/0"}, nil, []string{"a"})
		if !errors.Is(r.err, errToy) {
			t.Errorf("closed gate: %v", r.err)
		}
		run(t.Context(), dir, after("", toy{})...).check(t, "open gate", []string{"c/0", "c/1", "gate/0"}, []string{"a/0"}, []string{"a", "c", "gate"})
		run(t.Context(), dir, after("another", toy{})...).check(t, "another gate", []string{"gate/0"}, []string{"a/0", "c/0", "c/1"}, []string{"a", "c", "gate"})
	})
}

// TestApplyReturnsWhatTheNextUnitWouldMeetToo stops at damage in the store.
func TestApplyReturnsWhatTheNextUnitWouldMeetToo(t *testing.T) {
	onRunners(t, func(t *testing.T, run func(context.Context, string, ...Stage) trialRun) {
		r := run(t.Context(), t.TempDir(), toyStage("a", 4, toy{Break: []int{0, 1, 2, 3}}))
		if !errors.Is(r.err, cache.ErrCorrupt) || len(r.committed) > 0 {
			t.Errorf("error %v, want ErrCorrupt; committed %v, want nothing", r.err, r.committed)
		}
	})
}

// TestApplyStopsWhenTheRunIsCancelled cancels before the first unit.
func TestApplyStopsWhenTheRunIsCancelled(t *testing.T) {
	onRunners(t, func(t *testing.T, run func(context.Context, string, ...Stage) trialRun) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		r := run(ctx, t.TempDir(), toyStage("a", 4, toy{}))
		r.check(t, "cancelled run", nil, nil, nil)
		if r.err != nil {
			t.Errorf("cancelled run: %v; an interruption is no failure", r.err)
		}
	})
}

// TestReadyWaitsForEveryInput asks for the units of a stage with one, and with both of its inputs.
func TestReadyWaitsForEveryInput(t *testing.T) {
	stage := byName(toyStage("c", 6, toy{}, "a", "b"))
	defer Begin(t.Context(), t.Name(), func(Event) {}, stage)()
	fn := &readyFn{At: stageAt{Env: Env{Run: t.Name()}, Name: "c", ID: stage.ID}, Known: map[string]string{"a": "1"}}
	ask := func(done ...StageDone) (refs []UnitRef) {
		err := fn.ProcessElement(t.Context(), nil, func(d *StageDone) bool {
			if len(done) == 0 {
				return false
			}
			*d, done = done[0], done[1:]
			return true
		}, func(u UnitRef) { refs = append(refs, u) })
		if err != nil {
			t.Error(err)
		}
		return refs
	}
	if refs := ask(StageDone{}); refs != nil {
		t.Errorf("without b: %v, want no unit", refs)
	}
	refs := ask(StageDone{Stage: "b", Key: "2"}, StageDone{Stage: "b", Key: "2"})
	if len(refs) != 2 || refs[0].Count != 4 || refs[1].Index != 4 || refs[1].Count != 2 || !slices.Equal(refs[1].Inputs, []string{"1", "2"}) {
		t.Errorf("with b: %v, want units 0 to 3, and 4 and 5, that read 1 and 2", refs)
	}
	if refs[0].Stage != "c" {
		t.Errorf("units are of stage %q, want c", refs[0].Stage)
	}
}

// TestCodersRoundTrip holds the four element types to their own coders and to 1 KiB.
func TestCodersRoundTrip(t *testing.T) {
	keys := slices.Repeat([]string{cache.Sum(nil).String()}, 6)
	ref, done := UnitRef{"generate", 9999, 4, keys}, UnitDone{"generate", 9999, keys, keys[0]}
	for _, c := range []struct {
		name  string
		trip  func() ([]byte, any, error)
		value any
	}{
		{"UnitRef", func() ([]byte, any, error) { b, _ := encUnitRef(ref); v, err := decUnitRef(b); return b, v, err }, ref},
		{"UnitDone", func() ([]byte, any, error) { b, _ := encUnitDone(done); v, err := decUnitDone(b); return b, v, err }, done},
		{"StageDone", func() ([]byte, any, error) {
			b, _ := encStageDone(StageDone{"a", keys[0]})
			v, err := decStageDone(b)
			return b, v, err
		}, StageDone{"a", keys[0]}},
		{"Failure", func() ([]byte, any, error) {
			b, _ := encFailure(Failure{"a", 3, "why"})
			v, err := decFailure(b)
			return b, v, err
		}, Failure{"a", 3, "why"}},
	} {
		b, got, err := c.trip()
		if err != nil || fmt.Sprint(got) != fmt.Sprint(c.value) {
			t.Errorf("%s: %v (%v), want %v", c.name, got, err, c.value)
		}
		if len(b) > 1024 {
			t.Errorf("%s takes %d bytes; only references travel", c.name, len(b))
		}
	}
}

// TestDoCommitsNothingOfAFailedWrite lets a product fail while it is being written.
func TestDoCommitsNothingOfAFailedWrite(t *testing.T) {
	store := cache.NewMemory()
	u := unit(toyStage("a", 1, toy{}), 0, store)
	r := u.Recipe().Text("x", "y")
	_, err := u.Do(t.Context(), r, func(context.Context) ([]Product, error) {
		return []Product{{Name: "one", Kind: KindJSON, Write: writeBytes([]byte("1"))}, {Name: "two", Kind: KindJSON, Write: func(io.Writer) error { return errToy }}}, nil
	})
	if !errors.Is(err, errToy) {
		t.Errorf("Do: %v, want the error of the write", err)
	}
	if _, ok, err := store.Lookup(t.Context(), r.Key()); ok || err != nil {
		t.Errorf("after a failed write the action is there: %t, %v", ok, err)
	}
}

func openTest(t *testing.T, dir string) cache.Store {
	t.Helper()
	s, err := cache.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func manifestOf(t *testing.T, s cache.Store, stage Stage, inputs ...Manifest) Manifest {
	t.Helper()
	m, ok, err := s.Lookup(t.Context(), stage.Recipe(inputs).Key())
	if err != nil || !ok {
		t.Fatalf("manifest of %s: %t, %v", stage.Name, ok, err)
	}
	return m
}

// TestTheCollectorKnowsOfMatrices: while a unit of matrices is at work the heap may grow by little beside them, and
// before and after it, and while any other unit is, by as much as ever.
func TestTheCollectorKnowsOfMatrices(t *testing.T) {
	t.Setenv("GOGC", "")
	CloseModels() // what other tests left open
	percent := func(s toy) uint64 {
		r := runStages(t, t.Context(), "direct", t.TempDir(), toyStage("a", 1, s))
		if r.err != nil {
			t.Fatal(r.err)
		}
		return growth.Load()
	}
	for range 2 {
		if usual, beside := percent(toy{}), percent(toy{Matrices: 8 << 30}); usual != 100 || beside > 20 {
			t.Errorf("the heap may grow by %d %%, beside matrices of 8 GiB by %d %%", usual, beside)
		}
	}
}
