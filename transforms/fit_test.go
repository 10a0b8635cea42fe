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

// randomPairs stores n pairs of random activations, of the given number of documents, in shards of so many rows.
func randomPairs(t *testing.T, store cache.Store, n, documents, rows int) (source, target Manifest) {
	t.Helper()
	const d, e = 4, 3
	r := rand.New(rand.NewPCG(1, 2))
	var x, y *artifacts.Activations
	for i := range n {
		if i%rows == 0 {
			x = &artifacts.Activations{Meta: place("s", 1, d), Dim: d}
			y = &artifacts.Activations{Meta: place("t", 1, e), Dim: e}
		}
		for _, a := range []*artifacts.Activations{x, y} {
			a.Document, a.Fold = append(a.Document, fmt.Sprint(i%documents)), append(a.Fold, int32(i%documents))
			a.Text, a.End, a.Token = append(a.Text, int32(i)), append(a.End, 1), append(a.Token, "x")
		}
		row := make([]float32, d)
		for j := range row {
			row[j] = float32(r.NormFloat64() * float64(1+10*j))
		}
		x.Residual = append(x.Residual, row...)
		for j := range e {
			y.Residual = append(y.Residual, row[j]+float32(r.NormFloat64()))
		}
		if i%rows == rows-1 || i == n-1 {
			name := unitName(len(source), "activations")
			source = append(source, keep(t, store, name, artifacts.KindActivations, x.Encode))
			target = append(target, keep(t, store, name, artifacts.KindActivations, y.Encode))
		}
	}
	return source, target
}

// fitOf runs the stage on pairs in three shards and gives its report.
func fitOf(t *testing.T, pairs, documents, folds int, s Fit) (FitReport, error) {
	t.Helper()
	store := cache.NewMemory()
	source, target := randomPairs(t, store, pairs, documents, (pairs+2)/3)
	u := unit(NewStage("fit", "fit", s, 1, samples["fit"].inputs...), 0, store, gramsOf(t, store, folds, source, target), source, target)
	key, err := fit(context.Background(), u, s)
	if err != nil {
		return FitReport{}, err
	}
	b, err := store.Read(t.Context(), outputOf(t, u, key, err, "report").Digest)
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
	s := Fit{Method: "ridge", Centre: true, Lambdas: []float64{1}, Unit: "relative"}
	_, err := fitOf(t, 40, 3, 5, s)
	if !errors.Is(err, ErrTexts) || !strings.Contains(err.Error(), "the 40 pairs of calibration_texts come from too few documents: they fill 3 of the 5 folds") {
		t.Errorf("three documents for five folds: %v", err)
	}
	if _, err := fitOf(t, 40, 5, 5, s); err != nil {
		t.Errorf("five documents for five folds: %v", err)
	}
}

// TestFitScoresTheMethodItFits: the report's penalty and R² are those of the method.
func TestFitScoresTheMethodItFits(t *testing.T) {
	scores := map[string]float64{}
	for _, method := range []string{"ridge", "standardised", "ols", "procrustes", "low_rank"} {
		s := Fit{Method: method, Centre: true, Lambdas: []float64{.1, 1}, Unit: "relative"}
		if method == "low_rank" {
			s.Rank = 1
		}
		r, err := fitOf(t, 100, 20, 5, s)
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

// TestFitReportsACurveOfItsFolds: of one, two and four of them, scored on the first, whatever the shards are.
func TestFitReportsACurveOfItsFolds(t *testing.T) {
	r, err := fitOf(t, 100, 20, 5, Fit{Method: "ridge", Centre: true, Lambdas: []float64{.1}, Unit: "relative"})
	if err != nil {
		t.Fatal(err)
	}
	var sizes []int
	for _, p := range r.LearningCurve {
		if sizes = append(sizes, p.N); p.Held.N != 20 {
			t.Errorf("%d pairs are scored on %d, want 20", p.N, p.Held.N)
		}
	}
	if want := []int{20, 40, 80}; !slices.Equal(sizes, want) {
		t.Errorf("curve of %v pairs, want %v", sizes, want)
	}
	if want := []int{2, 1, 0}; !slices.Equal(r.LargestVariance, want) { // columns were made larger from left to right
		t.Errorf("largest variance in %v, want %v", r.LargestVariance, want)
	}
	if r.Pairs != 100 || len(r.Spectrum) != 3 {
		t.Errorf("a map of %d pairs with the singular values %v", r.Pairs, r.Spectrum)
	}
}
