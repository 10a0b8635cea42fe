package gpu

import (
	"math"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"testing/fstest"
)

// machine is the files of a machine by their names.
func machine(files ...string) fstest.MapFS {
	out := fstest.MapFS{}
	for i := 0; i < len(files); i += 2 {
		out[files[i]] = &fstest.MapFile{Data: []byte(files[i+1])}
	}
	return out
}

const meminfo = "MemTotal:       24683520 kB\nMemFree:        12573420 kB\nMemAvailable:    4000000 kB\nBuffers:          130000 kB\n"

// TestAvailableIsTheLeastThatAnyoneLeaves gives the files that Linux has on machines, in containers and where
// nobody says anything.
func TestAvailableIsTheLeastThatAnyoneLeaves(t *testing.T) {
	const whole, group = 4000000 << 10, "the limit of the control group "
	for name, c := range map[string]struct {
		files []string
		want  Memory
	}{
		"another system": {nil, Memory{}},
		"only a group":   {[]string{"proc/meminfo", "MemTotal: 1 kB\n", "proc/self/cgroup", "0::/a\n", "sys/fs/cgroup/a/memory.max", "7", "sys/fs/cgroup/a/memory.current", "3"}, Memory{4, group + "/a"}},
		"a machine":      {[]string{"proc/meminfo", meminfo}, Memory{whole, "the machine's memory"}},
		"version 2, of which files are half": {[]string{"proc/meminfo", meminfo, "proc/self/cgroup", "0::/user.slice/job\n",
			"sys/fs/cgroup/user.slice/job/memory.max", "1000000000\n", "sys/fs/cgroup/user.slice/job/memory.current", "600000000\n",
			"sys/fs/cgroup/user.slice/job/memory.stat", "anon 300000000\nfile 310000000\ninactive_file 100000000\nactive_file 200000000\n",
		}, Memory{700000000, group + "/user.slice/job"}},
		"a group around it is narrower": {[]string{"proc/meminfo", meminfo, "proc/self/cgroup", "0::/user.slice/job\n",
			"sys/fs/cgroup/user.slice/job/memory.max", "max\n", "sys/fs/cgroup/user.slice/job/memory.current", "600000000\n",
			"sys/fs/cgroup/user.slice/memory.max", "900000000\n", "sys/fs/cgroup/user.slice/memory.current", "500000000\n",
		}, Memory{400000000, group + "/user.slice"}},
		"the machine has less than the group": {[]string{"proc/meminfo", meminfo, "proc/self/cgroup", "0::/\n",
			"sys/fs/cgroup/memory.max", "9000000000\n", "sys/fs/cgroup/memory.current", "0\n"}, Memory{whole, "the machine's memory"}},
		"version 1": {[]string{"proc/meminfo", meminfo, "proc/self/cgroup", "9:name=systemd:/\n4:cpu,memory:/job\n0::/\n",
			"sys/fs/cgroup/memory/job/memory.limit_in_bytes", "2000000000\n", "sys/fs/cgroup/memory/job/memory.usage_in_bytes", "1500000000\n",
			"sys/fs/cgroup/memory/job/memory.stat", "inactive_file 1\ntotal_inactive_file 300000000\ntotal_active_file 200000000\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n", "sys/fs/cgroup/memory/memory.usage_in_bytes", "5\n",
		}, Memory{1000000000, group + "/job"}},
		"a container that sees only its own group": {[]string{"proc/meminfo", meminfo, "proc/self/cgroup", "4:memory:/docker/0123\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes", "1000\n", "sys/fs/cgroup/memory/memory.usage_in_bytes", "10\n"}, Memory{990, group + "/"}},
		"a path that leads out": {[]string{"proc/meminfo", meminfo, "proc/self/cgroup", "0::/../../etc\n",
			"sys/fs/cgroup/memory.max", "1000\n", "sys/fs/cgroup/memory.current", "2000\n"}, Memory{0, group + "/"}},
		"nonsense": {[]string{"proc/meminfo", meminfo, "proc/self/cgroup", "0:\n\n0::/job\n",
			"sys/fs/cgroup/job/memory.max", "-5\n", "sys/fs/cgroup/job/memory.current", "x\n"}, Memory{whole, "the machine's memory"}},
	} {
		if got := availableOn(machine(c.files...)); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

// TestEnoughIsWhatNobodyDenies: where nobody says how much there is, everything fits.
func TestEnoughIsWhatNobodyDenies(t *testing.T) {
	if m := (Memory{}); !m.Enough(1 << 60) {
		t.Error("nobody says how much there is, and it is not enough")
	}
	if m := (Memory{100, "a test"}); !m.Enough(100) || m.Enough(101) {
		t.Errorf("of 100 bytes: 100 %t, 101 %t", m.Enough(100), m.Enough(101))
	}
}

// TestGOMEMLIMITDecides: whoever sets it is asked before the machine.
func TestGOMEMLIMITDecides(t *testing.T) {
	before := debug.SetMemoryLimit(5 << 30)
	defer debug.SetMemoryLimit(before)
	if m := Available(); m.Source != "GOMEMLIMIT" || m.Bytes > 5<<30 || m.Bytes < 4<<30 {
		t.Errorf("with a limit of 5 GiB: %+v", m)
	}
	debug.SetMemoryLimit(math.MaxInt64)
	m := Available()
	if linux := runtime.GOOS == "linux"; linux != (m.Source != "") || linux && m.Bytes <= 0 || strings.Contains(m.Source, "GOMEMLIMIT") {
		t.Errorf("without a limit: %+v", m)
	}
}
