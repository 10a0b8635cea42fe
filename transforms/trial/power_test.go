package trial

import (
	"math"
	"testing"
)

// TestPowerByHand: 30 prompts, 3 seeds, 3 personas have √(2(.09 + 1.69/3)/90) = .1205; times 2.048, t of 28 degrees of
// freedom, ±.247. A map that recovers .9 of 2 points falls short by .2: (.5 − .2 − .247)/.1205 = .44, which a normal
// deviate is below in .67 of cases.
func TestPowerByHand(t *testing.T) {
	d := Design{30, 3, 3}
	for _, c := range []struct {
		name      string
		got, want float64
	}{
		{"standard error", d.StandardError(), .1205}, {"half-width", d.HalfWidth(.95), .2468}, {"power", d.NonInferior(.9, 2, .5, .95), .670},
		{"power of a map that recovers nothing", d.NonInferior(0, 2, .5, .95), 0},
	} {
		if math.Abs(c.got-c.want) > 1e-3 {
			t.Errorf("%s: %.4f, want %.4f", c.name, c.got, c.want)
		}
	}
	if n := d.PromptsFor(.8, .9, 2, .5, .95); n != 40 || !((Design{n, 3, 3}).NonInferior(.9, 2, .5, .95) >= .8) || (Design{n - 10, 3, 3}).NonInferior(.9, 2, .5, .95) >= .8 {
		t.Errorf("%d prompts, want 40: the first ten from which it is .8", n)
	}
	if n := d.PromptsFor(.8, .7, 2, .5, .95); n != 0 {
		t.Errorf("a shortfall of .6 against a margin of .5: %d prompts, want none", n)
	}
}

// TestPowerForetellsSimulations: the chance that is foretold is that of simulated experiments, within a quarter. Their
// texts differ by 1.3 points where the scale does not cut them off, as the guess has it.
func TestPowerForetellsSimulations(t *testing.T) {
	n := simulated(t, 16, 16)
	w := defaultWorld()
	w.mapped = effectOf(.85 * judgedEffect)
	c := w.run(t, n, 11)
	got, want := float64(c.notInferior)/float64(n), Design{w.prompts, w.seeds, w.personas}.NonInferior(.85, 2.2, .5, .95)
	t.Logf("not inferior in %.2f, foretold %.2f", got, want)
	if math.Abs(got-want) > .25 {
		t.Errorf("not inferior in %.2f of %d experiments, foretold %.2f", got, n, want)
	}
}
