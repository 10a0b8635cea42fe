package tokenizer

import "fmt"

// A work is the budget that is left for one text. The patterns, replacements and tokens of a vocabulary
// decide how much work a text takes, and a vocabulary is an untrusted file. The bounds count steps and
// bytes, not time: a loaded machine takes longer, but never refuses what an idle one reads.
//
// Vocabularies in use take up to 40 steps for a byte of text and, at the worst (U+FDFA under NFKC), make 33
// bytes of 3.
type work struct {
	longest int   // bytes that a text on its way may have
	written int64 // bytes that normalisers may still write
	steps   int64 // steps of patterns and walks through tokens that may still be made
	err     error // what ran out
}

const (
	stepsPerByte = 512 // with spareSteps, a second or two for a megabyte
	spareSteps   = 1 << 22
	growth       = 32      // by how much a text may grow
	spareText    = 1 << 16 // bytes
	writesOfText = 8       // how often a text as long as may be can be written anew
)

// newWork returns what may be done for a text of n bytes.
func newWork(n int) *work {
	longest := growth*n + spareText
	return &work{longest: longest, written: writesOfText * int64(longest), steps: spareSteps + stepsPerByte*int64(n)}
}

// step takes n steps and reports whether that many were left. what names the activity for the error.
func (w *work) step(n int, what string) bool {
	if w.steps -= int64(n); w.steps < 0 {
		w.fail(fmt.Sprintf("%s takes more than %d steps for each byte of the text", what, stepsPerByte))
	}
	return w.err == nil
}

// write takes n bytes for a text that has size already.
func (w *work) write(n, size int) bool {
	if w.written -= int64(n); w.written < 0 || size+n > w.longest {
		w.fail(fmt.Sprintf("the normaliser makes the text more than %d times as long", growth))
	}
	return w.err == nil
}

// fail notes the first thing that ran out.
func (w *work) fail(problem string) {
	if w.err == nil {
		w.err = fmt.Errorf("%w: %s", ErrFormat, problem)
	}
}
