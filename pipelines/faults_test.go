package pipelines

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/graph"

	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/cache/cachetest"
)

// An unkind runner does what Beam allows a runner to do to its workers: it gives an element of a step several times,
// one after another or at once, in any order, and tries an element again that failed. Functions see nothing of the
// process that began the run, as on a remote worker.
type unkind struct {
	times    int // each element, unless a step's function is only a conversion
	together bool
	tries    int // of an element that fails; then the job fails
	draw     *rand.Rand
	failed   int // elements, so far
}

var unkindly unkind // what the runner "unkind" does

func init() {
	beam.RegisterRunner("unkind", func(ctx context.Context, p *beam.Pipeline) (beam.PipelineResult, error) {
		return nil, unkindly.run(ctx, p)
	})
}

// run computes every collection as a list of lists: an element's parts, as functions take them.
func (u *unkind) run(ctx context.Context, p *beam.Pipeline) error {
	edges, _, err := p.Build()
	if err != nil {
		return err
	}
	data := map[int][][]reflect.Value{}
	for _, e := range edges {
		switch e.Op {
		case graph.Impulse:
			data[e.Output[0].To.ID()] = [][]reflect.Value{{reflect.ValueOf([]byte{})}}
		case graph.Reshuffle, graph.Flatten:
			var all [][]reflect.Value
			for _, in := range e.Input {
				all = append(all, data[in.From.ID()]...)
			}
			u.draw.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
			data[e.Output[0].To.ID()] = all
		case graph.CoGBK:
			data[e.Output[0].To.ID()] = grouped(data[e.Input[0].From.ID()])
		case graph.ParDo:
			if err := u.parDo(ctx, e, data); err != nil {
				return err
			}
		default:
			return fmt.Errorf("%s is not known here", e.Op)
		}
	}
	return nil
}

// grouped gathers values by key, each group as the key and all its values.
func grouped(pairs [][]reflect.Value) (groups [][]reflect.Value) {
	at := map[string]int{}
	for _, pair := range pairs {
		i, ok := at[pair[0].String()]
		if !ok {
			i = len(groups)
			at[pair[0].String()] = i
			groups = append(groups, pair[:1:1])
		}
		groups[i] = append(groups[i], pair[1])
	}
	return groups
}

func (u *unkind) parDo(ctx context.Context, e *graph.MultiEdge, data map[int][][]reflect.Value) error {
	times := 1
	var fn reflect.Value
	if e.DoFn.Recv != nil {
		fn = reflect.ValueOf(e.DoFn.Recv).MethodByName("ProcessElement")
		if strings.Contains(e.DoFn.Name(), "unitFn") || strings.Contains(e.DoFn.Name(), "manifestFn") {
			times = u.times
		}
	} else {
		f := e.DoFn.Fn.Fn
		fn = reflect.MakeFunc(f.Type(), func(args []reflect.Value) (results []reflect.Value) {
			var in []any
			for _, a := range args {
				in = append(in, a.Interface())
			}
			for _, r := range f.Call(in) {
				results = append(results, reflect.ValueOf(r))
			}
			return results
		})
	}
	var elements [][]reflect.Value
	for _, element := range data[e.Input[0].From.ID()] {
		elements = append(elements, slices.Repeat([][]reflect.Value{element}, times)...)
	}
	u.draw.Shuffle(len(elements), func(i, j int) { elements[i], elements[j] = elements[j], elements[i] })
	var mu sync.Mutex
	var problem error
	var all sync.WaitGroup
	for _, element := range elements {
		work := func() {
			for try := 1; ; try++ {
				out, err := call(ctx, fn, e, element, data)
				mu.Lock()
				if err == nil {
					for id, list := range out {
						data[id] = append(data[id], list...)
					}
				} else if u.failed++; try == u.tries {
					problem = err
				}
				mu.Unlock()
				if err == nil || try == u.tries {
					return
				}
			}
		}
		if all.Go(work); !u.together {
			all.Wait()
		}
	}
	all.Wait()
	return problem
}

// call gives one element to a function and gathers what it emits, which counts only if it returns no error.
func call(ctx context.Context, fn reflect.Value, e *graph.MultiEdge, element []reflect.Value, data map[int][][]reflect.Value) (out map[int][][]reflect.Value, err error) {
	out = map[int][][]reflect.Value{}
	t := fn.Type()
	var in []reflect.Value
	rest, sides, outputs := element, e.Input[1:], e.Output
	for i := range t.NumIn() {
		p := t.In(i)
		switch {
		case p == reflect.TypeFor[context.Context]():
			in = append(in, reflect.ValueOf(ctx))
		case p.Kind() != reflect.Func:
			in, rest = append(in, rest[0]), rest[1:]
		case p.NumOut() == 1: // an iterator: over a group's values, or a side input
			values := rest
			if len(values) == 0 {
				for _, v := range data[sides[0].From.ID()] {
					values = append(values, v[0])
				}
				sides = sides[1:]
			}
			rest = nil
			in = append(in, reflect.MakeFunc(p, func(args []reflect.Value) []reflect.Value {
				if len(values) == 0 {
					return []reflect.Value{reflect.ValueOf(false)}
				}
				args[0].Elem().Set(values[0])
				values = values[1:]
				return []reflect.Value{reflect.ValueOf(true)}
			}))
		default:
			id := outputs[0].To.ID()
			outputs = outputs[1:]
			in = append(in, reflect.MakeFunc(p, func(args []reflect.Value) []reflect.Value {
				for i := range args { // of a function that emits any type
					if args[i].Kind() == reflect.Interface {
						args[i] = args[i].Elem()
					}
				}
				out[id] = append(out[id], args)
				return nil
			}))
		}
	}
	results := fn.Call(in)
	if n := len(results); n > 0 && t.Out(n-1) == reflect.TypeFor[error]() {
		err, _ = results[n-1].Interface().(error)
		results = results[:n-1]
	}
	if len(results) > 0 {
		id := e.Output[0].To.ID()
		out[id] = append(out[id], results)
	}
	return out, err
}

