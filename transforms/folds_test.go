package transforms

import (
	"errors"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/transforms/linear"
)

// foldsOf gives the folds of a calibration as the fit sees them.
func foldsOf(t *testing.T, store cache.Store, c calibration) *storedFolds {
	t.Helper()
	f, err := unit(NewStage("fit", "fit", Fit{}, 1, samples["fit"].inputs...), 0, store, c.inputs()...).folds(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestFoldsAreTheirRows: more rows than are added at a time, so that some come in several blocks. The sums are
// those of the rows up to their rounding, n·ε of sums of up to 2600 squares.
func TestFoldsAreTheirRows(t *testing.T) {
	store := cache.NewMemory()
	const n, documents = 2600, 26
	c := calibration{}
	c.source, c.target = randomPairs(t, store, n, documents, ShardRows)
	c.grams = gramsOf(t, store, 4, c.source, c.target)
	f := foldsOf(t, store, c)
	if d, e := f.Shape(); d != 4 || e != 3 || !slices.Equal(f.Sizes(), []int{700, 700, 600, 600}) { // seven documents in each of two folds, six in the others
		t.Fatalf("folds of %v rows of %d and %d", f.Sizes(), d, e)
	}
	var all []pairShard
	for p, err := range f.unit.pairShards(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	for k := range f.Sizes() {
		var xs, ys []float32
		for _, p := range all {
			for i := range p.x.Rows() {
				if p.x.Fold[i]%4 == int32(k) {
					xs, ys = append(xs, p.x.Row(i)...), append(ys, p.y.Row(i)...)
				}
			}
		}
		x, y, err := f.Rows(k)
		if err != nil || !slices.Equal(x, xs) || !slices.Equal(y, ys) {
			t.Errorf("fold %d: %d and %d values (%v), want %d and %d", k, len(x), len(y), err, len(xs), len(ys))
		}
		want := linear.NewGram(4, 3)
		if err := want.Add(xs, ys); err != nil {
			t.Fatal(err)
		}
		got := linear.NewGram(4, 3)
		if err := f.AddTo(got, k); err != nil {
			t.Fatal(err)
		}
		a, b := got.Flat(), want.Flat()
		for i := range b {
			if math.Abs(a[i]-b[i]) > n*0x1p-52*want.XtX[15] { // the largest sum
				t.Errorf("fold %d, value %d: %g, want %g", k, i, a[i], b[i])
			}
		}
	}
}

// TestStoredSumsDoNotGrowWithTheShards: a Gram a fold, the triangle and the cross products, however many shards
// there are.
func TestStoredSumsDoNotGrowWithTheShards(t *testing.T) {
	const d, e, folds = 4, 3, 5
	bytes := func(rows int) (total int64) {
		store := cache.NewMemory()
		source, target := randomPairs(t, store, 200, 50, rows)
		if want := (200 + rows - 1) / rows; len(source) != want {
			t.Fatalf("%d shards, want %d", len(source), want)
		}
		for _, o := range gramsOf(t, store, folds, source, target) {
			total += o.Bytes
		}
		return total
	}
	few, many := bytes(200), bytes(4)
	values := 3 + d*(d+1)/2 + d*e + e + d + e
	const description = 4096 // of an Arrow file, about
	if few != many || many > folds*(8*int64(values)+description) {
		t.Errorf("one shard: %d bytes, fifty: %d; want no more than %d", few, many, folds*(8*values+description))
	}
}

// TestWhoComputesAUnitDoesNotMatter sums up folds one after the other; and from the last to the first, several at
// a time, each by a worker that has nothing but the activations. Sums, map, report and vectors have the same bytes.
func TestWhoComputesAUnitDoesNotMatter(t *testing.T) {
	const folds = 5
	store := cache.NewMemory()
	c := calibration{}
	c.source, c.target = randomPairs(t, store, 120, 30, 25)
	c.grams = gramsOf(t, store, folds, c.source, c.target)

	others, at := make(Manifest, folds), make([]cache.Store, folds)
	var wait sync.WaitGroup
	for k := folds - 1; k >= 0; k-- {
		own := cache.NewMemory()
		source, target := randomPairs(t, own, 120, 30, 25)
		at[k] = own
		wait.Go(func() {
			s := Gram{Folds: folds}
			key, err := gram(t.Context(), unit(NewStage("gram", "gram", s, folds, "capture.source", "capture.target"), k, own, source, target), s)
			outputs, _, _ := own.Lookup(t.Context(), key)
			if err != nil || len(outputs) != 1 {
				t.Errorf("fold %d: %v, %v", k, outputs, err)
				return
			}
			others[k] = outputs[0]
			others[k].Name = unitName(k, "gram")
		})
	}
	wait.Wait()
	if !slices.Equal(others, c.grams) {
		t.Errorf("sums %v, one after the other %v", others, c.grams)
	}

	// Another store to which the units' outputs were brought in the order in which they were ready.
	elsewhere := cache.NewMemory()
	source, target := randomPairs(t, elsewhere, 120, 30, 25)
	for _, k := range []int{3, 0, 4, 1, 2} {
		b, err := at[k].Read(t.Context(), others[k].Digest)
		if err != nil {
			t.Fatal(err)
		}
		keep(t, elsewhere, "sums", artifacts.KindMatrices, writeBytes(b))
	}
	outputs := func(store cache.Store, c calibration) Manifest {
		s := Fit{Method: "ridge", Centre: true, Lambdas: []float64{.1, 1}, Unit: "relative", Self: true}
		key, err := fit(t.Context(), unit(NewStage("fit", "fit", s, 1, samples["fit"].inputs...), 0, store, c.inputs()...), s)
		if err != nil {
			t.Fatal(err)
		}
		found, _, err := store.Lookup(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	if here, there := outputs(store, c), outputs(elsewhere, calibration{source, target, others}); !slices.Equal(here, there) {
		t.Errorf("the fit here: %v, there: %v", here, there)
	}
}

// TestSumsOfOtherPairsAreRefused gives the fit sums of another place, shape or number of rows, and other blocks.
func TestSumsOfOtherPairsAreRefused(t *testing.T) {
	pairs := [][3]float32{{0, -1, 1}, {1, 1, 5}, {0, 2, 3}, {1, 4, 5}}
	for name, c := range map[string]struct {
		change func(*artifacts.Matrices)
		rows   int64
		want   error
	}{
		"":               {func(*artifacts.Matrices) {}, 2, nil},
		"another layer":  {func(m *artifacts.Matrices) { m.Source.Layer = 7 }, 2, artifacts.ErrMismatch},
		"another target": {func(m *artifacts.Matrices) { m.Target.ModelDigest = "x" }, 2, artifacts.ErrMismatch},
		"another number": {func(*artifacts.Matrices) {}, 3, artifacts.ErrMismatch},
		"no block":       {func(m *artifacts.Matrices) { m.Blocks[0].Name = "other" }, 2, artifacts.ErrFormat},
		"cut short":      {func(m *artifacts.Matrices) { m.Blocks[0].Cols--; m.Blocks[0].Data = m.Blocks[0].Data[1:] }, 2, artifacts.ErrFormat},
		"of other widths": {func(m *artifacts.Matrices) {
			flat := linear.NewGram(2, 1).Flat()
			m.Blocks[0] = artifacts.Matrix{Name: "gram", Rows: 1, Cols: len(flat), Data: flat}
		}, 0, artifacts.ErrFormat},
	} {
		store := cache.NewMemory()
		all := pairsOf(t, store, 2, pairs)
		m, err := load(t.Context(), store, all.grams[1], artifacts.KindMatrices, artifacts.DecodeMatrices)
		if err != nil {
			t.Fatal(err)
		}
		c.change(m)
		all.grams[1] = keep(t, store, all.grams[1].Name, artifacts.KindMatrices, m.Encode)
		all.grams[1].Rows = c.rows
		if err := foldsOf(t, store, all).AddTo(linear.NewGram(1, 1), 1); !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// TestShardsOfTwoPlacesAreNotSummed: a shard of another layer among the others, and rows that do not pair.
func TestShardsOfTwoPlacesAreNotSummed(t *testing.T) {
	store := cache.NewMemory()
	shard := [][3]float32{{0, -1, 1}, {1, 1, 5}}
	source, target := activationsOf(t, store, shard, shard)
	a, err := load(t.Context(), store, source[1], artifacts.KindActivations, artifacts.DecodeActivations)
	if err != nil {
		t.Fatal(err)
	}
	sum := func(change func(*artifacts.Activations)) error {
		other := *a
		change(&other)
		changed := slices.Clone(source)
		changed[1] = keep(t, store, source[1].Name, artifacts.KindActivations, other.Encode)
		s := Gram{Folds: 2}
		_, err := gram(t.Context(), unit(NewStage("gram", "gram", s, 2, "capture.source", "capture.target"), 0, store, changed, target), s)
		return err
	}
	if err := sum(func(a *artifacts.Activations) { a.Layer = 5 }); !errors.Is(err, artifacts.ErrMismatch) {
		t.Errorf("a shard of another layer: %v", err)
	}
	if err := sum(func(a *artifacts.Activations) { a.End = []int32{1, 2} }); err == nil || !strings.Contains(err.Error(), "pair activations: row 1") {
		t.Errorf("a shard of other positions: %v", err)
	}
	s := Gram{Folds: 2}
	if _, err := gram(t.Context(), unit(NewStage("gram", "gram", s, 2, "capture.source", "capture.target"), 0, store, nil, nil), s); !errors.Is(err, errNoPairs) {
		t.Errorf("no shards: %v", err)
	}
}
