package pipelines

import (
	"slices"
	"strings"
	"testing"
)

// Whatever is stored is explained by its digest and its key, each by eight digits or more; recipes say what their inputs
// are of, and a stage which runs refer to it.
func TestExplainFindsWhatIsStored(t *testing.T) {
	dir, _ := finished(t)
	store := open(t, dir)
	e := small().experiment(t)
	step := e.step(t, dir, "capture.source")
	run := records(t, dir)[0].Run
	byDigest, err := e.Explain(t.Context(), store, step.Manifest[0].Digest.String()[:8])
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, x := range byDigest {
		kinds = append(kinds, x.Recipe[0].Value)
		if x.Chosen == "" {
			t.Errorf("%s: no output is marked: %+v", x.Recipe[0].Value, x)
		}
	}
	slices.Sort(kinds)
	if !slices.Equal(kinds, []string{"capture", "capture unit"}) {
		t.Errorf("its activations are explained by %q", kinds)
	}
	byKey, err := e.Explain(t.Context(), store, step.Key.String()[:9])
	if err != nil || len(byKey) != 1 || byKey[0].Stage != "capture.source" || byKey[0].State != Hit || !slices.Equal(byKey[0].Runs, []string{run}) {
		t.Errorf("by its key: %+v, %v", byKey, err)
	}
	if _, err := e.Explain(t.Context(), store, step.Key.String()[:7]); err == nil {
		t.Error("seven digits are enough")
	}
	fit, err := e.Explain(t.Context(), store, "fit")
	if err != nil || len(fit) != 1 {
		t.Fatalf("Explain = %+v, %v", fit, err)
	}
	read := ""
	for _, in := range fit[0].Inputs {
		if in.Name == "gram" {
			read = strings.Join(in.Of, ", ")
		}
	}
	if want := "all outputs of gram (" + e.step(t, dir, "gram").Key.Short() + ")"; read != want {
		t.Errorf("the fit reads %q, want %q", read, want)
	}
}

// A miss is explained by what changed, and what waits for it by that.
func TestExplainSaysWhatCausedAMiss(t *testing.T) {
	dir, _ := finished(t)
	e := otherLambda().experiment(t)
	for stage, want := range map[string][]string{"fit": {"lambda_values: [0.001 0.1] → [0.01]"}, "vectors": {"fit comes first"}} {
		x, err := e.Explain(t.Context(), open(t, dir), stage)
		if err != nil || len(x) != 1 || !slices.Equal(x[0].Why, want) || len(x[0].Runs) > 0 {
			t.Errorf("%s: %+v, %v, want %q", stage, x, err, want)
		}
	}
}
