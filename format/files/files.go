// Package files tells files from what else may have their names.
package files

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
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

// Open opens a file that a user names for reading, and nothing but a regular one: a pipe or a device may never
// end, or never begin.
func Open(path string) (*os.File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if err := Regular(info.Mode()); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe may have taken its place
	if err != nil {
		return nil, err
	}
	if info, err = f.Stat(); err == nil {
		err = Regular(info.Mode())
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
