package checkpoint

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// TestMain keeps the digests that tests remember out of the user's cache folder.
func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "checkpoint")
	if err != nil {
		panic(err)
	}
	memoryFile = func() string { return filepath.Join(dir, "memory", "digests.json") }
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

func contextThatEnds(t *testing.T) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	return ctx, cancel
}

// allocated returns how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
