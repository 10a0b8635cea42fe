package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/persona-transfer/runpipeline/pipelines"
)

// Rules of the terminal:
//   - nothing here is a result: it all goes to standard error;
//   - on a terminal one line is redrawn and erased at the end, elsewhere there are only whole lines;
//   - only the bar itself sends control sequences, and everything else goes through a screen that shows them;
//   - -quiet silences everything but errors and warnings.

// weights are how long a unit of each kind takes relative to the others, measured on the embedded
// pair. They only make the time left believable before a stage's own speed is known.
var weights = map[string]float64{"pairs": 2, "capture": 1, "gram": .05, "fit": .3, "personas": .6, "vectors": .2, "trait": 1, "yardstick": .2, "gate": .01, "generate": 1, "score": .6, "evaluate": 8}

// eraseLine goes to the beginning of the terminal's line and empties it.
const eraseLine = "\r\x1b[K"

// A progress shows how far a run is.
type progress struct {
	w     *screen
	quiet bool
	live  bool

	mu       sync.Mutex
	steps    []pipelines.Step
	done     map[string]int // units finished, by stage
	began    map[string]time.Time
	start    time.Time
	total    float64 // weight of everything that is to be done
	finished float64
	computed float64 // the part of finished that took time
	note     string
	stop     chan struct{}
}

func newProgress(w *screen, quiet bool, plan *pipelines.Plan) *progress {
	p := &progress{w: w, quiet: quiet, steps: plan.Steps, done: map[string]int{}, began: map[string]time.Time{}, start: time.Now(), stop: make(chan struct{}), live: w.terminal && !quiet}
	for _, s := range plan.Steps {
		if s.State == pipelines.Run || s.State == pipelines.Open {
			p.total += float64(s.Stage.Units) * weights[s.Stage.Kind]
		}
	}
	return p
}

// plan says what will be done and why, one line a stage.
func (p *progress) plan() {
	if p.quiet {
		return
	}
	hits, todo := 0, 0
	for _, s := range p.steps {
		switch s.State {
		case pipelines.Hit:
			hits++
			fmt.Fprintf(p.w, "%-16s hit   %s\n", s.Stage.Name, s.Key.Short())
		case pipelines.Run, pipelines.Open:
			todo++
			fmt.Fprintf(p.w, "%-16s %-5s %d unit%s; %s\n", s.Stage.Name, s.State, s.Stage.Units, plural(s.Stage.Units), strings.Join(s.Why, "; "))
		}
	}
	if todo == 0 {
		return
	}
	if p.live {
		go p.redraw()
	}
}

func plural(n int) string {
	if n == 1 {
		return ""
	}
	return "s"
}

// event takes note of a unit, a committed stage, or a message.
func (p *progress) event(ev pipelines.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if ev.Warning {
		p.line("warning: %s", ev.Note)
		return
	}
	step, ok := p.step(ev.Stage)
	if !ok || p.quiet {
		return
	}
	if _, ok := p.began[ev.Stage]; !ok {
		p.began[ev.Stage] = time.Now().Add(-ev.Took)
	}
	switch {
	case ev.Note != "":
		p.line("%-16s %s", ev.Stage, ev.Note)
	case ev.Unit < 0:
		p.line("%-16s done  %s  %d unit%s, %s", ev.Stage, ev.Key.Short(), step.Stage.Units, plural(step.Stage.Units), time.Since(p.began[ev.Stage]).Round(100*time.Millisecond))
	default:
		w := weights[step.Stage.Kind]
		p.done[ev.Stage]++
		p.finished += w
		if !ev.Hit {
			p.computed += w
		}
		p.note = ev.Stage
	}
}

func (p *progress) step(name string) (pipelines.Step, bool) {
	for _, s := range p.steps {
		if s.Stage.Name == name {
			return s, true
		}
	}
	return pipelines.Step{}, false
}

// line prints a whole line above the live one.
func (p *progress) line(format string, args ...any) {
	if p.live {
		p.w.control(eraseLine)
	}
	fmt.Fprintf(p.w, format+"\n", args...)
}

func (p *progress) redraw() {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-tick.C:
			p.mu.Lock()
			if p.live {
				p.draw()
			}
			p.mu.Unlock()
		}
	}
}

func (p *progress) draw() {
	share := min(p.finished/p.total, 1)
	left := ""
	if elapsed := time.Since(p.start); p.computed > 0 && elapsed > 3*time.Second {
		left = ", about " + time.Duration(float64(elapsed)/p.computed*(p.total-p.finished)).Round(time.Second).String() + " left"
	}
	units := ""
	if s, ok := p.step(p.note); ok {
		units = fmt.Sprintf(" %s %d/%d", p.note, p.done[p.note], s.Stage.Units)
	}
	p.w.control(eraseLine)
	fmt.Fprint(p.w, bar(share, units+left, p.w.columns()))
}

// bar draws a share and what is to be said of it in one line of a terminal: a line that is broken cannot
// be erased. The bar gives way to the words, the words end where the line does; the last column stays
// empty, since some terminals break behind it.
func bar(share float64, words string, columns int) string {
	const widest, percent = 28, 5 // " 100%"
	text := []rune(words)
	width := max(0, min(widest, columns-1-percent-len(text)))
	full := int(share * float64(width))
	line := []rune(fmt.Sprintf("%s%s %3.0f%%%s", strings.Repeat("█", full), strings.Repeat("░", width-full), 100*share, words))
	return string(line[:max(0, min(len(line), columns-1))])
}

// end erases the live line.
func (p *progress) end() {
	close(p.stop)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.live {
		p.w.control(eraseLine)
	}
	p.live = false
}

// summary says what was done in all.
func (p *progress) summary(r *pipelines.Result, took time.Duration) {
	if p.quiet {
		return
	}
	ran, hits, units, found := 0, 0, 0, 0
	for _, s := range r.Stages {
		units, found = units+s.Ran, found+s.Hits
		switch s.State {
		case pipelines.Hit:
			hits++
		case pipelines.Run, pipelines.Open:
			ran++
		}
	}
	if ran == 0 {
		fmt.Fprintf(p.w, "%d stages: %d hits; nothing had to be done (%s)\n", len(r.Stages), hits, took.Round(time.Millisecond))
		return
	}
	fmt.Fprintf(p.w, "%d stages: %d hits, %d ran in %s; units: %d computed, %d found\n", len(r.Stages), hits, ran, took.Round(100*time.Millisecond), units, found)
}

// place says where the results are, and which run run.json tells of if it is not this one.
func (p *progress) place(dir string, kept bool) {
	if p.quiet {
		return
	}
	if full, err := filepath.Abs(dir); err == nil {
		dir = full
	}
	fmt.Fprintf(p.w, "results: report.json, rows.jsonl and run.json in %s\n", dir)
	if kept {
		fmt.Fprintln(p.w, "run.json is left as it was: it tells of the run that made these results")
	}
}
