package tokenizer

import "fmt"

// An inst is a step of a pattern's program.
type inst struct {
	op     instOp
	class  *charClass
	assert byte
	x, y   int32 // where to go on; a fork tries x first
	back   int32 // look: how many characters before here it begins
	not    bool  // look: go on if it does not match
	mark   int32 // number among the instructions that are passed once at each place of the text
}

type instOp uint8

const (
	opChar   instOp = iota // take a character of class
	opAssert               // go on if the assertion holds here
	opFork                 // x, and if that leads to no match y
	opJump                 // x
	opLook                 // what follows matches here, or does not; then x
	opAtomic               // what follows, once; then x from where it ended
	opMatch                // the end, of the program or of what a look or atomic group runs
)

// maxInsts bounds a program; the longest in use has about 200 instructions.
const maxInsts = 1 << 12

// A program is a pattern ready to run.
type program struct {
	expr   string
	insts  []inst
	marks  int // instructions with a mark
	nested bool
	visits int
}

// compileParts makes the program of a pattern.
func compileParts(expr string, p *part) (*program, error) {
	g := &program{expr: expr}
	if err := g.emit(p); err != nil {
		return nil, err
	}
	g.add(inst{op: opMatch})
	for i := range g.insts {
		switch g.insts[i].op {
		case opFork, opLook, opAtomic:
			g.insts[i].mark = int32(g.marks)
			g.marks++
		}
	}
	return g, nil
}

func (g *program) add(i inst) int {
	g.insts = append(g.insts, i)
	return len(g.insts) - 1
}

func (g *program) here() int32 { return int32(len(g.insts)) }

// emit appends the program of p, which goes on behind itself.
func (g *program) emit(p *part) error {
	// A repetition of nothing adds no instruction, but takes its time here.
	if g.visits++; g.visits > 16*maxInsts || len(g.insts) > maxInsts {
		return fmt.Errorf("more than %d instructions", maxInsts)
	}
	switch p.kind {
	case charPart:
		g.add(inst{op: opChar, class: p.class})
	case assertPart:
		g.add(inst{op: opAssert, assert: p.assert})
	case sequencePart:
		for _, s := range p.subs {
			if err := g.emit(s); err != nil {
				return err
			}
		}
	case choicePart:
		return g.choice(len(p.subs), func(i int) error { return g.emit(p.subs[i]) })
	case repeatPart:
		return g.repeat(p)
	case lookPart:
		return g.look(p)
	case atomicPart:
		return g.enclosed(inst{op: opAtomic}, p.subs[0])
	}
	return nil
}

// choice tries n programs in turn.
func (g *program) choice(n int, emit func(i int) error) error {
	var ends []int
	for i := range n {
		fork := -1
		if i < n-1 {
			fork = g.add(inst{op: opFork, x: g.here() + 1})
		}
		if err := emit(i); err != nil {
			return err
		}
		if fork >= 0 {
			ends = append(ends, g.add(inst{op: opJump}))
			g.insts[fork].y = g.here()
		}
	}
	for _, e := range ends {
		g.insts[e].x = g.here()
	}
	return nil
}

// fork appends a choice between going on and a place that is set later, in the order of preference.
func (g *program) fork(lazy bool) (setExit func()) {
	at := g.add(inst{op: opFork})
	in := g.here()
	return func() {
		i := &g.insts[at]
		if i.x, i.y = in, g.here(); lazy {
			i.x, i.y = i.y, i.x
		}
	}
}

func (g *program) repeat(p *part) error {
	body := p.subs[0]
	for range p.min - 1 {
		if err := g.emit(body); err != nil {
			return err
		}
	}
	if p.max < 0 {
		return g.loop(p)
	}
	if p.min > 0 {
		if err := g.emit(body); err != nil {
			return err
		}
	}
	var exits []func()
	for range p.max - p.min {
		exits = append(exits, g.fork(p.lazy))
		if err := g.emit(body); err != nil {
			return err
		}
	}
	for _, setExit := range exits {
		setExit()
	}
	return nil
}

// loop appends body+ or body*. A body that can match nothing is entered before the fork, so that a
// repetition that took nothing ends the loop and does not undo itself: (?:|a)* matches nothing, as in
// backtracking engines.
func (g *program) loop(p *part) error {
	body := p.subs[0]
	skip := func() {}
	if p.min == 0 && !nullable(body) {
		start := g.here()
		setExit := g.fork(p.lazy)
		if err := g.emit(body); err != nil {
			return err
		}
		g.add(inst{op: opJump, x: start})
		setExit()
		return nil
	} else if p.min == 0 {
		skip = g.fork(p.lazy)
	}
	start := g.here()
	if err := g.emit(body); err != nil {
		return err
	}
	at := g.add(inst{op: opFork, x: start, y: g.here() + 1})
	if i := &g.insts[at]; p.lazy {
		i.x, i.y = i.y, i.x
	}
	skip()
	return nil
}

// look appends a look ahead or behind. What is looked for behind has a fixed number of characters, or is
// a choice of such.
func (g *program) look(p *part) error {
	sub := p.subs[0]
	if !p.behind {
		return g.enclosed(inst{op: opLook, not: p.not}, sub)
	}
	ways := []*part{sub}
	for len(ways) == 1 && len(ways[0].subs) == 1 && ways[0].kind == sequencePart { // a group around it
		ways[0] = ways[0].subs[0]
	}
	if ways[0].kind == choicePart {
		ways = ways[0].subs
	}
	behind := func(i int) error {
		n, ok := width(ways[i])
		if !ok {
			return fmt.Errorf("a look behind for a text of no fixed length is not supported")
		}
		return g.enclosed(inst{op: opLook, not: p.not, back: int32(n)}, ways[i])
	}
	if !p.not {
		return g.choice(len(ways), behind)
	}
	for i := range ways { // none of them
		if err := behind(i); err != nil {
			return err
		}
	}
	return nil
}

// enclosed appends i and the program of sub, which i runs by itself.
func (g *program) enclosed(i inst, sub *part) error {
	g.nested = true
	at := g.add(i)
	if err := g.emit(sub); err != nil {
		return err
	}
	g.add(inst{op: opMatch})
	g.insts[at].x = g.here()
	return nil
}

// nullable reports whether p can match without taking a character.
func nullable(p *part) bool {
	switch p.kind {
	case charPart:
		return false
	case sequencePart, atomicPart:
		for _, s := range p.subs {
			if !nullable(s) {
				return false
			}
		}
	case choicePart:
		for _, s := range p.subs {
			if nullable(s) {
				return true
			}
		}
		return false
	case repeatPart:
		return p.min == 0 || nullable(p.subs[0])
	}
	return true
}

// width returns the number of characters that every match of p has, if it is always the same.
func width(p *part) (int, bool) {
	switch p.kind {
	case charPart:
		return 1, true
	case sequencePart, atomicPart:
		sum := 0
		for _, s := range p.subs {
			n, ok := width(s)
			if !ok {
				return 0, false
			}
			sum += n
		}
		return sum, sum <= maxInsts
	case choicePart:
		first, ok := width(p.subs[0])
		for _, s := range p.subs[1:] {
			n, same := width(s)
			ok = ok && same && n == first
		}
		return first, ok
	case repeatPart:
		n, ok := width(p.subs[0])
		return n * p.min, ok && p.min == p.max && p.min <= maxInsts
	}
	return 0, true
}
