package transforms

import (
	"context"
	"encoding/json"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/persona-transfer/runpipeline/cache"
)

// A stageAt is what functions of the pipeline know of a stage: where to find the rest. Its settings, with all prompts
// in them, would otherwise stand in the job three times, which runners bound in size and show to whoever may look.
type stageAt struct {
	Env      Env
	Name, ID string
}

// publishing is how many stages are written down side by side, tries how often a note is tried in a store that fails.
const (
	publishing = 16
	tries      = 4
)

// Publish writes stages of a run down for workers of other processes. [Reports.Clear] removes them.
func Publish(ctx context.Context, store cache.Store, run string, stages []Stage) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(publishing)
	for _, s := range stages {
		group.Go(func() error {
			text, err := json.Marshal(s)
			if err != nil {
				return fmt.Errorf("write stage %s down for workers: %w", s.Name, err)
			}
			for range tries {
				if err = store.SetNote(ctx, stagesPrefix(run)+s.ID, text); err == nil {
					return nil
				}
			}
			return fmt.Errorf("write stage %s down for workers: %w", s.Name, err)
		})
	}
	return group.Wait()
}

// stage gives a stage of the run: as it was begun with in this process, else as it was published.
func (r *run) stage(ctx context.Context, at stageAt) (Stage, error) {
	if s, ok := r.graph.stage(at.ID); ok {
		return s, nil
	}
	if r.remote == nil {
		return Stage{}, fmt.Errorf("stage %s is not one of those that the run was begun with", at.Name)
	}
	return r.remote.stage(ctx, at)
}

// stage reads a published stage, once.
func (m *remote) stage(ctx context.Context, at stageAt) (s Stage, err error) {
	m.mu.Lock()
	s, ok := m.stages[at.ID]
	m.mu.Unlock()
	if ok {
		return s, nil
	}
	store, err := at.Env.store(ctx)
	if err != nil {
		return s, err
	}
	text, ok, err := store.Note(ctx, stagesPrefix(m.name)+at.ID)
	if err == nil && !ok {
		err = fmt.Errorf("run %s is over: its stage %s is not in the store any more", m.name, at.Name)
	}
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	if err != nil {
		return Stage{}, fmt.Errorf("read stage %s: %w", at.Name, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stages[at.ID] = s
	return s, nil
}
