package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
)

func versionCommand(_ context.Context, a *app, args []string) error {
	if err := parse(newFlags("version", a.stderr), args, 0); err != nil {
		return err
	}
	_, err := fmt.Fprintln(a.stdout, builtFrom())
	return err
}

// builtFrom is the version of this process.
func builtFrom() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	return version(info)
}

// version says what a program was built from: "runpipeline v1.2.0, revision 0123456789ab (changed),
// go1.26.0 linux/amd64".
func version(info *debug.BuildInfo) string {
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	module := info.Main.Version
	if module == "" {
		module = "(unknown)"
	}
	revision := "no revision recorded"
	if id := settings["vcs.revision"]; id != "" {
		revision = "revision " + id
		if settings["vcs.modified"] == "true" {
			revision += " (changed since)"
		}
	}
	compiler := info.GoVersion
	if compiler == "" {
		compiler = runtime.Version()
	}
	compiler, _, _ = strings.Cut(compiler, "-X:") // experiments of the compiler change no result
	return fmt.Sprintf("runpipeline %s, %s, %s %s/%s", module, revision, compiler, runtime.GOOS, runtime.GOARCH)
}
