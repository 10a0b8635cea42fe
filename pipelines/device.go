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
	name     string // as the user writes it
	open     string // as gpu.Open takes it
	recorded bool   // it is known by its text in recipes alone: it finds what is stored, and runs nothing
}

// ErrNoDevice reports a device that this machine or this program does not have.
var ErrNoDevice = gpu.ErrNoDevice

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

// checkExperimentDevice is checkDevice for experiments, which find what is stored of a device by its text in recipes as
// well.
func checkExperimentDevice(k *check, name, plugin string) {
	if _, ok := gpu.RecordedDevice(name); !ok {
		checkDevice(k, "", name, plugin)
		return
	}
	k.want(plugin == "", "device_plugin: %s, but the device is written as recipes have it, and is not opened", plugin)
}

// openExperimentDevice is OpenDevice for experiments.
func openExperimentDevice(name, plugin string) (Device, error) {
	k := &check{}
	if checkExperimentDevice(k, name, plugin); len(k.problems) > 0 {
		return Device{}, k.problems
	}
	if d, ok := gpu.RecordedDevice(name); ok {
		return Device{Device: d, name: name, open: name, recorded: true}, nil
	}
	return OpenDevice("", name, plugin)
}

// runs reports a device that is known by its text alone.
func (d Device) runs() error {
	if !d.recorded {
		return nil
	}
	_, err := gpu.ParseDevice(d.name)
	return fmt.Errorf("device: %w", err)
}

// canRun reports a plan whose stages run models on a device that is known by its text alone.
func (e *Experiment) canRun(plan *Plan) error {
	err := e.device.runs()
	if err == nil {
		return nil
	}
	for _, s := range plan.missing() {
		if len(s.Models()) > 0 {
			return Problems{fmt.Sprintf("%v (stage %s runs one, and it, or what it reads, is not stored)", err, s.Name)}
		}
	}
	return nil
}

// NamedDevice tells whether a device, as recipes have it, is one that the configuration names, and runs on a plugin: what
// is stored of it is found by the text, without the plugin.
func (c *Config) NamedDevice(text string) bool {
	d, err := gpu.ParseDevice(c.Device)
	return err == nil && d.Names(text)
}

// DeviceText is what recipes have of the device.
func (e *Experiment) DeviceText() string { return e.device.String() }

// Line says for people which device was taken, "" for "cpu".
func (d Device) Line() string {
	if d.Notes == "" {
		return ""
	}
	return fmt.Sprintf("device %s: %s; in recipes it is %s", d.name, d.Notes, d)
}

// compiles tells a device whose programs are compiled when they are first called.
func (d Device) compiles() bool { return d.Platform != "cpu" }

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
	if _, ok := gpu.RecordedDevice(c.Device); ok {
		return c.Device
	}
	if name, ok := strings.CutSuffix(c.Device, ":bf16"); ok {
		return name + " in bfloat16"
	}
	return c.Device + " in " + c.DType
}
