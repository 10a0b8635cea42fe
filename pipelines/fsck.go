package pipelines

import (
	"context"
	"fmt"
	"slices"

	"github.com/persona-transfer/runpipeline/cache"
)

// A FsckReport is what was found in a store, in words that name no folder.
type FsckReport struct {
	Findings []Finding    `json:"findings"`
	Removed  []Removal    `json:"removed,omitempty"`
	Totals   cache.Totals `json:"totals"`

	found []cache.Finding
}

// A Finding is one of [cache.Finding] in words.
type Finding struct {
	What   cache.What `json:"what"`
	Damage bool       `json:"damage"` // else it is no reason to worry
	File   string     `json:"file"`   // its name in the store
	Cause  string     `json:"cause,omitempty"`
	Users  []string   `json:"users,omitempty"` // whose output it is
}

// A Removal is what a repair took away, and why.
type Removal struct {
	File string `json:"file"`
	Why  string `json:"why"`
}

// maxUsers is how many users of a damaged file are named.
const maxUsers = 3

// Fsck reads every stored byte.
func Fsck(ctx context.Context, store cache.Store) (FsckReport, error) {
	found, totals, err := cache.Check(ctx, store)
	r := FsckReport{Findings: []Finding{}, Totals: totals, found: found}
	if err != nil {
		return r, err
	}
	users, err := stageUsers(ctx, store)
	for _, f := range found {
		line := Finding{What: f.What, Damage: f.Damage(), File: f.File}
		if f.Damage() {
			line.Cause = cause(f.Err, cache.ErrCorrupt)
		}
		for i, u := range f.Users {
			if i == maxUsers {
				line.Users = append(line.Users, "…")
				break
			}
			line.Users = append(line.Users, u.String()+users[u.Key])
		}
		r.Findings = append(r.Findings, line)
	}
	return r, err
}

// stageUsers says of stages' keys which stage of which run they are, the latest one's.
func stageUsers(ctx context.Context, store cache.Store) (map[cache.ActionKey]string, error) {
	users := map[cache.ActionKey]string{}
	runs, err := Runs(ctx, store, func(string, error) {}) // what is damaged is found already
	for _, run := range slices.Backward(runs) {
		for _, s := range run.Stages {
			if k, err := cache.ParseActionKey(s.Key); err == nil {
				users[k] = fmt.Sprintf(", %s of run %s", s.Stage, run.Run)
			}
		}
	}
	return users, err
}

// Repair removes the damage that [Fsck] found.
func Repair(ctx context.Context, store cache.Store, r FsckReport) (removed []Removal, err error) {
	err = cache.Repair(ctx, store, r.found, func(file, why string) { removed = append(removed, Removal{file, why}) })
	return removed, err
}
