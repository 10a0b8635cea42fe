//go:build !(linux || darwin || freebsd)

package cache

import (
	"context"
	"os"
)

// Free implements [Store]: this system is not asked.
func (l *local) Free(ctx context.Context) (int64, bool, error) { return 0, false, ctx.Err() }

// lock does nothing: the age of a file has to do.
func lock(*os.File) {}

func locked(string) bool { return false }
