package pipelines

import (
	"bytes"
	"encoding/json"
	"os"
	"runtime"
	"strconv"
	"strings"
)

// thisMachine is what this process runs on. What the system does not say in a file is left out.
func thisMachine() Machine {
	m := Machine{OS: runtime.GOOS, Arch: runtime.GOARCH, CPUs: runtime.NumCPU(), CPU: listedIn("/proc/cpuinfo", "model name")}
	kib, _, _ := strings.Cut(listedIn("/proc/meminfo", "MemTotal"), " ")
	if n, err := strconv.ParseInt(kib, 10, 64); err == nil {
		m.Memory = n << 10
	}
	return m
}

// listedIn is the first value of a name in a file of lines "name : value".
func listedIn(file, name string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// secretWords are in the names of variables whose values are nobody's business.
var secretWords = []string{"KEY", "TOKEN", "SECRET", "PASSWORD"}

// discreet takes out of a JSON text what the environment keeps secret, wherever it came from, and the user's name, which
// is in the path of the home folder.
func discreet(text []byte) []byte {
	for _, variable := range os.Environ() {
		name, value, _ := strings.Cut(variable, "=")
		const least = 8 // shorter ones are no secret, and would be found in innocent words
		for _, word := range secretWords {
			if strings.Contains(strings.ToUpper(name), word) && len(value) >= least {
				written, _ := json.Marshal(value) // a string always encodes
				text = bytes.ReplaceAll(text, written[1:len(written)-1], []byte("["+name+"]"))
			}
		}
	}
	if home, err := os.UserHomeDir(); err == nil && len(home) > 1 {
		text = bytes.ReplaceAll(text, []byte(home), []byte("~"))
	}
	return text
}
