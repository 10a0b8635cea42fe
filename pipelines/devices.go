package pipelines

import (
	"context"
	"errors"
	"fmt"

	"github.com/persona-transfer/runpipeline/gpu"
	"github.com/persona-transfer/runpipeline/gpu/xla/pjrt"
)

// A DeviceState is what there is of a device, or why it is not there.
type DeviceState struct {
	Name   string   // as -device takes it
	Recipe string   // what recipes call it, "" if it is not there
	Memory int      // bytes that it gives to programs, 0 if that is not known
	Detail string   // card and plugin
	Why    error    // why it is not there
	Places []string // where a plugin was looked for, if none was found
}

// maxCards bounds how many cards are looked for.
const maxCards = 16

// platforms are the devices that need a plugin.
var platforms = map[string]pjrt.Platform{"xla-cpu": pjrt.CPU, "cuda": pjrt.CUDA}

// ListDevices looks at every device, with the plugin that the user names if one is named.
func ListDevices(plugin string) (list []DeviceState) {
	list = append(list, stateOf("cpu", ""))
	for _, name := range []string{"xla-cpu", "cuda"} {
		s := stateOf(name, plugin)
		if errors.Is(s.Why, pjrt.ErrNone) {
			for _, at := range pjrt.Places(platforms[name], plugin) {
				s.Places = append(s.Places, at.String())
			}
		}
		list = append(list, s)
		for card := 1; name == "cuda" && s.Why == nil && card < maxCards; card++ {
			if s = stateOf(fmt.Sprintf("cuda:%d", card), plugin); s.Why == nil {
				list = append(list, s)
			}
		}
	}
	return list
}

func stateOf(name, plugin string) DeviceState {
	d, err := gpu.DeviceFor(gpu.WithPlugin(name, plugin))
	if err != nil {
		return DeviceState{Name: name, Why: err}
	}
	return DeviceState{Name: name, Recipe: d.String(), Memory: int(d.Memory), Detail: d.Notes}
}

// An Installed is a plugin that was put into this program's own folder.
type Installed struct {
	Title, Path string
	Notes       []string
}

// InstallPlugin installs the plugin of a device: from a wheel, a library or a folder if from names one, else the one
// that this program knows from the Python package index, of which told hears. sha256 is the digest of another file than that. What is
// not there wraps [ErrMissing], and so does what is not what it should be.
func InstallPlugin(ctx context.Context, device, from, sha256 string, told func(file string, done, total int64)) (Installed, error) {
	p, ok := platforms[device]
	var problems Problems
	if !ok {
		problems = append(problems, fmt.Sprintf("device install %q: want xla-cpu or cuda", device))
	}
	if sha256 != "" && from == "" {
		problems = append(problems, "-sha256: it is of the file of -from, which is missing")
	}
	if len(problems) > 0 {
		return Installed{}, problems
	}
	f, notes, err := pjrt.Install(ctx, p, pjrt.Source{From: from, SHA256: sha256, Progress: told})
	if err != nil && ctx.Err() == nil {
		err = fmt.Errorf("%w: install the plugin of %s: %w", ErrMissing, device, err)
	}
	if err != nil {
		return Installed{}, err
	}
	if err := gpu.BuiltForPlugins(); err != nil {
		notes = append(notes, "another build can use it: "+err.Error())
	}
	return Installed{f.Title(), f.Path, notes}, nil
}

// OfferedPlugin says what InstallPlugin installs for a device when it is not told.
func OfferedPlugin(device string) string {
	r := pjrt.ReleaseFor(platforms[device])
	return fmt.Sprintf("%s %s, %s, %s", r.Package, r.Version, r.License, Size(int(r.Size)))
}
