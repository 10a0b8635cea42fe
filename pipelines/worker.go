package pipelines

import (
	"flag"
	"os"
	"strings"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"

	"github.com/persona-transfer/runpipeline/pipelines/pool"
	"github.com/persona-transfer/runpipeline/transforms"
)

// IsWorker tells the arguments with which Beam's own programs start a worker (the boot program of a
// container, a job server that starts processes) from those of a person: "--worker=true --id=…
// --control_endpoint=…" and no command before them.
func IsWorker(args []string) bool {
	worker, control := false, false
	for _, a := range args {
		name, dashed := strings.CutPrefix(a, "-")
		name, value, _ := strings.Cut(strings.TrimPrefix(name, "-"), "=")
		if !dashed {
			continue
		}
		worker = worker || name == "worker" && (value == "" || value == "true")
		control = control || name == "control_endpoint"
	}
	return worker && control && strings.HasPrefix(args[0], "-")
}

// Work makes this process the worker that the arguments ask for; see [IsWorker]. It ends the process:
// with 1 if the runner cannot be reached. Beam says on standard error what there is to say.
func Work(args []string) {
	flag.CommandLine.Init(os.Args[0], flag.ExitOnError)
	_ = flag.CommandLine.Parse(args) // it ends the process by itself
	beam.Init()
}

// ListenPool opens a pool of workers that compute in this process, which keeps its models from one job to
// the next. address is host:port; port 0 takes a free one. Folders are where the models lie that a job
// names as folders or files of another machine.
func ListenPool(address string, folders []string, told func(string)) (*pool.Pool, error) {
	initBeam("direct") // whose log is kept as short: what fails is written down for the run that it is of
	transforms.FindModelsIn(folders)
	return pool.Listen(address, pool.Goroutines, told)
}

// ListenDealer opens a pool that has no workers of its own and asks others for them in turn, so that a
// machine with several cards has one process a card behind one address.
func ListenDealer(address string, pools []string, told func(string)) (*pool.Pool, error) {
	return pool.Listen(address, pool.Deal(pools, told), told)
}

// CloseModels frees the models that are open in this process.
func CloseModels() { transforms.CloseModels() }
