package cache

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// A holder knows which of the processes that use a store are alive, whatever the clocks say: the lock of a file ends
// with the process that has it.
type holder interface {
	hold(name string) (release func(), err error)
	held(name string) (bool, error)
}

// Hold says to other processes, until it is released or this one ends, that somebody is at work under a name, a word of
// a note's. Stores that cannot tell, and file systems without locks, say nothing.
func Hold(s Store, name string) (release func(), err error) {
	if h, ok := s.(holder); ok {
		return h.hold(name)
	}
	return func() {}, nil
}

// Held reports whether a process holds a name now. known is false if the store cannot tell.
func Held(ctx context.Context, s Store, name string) (held, known bool, err error) {
	if h, ok := s.(holder); ok {
		held, err = h.held(name)
		return held, err == nil, err
	}
	return false, false, ctx.Err()
}

const heldPrefix = "held-"

func (l *local) hold(name string) (func(), error) {
	f, err := l.temp(heldPrefix + name + "-*")
	if err != nil {
		return nil, fmt.Errorf("hold %s: %w", name, err)
	}
	return func() { discard(f) }, nil
}

func (l *local) held(name string) (bool, error) {
	entries, err := os.ReadDir(filepath.Join(l.dir, "tmp"))
	if err != nil {
		return false, fmt.Errorf("who holds %s: %w", name, err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), heldPrefix+name+"-") && locked(filepath.Join(l.dir, "tmp", e.Name())) {
			return true, nil
		}
	}
	return false, nil
}
