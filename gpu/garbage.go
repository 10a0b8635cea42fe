package gpu

import (
	"os"
	"runtime/debug"
	"sync"
)

// Go's collector lets the heap grow by as much again as is alive before it looks for garbage (GOGC=100).
// Weights are alive as long as their model is open and hold no pointers: they cost the collector nothing
// and would double what a process takes. While models are open, the heap may therefore grow by Headroom.
// Somebody who sets GOGC has decided otherwise.

// held counts the bytes of the weights of all open models, and of what is as large and as simple.
var held struct {
	sync.Mutex
	bytes int
	usual int // the collector's percentage without models
}

// Headroom is by how many bytes the heap may grow beyond what is alive, with so many bytes of weights.
func Headroom(weights int) int {
	const least = 256 << 20
	return least + weights/8
}

// Hold counts as weights what someone is about to have in memory for a while, in large pieces without pointers,
// until free is called.
func Hold(bytes int) (free func()) {
	hold(bytes)
	return func() { hold(-bytes) }
}

// hold counts weights that are there from now on, or not any more if bytes is negative.
func hold(bytes int) {
	if os.Getenv("GOGC") != "" {
		return
	}
	held.Lock()
	defer held.Unlock()
	if held.usual == 0 {
		held.usual = debug.SetGCPercent(100)
	}
	held.bytes += bytes
	debug.SetGCPercent(percentFor(held.bytes, held.usual))
}

// percentFor is the collector's percentage with so many bytes of weights: never above the usual one.
func percentFor(weights, usual int) int {
	if weights <= 0 || usual < 0 {
		return usual
	}
	return max(1, min(usual, int(100*float64(Headroom(weights))/float64(weights))))
}
