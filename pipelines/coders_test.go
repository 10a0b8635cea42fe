package pipelines

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/runtime/graphx"
	pipepb "github.com/apache/beam/sdks/v2/go/pkg/beam/model/pipeline_v1"

	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/transforms"
)

// javaDecodes are coders that a Java runner decodes itself without harm: of keys, windows and bytes.
var javaDecodes = []string{"beam:coder:bytes:v1", "beam:coder:string_utf8:v1", "beam:coder:kv:v1", "beam:coder:iterable:v1", "beam:coder:length_prefix:v1",
	"beam:coder:global_window:v1", "beam:coder:windowed_value:v1", "beam:coder:varint:v1"}

// TestNoRowsTravel builds the whole experiment and looks at every coder of the pipeline as a runner
// gets it. A Java runner decodes Beam rows itself, and fails or hangs on some that Go writes; an
// opaque coder, which only Go workers read, cannot do that.
func TestNoRowsTravel(t *testing.T) {
	p, stages := portable(t, everything())
	urns := map[string]int{}
	for id, pc := range p.GetComponents().GetPcollections() {
		if _, ok := p.GetComponents().GetCoders()[pc.GetCoderId()]; !ok {
			t.Errorf("collection %s has no coder", id)
		}
	}
	for id, c := range p.GetComponents().GetCoders() {
		urn := c.GetSpec().GetUrn()
		urns[urn]++
		if urn == "beam:coder:row:v1" {
			t.Errorf("coder %s writes rows: %s", id, c.GetSpec().GetPayload())
		}
		if strings.HasPrefix(urn, "beam:coder:") && !slices.Contains(javaDecodes, urn) {
			t.Errorf("coder %s is %s; is it one that a Java runner decodes as Go writes it?", id, urn)
		}
	}
	if len(urns) < 3 || len(p.GetComponents().GetPcollections()) < stages*5 {
		t.Errorf("%d collections with coders %v: that is not the whole experiment", len(p.GetComponents().GetPcollections()), slices.Sorted(maps.Keys(urns)))
	}
}

// TestTheJobHoldsNoSettings: runners bound a job's size, and show it to whoever may look at them.
func TestTheJobHoldsNoSettings(t *testing.T) {
	config := everything()
	p, stages := portable(t, config)
	prompt := config["test_prompts"].([]string)[0]
	var text []byte
	for _, tr := range p.GetComponents().GetTransforms() {
		text = append(text, tr.GetSpec().GetPayload()...)
		if s := string(tr.GetSpec().GetPayload()); strings.Contains(s, prompt) {
			t.Errorf("%s holds a prompt", tr.GetUniqueName())
		}
	}
	if n := len(text) / stages; n > 10<<10 {
		t.Errorf("the job has %d bytes a stage", n)
	}
}

// TestOnlyLightStepsHaveSideInputs keeps the units' function free of them; see transforms.Apply.
func TestOnlyLightStepsHaveSideInputs(t *testing.T) {
	p, stages := portable(t, everything())
	seen := 0
	for _, tr := range p.GetComponents().GetTransforms() {
		if strings.Contains(tr.GetUniqueName(), "unitFn") {
			seen++
			if len(tr.GetInputs()) != 1 {
				t.Errorf("%s has %d inputs, want the units alone", tr.GetUniqueName(), len(tr.GetInputs()))
			}
		}
	}
	if seen != stages {
		t.Errorf("%d transforms compute units, want one for each of %d stages", seen, stages)
	}
}

// TestFlattensComeAfterReshuffles: a Java runner fuses a Flatten into each of the steps before it, and refuses the
// collection that then has two producers ("unzipped_flatten"). It fuses nothing across a Reshuffle.
func TestFlattensComeAfterReshuffles(t *testing.T) {
	p, _ := portable(t, everything())
	shuffled := map[string]bool{} // collections
	for _, tr := range p.GetComponents().GetTransforms() {
		if tr.GetSpec().GetUrn() == "beam:transform:reshuffle:v1" {
			for _, out := range tr.GetOutputs() {
				shuffled[out] = true
			}
		}
	}
	seen := 0
	for _, tr := range p.GetComponents().GetTransforms() {
		if tr.GetSpec().GetUrn() != "beam:transform:flatten:v1" {
			continue
		}
		seen++
		for _, in := range tr.GetInputs() {
			if !shuffled[in] {
				t.Errorf("%s reads %s, which comes from no Reshuffle", tr.GetUniqueName(), in)
			}
		}
	}
	if seen == 0 {
		t.Error("no Flatten in the whole experiment")
	}
}

// portable is the pipeline of a fresh run in the form that a runner gets, and the number of its stages.
func portable(t *testing.T, s settings) (*pipepb.Pipeline, int) {
	t.Helper()
	plan, err := s.experiment(t).Plan(t.Context(), cache.NewMemory())
	if err != nil {
		t.Fatal(err)
	}
	p, root := beam.NewPipelineWithRoot()
	build(root, transforms.Env{Run: "test", Cache: "/nowhere"}, plan)
	edges, _, err := p.Build()
	if err != nil {
		t.Fatal(err)
	}
	environment, err := graphx.CreateEnvironment(t.Context(), "beam:env:external:v1", func(context.Context) string { return "localhost:1" })
	if err != nil {
		t.Fatal(err)
	}
	proto, err := graphx.Marshal(edges, &graphx.Options{Environment: environment})
	if err != nil {
		t.Fatal(err)
	}
	return proto, len(plan.Steps)
}
