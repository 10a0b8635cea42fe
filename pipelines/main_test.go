package pipelines

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/gpu"
	"github.com/persona-transfer/runpipeline/gpu/tiny"
	"github.com/persona-transfer/runpipeline/transforms"
)

// TestMain keeps what the program remembers (digests of weights, the hub's cache) out of the
// user's cache folder.
func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "pipelines")
	if err != nil {
		panic(err)
	}
	for _, name := range []string{"HOME", "XDG_CACHE_HOME", "HF_HOME"} {
		os.Setenv(name, dir)
	}
	os.Setenv("HF_HUB_OFFLINE", "1")
	shared = filepath.Join(dir, "shared")
	code := m.Run()
	transforms.CloseModels()
	os.RemoveAll(dir)
	os.Exit(code)
}

// A settings is a configuration before it is JSON.
type settings map[string]any

// small is an experiment on the embedded pair that takes seconds: the whole way from pairs to the
// verdict, with as little of everything as makes sense.
func small() settings {
	tokens := 8
	if testing.Short() {
		tokens = 3
	}
	return settings{
		"n_training_samples": 200, "folds": 2, "lambda_values": []float64{.001, .1}, "lambda_unit": "relative",
		"conditions": []string{"none", "ridge", "shuffled_pairs"}, "alpha_values": []float64{.5}, "alpha_unit": "residual",
		"persona_datasets": settings{"silly": persona("silly", 8), "pirate": persona("pirate", 8)},
		"test_prompts":     tiny.TestPrompts(tiny.Development, 4), "n_test_prompts": 4, "n_seeds": 1, "max_new_tokens": tokens,
	}
}

// shared is the folder of a store in which small has been run once.
var shared string

var smallOnce = sync.OnceValue(func() outcome {
	c, err := ParseConfig(small().bytes(), "")
	if err != nil {
		return outcome{err: err}
	}
	e, err := NewExperiment(context.Background(), c, false)
	if err != nil {
		return outcome{err: err}
	}
	return e.outcome(context.Background(), shared, nil)
})

// finished gives a store of the test's own in which small has been run, and what that run left.
func finished(t *testing.T) (dir string, first outcome) {
	t.Helper()
	first = smallOnce()
	if first.err != nil {
		t.Fatalf("run: %v", first.err)
	}
	dir = filepath.Join(t.TempDir(), "store")
	if err := os.CopyFS(dir, os.DirFS(shared)); err != nil {
		t.Fatal(err)
	}
	return dir, first
}

// persona has n texts a side.
func persona(name string, n int) settings {
	positive, negative := tiny.PersonaTexts(name, n, 7)
	return settings{"positive_texts": positive, "negative_texts": negative}
}

// with is the settings with some of them changed.
func (s settings) with(key string, value any) settings {
	s = maps.Clone(s)
	s[key] = value
	return s
}

// bytes is the settings as JSON; they are texts, finite numbers and lists of those.
func (s settings) bytes() []byte {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return b
}

func (s settings) experiment(t *testing.T) *Experiment {
	t.Helper()
	c, err := ParseConfig(s.bytes(), "")
	if err != nil {
		t.Fatalf("configuration: %v", err)
	}
	e, err := NewExperiment(t.Context(), c, false)
	if err != nil {
		t.Fatalf("experiment: %v", err)
	}
	return e
}

// An outcome is what one run did and left.
type outcome struct {
	report, rows []byte
	events       []Event
	stages       []StageRecord
	err          error
}

// runIn runs the experiment in the store at dir. stop, if not nil, is told every event and may cancel.
func (e *Experiment) runIn(t *testing.T, dir string, stop func(Event, context.CancelFunc)) outcome {
	t.Helper()
	return e.outcome(t.Context(), dir, stop)
}

func (e *Experiment) outcome(ctx context.Context, dir string, stop func(Event, context.CancelFunc)) outcome {
	return outcomeOf(ctx, e, Options{Cache: dir, Runner: "direct"}, stop)
}

func outcomeOf(ctx context.Context, e *Experiment, o Options, stop func(Event, context.CancelFunc)) outcome {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var events []Event
	var mu sync.Mutex
	o.Progress = func(ev Event) {
		mu.Lock()
		defer mu.Unlock()
		events = append(events, ev)
		if stop != nil {
			stop(ev, cancel)
		}
	}
	result, err := e.Run(ctx, o)
	mu.Lock() // a unit that a cancelled run left behind may still have something to say
	left := outcome{events: slices.Clone(events), err: err}
	mu.Unlock()
	if err != nil {
		return left
	}
	var rows bytes.Buffer
	if left.err = result.Rows(&rows); left.err == nil {
		left.report, left.rows, left.stages = result.Report, rows.Bytes(), result.Stages
	}
	return left
}

