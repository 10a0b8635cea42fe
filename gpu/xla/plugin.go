package xla

// A Plugin is a compiler and a device behind the PJRT interface: a shared library and how it is opened.
type Plugin struct {
	Path    string // of the file, absolute
	CUDA    bool   // it drives NVIDIA's cards; otherwise the processor
	Ordinal int    // which card, counted from 0
}
