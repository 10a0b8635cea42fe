//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package checkpoint

import (
	"errors"
	"math"
	"os"

	"golang.org/x/sys/unix"
)

// mmap maps the first size bytes of f, read only and shared with every other process that
// has the model open.
func mmap(f *os.File, size int64) ([]byte, func() error, error) {
	if size <= 0 || size > math.MaxInt {
		return nil, nil, errors.New("nothing to map")
	}
	data, err := unix.Mmap(int(f.Fd()), 0, int(size), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, nil, err
	}
	return data, func() error { return unix.Munmap(data) }, nil
}

// forget takes the pages of a mapping out of the process. The system keeps what it has of the file as long as
// it likes, and reading maps it again.
func forget(mapping []byte) {
	unix.Madvise(mapping, unix.MADV_DONTNEED) // where it fails, pages stay as they were
}

// tryLock takes an exclusive lock on f, as filelock does for Python; closing f lets go.
func tryLock(f *os.File) error {
	switch err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err {
	case nil:
		return nil
	case unix.EWOULDBLOCK:
		return errLocked
	default: // a file system without locks
		return errors.ErrUnsupported
	}
}
