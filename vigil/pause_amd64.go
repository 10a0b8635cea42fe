package vigil

// pause tells the processor that its thread waits in a loop.
func pause()
