package gpu

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/persona-transfer/runpipeline/gpu/arch"
	"github.com/persona-transfer/runpipeline/gpu/engine"
	"github.com/persona-transfer/runpipeline/gpu/xla"
	"github.com/persona-transfer/runpipeline/gpu/xla/pjrt"
)

// pjrtPlatform is the device's in PJRT's words.
func (d Device) pjrtPlatform() pjrt.Platform {
	if d.Platform == cudaPlatform {
		return pjrt.CUDA
	}
	return pjrt.CPU
}

// open finds the device's plugin and opens it, once in a process, and completes what is known of the device.
func (d *Device) open() (*xla.Device, error) {
	wrap := func(err error) error { return fmt.Errorf("device %s: %w: %w", d.Name(), ErrNoDevice, err) }
	file, err := pjrt.Find(d.pjrtPlatform(), d.plugin)
	if err != nil {
		return nil, wrap(err)
	}
	flags, variables := compilerFlags(d.Platform)
	opened, err := xla.Open(xla.Plugin{Path: file.Path, CUDA: d.Platform == cudaPlatform, Ordinal: d.card})
	if err != nil {
		return nil, wrap(fmt.Errorf("plugin %s (from %s): %w", file.Path, file.From, err))
	}
	facts, err := opened.Facts()
	if err != nil {
		return nil, wrap(err)
	}
	d.Compiler, d.Flags = file.Compiler(), flags
	d.Notes = fmt.Sprintf("plugin %s (%s, from %s)", file.Path, file.Title(), file.From)
	if flags != "" {
		d.Notes += fmt.Sprintf(", told how to compute by %s (%s)", strings.Join(variables, " and "), flags)
	}
	if d.Platform == hostPlatform {
		d.Chip = pjrt.HostChip()
		return opened, nil
	}
	d.Chip, d.Memory = chipOf(facts.Kind), facts.Memory.Limit
	d.Notes = facts.Kind + ", " + d.Notes
	return opened, nil
}

// OtherCards are the cards that NVIDIA's driver shows this program beside d, which is one of them and open. They are
// not opened, so that their memory is not known.
func (d Device) OtherCards() []Device {
	if d.Platform != cudaPlatform {
		return nil
	}
	return d.others(xla.Cards())
}

// others are the cards of these names beside d.
func (d Device) others(names []string) (others []Device) {
	for card, name := range names {
		if card != d.card {
			o := d
			o.card, o.Chip, o.Notes, o.Memory = card, chipOf(name), name, 0
			others = append(others, o)
		}
	}
	return others
}

// PeakMemory is the most of the device's memory that this process has used, in bytes; 0 if its plugin does not say,
// as that of the processor does not.
func (d Device) PeakMemory() int64 {
	if d.Platform == cpuPlatform {
		return 0
	}
	opened, err := d.open()
	if err != nil {
		return 0
	}
	facts, err := opened.Facts()
	if err != nil {
		return 0
	}
	return facts.Memory.Peak
}

// BuiltForPlugins tells why this program can open no plugin, if it cannot.
func BuiltForPlugins() error { return xla.Built() }

// Name is how the user writes the device: "cuda:1:bf16".
func (d Device) Name() string {
	name := d.Platform
	if d.card > 0 {
		name += fmt.Sprintf(":%d", d.card)
	}
	if d.DType != "float32" {
		name += ":bf16"
	}
	return name
}

var (
	chipWord  = regexp.MustCompile(`[a-z0-9]+`)
	chipNoise = regexp.MustCompile(`^(nvidia|tesla|geforce|quadro|gpu|[0-9]+gb|hbm[0-9a-z]*)$`)
)

// chipOf is a short word for a chip as its maker calls it, without brand and memory: "NVIDIA H100 80GB HBM3" is
// "h100", "NVIDIA H100 PCIe", which has fewer processors and so other programs, "h100-pcie".
func chipOf(kind string) string {
	words := slices.DeleteFunc(chipWord.FindAllString(strings.ToLower(kind), -1), chipNoise.MatchString)
	return cmp.Or(strings.Join(words, "-"), "unknown")
}

// openXLA loads a model onto a device behind a plugin.
func openXLA(d Device, c *arch.Config, src arch.Source) (engine.Engine, error) {
	opened, err := d.open()
	if err != nil {
		return nil, err
	}
	m, err := xla.Load(opened, c, src, xla.Options{BFloat16: d.DType == "bfloat16"})
	if errors.Is(err, xla.ErrMemory) {
		err = fmt.Errorf("device %s: %w: %w", d.Name(), ErrMemory, err)
	}
	if err != nil {
		return nil, err // not a nil model in an engine
	}
	return m, nil
}
