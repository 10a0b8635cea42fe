// Package cputime gives tests a clock that stands still while other programs use the machine: bounds
// on what a hostile file may cost are bounds on work, and hold on a loaded machine too.
package cputime

import "time"

// Now is the processor time that this process has used, in all its threads. Where the system does not
// say, it is the time since the process began.
func Now() time.Duration { return now() }
