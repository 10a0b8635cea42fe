package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/persona-transfer/runpipeline/pipelines"
	"github.com/persona-transfer/runpipeline/pipelines/report"
)

// Rules of the terminal:
//   - nothing here is a result: it all goes to standard error;
//   - on a terminal one line is redrawn and erased at the end, elsewhere there are only whole lines;
//   - only the bar itself sends control sequences, and everything else goes through a screen that shows them;
//   - -quiet silences everything but errors and warnings.

// eraseLine goes to the beginning of the terminal's line and empties it.
const eraseLine = "\r\x1b[K"

// A progress shows how far a run is.
type progress struct {
	w     *screen
	quiet bool
	live  bool

	mu    sync.Mutex
	all   *pipelines.Plan
	steps map[string]pipelines.Step // by the stage's ID, as all that follows
	done  map[string]int            // units finished
	rest  *remaining
	note  string    // the stage that is at work
	drawn bool      // the live line is there
	said  time.Time // when a line last said how far the run is
	stop  chan struct{}
}

// newBar measures how fast the machine is, if there is anything to be done and to be shown of it.
func (a *app) newBar(ctx context.Context, quiet bool, s *pipelines.Sweep, plan *pipelines.Plan) (*progress, error) {
	var costs pipelines.Costs
	if !quiet {
		var err error
		if costs, err = s.Costs(ctx, plan); err != nil {
			return nil, err
		}
	}
	return newProgress(a.stderr, quiet, plan, newRemaining(costs, time.Now())), nil
}

func newProgress(w *screen, quiet bool, plan *pipelines.Plan, rest *remaining) *progress {
	steps := map[string]pipelines.Step{}
	for _, s := range plan.Steps {
		steps[s.Stage.ID] = s
	}
	return &progress{w: w, quiet: quiet, all: plan, steps: steps, done: map[string]int{}, rest: rest, said: time.Now(), stop: make(chan struct{}), live: w.terminal && !quiet}
}

// plan says what will be done and why, one line a stage.
func (p *progress) plan() {
	if p.quiet {
		return
	}
	todo := 0
	for _, steps := range p.all.ByName() {
		left := slices.DeleteFunc(slices.Clone(steps), func(s pipelines.Step) bool {
			return s.State != pipelines.Run && s.State != pipelines.Open
		})
		todo += len(left)
		switch s := steps[0]; {
		case len(steps) > 1:
			p.w.line("%-16s %s", s.Stage.Name, strings.TrimSuffix(report.States(steps)+"; "+report.Reasons(left), "; "))
		case s.State == pipelines.Hit:
			p.w.line("%-16s hit   %s", s.Stage.Name, s.Key.Short())
		case len(left) > 0:
			p.w.line("%-16s %-5s %s; %s", s.Stage.Name, s.State, count(s.Stage.Units, "unit"), strings.Join(s.Why, "; "))
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
	step, ok := p.steps[ev.ID]
	if !ok || p.quiet {
		return
	}
	now := time.Now()
	p.rest.event(ev, now)
	switch {
	case ev.Err != nil:
		if at := p.where(ev.ID); at != "" { // else the run ends with it
			p.line("%-16s failed%s: %v", ev.Stage, at, ev.Err)
		}
	case ev.Note != "":
		p.line("%-16s %s%s", ev.Stage, ev.Note, p.where(ev.ID))
	case ev.Unit < 0:
		p.line("%-16s done  %s  %s, %s%s", ev.Stage, ev.Key.Short(), count(step.Stage.Units, "unit"), ev.Took.Round(100*time.Millisecond), p.where(ev.ID))
	default:
		p.note = ev.ID
		if ev.Ends() {
			p.done[ev.ID]++
		}
		if !p.live && now.Sub(p.said) >= sayEvery {
			p.said = now
			p.line("%-16s at work %s, %.0f%% of the run is done%s", ev.Stage, p.count(step), 100*p.rest.share(), p.left(now))
		}
	}
}

// sayEvery is the time between the lines that say how far a run is where no bar does.
const sayEvery = time.Minute

// count says how many units of a stage are done.
func (p *progress) count(s pipelines.Step) string {
	return fmt.Sprintf("%d/%d", p.done[s.Stage.ID], s.Stage.Units)
}

// left says how long the run still takes.
func (p *progress) left(now time.Time) string {
	return ", about " + pipelines.Roughly(p.rest.left(now).Seconds()) + " left"
}

// where says of which cells of a sweep a stage is.
func (p *progress) where(id string) string {
	if at := p.all.Where(id); at != "" {
		return " (" + at + ")"
	}
	return ""
}

// line prints a whole line above the live one.
func (p *progress) line(format string, args ...any) {
	p.erase()
	p.w.line(format, args...)
}

// erase empties the live line, if it is there.
func (p *progress) erase() {
	if p.drawn {
		p.w.control(eraseLine)
		p.drawn = false
	}
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
	units := ""
	if s, ok := p.steps[p.note]; ok {
		units = " " + s.Stage.Name + " " + p.count(s)
	}
	p.w.control(eraseLine)
	p.drawn = true
	fmt.Fprint(p.w, bar(p.rest.share(), units+p.left(time.Now()), p.w.columns()))
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
	p.erase()
	p.live = false
}

// summary says what was done in all.
func (p *progress) summary(stages []pipelines.StageRecord, took time.Duration) {
	if p.quiet {
		return
	}
	ran, hits, units, found := 0, 0, 0, 0
	for _, s := range stages {
		units, found = units+s.Ran, found+s.Hits
		switch s.State {
		case pipelines.Hit:
			hits++
		case pipelines.Run, pipelines.Open:
			ran++
		}
	}
	if ran == 0 {
		p.w.line("%d stages: %d hits; nothing had to be done (%s)", len(stages), hits, took.Round(time.Millisecond))
		return
	}
	p.w.line("%d stages: %d hits, %d ran in %s; units: %d computed, %d found", len(stages), hits, ran, took.Round(100*time.Millisecond), units, found)
}

// place says where the results are, which page shows them, and which run run.json tells of if it is not this one.
func (p *progress) place(what, dir, page string, kept bool) {
	if p.quiet {
		return
	}
	if full, err := filepath.Abs(dir); err == nil {
		dir = full
	}
	// A folder is not broken, so that it can be copied.
	fmt.Fprintf(p.w, "results: %s in %s\n", what, dir)
	fmt.Fprintf(p.w, "report: open %s in a browser\n", filepath.Join(dir, page))
	if kept {
		p.w.line("run.json is left as it was: it tells of the run that made these results")
	}
}
