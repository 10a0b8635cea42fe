package gpu

import (
	"bytes"
	"errors"
	"io/fs"
	"math"
	"os"
	"path"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
)

// ErrMemory reports that something takes more memory than there is. Nothing was read for it.
var ErrMemory = errors.New("not enough memory")

// A Memory is how many bytes a process can still have, and who says so. Without a source nobody does, and
// the bytes mean nothing.
type Memory struct {
	Bytes  int
	Source string
}

// Enough tells whether so many bytes are there, as far as anybody knows.
func (m Memory) Enough(bytes int) bool { return m.Source == "" || bytes <= m.Bytes }

// Available is what the process can still have: on Linux what the machine has left, or what the control
// groups leave that it is in, whichever is less. Where GOMEMLIMIT is set, somebody has decided, and that is
// the limit.
func Available() Memory {
	if limit := debug.SetMemoryLimit(-1); limit != math.MaxInt64 {
		var now runtime.MemStats
		runtime.ReadMemStats(&now)
		return Memory{max(0, int(limit)-int(now.HeapAlloc)), "GOMEMLIMIT"}
	}
	return availableOn(os.DirFS("/"))
}

// availableOn reads what Linux says in the files of a machine.
func availableOn(root fs.FS) Memory {
	least := Memory{Bytes: math.MaxInt}
	lower := func(m Memory) {
		if m.Bytes < least.Bytes {
			least = m
		}
	}
	if kib, ok := listed(root, "proc/meminfo", "MemAvailable:"); ok {
		lower(Memory{kib << 10, "the machine's memory"})
	}
	groups, _ := fs.ReadFile(root, "proc/self/cgroup")
	for line := range strings.Lines(string(groups)) { // number:controllers:path
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		switch {
		case parts[1] == "":
			lower(leftIn(root, "sys/fs/cgroup", parts[2], version2))
		case slices.Contains(strings.Split(parts[1], ","), "memory"):
			lower(leftIn(root, "sys/fs/cgroup/memory", parts[2], version1))
		}
	}
	if least.Source == "" { // another system, or one that says too little
		return Memory{}
	}
	return least
}

// A groupFiles names the files in which a version of control groups keeps its numbers, and what of the usage
// is copies of files, which make room for whoever needs it.
type groupFiles struct{ limit, usage, inactive, active string }

var (
	version1 = groupFiles{"memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file", "total_active_file"}
	version2 = groupFiles{"memory.max", "memory.current", "inactive_file", "active_file"}
)

// leftIn is the least that a control group or one of those around it leaves. A group that is not there, as
// in a container that sees only its own, or that has no limit leaves any amount.
func leftIn(root fs.FS, mount, group string, files groupFiles) Memory {
	least := Memory{Bytes: math.MaxInt}
	for at := path.Clean("/" + group); ; at = path.Dir(at) {
		folder := path.Join(mount, at)
		limit, ok := number(root, path.Join(folder, files.limit))
		usage, ok2 := number(root, path.Join(folder, files.usage))
		if ok && ok2 {
			inactive, _ := listed(root, path.Join(folder, "memory.stat"), files.inactive)
			active, _ := listed(root, path.Join(folder, "memory.stat"), files.active)
			if left := max(0, limit-max(0, usage-inactive-active)); left < least.Bytes {
				least = Memory{left, "the limit of the control group " + at}
			}
		}
		if at == "/" {
			return least
		}
	}
}

// number reads a file that holds a number.
func number(root fs.FS, name string) (int, bool) {
	b, err := fs.ReadFile(root, name)
	if err != nil {
		return 0, false
	}
	n, err := strconv.Atoi(string(bytes.TrimSpace(b)))
	return n, err == nil && n >= 0
}

// listed reads a number of a file that has one behind a name in each line.
func listed(root fs.FS, name, key string) (int, bool) {
	b, err := fs.ReadFile(root, name)
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(b)) {
		if words := strings.Fields(line); len(words) > 1 && words[0] == key {
			n, err := strconv.Atoi(words[1])
			return n, err == nil && n >= 0 && n <= math.MaxInt>>10
		}
	}
	return 0, false
}
