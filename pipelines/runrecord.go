package pipelines

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/persona-transfer/runpipeline/cache"
)

// A RunState is how far a run has come.
type RunState string

// What a record says of its run, and Stopped, which no record can say: the run did not come to its end, and nobody is
// at it any more.
const (
	Running     RunState = "running"
	Done        RunState = "done"
	Failed      RunState = "failed"
	Interrupted RunState = "interrupted"
	Stopped     RunState = "stopped"
)

// A RunRecord is what a run leaves in the store: what was asked for, what was done for it, how long that took and where.
// It is the note "runs/RUN/record". No result depends on it.
type RunRecord struct {
	Run     string          `json:"run"` // its name: later runs of a store have greater ones
	State   RunState        `json:"state"`
	Error   string          `json:"error,omitempty"`
	Begun   time.Time       `json:"begun"`
	Beat    time.Time       `json:"beat"` // when its run last wrote it; while it runs, every half minute
	Beats   int             `json:"beats"`
	Program string          `json:"program"`
	Runner  string          `json:"runner"`
	Device  string          `json:"device"` // that runs models, as recipes have it
	Machine Machine         `json:"machine"`
	Config  json.RawMessage `json:"config"` // what was not given has its default; of the first cell, without device_plugin
	Stages  []RunStage      `json:"stages"`
	Cells   []RunCell       `json:"cells"`
}

// A RunStage is one stage of a run: what the plan said and what was done.
type RunStage struct {
	StageRecord
	Why []string `json:"why,omitempty"`
	// Found are the units that are there of a stage that is not finished. Those of a finished one are found by its
	// outputs.
	Found []cache.ActionKey `json:"unit_keys,omitempty"`
}

// A RunCell is one experiment of a run.
type RunCell struct {
	Settings string `json:"settings,omitempty"` // what the sweep sets for it
	Result   string `json:"result,omitempty"`   // key of the last stage, the same for the same results
	Verdict  string `json:"verdict,omitempty"`
}

// A Machine is where a run was driven from.
type Machine struct {
	OS     string `json:"os"`
	Arch   string `json:"arch"`
	CPUs   int    `json:"cpus"`
	CPU    string `json:"cpu,omitempty"`
	Memory int64  `json:"memory_bytes,omitempty"`
}

func (m Machine) String() string {
	text := fmt.Sprintf("%s/%s, %d CPUs", m.OS, m.Arch, m.CPUs)
	if m.CPU != "" {
		text += " (" + m.CPU + ")"
	}
	if m.Memory > 0 {
		text += ", " + Size(int(m.Memory)) + " of memory"
	}
	return text
}

// Took is how long the run took, as far as its record knows.
func (r *RunRecord) Took() time.Duration { return r.Beat.Sub(r.Begun) }

// A record is written anew every beatEvery while its run is alive; one that is older than staleBeat is of a run that is
// not, unless its store knows better.
const (
	beatEvery = 30 * time.Second
	staleBeat = 2 * time.Minute
)

// wallClock is time.Now; a test makes it jump.
var wallClock = time.Now

// fresh reports a beat of just now. One of the future counts: a clock has jumped, and nobody knows by how much.
func (r *RunRecord) fresh() bool { return wallClock().Sub(r.Beat) < staleBeat }

// recordName is the name of a run's record among the notes.
func recordName(run string) string { return "runs/" + run + "/record" }

// readRun reads a record. ok is false if there is none.
func readRun(ctx context.Context, store cache.Store, run string) (r *RunRecord, ok bool, err error) {
	text, ok, err := store.Note(ctx, recordName(run))
	if err != nil || !ok {
		return nil, false, err
	}
	r = &RunRecord{}
	if err := json.Unmarshal(text, r); err != nil || r.Run != run {
		return nil, false, fmt.Errorf("read record of run %s: %w: it is none of this program", run, cache.ErrCorrupt)
	}
	return r, true, nil
}

// Runs reads the records of a store, the latest first, each with the state that it has now. Records that are damaged are
// told of and left out.
func Runs(ctx context.Context, store cache.Store, damaged func(run string, err error)) (runs []*RunRecord, err error) {
	names, err := runNames(ctx, store)
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Backward(names) {
		r, ok, err := readRun(ctx, store, name)
		if errors.Is(err, cache.ErrCorrupt) {
			damaged(name, err)
			continue
		}
		if err == nil && ok {
			if r.State, err = stateNow(ctx, store, r); err == nil {
				runs = append(runs, r)
			}
		}
		if err != nil {
			return nil, err
		}
	}
	return runs, nil
}

// runNames lists the runs that have a record, in their order.
func runNames(ctx context.Context, store cache.Store) (names []string, err error) {
	err = store.Notes(ctx, "runs/", func(name string) error {
		if words := strings.Split(name, "/"); len(words) == 3 && words[2] == "record" {
			names = append(names, words[1])
		}
		return nil
	})
	slices.Sort(names)
	return names, err
}

// stateNow tells a run that is at work from one that was killed. Where the store knows who is alive on this machine, a run
// that it knows of needs no clock.
func stateNow(ctx context.Context, store cache.Store, r *RunRecord) (RunState, error) {
	if r.State != Running {
		return r.State, nil
	}
	held, _, err := cache.Held(ctx, store, r.Run)
	if err != nil {
		return "", err
	}
	if held || r.fresh() {
		return Running, nil
	}
	return Stopped, nil
}

// PickRun finds a run by its name or the beginning of it, if there is only one such.
func PickRun(runs []*RunRecord, name string) (*RunRecord, error) {
	var found []*RunRecord
	for _, r := range runs {
		if r.Run == name {
			return r, nil
		}
		if strings.HasPrefix(r.Run, name) {
			found = append(found, r)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return nil, Problems{fmt.Sprintf("no run %q is recorded here; \"runpipeline runs\" lists those that are", name)}
	}
	return nil, Problems{fmt.Sprintf("%d runs begin with %q; the latest is %s", len(found), name, found[0].Run)}
}

// Models says what the run was about: "tiny:qwen2 → tiny:llama".
func (r *RunRecord) Models() string {
	var c struct {
		Source string `json:"source_model"`
		Target string `json:"target_model"`
	}
	if json.Unmarshal(r.Config, &c) != nil {
		return ""
	}
	return modelName(c.Source) + " → " + modelName(c.Target)
}

// encode writes the record without what nobody else should read.
func (r *RunRecord) encode() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", " ")
	err := enc.Encode(r)
	return discreet(b.Bytes()), err
}
