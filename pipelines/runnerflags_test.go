package pipelines

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRunnerFlagsAreChecked gives flags that Beam would answer with a compiler, a worker, or silence.
func TestRunnerFlagsAreChecked(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "runpipeline")
	if err := os.WriteFile(binary, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	type flags = map[string]string
	before := map[string]string{}
	flag.VisitAll(func(f *flag.Flag) { before[f.Name] = f.Value.String() })
	for _, c := range []struct {
		runner string
		flags  flags
		want   []string // none: it is right
	}{
		{"direct", nil, nil},
		{"prism", nil, nil},
		{"direct", flags{"endpoint": "localhost:8099"}, []string{"-beam endpoint: the direct runner is in this process and takes no flags"}},
		{"prism", flags{"endpoint": "localhost:8099"}, []string{"-beam endpoint: the prism runner is in this process"}},
		{"prism", flags{"environment_type": "DOCKER"}, []string{"-beam environment_type: "}},
		{"flink", nil, []string{"-runner flink: no job service", "-runner flink: no workers; name a pool"}},
		{"flink", flags{"endpoint": "localhost:8099"}, []string{"-runner flink: no workers; name a pool of them (\"runpipeline worker\") with -workers HOST:PORT, or this program built for linux/amd64 with -beam worker_binary=FILE"}},
		{"flink", flags{"endpoint": "localhost:8099", "environment_type": "EXTERNAL"}, []string{"-runner flink: no pool of workers; name it with -workers HOST:PORT"}},
		{"flink", flags{"endpoint": "localhost:8099", "environment_type": "external", "environment_config": "localhost:50000"}, nil},
		{"universal", flags{"endpoint": "localhost:8099"}, []string{"-runner universal: no workers"}},
		{"dataflow", flags{"project": "p"}, []string{"-runner dataflow: name the region of the machines", "-runner dataflow: name a place for the workers' program", "-runner dataflow: its workers need"}},
		{"dataflow", flags{"project": "p", "region": "r", "staging_location": "s3://b", "async": "true", "worker_binary": binary}, []string{"-beam staging_location=s3://b: want gs://", "-beam async: a run waits"}},
		{"flink", flags{"endpoint": "localhost:8099", "worker_binary": binary + ".not"}, []string{"no such file"}},
		{"flink", flags{"endpoint": "localhost:8099", "worker_binary": filepath.Dir(binary)}, []string{"no such file"}},
		{"flink", flags{"endpoint": "localhost:8099", "worker_binary": binary, "paralelism": "2"}, []string{`-beam paralelism: Beam has no such flag; the nearest one is "parallelism"`}},
		{"flink", flags{"endpoint": "localhost:8099", "worker_binary": binary, "parallelism": "two"}, []string{"-beam parallelism=two: "}},
		{"flink", flags{"endpoint": "localhost:8099", "worker_binary": binary, "worker": "true"}, []string{"-beam worker: Beam has no such flag"}},
		{"flink", flags{"endpoint": "localhost:8099", "worker_binary": binary, "test.v": "true"}, []string{"-beam test.v: Beam has no such flag"}},
		{"flink", flags{"endpoint": "localhost:8099", "worker_binary": binary, "parallelism": "2", "resource_hints": "min_ram=12GB"}, nil},
		{"universal", flags{"endpoint": "localhost:8099", "environment_type": "LOOPBACK"}, nil},
		{"dataflow", flags{"project": "p", "region": "r", "staging_location": "gs://b/s", "worker_binary": binary}, nil},
	} {
		got := CheckRunner(c.runner, c.flags)
		if len(got) != len(c.want) {
			t.Errorf("%s %v: %q, want %d problems", c.runner, c.flags, got, len(c.want))
			continue
		}
		for i, want := range c.want {
			if !strings.Contains(got[i], want) {
				t.Errorf("%s %v: %q, want %q", c.runner, c.flags, got[i], want)
			}
		}
	}
	flag.VisitAll(func(f *flag.Flag) {
		if f.Value.String() != before[f.Name] {
			t.Errorf("flag %s was %q, is %q", f.Name, before[f.Name], f.Value)
		}
	})
}
