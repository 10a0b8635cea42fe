package transforms

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/cache"
)

// pairedShards stores n pairs of random activations, of the given number of documents, as the Gram
// matrices of one shard.
func pairedShards(t *testing.T, store cache.Store, n, documents int, s Gram) Manifest {
	t.Helper()
	const d, e = 4, 3
	r := rand.New(rand.NewPCG(1, 2))
	x := &artifacts.Activations{Meta: place("s", 1, d), Dim: d}
	y := &artifacts.Activations{Meta: place("t", 1, e), Dim: e}
	for i := range n {
		for _, a := range []*artifacts.Activations{x, y} {
			a.Document, a.Fold = append(a.Document, fmt.Sprint(i%documents)), append(a.Fold, int32(i%documents))
			a.Text, a.End, a.Token = append(a.Text, int32(i)), append(a.End, 1), append(a.Token, "x")
		}
		for j := range d {
			x.Residual = append(x.Residual, float32(r.NormFloat64()*float64(1+10*j)))
		}
		for j := range e {
			y.Residual = append(y.Residual, x.Residual[i*d+j]+float32(r.NormFloat64()))
		}
	}
	stage := NewStage("gram", "gram", s, 1, "capture.source", "capture.target")
	u := unit(stage, 0, store,
		Manifest{keep(t, store, unitName(0, "activations"), artifacts.KindActivations, x.Encode)},
		Manifest{keep(t, store, unitName(0, "activations"), artifacts.KindActivations, y.Encode)})
	key, err := gram(t.Context(), u, s)
	if err != nil {
		t.Fatal(err)
	}
	out, _, err := store.Lookup(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// fitOf runs the stage and gives its report.
func fitOf(t *testing.T, pairs, documents int, s Fit) (FitReport, error) {
	t.Helper()
	store := cache.NewMemory()
	shards := pairedShards(t, store, pairs, documents, Gram{Folds: s.Folds})
	u := unit(NewStage("fit", "fit", s, 1, "gram"), 0, store, shards)
	key, err := fit(context.Background(), u, s)
	if err != nil {
		return FitReport{}, err
	}
	out, _, err := store.Lookup(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	o, _ := Manifest(out).Find("report")
	b, err := store.Read(t.Context(), o.Digest)
	if err != nil {
		t.Fatal(err)
	}
	var r FitReport
	if err := json.Unmarshal(b, &r); err != nil {
		t.Fatal(err)
	}
	return r, nil
}

// TestFitRefusesFewerDocumentsThanFolds, before it solves anything.
func TestFitRefusesFewerDocumentsThanFolds(t *testing.T) {
	s := Fit{Method: "ridge", Centre: true, Lambdas: []float64{1}, Unit: "relative", Folds: 5}
	_, err := fitOf(t, 40, 3, s)
	if !errors.Is(err, ErrTexts) || !strings.Contains(err.Error(), "the 40 pairs of calibration_texts come from too few documents: they fill 3 of the 5 folds") {
		t.Errorf("three documents for five folds: %v", err)
	}
	if _, err := fitOf(t, 40, 5, s); err != nil {
		t.Errorf("five documents for five folds: %v", err)
	}
}

// TestFitScoresTheMethodItFits: the report's penalty and R² are those of the method.
func TestFitScoresTheMethodItFits(t *testing.T) {
	scores := map[string]float64{}
	for _, method := range []string{"ridge", "standardised", "ols", "procrustes", "low_rank"} {
		s := Fit{Method: method, Centre: true, Lambdas: []float64{.1, 1}, Unit: "relative", Folds: 5}
		if method == "low_rank" {
			s.Rank = 1
		}
		r, err := fitOf(t, 100, 20, s)
		if err != nil {
			t.Fatal(err)
		}
		want := 2
		if method == "ols" || method == "procrustes" {
			want = 1
			if r.Lambda != 0 || r.LambdaAbsolute != 0 {
				t.Errorf("%s: penalty %g (%g), want none", method, r.Lambda, r.LambdaAbsolute)
			}
		}
		if len(r.CV.Penalties) != want {
			t.Errorf("%s: %d penalties scored, want %d", method, len(r.CV.Penalties), want)
		}
		scores[method] = r.CV.Penalties[0].R2
	}
	// The first target dimension follows a source dimension that is small beside the others, so a
	// penalty on raw columns, a rank of one and a rotation each lose what least squares finds.
	for method, r2 := range scores {
		if method != "ols" && !(r2 < scores["ols"]) {
			t.Errorf("R² of %s is %.4f, of ols %.4f: want less", method, r2, scores["ols"])
		}
	}
}

// TestFitReportsACurveOfItsPairs: one point of all pairs but those of the first fold.
func TestFitReportsACurveOfItsPairs(t *testing.T) {
	r, err := fitOf(t, 100, 20, Fit{Method: "ridge", Centre: true, Lambdas: []float64{.1}, Unit: "relative", Folds: 5})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.LearningCurve) != 1 || r.LearningCurve[0].N != 80 || r.LearningCurve[0].Held.N != 20 {
		t.Errorf("curve %+v, want one point of 80 pairs, scored on 20", r.LearningCurve)
	}
	if want := []int{2, 1, 0}; !slices.Equal(r.LargestVariance, want) { // columns were made larger from left to right
		t.Errorf("largest variance in %v, want %v", r.LargestVariance, want)
	}
}
