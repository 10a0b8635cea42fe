package pipelines

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	beamlog "github.com/apache/beam/sdks/v2/go/pkg/beam/log"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/runners/dataflow"

	"github.com/persona-transfer/runpipeline/transforms"
)

func init() {
	// Beam shows every flag that is set in the job, for everyone who may look at the project. This one is a path
	// of the machine that submits, with its user's name.
	dataflow.DontUseFlagAsPipelineOption("worker_binary")
}

// DataflowFlags adds to the flags of a run on Dataflow what this program knows better than Beam: a worker
// computes one unit at a time, because a unit uses all cores or the whole card; the workers' program is this one,
// if it is built for them.
func DataflowFlags(flags map[string]string) map[string]string {
	all := map[string]string{"number_of_worker_harness_threads": "1"}
	if program := ownProgram(); program != "" {
		all["worker_binary"] = program
	}
	maps.Copy(all, flags)
	return all
}

// ownProgram is this program's file, if Dataflow's machines can run it.
func ownProgram() string {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		return ""
	}
	path, err := os.Executable()
	if err != nil {
		return ""
	}
	return path
}

// checkDataflow reports what Dataflow cannot do without, which Beam would ask other programs for, or miss only
// once it has begun.
func checkDataflow(flags map[string]string) (problems Problems) {
	for _, need := range [][2]string{{"project", "the project that pays"}, {"region", "the region of the machines, for instance europe-west4"}, {"staging_location", "a place for the workers' program, gs://BUCKET/FOLDER"}} {
		if flags[need[0]] == "" {
			problems = append(problems, fmt.Sprintf("-runner dataflow: name %s with -beam %s=…", need[1], need[0]))
		}
	}
	if at := flags["staging_location"]; at != "" && !strings.HasPrefix(at, "gs://") {
		problems = append(problems, fmt.Sprintf("-beam staging_location=%s: want gs://BUCKET/FOLDER", at))
	}
	for _, name := range []string{"async", "execute_async", "template_location", "update"} {
		if flags[name] != "" {
			problems = append(problems, fmt.Sprintf("-beam %s: a run waits for its own job and then reads the results", name))
		}
	}
	return problems
}

// A NotSubmitted is what Run gives in place of a result when Beam's flag dry_run was set: the job was built,
// and nothing was sent or stored.
type NotSubmitted struct {
	Pipeline string // in the text form of Beam's protocol
	Job      string // JSON, as Dataflow would have got it
}

func (*NotSubmitted) Error() string { return "dry run: nothing was submitted" }

func isDryRun(o Options) bool {
	dry, err := strconv.ParseBool(o.Beam["dry_run"])
	return o.Runner == "dataflow" && err == nil && dry
}

// dryRun builds the job of what is missing and gives it as a [NotSubmitted].
func dryRun(ctx context.Context, plan *Plan, o Options) error {
	running.Lock()
	defer running.Unlock()
	name := runNameAt(wallClock().UTC())
	forget, err := setFlags(o, name)
	if err != nil {
		return err
	}
	defer forget()
	defer flag.Set("dry_run", "false") // another run of this process is none
	initBeam(o.Runner)
	p, s := beam.NewPipelineWithRoot()
	build(s, transforms.Env{Run: name, Cache: o.Cache, Retries: true}, plan)
	heard := &listener{}
	beamlog.SetLogger(heard) // Beam gives the job to its log only
	defer beamlog.SetLogger(&beamlog.Structural{})
	if _, err := beam.Run(ctx, o.Runner, p); err != nil {
		return fmt.Errorf("%w: %s runner: %w", ErrStage, o.Runner, err)
	}
	heard.mu.Lock()
	defer heard.mu.Unlock()
	n := len(heard.infos)
	if n < 2 || !strings.HasPrefix(heard.infos[n-1], "{") {
		return fmt.Errorf("%w: %s runner: its dry run gave no job", ErrStage, o.Runner)
	}
	return &NotSubmitted{Pipeline: heard.infos[n-2], Job: heard.infos[n-1]}
}

// A listener keeps what Beam says.
type listener struct {
	mu    sync.Mutex
	infos []string
}

func (l *listener) Log(_ context.Context, severity beamlog.Severity, _ int, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if severity == beamlog.SevInfo {
		l.infos = append(l.infos, text)
	}
}
