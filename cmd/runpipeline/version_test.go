package main

import (
	"regexp"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
)

// TestVersion reads build information of each kind.
func TestVersion(t *testing.T) {
	system := runtime.GOOS + "/" + runtime.GOARCH
	for _, c := range []struct {
		info debug.BuildInfo
		want string
	}{
		{debug.BuildInfo{GoVersion: "go1.26.8-X:simd", Main: debug.Module{Version: "v1.2.0"}, Settings: []debug.BuildSetting{{Key: "GOEXPERIMENT", Value: "simd"}, {Key: "vcs.revision", Value: "0123abcd"}, {Key: "vcs.modified", Value: "false"}}},
			"runpipeline v1.2.0, revision 0123abcd, go1.26.8 " + system},
		{debug.BuildInfo{GoVersion: "go1.26.8", Main: debug.Module{Version: "(devel)"}, Settings: []debug.BuildSetting{{Key: "GOEXPERIMENT", Value: "nosimd,jsonv2"}, {Key: "vcs.revision", Value: "0123abcd"}, {Key: "vcs.modified", Value: "true"}}},
			"runpipeline (devel), revision 0123abcd (changed since), go1.26.8 " + system},
		{debug.BuildInfo{GoVersion: "go1.26.8", Settings: []debug.BuildSetting{{Key: "GOEXPERIMENT", Value: "jsonv2,simd"}}},
			"runpipeline (unknown), no revision recorded, go1.26.8 " + system},
	} {
		if got := version(&c.info); got != c.want {
			t.Errorf("version:\n%s, want\n%s", got, c.want)
		}
	}
}

// TestVersionCommand asks the command in its three spellings.
func TestVersionCommand(t *testing.T) {
	want := regexp.MustCompile(`^runpipeline .*, ` + regexp.QuoteMeta(strings.Split(runtime.Version(), "-")[0]) + `.* ` + runtime.GOOS + `/` + runtime.GOARCH + `\n$`)
	for _, word := range []string{"version", "-version", "--version"} {
		code, stdout, stderr := call(t, word)
		if code != exitDone || stderr != "" || !want.MatchString(stdout) {
			t.Errorf("%s exits with %d and prints %q %q, want %s", word, code, stdout, stderr, want)
		}
	}
	if code, _, _ := call(t, "version", "extra"); code != exitConfig {
		t.Errorf("version extra exits with %d", code)
	}
}
