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

// platforms are the devices that need a plugin.
var platforms = map[string]pjrt.Platform{"xla-cpu": pjrt.CPU, "cuda": pjrt.CUDA}

// ListDevices looks at every device, with the plugin that the user names if one is named. Of several cards the first
// is opened: a process can have no other after it.
func ListDevices(plugin string) (list []DeviceState) {
	for _, name := range []string{"cpu", "xla-cpu", "cuda"} {
		named := name
		if name != "cpu" {
			named = gpu.WithPlugin(name, plugin)
		}
		d, err := gpu.DeviceFor(named)
		if err != nil {
			s := DeviceState{Name: name, Why: err}
			if errors.Is(err, pjrt.ErrNone) {
				for _, at := range pjrt.Places(platforms[name], plugin) {
					s.Places = append(s.Places, at.String())
				}
			}
			list = append(list, s)
			continue
		}
		for _, d := range append([]gpu.Device{d}, d.OtherCards()...) {
			list = append(list, DeviceState{Name: d.Name(), Recipe: d.String(), Memory: int(d.Memory), Detail: d.Notes})
		}
	}
	return list
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
