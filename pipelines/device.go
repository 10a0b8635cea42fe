package pipelines

import (
	"errors"
	"fmt"
	"strings"

	"github.com/persona-transfer/runpipeline/gpu"
	"github.com/persona-transfer/runpipeline/gpu/cpu"
)

// A Device is what runs models.
type Device struct {
	gpu.Device
	name string // as the user writes it
	open string // as gpu.Open takes it
}

// checkDevice reports a name that is none and a plugin for a device that has none; prefix is what stands before
// the keys.
func checkDevice(k *check, prefix, name, plugin string) {
	d, err := gpu.ParseDevice(name)
	if err != nil {
		k.want(false, "%sdevice: %v", prefix, err)
		return
	}
	k.want(plugin == "" || d.Platform != "cpu", "%sdevice_plugin: %s, but the device is cpu, which has no plugin; the others are xla-cpu and cuda", prefix, plugin)
}

// OpenDevice finds a device, and its plugin if it is not "cpu". prefix is what stands before the keys in messages:
// "-" for flags. A name that is none gives [Problems]; a device that this machine has not wraps [ErrMissing].
func OpenDevice(prefix, name, plugin string) (Device, error) {
	k := &check{}
	if checkDevice(k, prefix, name, plugin); len(k.problems) > 0 {
		return Device{}, k.problems
	}
	d := Device{name: name, open: gpu.WithPlugin(name, plugin)}
	var err error
	if d.Device, err = gpu.DeviceFor(d.open); errors.Is(err, gpu.ErrNoDevice) {
		err = fmt.Errorf("%w: %w", ErrMissing, err)
	}
	return d, err
}

// Line says for people which device was taken, "" for "cpu".
func (d Device) Line() string {
	if d.Notes == "" {
		return ""
	}
	return fmt.Sprintf("device %s: %s; in recipes it is %s", d.name, d.Notes, d)
}

// kernels is the instruction set of this program's own kernels, if they are what computes.
func (d Device) kernels() string {
	if d.Platform != "cpu" {
		return ""
	}
	return cpu.Kernels()
}

// DeviceLine says for people which device was taken, "" for "cpu".
func (e *Experiment) DeviceLine() string { return e.device.Line() }

// Arithmetic says what computes in which type: "cpu in float32".
func (c *Config) Arithmetic() string {
	if name, ok := strings.CutSuffix(c.Device, ":bf16"); ok {
		return name + " in bfloat16"
	}
	return c.Device + " in " + c.DType
}
