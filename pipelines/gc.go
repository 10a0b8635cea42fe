package pipelines

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/transforms/judge"
)

// GCOptions say what stays in a store.
type GCOptions struct {
	Keep   []string // runs, by name
	Last   int      // and so many of the last ones
	Delete bool     // else it is only said what would be removed
	Force  bool     // although a run is at work
}

// A GCReport says what stays and what goes.
type GCReport struct {
	Runs    []string `json:"kept_runs"`
	Kept    Held     `json:"kept"`
	Freed   []Freed  `json:"freed"` // by kind, the most bytes first
	Total   Held     `json:"freed_total"`
	Deleted bool     `json:"deleted"`
	at      []doomed // in the order of removal: actions, then blobs
}

// Held is how much of a store something is.
type Held struct {
	Actions int   `json:"actions"`
	Blobs   int   `json:"blobs"`
	Bytes   int64 `json:"bytes"` // at rest
}

// Freed is what goes of one kind: "activations", "action" for records, or what is no action's output.
type Freed struct {
	Kind  string `json:"kind"`
	Count int    `json:"count"`
	Bytes int64  `json:"bytes"`
}

// Kinds of what goes that is no action's output.
const (
	freedActions = "action records"
	freedInputs  = "inputs"            // named by recipes that go
	freedLoose   = "of no computation" // left by runs that were killed, for instance
)

type doomed struct {
	key  cache.ActionKey
	blob cache.Digest // if key is zero
}

// GC removes what no kept run refers to. Kept are the actions of the stages of kept runs; of stages that such a run did
// not finish, the units that it found or made; every blob that a kept action names, as an output or in its recipe; and
// every action all of whose outputs are kept, or that has none, so that units are still found when another experiment asks for them. What
// a judge answered stays: it was paid for.
//
// No clock decides what is removed. A run that is at work is known by the lock that it holds, and where a store has no
// locks by its record, which changes while it lives; nothing is removed while there is one, and the removal ends when
// one begins. What is made after the listing is not in it. Actions go before blobs, so whoever looks, or kills it, in
// the middle finds whole actions or misses: at worst a run that began in the same moment stops at a blob that is gone
// and goes on when it is started again.
func GC(ctx context.Context, store cache.Store, o GCOptions) (*GCReport, error) {
	runs, err := wholeRuns(ctx, store)
	if err != nil {
		return nil, err
	}
	live, err := alive(ctx, store, runs, o.Delete)
	if err != nil {
		return nil, err
	}
	if len(live) > 0 && o.Delete && !o.Force {
		return nil, Problems{fmt.Sprintf("run %s is at work: what it makes cannot be told from what nobody needs; wait for its end, or -force", live[0].Run)}
	}
	kept, err := chooseRuns(runs, live, o)
	if err != nil {
		return nil, err
	}
	r, err := sortOut(ctx, store, kept)
	if err != nil || !o.Delete {
		return r, err
	}
	r.Deleted = true
	return r, r.remove(ctx, store, runs)
}

// wholeRuns reads all records. Without any, nothing is known to be needed; with one that is damaged, not all.
func wholeRuns(ctx context.Context, store cache.Store) ([]*RunRecord, error) {
	var damage error
	runs, err := Runs(ctx, store, func(_ string, err error) { damage = cmp.Or(damage, err) })
	switch {
	case err != nil:
		return nil, err
	case damage != nil:
		return nil, fmt.Errorf("what a run needs is not known: %w", damage)
	case len(runs) == 0:
		return nil, Problems{"no run is recorded in this store, so everything in it would go; delete the folder if that is meant"}
	}
	return runs, nil
}

// wait is how long a record is watched for a change where a store cannot tell who is alive. A test shortens it.
var wait = beatEvery + 10*time.Second

// alive gives the runs that are at work. sure watches records that are not fresh, since clocks jump.
func alive(ctx context.Context, store cache.Store, runs []*RunRecord, sure bool) (live []*RunRecord, err error) {
	var silent []*RunRecord
	for _, r := range runs {
		switch r.State {
		case Running:
			live = append(live, r)
		case Stopped:
			if _, known, err := cache.Held(ctx, store, r.Run); err != nil {
				return nil, err
			} else if !known && sure {
				silent = append(silent, r)
			}
		}
	}
	if len(silent) == 0 {
		return live, nil
	}
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(wait):
	}
	for _, r := range silent {
		if now, ok, err := readRun(ctx, store, r.Run); err != nil {
			return nil, err
		} else if ok && now.Beats != r.Beats {
			live = append(live, now)
		}
	}
	return live, nil
}

