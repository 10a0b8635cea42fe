package transforms

import (
	"context"
	"io"
	"log/slog"
	"os"
	"testing"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	//lint:ignore SA1019 deprecated because it is not portable; why it is the default is in pipelines/DECISIONS.md
	_ "github.com/apache/beam/sdks/v2/go/pkg/beam/runners/direct"
	_ "github.com/apache/beam/sdks/v2/go/pkg/beam/runners/prism"

	"github.com/persona-transfer/runpipeline/cache"
)

// TestMain starts Beam once and keeps the digests that the program remembers out of the user's
// cache folder.
func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "transforms")
	if err != nil {
		panic(err)
	}
	os.Setenv("HOME", dir)
	os.Setenv("XDG_CACHE_HOME", dir)
	beam.Init()
	slog.SetDefault(slog.New(slog.DiscardHandler))
	code := m.Run()
	CloseModels()
	os.RemoveAll(dir)
	os.Exit(code)
}

// unit is a unit of a stage in a store, outside of any pipeline.
func unit(s Stage, index int, store cache.Store, inputs ...Manifest) *Unit {
	return &Unit{Stage: s, Index: index, Store: store, inputs: inputs, run: &run{ctx: context.Background(), events: func(Event) {}}}
}

// keep stores what encode writes and gives the output that names it.
func keep(t *testing.T, s cache.Store, name, kind string, encode func(io.Writer) error) cache.Output {
	t.Helper()
	d, n, err := s.Create(t.Context(), encode)
	if err != nil {
		t.Fatal(err)
	}
	return cache.Output{Name: name, Kind: kind, Digest: d, Bytes: n}
}

func conditionOf(t *testing.T, name string) Condition {
	t.Helper()
	c, ok := FindCondition(name)
	if !ok {
		t.Fatalf("no condition %s", name)
	}
	return c
}
