package gpu

import (
	"runtime/debug"
	"testing"
)

// TestWeightsAreNoReasonForGarbage: the percentage falls with the weights of open models, and is what it
// was when they are closed; little ones leave it alone.
func TestWeightsAreNoReasonForGarbage(t *testing.T) {
	t.Setenv("GOGC", "")
	now := func() int { p := debug.SetGCPercent(100); debug.SetGCPercent(p); return p }
	before := now()
	hold(1 << 20)
	if got := now(); got != before {
		t.Errorf("with 1 MiB of weights the percentage is %d, want %d", got, before)
	}
	hold(2 << 30)
	if got := now(); got < 20 || got > 30 { // (256 MiB + 2 GiB/8) of 2 GiB: 25
		t.Errorf("with 2 GiB of weights the percentage is %d, want about 25", got)
	}
	hold(-2<<30 - 1<<20)
	if got := now(); got != before {
		t.Errorf("without models the percentage is %d, want %d", got, before)
	}
	if got := percentFor(1<<30, -1); got != -1 {
		t.Errorf("a collector that is off is set to %d", got)
	}
	t.Setenv("GOGC", "100")
	hold(2 << 30)
	if got := now(); got != before {
		t.Errorf("GOGC is set, and the percentage is %d, want %d", got, before)
	}
}
