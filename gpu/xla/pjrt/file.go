package pjrt

import (
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/persona-transfer/runpipeline/format/files"
)

// A Platform is what a plugin computes on, in PJRT's own words.
type Platform string

// The platforms that there are devices for.
const (
	CPU  Platform = "cpu"
	CUDA Platform = "cuda"
)

// A File is a plugin that was found.
type File struct {
	Path   string // absolute
	From   string // who chose it: "-device_plugin", the name of an environment variable, "runpipeline device install"
	Digest string // SHA-256 of its content, in hexadecimal
	Wheel  string // package and version that it was installed from, if its folder says so: "jax-cuda13-pjrt 0.11.2"; for people
}

// entry is the function by which a library gives its table of functions.
const entry = "GetPjrtApi"

// identify looks at a file: it must be a plugin for this processor. The error names the file.
func identify(path, from string) (File, error) {
	digest, err := check(path)
	if err != nil {
		return File{}, fmt.Errorf("plugin %s (from %s): %w", path, from, plain(err))
	}
	return File{Path: path, From: from, Digest: digest, Wheel: wheelOf(path, digest)}, nil
}

// plain drops the path that an error of the file system repeats.
func plain(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// known are the files that were looked at already: reading hundreds of megabytes takes a while, and a run asks
// more than once.
var known struct {
	sync.Mutex
	digests map[stamp]string
}

// A stamp changes when a file does.
type stamp struct {
	path string
	size int64
	time time.Time
}

// check says what is wrong with a file as a plugin, and gives its digest.
func check(path string) (digest string, err error) {
	f, err := files.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	known.Lock()
	defer known.Unlock()
	key := stamp{path, info.Size(), info.ModTime()}
	if digest, ok := known.digests[key]; ok {
		return digest, nil
	}
	if err := checkLibrary(f); err != nil {
		return "", err
	}
	if digest, err = sum(f); err != nil {
		return "", err
	}
	if known.digests == nil {
		known.digests = map[stamp]string{}
	}
	known.digests[key] = digest
	return digest, nil
}

// sum is the SHA-256 of a file from its beginning.
func sum(f *os.File) (string, error) {
	h := sha256.New()
	_, err := io.Copy(h, io.NewSectionReader(f, 0, 1<<62))
	return hex.EncodeToString(h.Sum(nil)), err
}

// machines are the processors that this program may run on.
var machines = map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}

// checkLibrary tells a plugin from other files. The system's loader would say it in words that mean nothing to
// most people, or load a library that is none, and run its beginning.
func checkLibrary(r io.ReaderAt) error {
	e, err := elf.NewFile(r)
	if err != nil || e.Type != elf.ET_DYN {
		return errors.New("it is no shared library")
	}
	if want := machines[runtime.GOARCH]; e.Machine != want {
		return fmt.Errorf("it is a shared library for another processor (%v; this is %s)", e.Machine, runtime.GOARCH)
	}
	symbols, err := e.DynamicSymbols()
	if err != nil || !slices.ContainsFunc(symbols, func(s elf.Symbol) bool { return s.Name == entry && s.Section != elf.SHN_UNDEF }) {
		return fmt.Errorf("it is a shared library, but no PJRT plugin: it has no %s", entry)
	}
	return nil
}

// Compiler names a file by its content, for recipes.
func (f File) Compiler() string {
	for _, r := range releases {
		if r.Library == f.Digest {
			return r.Package + "-" + r.Version
		}
	}
	return "pjrt-" + f.Short()
}

// Short is the beginning of the digest.
func (f File) Short() string { return f.Digest[:min(12, len(f.Digest))] }

// Title names a file for people: what it was released as if that is known, and the beginning of its digest.
func (f File) Title() string {
	for _, r := range releases {
		if r.Library == f.Digest {
			return r.Package + " " + r.Version + ", sha256 " + f.Short()
		}
	}
	if f.Wheel != "" {
		return f.Wheel + ", sha256 " + f.Short()
	}
	return "sha256 " + f.Short()
}