// actions are the records of a store of files, by name.
func actions(t *testing.T, dir string) map[string]string {
	t.Helper()
	records := map[string]string{}
	err := fs.WalkDir(os.DirFS(filepath.Join(dir, "actions")), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(filepath.Join(dir, "actions", name))
		records[name] = string(b)
		return err
	})
	if err != nil || len(records) == 0 {
		t.Fatalf("%d records in %s (%v)", len(records), dir, err)
	}
	return records
}

// sameStore compares the results and the records of all units and stages with those of an undisturbed run.
func (o outcome) sameStore(t *testing.T, dir string) {
	t.Helper()
	first, want := finished(t)
	o.same(t, want, "on an unkind runner")
	got, records := actions(t, dir), actions(t, first)
	if !maps.Equal(got, records) {
		t.Errorf("the store has %d records, an undisturbed one %d, or others", len(got), len(records))
	}
	err := open(t, dir).Notes(t.Context(), "runs/", func(name string) error {
		if strings.HasSuffix(name, "/record") {
			return nil
		}
		return errors.New(name)
	})
	if err != nil {
		t.Errorf("left behind: %v", err)
	}
}

// TestUnkindRunnersGiveTheSame: elements that come twice, three at once, in any order, and through a store that fails
// now and then, all leave the records and the results of an undisturbed run, to the byte; events are told once each.
func TestUnkindRunnersGiveTheSame(t *testing.T) {
	if testing.Short() {
		t.Skip("four runs")
	}
	cache.Register("flaky", cachetest.FlakyOpener(cachetest.Faults{Before: .01, During: .01, After: .01}))
	for _, c := range []struct {
		name, scheme string
		unkind       unkind
	}{
		{"twice, out of order", "", unkind{times: 2, tries: 1}},
		{"three at once", "", unkind{times: 3, together: true, tries: 1}},
		{"a store that fails now and then", "flaky://7", unkind{times: 1, tries: 50}},
		{"all of it", "flaky://8", unkind{times: 2, together: true, tries: 50}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			open(t, dir) // the store is made by whoever is not disturbed
			c.unkind.draw = rand.New(rand.NewPCG(1, 2))
			unkindly = c.unkind
			e := small().experiment(t)
			o := outcomeOf(t.Context(), e, Options{Cache: c.scheme + dir, Runner: "unkind"}, nil)
			if c.scheme != "" {
				for range 50 { // the driver reads a store that fails, too, and nobody tries that again
					if !errors.Is(o.err, cachetest.ErrInjected) {
						break
					}
					o = outcomeOf(t.Context(), e, Options{Cache: c.scheme + dir, Runner: "unkind"}, nil)
				}
				if unkindly.failed == 0 {
					t.Error("no element failed; this test tries nothing")
				}
			}
			if o.err != nil {
				t.Fatal(o.err)
			}
			o.sameStore(t, dir)
		})
	}
}

// TestAStoreThatFailsEndsARunThatIsNotTriedAgain on the runners of this process, with the cause; the next run goes on.
func TestAStoreThatFailsEndsARunThatIsNotTriedAgain(t *testing.T) {
	if testing.Short() {
		t.Skip("many runs")
	}
	cache.Register("failing", cachetest.FlakyOpener(cachetest.Faults{Before: .01, During: .01, After: .01}))
	for _, runner := range []string{"direct", "prism"} {
		dir := t.TempDir()
		open(t, dir)
		ended := 0
		for try := range 60 {
			location := fmt.Sprintf("failing://%d%s", try, dir) // workers open each store once
			o := outcomeOf(t.Context(), small().experiment(t), Options{Cache: location, Runner: runner}, nil)
			if o.err == nil {
				if ended == 0 {
					t.Errorf("%s: no run met the store's failures", runner)
				}
				_, want := finished(t)
				o.same(t, want, runner)
				break
			}
			if ended++; !errors.Is(o.err, cachetest.ErrInjected) {
				t.Fatalf("%s: run %d ended with %v, want the store's failure", runner, try, o.err)
			}
			if try == 59 {
				t.Errorf("%s: the run was not finished after %d failures", runner, ended)
			}
		}
	}
}
