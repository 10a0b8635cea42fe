package pipelines

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/gpu/gputest/cputime"
)

// A timedStore is a store that counts the time inside its calls, whoever makes them and however many at once. What a
// caller does to encode an artifact is not the store's; compression and digests are.
type timedStore struct {
	cache.Store
	spent *atomic.Int64
}

var (
	storeTime atomic.Int64
	forgetful *cache.Memory // the store of the run that goes on
)

func init() {
	cache.Register("timed", func(ctx context.Context, location string) (cache.Store, error) {
		s, err := cache.Open(ctx, strings.TrimPrefix(location, "timed://"))
		return timedStore{s, &storeTime}, err
	})
	cache.Register("forgetful", func(context.Context, string) (cache.Store, error) { return forgetful, nil })
}

func (s timedStore) since(begun time.Time) { s.spent.Add(int64(time.Since(begun))) }

func (s timedStore) Create(ctx context.Context, write func(io.Writer) error) (cache.Digest, int64, error) {
	defer s.since(time.Now())
	return s.Store.Create(ctx, func(w io.Writer) error {
		begun, inside := time.Now(), time.Duration(0)
		err := write(writer(func(p []byte) (int, error) {
			begun := time.Now()
			defer func() { inside += time.Since(begun) }()
			return w.Write(p)
		}))
		s.spent.Add(int64(inside - time.Since(begun)))
		return err
	})
}

type writer func(p []byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

func (s timedStore) Open(ctx context.Context, d cache.Digest) (io.ReadCloser, error) {
	defer s.since(time.Now())
	r, err := s.Store.Open(ctx, d)
	if err != nil {
		return nil, err
	}
	return timedReader{r, s}, nil
}

type timedReader struct {
	io.ReadCloser
	s timedStore
}

func (r timedReader) Read(p []byte) (int, error) {
	defer r.s.since(time.Now())
	return r.ReadCloser.Read(p)
}

func (s timedStore) Read(ctx context.Context, d cache.Digest) ([]byte, error) {
	defer s.since(time.Now())
	return s.Store.Read(ctx, d)
}

func (s timedStore) Has(ctx context.Context, d cache.Digest) (bool, error) {
	defer s.since(time.Now())
	return s.Store.Has(ctx, d)
}

func (s timedStore) Commit(ctx context.Context, r *cache.Recipe, outputs []cache.Output) error {
	defer s.since(time.Now())
	return s.Store.Commit(ctx, r, outputs)
}

func (s timedStore) Lookup(ctx context.Context, key cache.ActionKey) ([]cache.Output, bool, error) {
	defer s.since(time.Now())
	return s.Store.Lookup(ctx, key)
}

func (s timedStore) SetNote(ctx context.Context, name string, text []byte) error {
	defer s.since(time.Now())
	return s.Store.SetNote(ctx, name, text)
}

// BenchmarkStoreOverhead runs the embedded experiment in an empty folder and in memory, in turns, and says what each
// took by the clock and of processor time, and how much of it inside the store: looking up, compressing, digesting, waiting for
// the disk, reading back. While one unit waits for the disk another one computes, so the store costs less than the
// time inside it; what it costs is the difference between the two.
func BenchmarkStoreOverhead(b *testing.B) {
	for b.Loop() {
		wall, cpu := map[string]float64{}, map[string]float64{}
		for _, place := range []string{"memory", "folder"} {
			at := "timed://" + b.TempDir()
			if place == "memory" {
				at, forgetful = fmt.Sprintf("forgetful://%d", time.Now().UnixNano()), cache.NewMemory() // a process keeps stores open by their place
			}
			e, err := NewExperiment(b.Context(), DefaultConfig(), false)
			if err != nil {
				b.Fatal(err)
			}
			storeTime.Store(0)
			begun, used := time.Now(), cputime.Now()
			if _, err := e.Run(b.Context(), Options{Cache: at, Runner: "direct"}); err != nil {
				b.Fatal(err)
			}
			wall[place], cpu[place] = time.Since(begun).Seconds(), (cputime.Now() - used).Seconds()
		}
		b.ReportMetric(time.Duration(storeTime.Load()).Seconds(), "inside-s")
		b.ReportMetric(wall["folder"], "folder-s")
		b.ReportMetric(wall["memory"], "memory-s")
		b.ReportMetric(cpu["folder"], "folder-cpu-s")
		b.ReportMetric(cpu["memory"], "memory-cpu-s")
	}
}

// BenchmarkPlanStored plans an experiment of which everything is stored: ten thousand artifacts, by as many small
// files. It opens the store anew each time, as a command does.
func BenchmarkPlanStored(b *testing.B) {
	c := DefaultConfig()
	c.AlphaValues = nil
	for i := range 140 { // generate, score and probe have a unit for each, each condition and each persona
		c.AlphaValues = append(c.AlphaValues, float64(i+1)/100)
	}
	dir := filepath.Join(b.TempDir(), "store")
	store, err := cache.Open(b.Context(), dir)
	if err != nil {
		b.Fatal(err)
	}
	e, err := NewExperiment(b.Context(), c, false)
	if err != nil {
		b.Fatal(err)
	}
	artifacts := fill(b, e, store)
	for b.Loop() {
		e, err := NewExperiment(b.Context(), c, false)
		if err != nil {
			b.Fatal(err)
		}
		store, err := cache.Open(b.Context(), dir)
		if err != nil {
			b.Fatal(err)
		}
		plan, err := e.Plan(b.Context(), store)
		if err != nil {
			b.Fatal(err)
		}
		if !plan.Done() {
			b.Fatal("not everything is stored")
		}
	}
	b.ReportMetric(float64(artifacts), "artifacts")
}

// fill commits manifests of invented artifacts, one a unit, for every stage, and counts them.
func fill(tb testing.TB, e *Experiment, store cache.Store) (artifacts int) {
	for {
		plan, err := e.Plan(tb.Context(), store)
		if err != nil {
			tb.Fatal(err)
		}
		if plan.Done() {
			return artifacts
		}
		for _, s := range plan.Steps {
			if s.State != Run {
				continue
			}
			var manifest []cache.Output
			for unit := range s.Stage.Units {
				text := fmt.Sprintf("%s %d", s.Key, unit)
				d, n, err := store.Create(tb.Context(), writeAll([]byte(text)))
				if err != nil {
					tb.Fatal(err)
				}
				manifest = append(manifest, cache.Output{Name: fmt.Sprintf("%04d.out", unit), Kind: "invented", Digest: d, Bytes: n})
				artifacts++
			}
			if err := store.Commit(tb.Context(), plan.recipe(s), manifest); err != nil {
				tb.Fatal(err)
			}
		}
	}
}

// recipe is that of a step whose inputs are all there.
func (p *Plan) recipe(s Step) *cache.Recipe {
	inputs, _ := p.inputs(s.Stage)
	return s.Stage.Recipe(inputs)
}
