package main

import (
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"

	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/pipelines"
)

// fsckCommand reads every stored byte.
func fsckCommand(ctx context.Context, a *app, args []string) error {
	f := newFlags("fsck", a.stderr)
	location := storeFlag(f)
	repair := f.Bool("repair", false, "remove what is damaged, and everything that only it proves: the next run computes it again")
	asJSON := f.Bool("json", false, "print JSON")
	if err := parse(f, args, 0); err != nil {
		return err
	}
	at, err := existingStore(*location)
	if err != nil {
		return err
	}
	store, err := cache.OpenToCheck(ctx, at)
	if err != nil {
		return storeProblem(err)
	}
	found, err := pipelines.Fsck(ctx, store)
	if err != nil {
		return err
	}
	if *repair {
		found.Removed, err = pipelines.Repair(ctx, store, found)
	}
	if *asJSON {
		err = cmp.Or(err, printJSON(a, found))
	} else {
		a.findings(found)
	}
	if err == nil && !*repair && found.Totals.Damaged > 0 {
		err = hinted{fmt.Errorf("%s %s damaged: %w", count(found.Totals.Damaged, "file"), are(found.Totals.Damaged), cache.ErrCorrupt), damageHint}
	}
	return err
}

// damageHint says what to do where stored bytes are damaged.
const damageHint = "\"runpipeline fsck\" lists all that is damaged, \"runpipeline fsck -repair\" removes it (with the same -cache); the next run computes it again"

// findings prints what was found, and what was done about it.
func (a *app) findings(found pipelines.FsckReport) {
	for _, f := range found.Findings {
		word := "damaged"
		if !f.Damage {
			word = string(f.What)
		}
		a.stdout.line("%-8s %s%s", word, f.File, parts(": ", f.Cause))
		for _, user := range f.Users {
			a.stdout.line("         %s", user)
		}
	}
	for _, r := range found.Removed {
		a.stdout.line("removed  %s: %s", r.File, r.Why)
	}
	t := found.Totals
	a.stdout.line("%s, %s of %d bytes (content: %d), %s: %s", count(t.Actions, "action"), count(t.Blobs, "blob"), t.Stored, t.Content,
		count(t.Notes, "note"), damagedWords(t.Damaged, len(found.Removed)))
}

func damagedWords(damaged, removed int) string {
	switch {
	case damaged == 0:
		return "nothing is damaged"
	case removed > 0:
		return fmt.Sprintf("%d were damaged; what is missing now is computed again by the next run that needs it", damaged)
	}
	return fmt.Sprintf("%d damaged", damaged)
}

// parts puts a separator before a text that is not empty.
func parts(before, text string) string {
	if text == "" {
		return ""
	}
	return before + text
}

// count says how many there are of something whose plural has an "s".
func count(n int, one string) string { return fmt.Sprintf("%d %s%s", n, one, plural(n)) }

// are is the verb that goes with a count.
func are(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

func printJSON(a *app, v any) error {
	enc := json.NewEncoder(a.stdout)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// storeFlag is the flag of commands that need a store and no experiment.
func storeFlag(f *flag.FlagSet) *string {
	return f.String("cache", "", cacheUsage)
}

// existingStore is the location of a store that must be there.
func existingStore(location string) (string, error) {
	x := experimentFlags{cache: location}
	at, err := x.folder()
	if err != nil {
		return "", err
	}
	if noFolder(at) != nil {
		return "", fmt.Errorf("%w: nothing is stored in %s: run the experiment first", pipelines.ErrMissing, at)
	}
	return at, nil
}

// openExisting opens a store that must be there.
func openExisting(ctx context.Context, location string) (cache.Store, error) {
	at, err := existingStore(location)
	if err != nil {
		return nil, err
	}
	store, err := cache.Open(ctx, at)
	if err != nil {
		return nil, storeProblem(err)
	}
	return store, nil
}
