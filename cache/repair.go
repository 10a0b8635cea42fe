package cache

import (
	"context"
	"regexp"
)

// Repair removes what [Check] found damaged, and everything that only it proves, and tells of each removal. What was
// lost is computed again by the next run that needs it, and nothing else is:
//
//	an action    its record; its blobs stay, and belong to whatever else names them
//	a blob       the actions that name it, each of which is a miss without it; then the blob; then the other blobs
//	             of these actions that no action names any more
//	a note       itself
//	a stray      itself, and garbage; what somebody else put beside the store's folders stays
//	README, VERSION are written anew
//
// Actions go before blobs: whoever kills it between two removals leaves misses, and damage that the next check finds.
func Repair(ctx context.Context, s Store, found []Finding, removed func(file, why string)) error {
	bad := map[Digest]bool{}
	for _, f := range found {
		var err error
		switch f.What {
		case DamagedAction:
			err = s.RemoveAction(ctx, f.Key)
		case DamagedNote:
			err = s.RemoveNote(ctx, f.File)
		case DamagedBlob:
			bad[f.Digest] = true
			continue
		case Absent, Foreign:
			continue
		default:
			if local, ok := s.(tidy); ok {
				err = local.tidy(ctx, f)
			}
		}
		if err != nil {
			return err
		}
		removed(f.File, string(f.What))
	}
	if len(bad) == 0 {
		return nil
	}
	return repairBlobs(ctx, s, bad, removed)
}

func repairBlobs(ctx context.Context, s Store, bad map[Digest]bool, removed func(file, why string)) error {
	var misses []Action
	named := map[Digest]bool{} // by actions that stay
	err := s.Actions(ctx, func(a Action, err error) error {
		if err != nil { // damaged since the check
			return nil
		}
		for _, o := range a.Outputs {
			if bad[o.Digest] {
				misses = append(misses, a)
				return nil
			}
		}
		for _, d := range a.Named() {
			named[d] = true
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, a := range misses {
		if err := s.RemoveAction(ctx, a.Key); err != nil {
			return err
		}
		removed(ActionName(a.Key), "names a damaged blob")
	}
	for d := range bad {
		if err := s.RemoveBlob(ctx, d); err != nil {
			return err
		}
		removed(BlobName(d), string(DamagedBlob))
	}
	for _, a := range misses {
		for _, o := range a.Outputs {
			if bad[o.Digest] || named[o.Digest] {
				continue
			}
			bad[o.Digest] = true // once
			if err := s.RemoveBlob(ctx, o.Digest); err != nil {
				return err
			}
			removed(BlobName(o.Digest), "no other action names it")
		}
	}
	return nil
}

var digestIn = regexp.MustCompile(`[0-9a-f]{64}`)

// Named gives the digests that the action depends on or stands for: those of its outputs, and all that its recipe
// holds, which are of inputs, and of much that is not stored.
func (a Action) Named() []Digest {
	var all []Digest
	for _, o := range a.Outputs {
		all = append(all, o.Digest)
	}
	return append(all, DigestsIn(a.Recipe)...)
}

// DigestsIn gives whatever in a text may be a digest, in its order.
func DigestsIn(text string) (all []Digest) {
	for _, hex := range digestIn.FindAllString(text, -1) {
		if d, err := ParseDigest(hex); err == nil {
			all = append(all, d)
		}
	}
	return all
}
