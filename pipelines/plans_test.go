package pipelines

import (
	"flag"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/gpu/gputest/cputime"
	"github.com/persona-transfer/runpipeline/transforms"
)

var (
	plans   = flag.String("plans", "", "a configuration that is run in full, in a store of its own, and whose plan is held against what it takes; \"embedded\" is that of the embedded pair")
	planSet = flag.String("planset", "", "overrides of it, key=value, separated by semicolons")
)

// TestPlansForetellWhatRunsTake prints for each stage what the plan expects and what the run took: by the clock,
// and of processor time, which other programs do not lengthen. The expectation is of the clock of the machine as it
// was when it was planned: at least the processor time of a stage divided by the number of cores, and at most all
// of it or what the clock showed. A stage
// of two seconds or more may be out by a factor of two, and so may the memory of the whole run, which must not
// be more than a tenth above what is expected: that is what a run is refused by.
func TestPlansForetellWhatRunsTake(t *testing.T) {
	if *plans == "" {
		t.Skip("runs a whole experiment: go test ./pipelines -run PlansForetell -plans embedded -v -timeout 1h")
	}
	var set []string
	for _, s := range strings.Split(*planSet, ";") {
		if s != "" {
			set = append(set, s)
		}
	}
	path := *plans
	if path == "embedded" {
		path = ""
	}
	c, err := LoadConfig(t.Context(), path, set)
	if err != nil {
		t.Fatal(err)
	}
	transforms.CloseModels() // of tests before
	e, err := NewExperiment(t.Context(), c, false)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := e.Plan(t.Context(), cache.NewMemory())
	if err != nil {
		t.Fatal(err)
	}
	costs, err := e.Alone().Costs(t.Context(), plan)
	if err != nil {
		t.Fatal(err)
	}
	used, last := map[string]time.Duration{}, cputime.Now()
	resident := map[string]int{}
	peakBytes()
	r, err := e.Run(t.Context(), Options{Cache: t.TempDir(), Runner: "direct", Progress: func(ev Event) { // stages run one after the other
		now := cputime.Now()
		used[ev.Stage] += now - last
		last = now
		resident[ev.Stage] = max(resident[ev.Stage], peakBytes())
	}})
	if err != nil {
		t.Fatal(err)
	}
	needs, most, peak := map[string]int{}, 0, 0 // what is free again is not given back at once
	for _, n := range e.Alone().needs(plan) {
		most = max(most, n.Total())
		needs[n.For] = most
	}
	t.Logf("%-16s %9s %9s %9s  %6s %9s %9s  %6s", "stage", "expected", "took", "processor", "out by", "expected", "resident", "out by")
	for _, s := range r.Stages {
		expected, cpu := costs.Of(plan.step(s.Stage).Stage.ID), used[s.Stage].Seconds()
		cores := float64(runtime.GOMAXPROCS(0))
		out := max(cpu/cores/expected, expected/max(cpu, s.Seconds), 1)
		need, had := needs["stage "+s.Stage], resident[s.Stage]
		memory := float64(max(need, had)) / float64(max(1, min(need, had)))
		t.Logf("%-16s %8.2fs %8.2fs %8.2fs  %6.2f %9s %9s  %6.2f", s.Stage, expected, s.Seconds, cpu, out, Size(need), Size(had), memory)
		if max(cpu, expected) >= 2 && out > 2 {
			t.Errorf("%s is out by %.1f", s.Stage, out)
		}
		peak = max(peak, had)
	}
	t.Logf("%-16s %8.2fs %46s %9s", "all", costs.Total(), Size(most), Size(peak))
	if peak > 0 && (most > 2*peak || peak > most+most/10) {
		t.Errorf("the run's memory is expected at %s, and %s were resident", Size(most), Size(peak))
	}
}

// peakBytes is what this process had resident at most since it was called last, 0 where the system does not say.
func peakBytes() int {
	b, _ := os.ReadFile("/proc/self/status")
	os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) // proc(5): the peak begins anew
	_, rest, ok := strings.Cut(string(b), "VmHWM:")
	if !ok {
		return 0
	}
	kib, _ := strconv.Atoi(strings.Fields(rest)[0])
	return kib << 10
}
