package linear

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// sized are shapes beyond every block of the kernels and of [fold.reduce], one for each way to open a fold: of all
// rows, of sums and the held-out rows, of sums alone.
var sized = []struct {
	name          string
	n, d, e, fold int
	seed          byte
}{
	{"fewer rows than dimensions", 396, 290, 60, 3, 111},
	{"few rows held out", 400, 270, 70, 4, 121},
	{"many rows held out", 840, 260, 30, 3, 131},
}

func sizedTable(t *testing.T, i int) *Table {
	t.Helper()
	s := sized[i]
	x, y, _ := planted(s.n, s.d, s.e, 9, s.seed)
	folds, _, _ := foldsOf(t, s.fold, s.d, s.e, x, y)
	return folds
}

// TestLargeFoldsAreScoredByDefinition holds solving and reducing to a map that is fitted on the other rows and
// predicts one by one. Conditions stay below 10⁶, so 10⁻¹⁰ is expected.
func TestLargeFoldsAreScoredByDefinition(t *testing.T) {
	lambdas := []float64{1e-3, 1}
	for i, s := range sized {
		folds := sizedTable(t, i)
		for _, spec := range []Spec{ridgeOf(true), {Method: Standardised, Unit: Relative}} {
			const hold = 1
			ways := everyWay(t, folds, spec, hold, lambdas)
			if len(ways) < 3 {
				t.Fatalf("%s: scored in %d ways", s.name, len(ways))
			}
			for l, lambda := range lambdas {
				refit := spec
				refit.Lambda = lambda
				sse, sst := byDefinition(t, folds, refit, hold)
				for way, r := range ways {
					if r.sse[l] == nil {
						t.Fatalf("%s, %s, %s, λ=%g: not scored", s.name, spec.Method, way, lambda)
					}
					for j, want := range sse {
						if got := r.sse[l][j]; math.Abs(got-want) > 1e-9*max(want, sst[j]) {
							t.Fatalf("%s, %s, %s, λ=%g, target %d: error %.12g, want %.12g", s.name, spec.Method, way, lambda, j, got, want)
						}
					}
				}
			}
		}
	}
}

// TestStudiesDoNotDependOnThreads compares whole results of few penalties, and of many, to the bit.
func TestStudiesDoNotDependOnThreads(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for i, s := range sized {
		folds := sizedTable(t, i)
		for _, lambdas := range [][]float64{{.1, 1}, {.01, .02, .05, .1, .2, .5, 1, 2, 5, 10, 20, 50}} {
			var first *Study
			for _, threads := range []int{1, 2} {
				runtime.GOMAXPROCS(threads)
				study, err := FitBest(folds, lambdas, centredRidge)
				if err != nil {
					t.Fatal(err)
				}
				if first == nil {
					first = study
				}
				if !reflect.DeepEqual(study, first) {
					t.Errorf("%s, %d penalties: other bits on %d threads", s.name, len(lambdas), threads)
				}
			}
			cv, err := CrossValidate(folds, lambdas, centredRidge)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(first.CV, cv) {
				t.Errorf("%s, %d penalties: a study on one thread has %+v, a cross-validation on two %+v", s.name, len(lambdas), first.CV, cv)
			}
		}
	}
}

// TestDegreesOfFreedomOfLargeMaps are those of the singular values of the rows, by gonum, whether penalties are few
// or many, and in the map.
func TestDegreesOfFreedomOfLargeMaps(t *testing.T) {
	folds := sizedTable(t, 1)
	var svd mat.SVD
	if !svd.Factorize(centred(dense(len(folds.Fold), folds.D, folds.X)), mat.SVDNone) {
		t.Fatal("no decomposition")
	}
	values := svd.Values(nil)
	mean := 0.0
	for _, s := range values {
		mean += s * s / float64(folds.D)
	}
	g := gramOf(t, folds.D, folds.E, folds.X, folds.Y)
	for name, lambdas := range map[string][]float64{"few": {.001, 1}, "many": {.001, .002, .003, .01, .02, .03, .1, .2, 1, 2}} {
		var absolute []float64
		for _, lambda := range lambdas {
			absolute = append(absolute, lambda*mean)
		}
		got, err := g.clone().moments(true).degreesOfFreedom(absolute, new(scratch))
		if err != nil {
			t.Fatal(err)
		}
		for i, lambda := range absolute {
			want := 0.0
			for _, s := range values {
				want += s * s / (s*s + lambda)
			}
			m := fit(t, g, Spec{Method: Ridge, Centre: true, Lambda: lambda, Unit: Absolute})
			for how, v := range map[string]float64{fmt.Sprintf("of %s penalties", name): got[i], "of the map": m.DegreesOfFreedom} {
				if math.Abs(v-want) > 1e-9*want {
					t.Errorf("λ=%g, %s: %.12f degrees of freedom, want %.12f", lambda, how, v, want)
				}
			}
		}
	}
}

// TestStudiesDoNotDependOnTheProcessor runs this test again as if on processors without AVX-512, and without AVX2,
// which then write their studies into a file.
func TestStudiesDoNotDependOnTheProcessor(t *testing.T) {
	const name = "LINEAR_TEST_STUDIES"
	var studies []*Study
	folds := sizedTable(t, 1)
	for _, lambdas := range [][]float64{{.1}, {.01, .02, .05, .1, .2, .5, 1, 2, 5, 10, 20, 50}} {
		study, err := FitBest(folds, lambdas, centredRidge)
		if err != nil {
			t.Fatal(err)
		}
		studies = append(studies, study)
	}
	text, err := json.Marshal(studies) // the decimals are read back to the bit
	if err != nil {
		t.Fatal(err)
	}
	if path := os.Getenv(name); path != "" {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	for _, without := range []string{"cpu.avx512f=off", "cpu.avx512f=off,cpu.avx2=off"} {
		path := filepath.Join(t.TempDir(), "studies.json")
		again := exec.Command(os.Args[0], "-test.run=^TestStudiesDoNotDependOnTheProcessor$")
		again.Env = append(os.Environ(), name+"="+path, "GODEBUG="+without)
		if out, err := again.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", without, err, out)
		}
		other, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(other, text) {
			t.Errorf("%s: other bits", without)
		}
	}
}
