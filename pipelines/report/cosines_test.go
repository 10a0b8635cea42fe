package report

import (
	"bytes"
	"strings"
	"testing"

	"github.com/persona-transfer/runpipeline/transforms"
	"github.com/persona-transfer/runpipeline/transforms/trial"
)

// TestFloorsAreInTheHeatMap: every cell has the floor below its cosine, and a mark where it is not above it.
func TestFloorsAreInTheHeatMap(t *testing.T) {
	r, err := decodeReport(invented(t, false))
	if err != nil {
		t.Fatal(err)
	}
	f := cosineFigure(r)
	if len(f.Panels) != 1 {
		t.Fatalf("%d panels", len(f.Panels))
	}
	drawn := f.Panels[0].content
	for _, want := range []string{">0.91<", ">floor 0.42<", ">0.87<", ">≤ floor 0.88<"} {
		if strings.Count(drawn, want) != 1 {
			t.Errorf("the heat map has %s %d times, want once", want, strings.Count(drawn, want))
		}
	}
	if !strings.Contains(f.Caption, "permuted, in both models alike (200 times)") {
		t.Errorf("the caption does not say what the floor is: %s", f.Caption)
	}
}

// TestCosinesWithoutFloors: vectors that are drawn have none, nor has a report that an older program wrote. Nothing
// is then said of floors, and nothing called missing.
func TestCosinesWithoutFloors(t *testing.T) {
	r, err := decodeReport(invented(t, false))
	if err != nil {
		t.Fatal(err)
	}
	for i := range r.Vectors {
		v := &r.Vectors[i]
		*v = transforms.VectorReport{Persona: v.Persona, Condition: v.Condition, Cosine: v.Cosine, CosineWithout: v.CosineWithout, Norm: v.Norm, Scales: v.Scales}
	}
	if f := cosineFigure(r); strings.Contains(f.Panels[0].content, "floor") {
		t.Error("the heat map has a floor")
	}
	var table strings.Builder
	var out bytes.Buffer
	cosinesTable(r).writeMarkdown(&table)
	p := &printer{w: &out}
	p.personas(r)
	for _, text := range []string{table.String(), out.String()} {
		if strings.Contains(text, "missing") || strings.Contains(text, "its floor:") || strings.Contains(text, "0 times") || strings.Contains(text, "reliability of") {
			t.Errorf("without floors:\n%s", text)
		}
	}
	if notes := underFloor(r); notes != nil {
		t.Errorf("without floors: %q", notes)
	}
}

// TestCosinesUnderTheirFloorAreNamed: of the mapped conditions, both of them, and of no control, which need not be
// above anything.
func TestCosinesUnderTheirFloorAreNamed(t *testing.T) {
	r, err := decodeReport(invented(t, false))
	if err != nil {
		t.Fatal(err)
	}
	r.Evaluation.Pooled.Conditions = append(r.Evaluation.Pooled.Conditions, trial.ConditionReport{Condition: "ridge_held_out", Role: trial.RoleHeldOut})
	for _, persona := range []string{"angry", "silly"} {
		for _, condition := range []string{"ridge_held_out", "zero_pad"} {
			v := inventedVector(persona, .3, .6)
			v.Condition = condition
			r.Vectors = append(r.Vectors, v)
		}
	}
	want := []string{"ridge: the cosine with the target's own vector is no more than labels drawn at random give: silly (0.87, floor 0.88)",
		"ridge_held_out: the cosine with the target's own vector is no more than labels drawn at random give: angry (0.30, floor 0.60), silly (0.30, floor 0.60)"}
	if got := underFloor(r); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("notes %q, want %q", got, want)
	}
}