// chooseRuns gives those that stay: the named, the last and whatever is at work.
func chooseRuns(runs, live []*RunRecord, o GCOptions) ([]*RunRecord, error) {
	kept := slices.Clone(runs[:min(o.Last, len(runs))])
	for _, name := range o.Keep {
		r, err := PickRun(runs, name)
		if err != nil {
			return nil, err
		}
		kept = append(kept, r)
	}
	if len(kept) == 0 {
		return nil, Problems{"nothing would be kept: -keep names a run, -runs says how many of the last ones; delete the folder if that is meant"}
	}
	kept = append(kept, live...)
	slices.SortFunc(kept, func(a, b *RunRecord) int { return strings.Compare(b.Run, a.Run) })
	return slices.CompactFunc(kept, func(a, b *RunRecord) bool { return a.Run == b.Run }), nil
}

// keys are those of the actions that a run refers to by itself.
func (r *RunRecord) keys() (keys []cache.ActionKey, err error) {
	for _, s := range r.Stages {
		keys = append(keys, s.Found...)
		if s.Key == "" {
			continue
		}
		k, err := cache.ParseActionKey(s.Key)
		if err != nil {
			return nil, fmt.Errorf("run %s, stage %s: %w", r.Run, s.Stage, err)
		}
		keys = append(keys, k)
	}
	return keys, nil
}

// sortOut lists a store and tells what stays from what goes.
func sortOut(ctx context.Context, store cache.Store, kept []*RunRecord) (*GCReport, error) {
	r := &GCReport{Freed: []Freed{}}
	rooted := map[cache.ActionKey]bool{}
	for _, run := range kept {
		r.Runs = append(r.Runs, run.Run)
		keys, err := run.keys()
		if err != nil {
			return nil, err
		}
		for _, k := range keys {
			rooted[k] = true
		}
	}
	all, err := listActions(ctx, store)
	if err != nil {
		return nil, err
	}
	stays, needed := reach(all, rooted)
	kinds := map[cache.Digest]string{}
	freed := map[string]*Freed{}
	count := func(kind string, bytes int64) {
		if freed[kind] == nil {
			freed[kind] = &Freed{Kind: kind}
		}
		freed[kind].Count++
		freed[kind].Bytes += bytes
		r.Total.Bytes += bytes
	}
	for i, a := range all {
		record, err := cache.EncodeAction(a.Recipe, a.Outputs)
		if err != nil {
			return nil, err
		}
		if stays[i] {
			r.Kept.Actions++
			r.Kept.Bytes += int64(len(record))
			continue
		}
		for _, d := range a.Named() {
			kinds[d] = cmp.Or(kinds[d], freedInputs)
		}
		for _, o := range a.Outputs {
			kinds[o.Digest] = o.Kind
		}
		r.Total.Actions++
		count(freedActions, int64(len(record)))
		r.at = append(r.at, doomed{key: a.Key})
	}
	err = store.Blobs(ctx, func(d cache.Digest, stored int64) error {
		if needed[d] {
			r.Kept.Blobs++
			r.Kept.Bytes += stored
			return nil
		}
		r.Total.Blobs++
		count(cmp.Or(kinds[d], freedLoose), stored)
		r.at = append(r.at, doomed{blob: d})
		return nil
	})
	for _, kind := range slices.Sorted(maps.Keys(freed)) {
		r.Freed = append(r.Freed, *freed[kind])
	}
	slices.SortStableFunc(r.Freed, func(a, b Freed) int { return cmp.Compare(b.Bytes, a.Bytes) })
	return r, err
}

// reach says which actions stay and which digests are needed.
func reach(all []cache.Action, rooted map[cache.ActionKey]bool) (stays []bool, needed map[cache.Digest]bool) {
	stays, needed = make([]bool, len(all)), map[cache.Digest]bool{}
	keep := func(i int) {
		stays[i] = true
		for _, d := range all[i].Named() {
			needed[d] = true
		}
	}
	whole := func(a cache.Action) bool {
		return !slices.ContainsFunc(a.Outputs, func(o cache.Output) bool { return !needed[o.Digest] })
	}
	for i, a := range all {
		if rooted[a.Key] || len(a.Outputs) == 1 && a.Outputs[0].Kind == judge.KindReply {
			keep(i)
		}
	}
	for more := true; more; {
		more = false
		for i, a := range all {
			if !stays[i] && whole(a) {
				keep(i)
				more = true
			}
		}
	}
	return stays, needed
}

// lookEvery is after how many removals it is asked whether a run has begun.
const lookEvery = 64

// remove removes what goes, unless a run begins.
func (r *GCReport) remove(ctx context.Context, store cache.Store, runs []*RunRecord) error {
	var known []string
	for _, run := range runs {
		known = append(known, run.Run)
	}
	for i, d := range r.at {
		if i%lookEvery == 0 {
			names, err := runNames(ctx, store)
			if err != nil {
				return err
			}
			for _, name := range names {
				if !slices.Contains(known, name) {
					return fmt.Errorf("run %s began meanwhile, which may need what is to go: %d of %d files were removed; do it again after its end", name, i, len(r.at))
				}
			}
		}
		var err error
		if (d.key != cache.ActionKey{}) {
			err = store.RemoveAction(ctx, d.key)
		} else {
			err = store.RemoveBlob(ctx, d.blob)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
