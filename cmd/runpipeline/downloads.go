package main

import (
	"fmt"
	"sync"
	"time"

	"github.com/persona-transfer/runpipeline/pipelines"
)

// downloads tells of files that are on their way from a hub: one line that is redrawn on a terminal, whole
// lines now and then elsewhere. What takes less than patience is not worth a word.
type downloads struct {
	w     *screen
	quiet bool
	now   func() time.Time

	mu    sync.Mutex
	files map[string]*arriving
}

// An arriving file was there up to the byte from when it was first heard of.
type arriving struct {
	begun time.Time
	from  int64
	said  time.Time
	drawn bool
}

const (
	patience = time.Second
	// redrawEvery and lineEvery are how often a download is told of on a terminal and elsewhere.
	redrawEvery = 200 * time.Millisecond
	lineEvery   = 30 * time.Second
)

func newDownloads(w *screen) *downloads {
	return &downloads{w: w, now: time.Now, files: map[string]*arriving{}}
}

// progress takes note of how much of a file has arrived; a total of less than 0 is not known.
func (d *downloads) progress(model, file string, done, total int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now, key := d.now(), model+"\n"+file
	f := d.files[key]
	if f == nil {
		f = &arriving{begun: now, from: done}
		d.files[key] = f
	}
	took := now.Sub(f.begun)
	if d.quiet || took < patience {
		return
	}
	text := fmt.Sprintf("downloading %s of %s: %s", file, model, pipelines.Size(int(done)))
	if total >= 0 {
		text = fmt.Sprintf("%s of %s, %.0f%%", text, pipelines.Size(int(total)), 100*float64(done)/float64(max(total, 1)))
	}
	text += fmt.Sprintf(", %s a second", pipelines.Size(int(float64(done-f.from)/took.Seconds())))
	switch {
	case done == total:
		if f.drawn {
			d.w.control(eraseLine)
		}
		fmt.Fprintf(d.w, "downloaded %s of %s: %s in %s\n", file, model, pipelines.Size(int(done)), pipelines.Roughly(took.Seconds()))
		delete(d.files, key)
	case d.w.terminal:
		if now.Sub(f.said) >= redrawEvery {
			f.said, f.drawn = now, true
			d.w.control(eraseLine)
			shown, _ := visible([]byte(text), true)
			line := []rune(string(shown))
			fmt.Fprint(d.w, string(line[:max(0, min(len(line), d.w.columns()-1))]))
		}
	case now.Sub(f.said) >= lineEvery:
		f.said = now
		fmt.Fprintln(d.w, text)
	}
}

// end erases the line of a download that did not come to its end.
func (d *downloads) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, f := range d.files {
		if f.drawn {
			d.w.control(eraseLine)
		}
	}
	clear(d.files)
}
