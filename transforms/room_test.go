package transforms

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/persona-transfer/runpipeline/cache"
)

// TestAStageBeginsOnlyWhereTheStoreHasRoom for all that is left of it: a stage that could never be stored computes
// nothing, and one that is all but done goes on in room that would be too little for the whole of it.
func TestAStageBeginsOnlyWhereTheStoreHasRoom(t *testing.T) {
	const units = 40
	onRunners(t, func(t *testing.T, run func(ctx context.Context, dir string, stages ...Stage) trialRun) {
		dir := t.TempDir()
		s, err := cache.Open(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		free, known, err := s.Free(t.Context())
		if err != nil || !known {
			t.Skipf("the room of this system's disks is not known: %v", err)
		}
		large := toy{Text: "large", Stored: .3 * float64(free)}
		if r := run(t.Context(), dir, NewStage("large", "test", large, units)); !errors.Is(r.err, ErrRoom) || len(r.ran) > 0 || !strings.Contains(r.err.Error(), "large may take ") {
			t.Errorf("a stage of twelve times the room computes %v: %v", r.ran, r.err)
		}
		small := large
		small.Stored, small.Fail = 0, []int{units - 1}
		if r := run(t.Context(), dir, NewStage("large", "test", small, units)); !errors.Is(r.err, errToy) || len(r.ran) != units-1 {
			t.Fatalf("%d units ran: %v", len(r.ran), r.err)
		}
		if r := run(t.Context(), dir, NewStage("large", "test", large, units)); r.err != nil || len(r.ran) != 1 || len(r.committed) != 1 {
			t.Errorf("the last unit in the room of three: ran %v, %v", r.ran, r.err)
		}
	})
}
