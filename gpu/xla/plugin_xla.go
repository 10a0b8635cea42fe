//go:build cgo && linux && (amd64 || arm64) && !noxla

package xla

import (
	"fmt"
	"strings"
	"unsafe"

	"github.com/gomlx/compute"
	"github.com/gomlx/go-xla/compute/xla"
	"github.com/gomlx/go-xla/pjrt"
)

func init() {
	// Nothing is ever fetched, nor a plugin searched for: the file is chosen by whoever opens a device.
	xla.EnableAutoInstall(false)
}

// Built tells why this program can open no plugin; it can.
func Built() error { return nil }

// openPlugin opens the backend of a PJRT plugin. It is called by one goroutine at a time.
//
// The library would load a file by its path, and take words in the path for what the file is: "cpu" and "cuda"
// decide there which operations are built and which options a client gets, and a comma ends the path. So the file
// is loaded here and handed over under a name that says what it is. The name is an absolute path, since for
// others the library loads whatever plugins lie about.
func openPlugin(p Plugin) (compute.Backend, error) {
	name, err := register(p)
	if err != nil {
		return nil, err
	}
	options := "shared_buffers"
	if p.CUDA {
		options = fmt.Sprintf("noshared_buffers,tf32=false,preallocate=false,visible_devices=%d", p.Ordinal)
	}
	backend, err := xla.New(name + "," + options)
	if err != nil {
		return nil, refused(p, err)
	}
	if got := clientOf(backend).Platform(); got != p.platform() && !(p.CUDA && got == "gpu") {
		backend.Finalize()
		return nil, fmt.Errorf("it is a plugin for %s, not for %s", got, p.platform())
	}
	// A plugin keeps the cards of the first client that a process asks for and gives them to all later ones,
	// whatever those ask for.
	if got := clientOf(backend).AddressableDevices()[0].LocalHardwareID(); p.CUDA && got != p.Ordinal {
		backend.Finalize()
		return nil, fmt.Errorf("this program computes on card %d already, and a process has one card: run another one for card %d", got, p.Ordinal)
	}
	return backend, nil
}

// registered are the names under which files were handed over, as what they are to be. A library stays loaded.
var registered = map[Plugin]string{}

// register loads a plugin's file, once.
func register(p Plugin) (name string, err error) {
	p.Ordinal = 0
	if name = registered[p]; name != "" {
		return name, nil
	}
	table, err := loadTable(p.Path)
	if err != nil {
		return "", err
	}
	name = fmt.Sprintf("/%s-%d", p.platform(), len(registered))
	if err := pjrt.RegisterPreloadedPlugin(name, uintptr(table)); err != nil {
		return "", fmt.Errorf("it does not begin: %w", err)
	}
	registered[p] = name
	return name, nil
}

// refused says what it means that a plugin opened no device.
func refused(p Plugin, err error) error {
	text := err.Error()
	if _, after, ok := strings.Cut(text, "PJRT error "); ok { // what comes before are names of this program
		text = after
	}
	switch none := strings.Contains(text, "No visible GPU devices"); {
	case strings.Contains(text, "Unexpected option name"), none && !p.CUDA:
		return fmt.Errorf("it is no plugin for %s (it says: %s)", p.platform(), text)
	case none:
		return fmt.Errorf("NVIDIA's driver shows this program no card %d; nvidia-smi lists the cards there are, CUDA_VISIBLE_DEVICES hides some (the plugin says: %s)", p.Ordinal, text)
	}
	return fmt.Errorf("the plugin says: %s", text)
}

func facts(backend compute.Backend) (f Facts, err error) {
	b, ok := backend.(*xla.Backend)
	if !ok {
		return f, fmt.Errorf("a backend %T has no plugin", backend)
	}
	table, device := pointers(b)
	if f.Kind, err = kindOf(table, device); err != nil {
		return f, fmt.Errorf("ask the plugin for the device's name: %w", err)
	}
	f.Memory = memoryOf(table, device)
	return f, nil
}

// pointers are the plugin's table of functions and the device, as the plugin knows them.
func pointers(b *xla.Backend) (table, device unsafe.Pointer) {
	client := clientOf(b)
	table = hidden(client.Plugin(), "api")
	return table, hidden(client.AddressableDevices()[0], "cDevice")
}