// mustRun is runIn for a run that must succeed.
func mustRun(t *testing.T, s settings, dir string) outcome {
	t.Helper()
	o := s.experiment(t).runIn(t, dir, nil)
	if o.err != nil {
		t.Fatalf("run: %v", o.err)
	}
	return o
}

// computed lists the stages that computed a unit or committed a manifest, in order of names.
func (o outcome) computed() []string {
	names := map[string]bool{}
	for _, ev := range o.events {
		if ev.Ends() && !ev.Hit {
			names[ev.Stage] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// units counts computed units of a stage, or of all for "".
func (o outcome) units(stage string) (n int) {
	for _, ev := range o.events {
		if ev.Ends() && !ev.Hit && ev.Unit >= 0 && (stage == "" || ev.Stage == stage) {
			n++
		}
	}
	return n
}

// notes are the messages, among them one for each model that is loaded.
func (o outcome) notes() (notes []string) {
	for _, ev := range o.events {
		if ev.Note != "" {
			notes = append(notes, ev.Note)
		}
	}
	return notes
}

// same compares the bytes of two outcomes.
func (o outcome) same(t *testing.T, want outcome, what string) {
	t.Helper()
	if !bytes.Equal(o.report, want.report) {
		t.Errorf("%s: report.json differs at %s", what, difference(o.report, want.report))
	}
	if !bytes.Equal(o.rows, want.rows) {
		t.Errorf("%s: rows differ at %s", what, difference(o.rows, want.rows))
	}
}

// difference shows the first lines that differ.
func difference(got, want []byte) string {
	a, b := bytes.Split(got, []byte("\n")), bytes.Split(want, []byte("\n"))
	for i := range min(len(a), len(b)) {
		if !bytes.Equal(a[i], b[i]) {
			return fmt.Sprintf("line %d: %.200s, want %.200s", i+1, a[i], b[i])
		}
	}
	return fmt.Sprintf("the end: %d lines, want %d", len(a), len(b))
}

// damage changes one byte of a stored output.
func damage(t *testing.T, dir string, d cache.Digest) string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "blobs", "*", d.String()+"*"))
	if err != nil || len(paths) != 1 {
		t.Fatalf("blob %s: %v %v", d, paths, err)
	}
	b, err := os.ReadFile(paths[0])
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 0x40
	if err := os.Chmod(paths[0], 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(paths[0], b, 0o644); err != nil {
		t.Fatal(err)
	}
	return paths[0]
}

// open opens the store that a run used.
func open(t *testing.T, dir string) cache.Store {
	t.Helper()
	s, err := cache.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// step plans the experiment in the store at dir and gives one stage's step.
func (e *Experiment) step(t *testing.T, dir, stage string) Step {
	t.Helper()
	plan, err := e.Plan(t.Context(), open(t, dir))
	if err != nil {
		t.Fatalf("plan: %v", err)
	}
	for _, s := range plan.Steps {
		if s.Stage.Name == stage {
			return s
		}
	}
	t.Fatalf("no stage %s", stage)
	return Step{}
}

// writeAll writes bytes.
func writeAll(b []byte) func(io.Writer) error {
	return func(w io.Writer) error { _, err := w.Write(b); return err }
}

// write stores bytes and gives the output that names them.
func write(t *testing.T, s cache.Store, name, kind string, encode func(io.Writer) error) cache.Output {
	t.Helper()
	d, n, err := s.Create(t.Context(), encode)
	if err != nil {
		t.Fatal(err)
	}
	return cache.Output{Name: name, Kind: kind, Digest: d, Bytes: n}
}

// copyModel copies a model of the embedded pair into a folder.
func copyModel(t *testing.T, name string) string {
	t.Helper()
	files, ok := tiny.Folder(name)
	if !ok {
		t.Fatalf("no embedded model %s", name)
	}
	dir := filepath.Join(t.TempDir(), name)
	if err := os.CopyFS(dir, files); err != nil {
		t.Fatal(err)
	}
	return dir
}

// ParseConfig reads a configuration from JSON; nil is the embedded experiment.
func ParseConfig(raw []byte, folder string) (Config, error) {
	if raw == nil {
		raw = []byte("{}")
	}
	return parseConfig(context.Background(), raw, raw, folder)
}

// DefaultConfig is the experiment on the embedded pair, complete.
func DefaultConfig() Config {
	c, err := ParseConfig(nil, "")
	if err != nil {
		panic("pipelines: the embedded experiment is not valid: " + err.Error())
	}
	return c
}

// onCPU is the device that is always there.
var onCPU = Device{Device: gpu.Device{Platform: "cpu", DType: "float32"}, name: "cpu", open: "cpu"}

// parseConfig reads the only cell of a configuration.
func parseConfig(ctx context.Context, file, raw []byte, folder string) (Config, error) {
	cells, err := parseCells(ctx, file, raw, folder)
	if len(cells) == 0 {
		return Config{}, err
	}
	return cells[0].Config, err
}
