package tokenizer

import (
	"fmt"
	"sync"
	"unicode/utf8"
)

// A regex is a regular expression as Oniguruma, Perl and regexp2 understand it: of all matches that begin
// leftmost, the first that backtracking would find. It never tries again what has failed before: at
// each place of the text it passes each fork of the program once, so that a text of n bytes takes time
// and memory of n times the program's size, whatever the expression: (a+)+$ is no worse than a+$. (Only
// what looks and atomic groups contain may be run again from elsewhere; the bounds of a [work] end that.)
//
// This is Go's bit-state matcher (regexp/backtrack.go), with the marks kept from one start to the next:
// whether a fork leads to a match does not depend on how it was reached, for lack of references to groups.
type regex struct {
	*program
	pool *sync.Pool // *machine
}

func newRegex(expr string) (*regex, error) {
	p, err := readPattern(expr)
	if err != nil {
		return nil, err
	}
	g, err := compileParts(expr, p)
	if err != nil {
		return nil, err
	}
	return &regex{g, &sync.Pool{New: func() any { return new(machine) }}}, nil
}

func (p *regex) find(w *work, text string, emit func(i, j int)) {
	m := p.pool.Get().(*machine)
	defer p.pool.Put(m)
	m.start(p.program, w, text)
	for from := 0; from < len(text) && !m.stopped; {
		end, ok := m.run(0, int32(from))
		switch {
		case ok && int(end) > from:
			emit(from, int(end))
			from = int(end)
			m.forget(from)
		default: // nothing, or a match of nothing
			_, n := utf8.DecodeRuneInString(text[from:])
			from += n
		}
	}
	if cap(m.marks)+cap(m.forks)+cap(m.passed) > keptWords { // a hostile text's memory is not kept
		*m = machine{}
	}
	m.work, m.text = nil, ""
}

// keptWords is how much memory a machine keeps for the next text.
const keptWords = 1 << 16

// A machine runs a program over a text.
type machine struct {
	program *program
	work    *work
	text    string
	stopped bool     // there is no work left
	forks   []thread // places to go on from, the last first
	words   int      // of marks for one place
	marks   []uint64 // [places from base on, words]: what was passed and led to no match
	base    int
	passed  []passage // inside of looks and atomic groups, in order
	depth   int       // of looks and atomic groups
}

// A thread is a place in the program and one in the text.
type thread struct{ pc, pos int32 }

// A passage is a mark that was set at a place in the text.
type passage struct{ mark, pos int32 }

// maxMarks bounds the memory for marks and for forks, in words: 64 MiB each, a text of a megabyte for a
// pattern of 500 forks.
const maxMarks = 1 << 23

func (m *machine) start(g *program, w *work, text string) {
	m.program, m.work, m.text, m.stopped = g, w, text, w.err != nil
	m.words = (g.marks + 63) / 64
	m.marks, m.base = m.marks[:0], 0
	m.forks, m.passed, m.depth = m.forks[:0], m.passed[:0], 0
}

// stop ends all that runs: it was too much.
func (m *machine) stop(problem string) {
	m.stopped = true
	m.work.fail(fmt.Sprintf("the pattern %.200q %s", m.program.expr, problem))
}

// run returns where the match ends that begins at pos of the text and pc of the program.
func (m *machine) run(pc, pos int32) (end int32, ok bool) {
	bottom := len(m.forks)
	m.forks = append(m.forks, thread{pc, pos})
	for len(m.forks) > bottom && !m.stopped {
		t := m.forks[len(m.forks)-1]
		m.forks = m.forks[:len(m.forks)-1]
		if end, ok = m.follow(t.pc, t.pos); ok {
			break
		}
	}
	m.forks = m.forks[:bottom]
	return end, ok && !m.stopped
}

