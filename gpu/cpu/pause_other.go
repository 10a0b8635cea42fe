//go:build !amd64

package cpu

// pause is a place where a thread waits in a loop.
func pause() {}
