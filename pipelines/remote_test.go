package pipelines

import (
	"strings"
	"testing"
)

// TestStoresMustBeReachedByWorkers tries stores with runners whose workers see them, or do not.
func TestStoresMustBeReachedByWorkers(t *testing.T) {
	type flags = map[string]string
	pool := func(endpoint, workers string) flags {
		f := WorkersIn(workers)
		f["endpoint"] = endpoint
		return f
	}
	for _, c := range []struct {
		runner, cache string
		flags         flags
		ok            bool
	}{
		{"direct", "/store", nil, true},
		{"prism", "/store", nil, true},
		{"flink", "/store", pool("localhost:8099", "127.0.0.1:5000"), true},
		{"flink", "/store", pool("[::1]:8099", "127.3.2.1:5000"), true},
		{"flink", "/store", pool("10.0.0.5:8099", "127.0.0.1:5000"), false},
		{"flink", "/store", pool("localhost:8099", "10.0.0.5:5000"), false},
		{"flink", "/store", pool("localhost:8099", "workers.example:5000"), false},
		{"flink", "/store", pool("localhost.example:8099", "localhost:5000"), false},
		{"flink", "mem://x", pool("10.0.0.5:8099", "10.0.0.5:5000"), false},
		{"flink", "s3://bucket/x", pool("10.0.0.5:8099", "10.0.0.5:5000"), true},
		{"universal", "/store", flags{"endpoint": "10.0.0.5:8099", "environment_type": "LOOPBACK"}, true},
		{"universal", "/store", flags{"endpoint": "localhost:8099", "environment_type": "PROCESS"}, true},
		{"universal", "/store", flags{"endpoint": "localhost:8099", "environment_type": "DOCKER"}, false},
		{"universal", "/store", flags{"endpoint": "localhost:8099", "worker_binary": "x"}, false},
		{"dataflow", "/store", flags{"environment_type": "LOOPBACK"}, false},
		{"dataflow", "gs://bucket", nil, true},
	} {
		problems := CheckStore(Options{Runner: c.runner, Cache: c.cache, Beam: c.flags})
		if (len(problems) == 0) != c.ok {
			t.Errorf("%s %v with store %s: %q, want it %t", c.runner, c.flags, c.cache, problems, c.ok)
		}
		for _, p := range problems {
			for _, want := range []string{"-cache " + c.cache, "s3://", "gs://", "azblob://"} {
				if !strings.Contains(p, want) {
					t.Errorf("%q does not name %s", p, want)
				}
			}
		}
	}
}
