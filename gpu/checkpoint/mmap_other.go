//go:build !unix

package checkpoint

import (
	"errors"
	"os"
)

// mmap is not available here: files are read where they lie instead.
func mmap(*os.File, int64) ([]byte, func() error, error) {
	return nil, nil, errors.ErrUnsupported
}
