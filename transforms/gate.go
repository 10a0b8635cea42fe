package transforms

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/transforms/trial"
)

// Gate is the stage that everything waits for that takes long: it says what is known of the results before
// they are paid for, and stops a run that can have none.
type Gate struct {
	Measure string `json:"measure"` // of the primary endpoint
}

const gateVersion = 1

func init() { register("gate", gateVersion, whole, gateWork, gate) }

// gateWork is next to nothing.
func gateWork(Gate, int) Work { return Work{Pace: Counting, Elements: 1e5} }

// gate has no output. It reads yardstick.
func gate(ctx context.Context, u *Unit, s Gate) (cache.ActionKey, error) {
	r := u.Recipe().Struct(s).Input("yardstick", u.Input("yardstick").Digest())
	return u.Do(ctx, r, func(ctx context.Context) ([]Product, error) {
		y, err := u.yardstick(ctx)
		if err != nil {
			return nil, err
		}
		if err := y.Decides(s.Measure); err != nil {
			return nil, err
		}
		for _, text := range y.Warnings() {
			u.warn(text)
		}
		return nil, nil
	})
}

// Warnings tell of personas whose verdict is known to be inconclusive. What follows from the number of
// their texts alone is said before anything runs, so it is not said here.
func (y *Yardstick) Warnings() (lines []string) {
	enough := trial.DefaultThresholds().AUROC
	for _, s := range y.Personas {
		switch {
		case s.AUROC.Missing():
		case s.Missing != "":
			lines = append(lines, fmt.Sprintf("persona %s has no trait scale: %s; its traits will be missing and its verdict inconclusive", s.Persona, s.Missing))
		case !s.Few && float64(s.AUROC) < enough:
			lines = append(lines, fmt.Sprintf("persona %s: the trait scorer's AUROC is %.2f, below %g: its verdict, and that of all personas together, can only be inconclusive", s.Persona, float64(s.AUROC), enough))
		case 2*s.Unlike > y.Anchors.Texts:
			lines = append(lines, fmt.Sprintf("persona %s: %d of the model's %d unsteered texts are unlike those that its trait scorer was fitted on, so many traits will be missing", s.Persona, s.Unlike, y.Anchors.Texts))
		case s.Separation.DPrime.Value < trial.MinDPrime:
			d := s.Separation.DPrime
			lines = append(lines, fmt.Sprintf("persona %s: its held-out texts score only %.2f standard deviations (d') above the model's unsteered ones, 95 %% interval [%.2f, %.2f], below %d: its trait tells little, and its verdict, and that of all personas together, can only be inconclusive",
				s.Persona, float64(d.Value), float64(d.Low), float64(d.High), trial.MinDPrime))
		}
	}
	return lines
}

// ErrNoScale reports an experiment whose declared endpoint is the trait, and no text of which can have one.
var ErrNoScale = errors.New("no persona has a trait scale")

// Decides reports whether an endpoint of that measure can have a value; the error wraps [ErrNoScale] and
// gives each persona's reason. Personas without a scorer alone stop nobody: that they have too few texts
// was said before the run, and whoever went on wants the vectors and the texts.
func (y *Yardstick) Decides(measure string) error {
	if measure != trial.MeasureTrait {
		return nil
	}
	var reasons []string
	found := false // by the anchors, not by counting texts
	for _, s := range y.Personas {
		if s.Missing == "" {
			return nil
		}
		found = found || !s.AUROC.Missing()
		reasons = append(reasons, s.Persona+": "+s.Missing)
	}
	if !found {
		return nil
	}
	return fmt.Errorf("%w, and primary.measure is %q: nothing could be shown, so nothing is generated\n  %s", ErrNoScale, measure, strings.Join(reasons, "\n  "))
}
