package jinja

import (
	"context"
	"errors"
	"fmt"
)

// Bounds on a template, which comes with a model and need not mean well. A render of a template in use
// takes a few thousand steps and a few times the conversation's bytes; one that takes all it may ends
// within a second.
const (
	maxSource  = 1 << 16   // bytes of a template; the longest in use have about 2¹⁵
	maxName    = 1 << 10   // bytes of a name
	maxNesting = 100       // depth of brackets, operators and statements; Python reads about as many
	maxChain   = 500       // length of a chain of operators, filters or attributes
	maxCalls   = 100       // depth of calls of macros and recursive loops
	maxData    = 200       // depth of lists and dicts inside each other
	maxRange   = 100_000   // length of a range, as in Jinja's sandbox
	baseSteps  = 2_000_000 // steps of a render
	baseBytes  = 12 << 20  // bytes that a render may allocate in all
	perByte    = 16        // further steps, and bytes, for every byte of the variables
	scanned    = 32        // bytes of text that one step may look at
)

// Sizes that the budget reckons with, in bytes, from above.
const (
	elementSize = 32  // an element of a list
	entrySize   = 128 // an entry of a dict
	objectSize  = 512 // a macro with its scope, a namespace, a generator
)

var (
	errSteps = errors.New("it takes too many steps")
	errBytes = errors.New("it takes too much memory")
)

// A budget is what is left to a render.
type budget struct {
	ctx          context.Context
	steps, bytes int
	unchecked    int // steps since the context was asked
}

// step pays for n operations.
func (b *budget) step(n int) error {
	if n > b.steps {
		b.steps = 0
		return errSteps
	}
	b.steps -= n
	if b.unchecked += n; b.unchecked >= 1<<12 {
		b.unchecked = 0
		return b.ctx.Err()
	}
	return nil
}

// scan pays for looking at n bytes.
func (b *budget) scan(n int) error { return b.step(1 + n/scanned) }

// take pays for n bytes before they are allocated, and for writing them.
func (b *budget) take(n int) error {
	if n > b.bytes {
		b.bytes = 0
		return errBytes
	}
	b.bytes -= n
	return b.scan(n)
}

// takeTimes pays for count things of size bytes each.
func (b *budget) takeTimes(count, size int) error {
	if count > 0 && size > baseBytes/count+b.bytes/count {
		b.bytes = 0
		return errBytes
	}
	return b.take(max(count, 0) * size)
}

// unsupported is the error for what Jinja2 does and this package does not.
func unsupported(format string, args ...any) error {
	return fmt.Errorf(format+" is not supported", args...)
}
