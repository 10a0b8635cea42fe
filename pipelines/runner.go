package pipelines

import (
	"fmt"
	"log/slog"
	"os"
	"reflect"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/graph"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/graph/window"
	beamlog "github.com/apache/beam/sdks/v2/go/pkg/beam/log"
	//lint:ignore SA1019 deprecated because it is not portable; why it is the default is in pipelines/DECISIONS.md
	_ "github.com/apache/beam/sdks/v2/go/pkg/beam/runners/direct"    // -runner direct
	_ "github.com/apache/beam/sdks/v2/go/pkg/beam/runners/flink"     // -runner flink
	_ "github.com/apache/beam/sdks/v2/go/pkg/beam/runners/prism"     // -runner prism
	_ "github.com/apache/beam/sdks/v2/go/pkg/beam/runners/universal" // -runner universal
)

// Runners are the values of -runner. direct is Beam's own direct runner: it runs the pipeline in this
// process, opens no port and writes no file.
var Runners = []string{"direct", "prism", "flink", "dataflow", "universal"}

// RunnerWarning is what has to be said whenever a pipeline is run on the named runner, else "".
func RunnerWarning(runner string) string {
	if runner != "prism" {
		return ""
	}
	return "-runner prism: while this run goes on, anyone who can reach this machine can run programs as you: " +
		"Prism's job service listens on all interfaces without authentication; -runner direct opens no port"
}

// inProcess reports a runner whose units run in this process and which does not try again.
func inProcess(runner string) bool { return runner == "direct" || runner == "prism" }

// ready reports what the runner needs and this machine lacks. All runners but direct make a file in
// the temporary folder and crash where they cannot.
func ready(runner string) error {
	if runner == "direct" {
		return nil
	}
	f, err := os.CreateTemp("", "runpipeline-*")
	if err != nil {
		return Problems{fmt.Sprintf("-runner %s: it needs a temporary folder (TMPDIR) that can be written to: %v", runner, err)}
	}
	f.Close()
	return os.Remove(f.Name())
}

// setupLogging keeps Beam to errors. Those of the runners in this process are left out: they report
// a failed or interrupted unit several times, each a page long, and Run returns the cause. It is
// called once in a process, because an earlier run's workers may still be logging.
func setupLogging(runner string) {
	beamlog.SetupLogging("error", "text")
	if inProcess(runner) {
		slog.SetDefault(slog.New(slog.DiscardHandler))
	}
}

// directRuns returns an error if the pipeline uses what Beam's direct runner does wrongly or not at
// all: state and timers, splittable functions, windows other than the global one, transforms of other
// languages, and metrics of a function that appears more than once, which it adds up over all of them.
func directRuns(p *beam.Pipeline) error {
	edges, _, err := p.Build()
	if err != nil {
		return fmt.Errorf("build the pipeline: %w", err)
	}
	times := map[reflect.Type]int{}
	for _, e := range edges {
		if e.DoFn != nil && e.DoFn.Recv != nil {
			times[reflect.TypeOf(e.DoFn.Recv)]++
		}
	}
	for _, e := range edges {
		if why := directRefuses(e, times); why != "" {
			return fmt.Errorf("run %s on the direct runner: %s", e.Name(), why)
		}
	}
	return nil
}

func directRefuses(e *graph.MultiEdge, times map[reflect.Type]int) string {
	for _, out := range e.Output {
		if out.To.WindowingStrategy().Fn.Kind != window.GlobalWindows {
			return "it has windows other than the global one"
		}
	}
	switch e.Op {
	case graph.Impulse, graph.CoGBK, graph.Reshuffle, graph.Flatten:
		return ""
	case graph.ParDo:
	default:
		return fmt.Sprintf("%s is not used here and not checked", e.Op)
	}
	timers, _ := e.DoFn.PipelineTimers()
	switch {
	case len(e.DoFn.PipelineState()) > 0 || len(timers) > 0:
		return "its function keeps state or sets timers"
	case e.DoFn.IsSplittable():
		return "its function is splittable"
	case e.DoFn.Recv == nil:
		return ""
	}
	if t := reflect.TypeOf(e.DoFn.Recv); times[t] > 1 && hasMetrics(t) {
		return fmt.Sprintf("%s counts something and appears %d times", t, times[t])
	}
	return ""
}

// hasMetrics reports whether a function's struct has a field for one of Beam's metrics.
func hasMetrics(t reflect.Type) bool {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return false
	}
	for i := range t.NumField() {
		switch t.Field(i).Type {
		case reflect.TypeFor[beam.Counter](), reflect.TypeFor[beam.Distribution](), reflect.TypeFor[beam.Gauge]():
			return true
		}
	}
	return false
}
