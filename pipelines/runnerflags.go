package pipelines

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/persona-transfer/runpipeline/format/strictjson"
)

// ours are flags that Beam registers and that are not a user's to set: those with which a runner starts
// a worker, and the runner's name, which has a flag of its own.
var ours = []string{"worker", "id", "logging_endpoint", "control_endpoint", "semi_persist_dir", "options", "runner", "dot_file"}

// CheckRunner reports flags of a runner that Beam would refuse, ignore, or answer with a surprise once
// the work has begun: without a worker binary, it compiles one from the folder that it guesses.
func CheckRunner(runner string, flags map[string]string) (problems Problems) {
	if inProcess(runner) {
		for _, name := range slices.Sorted(maps.Keys(flags)) {
			problems = append(problems, fmt.Sprintf("-beam %s: the %s runner is in this process and takes no flags; flink, dataflow and universal do", name, runner))
		}
		return problems
	}
	known := beamFlags()
	for _, name := range slices.Sorted(maps.Keys(flags)) {
		f, ok := known[name]
		if !ok {
			problems = append(problems, fmt.Sprintf("-beam %s: Beam has no such flag; the nearest one is %q", name, strictjson.Nearest(name, slices.Collect(maps.Keys(known)))))
			continue
		}
		if t := reflect.TypeOf(f.Value); t.Kind() == reflect.Pointer { // tried on a value of its own
			if err := reflect.New(t.Elem()).Interface().(flag.Value).Set(flags[name]); err != nil {
				problems = append(problems, fmt.Sprintf("-beam %s=%s: %v", name, flags[name], err))
			}
		}
	}
	if runner != "dataflow" && flags["endpoint"] == "" {
		problems = append(problems, fmt.Sprintf("-runner %s: no job service; name it with -endpoint HOST:PORT", runner))
	}
	if runner == "dataflow" {
		problems = append(problems, checkDataflow(flags)...)
	}
	return append(problems, checkWorker(runner, flags)...)
}

func checkWorker(runner string, flags map[string]string) Problems {
	binary := flags["worker_binary"]
	switch {
	case binary != "":
	case strings.EqualFold(flags["environment_type"], "loopback"): // the workers are this process
		return nil
	case external(flags) && flags["environment_config"] == "":
		return Problems{fmt.Sprintf("-runner %s: no pool of workers; name it with -workers HOST:PORT", runner)}
	case external(flags): // the workers have their program
		return nil
	case runner == "dataflow":
		return Problems{"-runner dataflow: its workers need this program built for linux/amd64; name the file with -beam worker_binary=FILE"}
	default:
		return Problems{fmt.Sprintf("-runner %s: no workers; name a pool of them (\"runpipeline worker\") with -workers HOST:PORT, or this program built for linux/amd64 with -beam worker_binary=FILE", runner)}
	}
	if info, err := os.Stat(binary); err != nil || !info.Mode().IsRegular() {
		return Problems{fmt.Sprintf("-beam worker_binary=%s: no such file", binary)}
	}
	return nil
}

// beamFlags are the flags that Beam's packages register. Those of testing are there in a test.
func beamFlags() map[string]*flag.Flag {
	known := map[string]*flag.Flag{}
	flag.CommandLine.VisitAll(func(f *flag.Flag) {
		if !slices.Contains(ours, f.Name) && !strings.HasPrefix(f.Name, "test.") {
			known[f.Name] = f
		}
	})
	return known
}
