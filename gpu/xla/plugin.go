package xla

// A Plugin is a compiler and a device behind the PJRT interface: a shared library and how it is opened.
type Plugin struct {
	Path    string // of the file, absolute
	CUDA    bool   // it drives NVIDIA's cards; otherwise the processor
	Ordinal int    // which card, counted from 0
}

// platform is what the plugin must say that it computes on.
func (p Plugin) platform() string {
	if p.CUDA {
		return "cuda"
	}
	return "cpu"
}

// Facts is what the plugin says of the device.
func (v *Device) Facts() (Facts, error) { return facts(v.backend) }

// Facts are what a plugin says of its device.
type Facts struct {
	Kind   string // as its maker calls it: "NVIDIA H100 80GB HBM3"; processors are all "cpu"
	Memory Memory
}

// Memory is a device's, in bytes; what is not known is 0, as all of a processor's is.
type Memory struct {
	Limit int64 // that programs can have
	Used  int64 // now
	Peak  int64 // the most that was used
}
