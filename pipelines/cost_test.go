package pipelines

import (
	"fmt"
	"strings"
	"testing"

	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/gpu/arch"
)

// TestCostsAreOfWhatIsMissing: every unit that is not stored has a cost, nothing else has one, and a plan of
// hits costs nothing and says nothing of time and memory.
func TestCostsAreOfWhatIsMissing(t *testing.T) {
	dir, _ := finished(t)
	for _, c := range []struct {
		set     settings
		missing string
	}{
		{small(), ""},
		{small().with("max_new_tokens", 9), "anchors anchors.score yardstick gate anchors.probe generate score probe evaluate"},
		{small().with("lambda_values", []float64{.2}), "fit vectors cosines generate score probe evaluate"},
	} {
		e := c.set.experiment(t)
		plan := planOf(t, e, dir)
		costs, err := e.Alone().Costs(t.Context(), plan)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, s := range plan.Steps {
			if units := costs[s.Stage.ID]; len(units) > 0 {
				names = append(names, s.Stage.Name)
				if len(units) != s.Stage.Units || costs.Of(s.Stage.ID) <= 0 {
					t.Errorf("%s has %d units and costs of %d, %g seconds", s.Stage.Name, s.Stage.Units, len(units), costs.Of(s.Stage.ID))
				}
			}
		}
		if got := strings.Join(names, " "); got != c.missing {
			t.Errorf("costs of %q, want %q", got, c.missing)
		}
		facts, err := e.Alone().Facts(t.Context(), open(t, dir), plan, costs)
		if err != nil {
			t.Fatal(err)
		}
		told := 0
		for _, f := range facts {
			if f.Name == "time" || f.Name == "memory" {
				told++
			}
		}
		if (told == 2) != (c.missing != "") || told == 1 {
			t.Errorf("with %q to compute, the facts are %v", c.missing, facts)
		}
	}
}

// TestMemoryIsOfTheModelsSideBySide gives both sides the shape of large models: a run needs the source's
// weights as long as something reads them, and never less than what is open at once.
func TestMemoryIsOfTheModelsSideBySide(t *testing.T) {
	shape := func(layers int) *arch.Config {
		c, err := arch.ParseConfig(fmt.Appendf(nil, `{"model_type": "llama", "vocab_size": 32000, "hidden_size": 1024, "num_hidden_layers": %d, "num_attention_heads": 16,
			"intermediate_size": 4096, "max_position_embeddings": 2048, "rms_norm_eps": 1e-5}`, layers))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	e := small().experiment(t)
	e.Source.shape, e.Target.shape = shape(40), shape(20)
	source, target := 4*e.Source.shape.Parameters(), 4*e.Target.shape.Parameters()
	e.Source.weights, e.Target.weights = source, target
	plan, err := e.Plan(t.Context(), cache.NewMemory())
	if err != nil {
		t.Fatal(err)
	}
	if got := e.Alone().need(plan).Total(); got < source+target || got > (source+target)*3/2 {
		t.Errorf("both models: %s, want from %s to half as much again", Size(got), Size(source+target))
	}
	for i := range plan.Steps {
		if name := plan.Steps[i].Stage.Name; name != "generate" && name != "score" && name != "evaluate" {
			plan.Steps[i].State = Hit
		}
	}
	if got := e.Alone().need(plan).Total(); got < target || got > target*2 {
		t.Errorf("the target alone: %s, want from %s to twice as much", Size(got), Size(target))
	}
}

// TestRoughly says no more than an estimate knows.
func TestRoughly(t *testing.T) {
	for seconds, want := range map[float64]string{.2: "under 1s", 1: "1s", 59.4: "59s", 64: "1m0s", 347: "5m50s", 754: "13m", 3600: "1h0m", 40000: "11h7m"} {
		if got := Roughly(seconds); got != want {
			t.Errorf("%g seconds: %q, want %q", seconds, got, want)
		}
	}
}
