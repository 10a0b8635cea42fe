package pjrt

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// ErrNone reports that there is no plugin, or none where the user says that one is.
var ErrNone = errors.New("no plugin")

// The environment variables that may name a plugin, the most exact first: one for each platform, a list of names
// and files, and folders to look in.
const (
	namedFiles = "PJRT_NAMES_AND_LIBRARY_PATHS" // "name:path,name:path", as JAX reads it
	folders    = "PJRT_PLUGIN_LIBRARY_PATH"     // folders separated by colons, as go-xla reads it
)

// installer is who chose a plugin that nobody names.
const installer = "runpipeline device install"

// Variables are the names of the environment variables that are asked, in their order.
func Variables(p Platform) []string {
	return []string{"PJRT_" + strings.ToUpper(string(p)) + "_PLUGIN", namedFiles, folders}
}

// A Place is where a plugin was looked for.
type Place struct {
	From string // who names it: "-device_plugin", an environment variable, "runpipeline device install"
	Path string // "" if it names none
}

// Find chooses the plugin of a platform. explicit is what the user gives, a file or a folder, or "". The error
// wraps [ErrNone] and says what to do.
func Find(p Platform, explicit string) (File, error) {
	path, from, err := choose(p, explicit)
	if err != nil {
		return File{}, fmt.Errorf("%w: %w", ErrNone, err)
	}
	if path, err = filepath.Abs(path); err == nil {
		var f File
		if f, err = identify(path, from); err == nil {
			return f, nil
		}
	}
	return File{}, fmt.Errorf("%w: %w", ErrNone, err)
}

// device is the platform's name as a device of this program.
func (p Platform) device() string {
	if p == CPU {
		return "xla-cpu"
	}
	return string(p)
}

// choose settles the path, and who names it.
func choose(p Platform, explicit string) (path, from string, err error) {
	if explicit != "" {
		path, err = inside(p, explicit)
		return path, "-device_plugin", err
	}
	for i, variable := range Variables(p) {
		value := os.Getenv(variable)
		if value == "" {
			continue
		}
		switch i {
		case 0:
			path, err = inside(p, value)
		case 1:
			path, err = named(p, value)
		default:
			path, err = first(p, filepath.SplitList(value))
		}
		if err != nil {
			return "", "", fmt.Errorf("%s: %w", variable, err)
		}
		if path != "" {
			return path, variable, nil
		}
	}
	if folder, err := Folder(p); err == nil {
		path, err := inside(p, folder)
		if err == nil {
			return path, installer, nil
		}
		if !errors.Is(err, os.ErrNotExist) {
			return "", "", err
		}
	}
	return "", "", fmt.Errorf("none is named by -device_plugin or by %s, and none is installed; \"runpipeline device install %s\" installs one",
		strings.Join(Variables(p), ", "), p.device())
}

// named finds a platform's path in a list "name:path,name:path"; it is "" if the list has no such name. A path may
// have commas and colons: what follows a comma is a new entry only if it is a name and an absolute path.
func named(p Platform, list string) (path string, err error) {
	var entries []string
	for _, part := range strings.Split(list, ",") {
		name, at, ok := strings.Cut(part, ":")
		if len(entries) > 0 && !(ok && filepath.IsAbs(at) && !strings.Contains(name, "/")) {
			entries[len(entries)-1] += "," + part
			continue
		}
		entries = append(entries, part)
	}
	for _, e := range entries {
		name, at, ok := strings.Cut(e, ":")
		if !ok || at == "" {
			return "", fmt.Errorf("%q: want name:path", e)
		}
		if !slices.Contains(p.names(), strings.TrimSpace(name)) {
			continue
		}
		if path != "" {
			return "", fmt.Errorf("two plugins for %s: %s and %s", p.device(), path, at)
		}
		path = at
	}
	if path == "" {
		return "", nil
	}
	return inside(p, path)
}

// names are what a plugin of the platform is called in lists.
func (p Platform) names() []string {
	if p == CPU {
		return []string{"cpu", "xla-cpu"}
	}
	return []string{"cuda", "gpu", "cuda12", "cuda13"}
}

// first is the plugin in the first of some folders that has one, "" if none has.
func first(p Platform, folders []string) (string, error) {
	for _, folder := range folders {
		if folder == "" {
			continue
		}
		path, err := inside(p, folder)
		if !errors.Is(err, os.ErrNotExist) {
			return path, err
		}
	}
	return "", nil
}

// inside is the plugin that a path means: a file itself, or the only one in a folder that its name says is for the
// platform. Site-packages folders have it one or two folders below.
func inside(p Platform, path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("%s: %w", path, plain(err))
	}
	if !info.IsDir() {
		return path, nil
	}
	var found, real []string
	for _, below := range []string{"", "*", filepath.Join("jax_plugins", "*")} {
		matches, err := filepath.Glob(filepath.Join(escape(path), below, "*.so"))
		if err != nil {
			return "", fmt.Errorf("%s: %w", path, err)
		}
		for _, m := range matches {
			to, err := filepath.EvalSymlinks(m)
			if err != nil || !p.fits(filepath.Base(m)) || slices.Contains(real, to) {
				continue
			}
			found, real = append(found, m), append(real, to)
		}
	}
	switch len(found) {
	case 0:
		return "", fmt.Errorf("%s: no file in this folder is called like a plugin for %s (for instance %s): %w", path, p.device(), filepath.Base(ReleaseFor(p).Member), os.ErrNotExist)
	case 1:
		return found[0], nil
	}
	return "", fmt.Errorf("%s: several plugins for %s, name one: %s", path, p.device(), strings.Join(found, ", "))
}

// fits tells whether a file's name is that of a plugin for the platform.
func (p Platform) fits(name string) bool {
	name = strings.ToLower(name)
	cuda := strings.Contains(name, "cuda")
	return strings.Contains(name, "plugin") && (p == CUDA && cuda || p == CPU && !cuda && strings.Contains(name, "cpu"))
}

// escape makes a path a pattern that matches itself only.
func escape(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// Folder is where [Install] puts a platform's plugin.
func Folder(p Platform) (string, error) {
	base := os.Getenv("XDG_DATA_HOME")
	if !filepath.IsAbs(base) {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", err
		}
		base = filepath.Join(home, ".local", "share")
	}
	return filepath.Join(base, "runpipeline", "plugins", p.device()), nil
}

// String says where, or that nothing is named there.
func (p Place) String() string {
	if p.Path == "" {
		return p.From + " (not given)"
	}
	return p.From + ": " + p.Path
}

// Places are those that [Find] looks in, in its order.
func Places(p Platform, explicit string) []Place {
	places := []Place{{"-device_plugin", explicit}}
	for _, v := range Variables(p) {
		places = append(places, Place{v, os.Getenv(v)})
	}
	folder, _ := Folder(p)
	return append(places, Place{installer, folder})
}
