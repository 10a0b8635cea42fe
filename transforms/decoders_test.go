package transforms

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/gpu"
)

// An asker is the settings of a kind whose units do nothing but ask for a model.
type asker struct {
	Model Model `json:"model"`
	Fail  bool  `json:"fail" key:"-"`
}

func init() {
	register("test.model", 1, many, func(asker, int) Work { return Work{Pace: Reading, Elements: 1} }, func(ctx context.Context, u *Unit, s asker) (cache.ActionKey, error) {
		return u.Do(ctx, u.Recipe().Struct(s).Text("stage", u.Stage.Name).Int("index", int64(u.Index)), func(ctx context.Context) ([]Product, error) {
			if _, err := u.decoder(ctx, s.Model); err != nil {
				return nil, err
			}
			if s.Fail {
				return nil, errToy
			}
			return nil, nil
		})
	})
}

// watch collects what is opened and closed from now on, with nothing open.
func watch(t *testing.T) (events *[]string) {
	t.Helper()
	CloseModels()
	events = new([]string)
	decoders.mu.Lock()
	decoders.told = func(event string) { *events = append(*events, event) }
	decoders.mu.Unlock()
	t.Cleanup(func() {
		decoders.mu.Lock()
		decoders.told = nil
		decoders.mu.Unlock()
		CloseModels()
	})
	return events
}

// TestModelsAreOpenAsLongAsStagesNeedThem watches runs of stages of several units that ask for one model and then for
// another: the first is closed before the second is loaded, unless a later stage needs it.
func TestModelsAreOpenAsLongAsStagesNeedThem(t *testing.T) {
	source, target := modelOf(t, "tiny:qwen2"), modelOf(t, "tiny:llama")
	stage := func(name string, m Model, fail bool, inputs ...string) Stage {
		return NewStage(name, "test.model", asker{Model: m, Fail: fail}, 3, inputs...)
	}
	for _, runner := range []string{"direct", "prism"} {
		for name, c := range map[string]struct {
			stages []Stage
			want   string
		}{
			"one after the other": {[]Stage{stage("a", source, false), stage("b", source, false, "a"), stage("c", target, false, "b")},
				"open tiny:qwen2, close tiny:qwen2, open tiny:llama, close tiny:llama"},
			"the first is needed again": {[]Stage{stage("a", source, false), stage("b", target, false, "a"), stage("c", source, false, "b")},
				"open tiny:qwen2, open tiny:llama, close tiny:llama, close tiny:qwen2"},
			"a stage fails": {[]Stage{stage("a", source, true), stage("b", target, false, "a")},
				"open tiny:qwen2, close tiny:qwen2"},
		} {
			events := watch(t)
			r := runStages(t, t.Context(), runner, t.TempDir(), c.stages...)
			if fails := name == "a stage fails"; errors.Is(r.err, errToy) != fails || r.err != nil && !fails {
				t.Fatalf("%s, %s: %v", runner, name, r.err)
			}
			if got := strings.Join(*events, ", "); got != c.want {
				t.Errorf("%s, %s: %s; want %s", runner, name, got, c.want)
			}
		}
	}
}

// TestModelsTakeTurnsWhereThereIsRoomForOne loads a model beside another one: where both fit both stay; where they do
// not, the one that nobody computes with is closed first, and one that somebody computes with is not.
func TestModelsTakeTurnsWhereThereIsRoomForOne(t *testing.T) {
	source, target := modelOf(t, "tiny:qwen2"), modelOf(t, "tiny:llama")
	ask := func(ctx context.Context, m Model) (*Unit, error) {
		u := unit(toyStage("a", 1, toy{}), 0, cache.NewMemory())
		_, err := u.decoder(ctx, m)
		return u, err
	}
	one := WithMemory(t.Context(), func() gpu.Memory { // called with the pool's lock held
		if len(decoders.open) > 0 {
			return gpu.Memory{Source: "a test"}
		}
		return gpu.Memory{Bytes: 1 << 30, Source: "a test"}
	})
	events := watch(t)
	first, err := ask(one, source)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ask(one, target); !errors.Is(err, gpu.ErrMemory) {
		t.Errorf("no room beside a model that is computed with: %v", err)
	}
	first.release()
	second, err := ask(one, target)
	if err != nil {
		t.Errorf("no room beside a model that nobody computes with: %v", err)
	}
	closeModel(target) // which second computes with
	if n := len(*events); n != 3 {
		t.Errorf("a model was closed that a unit computes with: %q", *events)
	}
	second.release()
	third, err := ask(t.Context(), source)
	if err != nil {
		t.Fatal(err)
	}
	third.release()
	if _, err := ask(t.Context(), target); err != nil {
		t.Fatal(err)
	}
	want := []string{"open tiny:qwen2", "close tiny:qwen2", "open tiny:llama", "close tiny:llama", "open tiny:qwen2", "open tiny:llama"}
	if !slices.Equal(*events, want) {
		t.Errorf("%q, want %q", *events, want)
	}
}

// TestRoomOnACard counts the weights that rest on it: beside others a model may have so much that there is room for
// what is computed.
func TestRoomOnACard(t *testing.T) {
	const gib = 1 << 30
	card := func(memory int64) gpu.Device { return gpu.Device{Platform: "cuda", Memory: memory} }
	p := pool{open: map[string]*opened{"a": {device: card(24 * gib), bytes: 14 * gib}, "b": {device: gpu.Device{Platform: "cpu"}, bytes: 500 * gib}}}
	none := WithMemory(t.Context(), func() gpu.Memory { return gpu.Memory{Source: "a test"} })
	for _, c := range []struct {
		memory int64
		bytes  int
		want   bool
	}{{24 * gib, 14 * gib, false}, {80 * gib, 14 * gib, true}, {80 * gib, 40 * gib, false}, {0, 14 * gib, true}} {
		if got := p.room(none, &opened{device: card(c.memory), bytes: c.bytes}); got != c.want {
			t.Errorf("%d GiB beside 14 on a card of %d: %t, want %t", c.bytes/gib, c.memory/gib, got, c.want)
		}
	}
	if p.room(none, &opened{device: gpu.Device{Platform: "xla-cpu"}, bytes: 1}) {
		t.Error("the processor has the machine's memory, of which there is none")
	}
}
