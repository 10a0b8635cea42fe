//go:build !amd64

package vigil

// pause is a place where a thread waits in a loop.
func pause() {}
