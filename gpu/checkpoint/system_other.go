//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package checkpoint

import (
	"errors"
	"os"
)

// mmap is not available here: files are read where they lie instead.
func mmap(*os.File, int64) ([]byte, func() error, error) {
	return nil, nil, errors.ErrUnsupported
}

// forget has nothing to do: nothing is mapped.
func forget([]byte) {}

// tryLock is not available here.
func tryLock(*os.File) error { return errors.ErrUnsupported }
