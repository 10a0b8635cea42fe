package transforms

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/persona-transfer/runpipeline/gpu"
	"github.com/persona-transfer/runpipeline/gpu/checkpoint"
)

// modelFolders are where a worker looks for the models of runs that another machine began.
var modelFolders atomic.Pointer[[]string]

// FindModelsIn names the folders of this machine in which the models lie that a run names as folders or
// files of the machine that began it.
func FindModelsIn(folders []string) { modelFolders.Store(&folders) }

// openHere opens the files of a run's model on the machine that computes, where it may lie elsewhere than
// on the one that began the run: at its own path, else under its own name in one of the worker's folders,
// else, if it has the form of one, as a hub id. moved says that it was found under its name only: callers
// compare digests.
func openHere(ctx context.Context, ref string, metadataOnly bool) (c *checkpoint.Checkpoint, moved bool, err error) {
	if strings.HasPrefix(ref, "tiny:") {
		c, err = OpenFiles(ctx, ref, metadataOnly)
		return c, false, err
	}
	tried := []string{ref}
	if folders := modelFolders.Load(); folders != nil {
		for _, folder := range *folders {
			tried = append(tried, filepath.Join(folder, filepath.Base(ref)))
		}
	}
	for i, path := range tried {
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			c, err = OpenFiles(ctx, path, metadataOnly) // an error that says why it cannot be looked at, too
			return c, i > 0, err
		}
	}
	c, err = OpenFiles(ctx, ref, metadataOnly)
	if err != nil && errors.Is(err, checkpoint.ErrNotFound) {
		err = fmt.Errorf("%w (this worker has neither %s)", err, strings.Join(tried, " nor "))
	}
	return c, false, err
}

// sameDevice reports a device of this machine that is another than the run's recipes say, though it has the same
// name: it would compute other bits under their keys.
func sameDevice(m Model) error {
	d, err := gpu.DeviceFor(m.Open)
	if err == nil && d.String() != m.Device {
		err = fmt.Errorf("device %s of this worker is %s: %w", m.Open, d, gpu.ErrNoDevice)
	}
	if err != nil {
		return fmt.Errorf("open model %s on %s: %w", m.Ref, m.Device, err)
	}
	return nil
}

// othersThan is the error of files that are not those that a run was planned with: they changed since it began, or
// another model has that name on this worker.
func othersThan(ref, want, got string) error {
	short := func(digest string) string { return digest[:min(12, len(digest))] }
	return fmt.Errorf("open model %s: its files here are others than those of the run (%s, not %s)", ref, short(got), short(want))
}
