package transforms

import (
	"context"
	"errors"
	"fmt"
)

// ErrRoom reports that the store has less room than what is about to be computed takes.
var ErrRoom = errors.New("too little room in the store")

// slack is what a unit may write beside what its work counts: records, small outputs, a file system's blocks.
const slack = 64 << 10

// room refuses to begin a unit if the store, as far as it knows, has no room for the unit and those of its stage
// that this process has not finished: units that are found are finished at once, so a run that goes on asks for what is
// left. It counts what is stored before compression.
func (u *Unit) room(ctx context.Context) error {
	free, known, err := u.Store.Free(ctx)
	if err != nil || !known {
		return err
	}
	rest := max(1, u.Stage.Units-u.run.ended.of(u.Stage.ID))
	if need := slack + float64(rest)*u.work.Stored; float64(free) < need {
		return fmt.Errorf("%w: %.1f MiB are left where %s may take %.1f MiB; make room or name another store with -cache; what is finished is kept",
			ErrRoom, float64(free)/(1<<20), u.Stage.Name, need/(1<<20))
	}
	return nil
}
