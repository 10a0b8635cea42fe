// Package files tells files from what else may have their names.
package files

import (
	"errors"
	"io/fs"
)

// Regular returns an error that names what a mode belongs to if that is no regular file. It is asked
// before anything is opened: opening a pipe waits for its other end, and a device has no end.
func Regular(mode fs.FileMode) error {
	switch {
	case mode.IsRegular():
		return nil
	case mode.IsDir():
		return errors.New("a folder, want a file")
	case mode&fs.ModeNamedPipe != 0:
		return errors.New("a pipe, want a file")
	case mode&fs.ModeSocket != 0:
		return errors.New("a socket, want a file")
	case mode&fs.ModeDevice != 0:
		return errors.New("a device, want a file")
	}
	return errors.New("not a regular file")
}
