package main

import (
	"flag"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/persona-transfer/runpipeline/pipelines"
)

// remoteFlags are those of runners that are not in this process.
type remoteFlags struct {
	endpoint, workers string
	flinkREST         string
	stall             time.Duration
	beam              list
}

func (x *remoteFlags) register(f *flag.FlagSet) {
	f.StringVar(&x.endpoint, "endpoint", "", "where the job service of a remote runner listens, `host:port`")
	f.StringVar(&x.workers, "workers", "", "where a pool of workers listens that \"runpipeline worker\" started, `host:port`, as the runner's machines reach it")
	f.StringVar(&x.flinkREST, "flink_rest", "", "Flink's own address, `http://host:port`: to see before a run that it tries again what fails, and to cancel the job of an interrupted one")
	f.DurationVar(&x.stall, "stall", 30*time.Minute, "end a remote run in which nothing has happened for this `long`; 0: never")
	f.Var(&x.beam, "beam", "a further flag of a remote runner, `name=value`, for instance -beam parallelism=8; may be repeated")
}

// flags are Beam's own, by their names.
func (x *remoteFlags) flags() (map[string]string, pipelines.Problems) {
	given, problems := map[string]string{}, pipelines.Problems(nil)
	for _, b := range x.beam {
		name, value, ok := strings.Cut(b, "=")
		if !ok {
			problems = append(problems, fmt.Sprintf("-beam %s: want name=value", b))
		} else if _, twice := given[name]; twice {
			problems = append(problems, fmt.Sprintf("-beam %s: given twice", name))
		}
		given[name] = value
	}
	ours := map[string]string{}
	if x.endpoint != "" {
		ours["endpoint"] = x.endpoint
	}
	if x.workers != "" {
		maps.Copy(ours, pipelines.WorkersIn(x.workers))
	}
	for name, value := range ours {
		if _, twice := given[name]; twice {
			problems = append(problems, fmt.Sprintf("-beam %s: -endpoint and -workers say this", name))
		}
		given[name] = value
	}
	return given, problems
}
