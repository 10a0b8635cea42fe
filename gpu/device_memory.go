package gpu

import (
	"github.com/persona-transfer/runpipeline/gpu/arch"
	"github.com/persona-transfer/runpipeline/gpu/cpu"
)

// OwnMemory tells whether the device has memory of its own, a card's: what rests there takes none of the machine's.
func (d Device) OwnMemory() bool { return d.Platform == cudaPlatform }

// Collected tells whether Go's collector sees what models take on the device: XLA has its memory from elsewhere.
func (d Device) Collected() bool { return d.Platform == cpuPlatform }

// SharesMemory tells whether two devices have the same memory: the machine's, or a card's.
func (d Device) SharesMemory(other Device) bool {
	return d.OwnMemory() == other.OwnMemory() && (!d.OwnMemory() || d.card == other.card)
}

// ValueBytes is what a value of a matrix takes on a device for XLA, whatever type it is stored in.
func (d Device) ValueBytes() int {
	if d.DType == "bfloat16" {
		return 2
	}
	return 4
}

// LoadBytes is what the machine has to have for a moment while a model's weights move to a device behind a plugin: the
// largest matrix.
func (d Device) LoadBytes(c *arch.Config) (most int) {
	if d.Platform == cpuPlatform {
		return 0
	}
	for _, p := range c.Params() {
		most = max(most, p.Bytes(d.ValueBytes()))
	}
	return most
}

// weightBytes is what a model's weights take where they rest.
func (d Device) weightBytes(c *arch.Config, src arch.Source) (bytes int) {
	if d.Platform == cpuPlatform {
		return cpu.WeightBytes(c, src)
	}
	for _, p := range c.Params() {
		bytes += p.Bytes(d.ValueBytes())
	}
	return bytes
}
