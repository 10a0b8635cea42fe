//go:build linux || darwin || freebsd

package cache

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
)

// Free implements [Store]: what the file system has left for this user.
func (l *local) Free(ctx context.Context) (int64, bool, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(l.dir, &st); err != nil {
		return 0, false, fmt.Errorf("free space of %s: %w", l.dir, err)
	}
	return int64(st.Bavail) * int64(st.Bsize), true, ctx.Err()
}

// lock holds the file's lock until it is closed. A file system that has no locks leaves it to the file's age.
func lock(f *os.File) { _ = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }

// locked reports a file that somebody is writing.
func locked(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	return errors.Is(syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB), syscall.EWOULDBLOCK)
}