// follow goes on from a place up to a match or to where there is none.
func (m *machine) follow(pc, pos int32) (end int32, ok bool) {
	for {
		if m.work.steps--; m.work.steps < 0 {
			m.stop(fmt.Sprintf("takes more than %d steps for each byte of the text", stepsPerByte))
		}
		if m.stopped {
			return 0, false
		}
		i := &m.program.insts[pc]
		pc++
		switch i.op {
		case opChar:
			if int(pos) == len(m.text) {
				return 0, false
			}
			r, n := rune(m.text[pos]), 1
			if r >= utf8.RuneSelf {
				r, n = utf8.DecodeRuneInString(m.text[pos:])
			}
			if !i.class.has(r) {
				return 0, false
			}
			pos += int32(n)
		case opAssert:
			if !m.holds(i.assert, int(pos)) {
				return 0, false
			}
		case opJump:
			pc = i.x
		case opFork:
			if m.pass(i.mark, pos) {
				return 0, false
			}
			m.forks = append(m.forks, thread{i.y, pos})
			pc = i.x
		case opLook, opAtomic:
			if m.pass(i.mark, pos) {
				return 0, false
			}
			if pos, ok = m.enclosed(i, pc, pos); !ok {
				return 0, false
			}
			pc = i.x
		case opMatch:
			return pos, true
		}
	}
}

// enclosed runs what i, which stands before pc, contains, and returns where to go on.
func (m *machine) enclosed(i *inst, pc, pos int32) (int32, bool) {
	at, ok := m.before(pos, i.back)
	end := at
	if ok {
		m.depth++
		outer := len(m.passed)
		if end, ok = m.run(pc, at); ok {
			// What was passed led to a match, and may do so again from elsewhere.
			for _, p := range m.passed[outer:] {
				m.marks[(int(p.pos)-m.base)*m.words+int(p.mark>>6)] &^= 1 << (p.mark & 63)
			}
		}
		m.passed = m.passed[:outer]
		m.depth--
	}
	if i.op == opAtomic {
		return end, ok
	}
	return pos, ok != i.not
}

// before returns the place n characters before pos, if there are as many.
func (m *machine) before(pos, n int32) (int32, bool) {
	for range n {
		_, size := utf8.DecodeLastRuneInString(m.text[:pos])
		if size == 0 {
			return 0, false
		}
		pos -= int32(size)
	}
	return pos, true
}

// pass reports whether a mark was passed at pos before, in vain, and sets it.
func (m *machine) pass(mark, pos int32) bool {
	place := int(pos) - m.base
	if place < 0 { // looking behind the start: short, and done once
		return false
	}
	if need := (place + 1) * m.words; need > len(m.marks) {
		if need > maxMarks || len(m.forks) > maxMarks || len(m.passed) > maxMarks {
			m.stop("takes too much memory for a text of this length")
			return true
		}
		m.marks = append(m.marks, make([]uint64, need-len(m.marks))...)
	}
	word, bit := &m.marks[place*m.words+int(mark>>6)], uint64(1)<<(mark&63)
	if *word&bit != 0 {
		return true
	}
	*word |= bit
	if m.depth > 0 {
		m.passed = append(m.passed, passage{mark, pos})
	}
	return false
}

// forget drops the marks up to and including pos, the end of a match: those at pos led to that match and
// not to a failure.
func (m *machine) forget(pos int) {
	gone := (pos - m.base) * m.words
	if gone+m.words >= len(m.marks) {
		m.marks, m.base = m.marks[:0], pos
		return
	}
	clear(m.marks[gone : gone+m.words])
	if gone > len(m.marks)/2 {
		m.marks, m.base = m.marks[:copy(m.marks, m.marks[gone:])], pos
	}
}

// holds reports whether an assertion is true at pos.
func (m *machine) holds(assert byte, pos int) bool {
	switch assert {
	case '^':
		return pos == 0 || m.text[pos-1] == '\n'
	case '$':
		return pos == len(m.text) || m.text[pos] == '\n'
	case 'A':
		return pos == 0
	case 'z':
		return pos == len(m.text)
	case 'Z':
		return pos == len(m.text) || pos == len(m.text)-1 && m.text[pos] == '\n'
	}
	last, n := utf8.DecodeLastRuneInString(m.text[:pos])
	next, k := utf8.DecodeRuneInString(m.text[pos:])
	return (n > 0 && isWordChar(last) != (k > 0 && isWordChar(next)) || n == 0 && k > 0 && isWordChar(next)) == (assert == 'b')
}
