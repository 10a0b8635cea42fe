package pipelines

import (
	"bytes"
	"strings"
	"testing"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/transforms"
)

// swap commits other content in the place of an output wherever an action names it, as a program with a bug would have:
// every digest is right.
func swap(t *testing.T, store cache.Store, was cache.Digest, content []byte) {
	t.Helper()
	is, n, err := store.Create(t.Context(), writeAll(content))
	if err != nil {
		t.Fatal(err)
	}
	var named []cache.Action
	err = store.Actions(t.Context(), func(a cache.Action, err error) error {
		for i := range a.Outputs {
			if a.Outputs[i].Digest == was {
				a.Outputs[i].Digest, a.Outputs[i].Bytes = is, n
				named = append(named, a)
				break
			}
		}
		return err
	})
	for _, a := range named {
		r, parseErr := cache.ParseRecipe(a.Recipe)
		for _, err := range []error{err, parseErr, store.RemoveAction(t.Context(), a.Key), store.Commit(t.Context(), r, a.Outputs)} {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(named) < 2 {
		t.Fatalf("%d actions name %s, want a unit and a stage", len(named), was.Short())
	}
}

// verified verifies and gives what was told of each stage.
func verified(t *testing.T, dir string, o VerifyOptions) map[string]Verified {
	t.Helper()
	all := map[string]Verified{}
	if o.Sample == 0 {
		o.Sample = 1
	}
	if err := small().experiment(t).Verify(t.Context(), open(t, dir), o, func(v Verified) { all[v.Stage] = v }); err != nil {
		t.Fatal(err)
	}
	return all
}

// An output that is wrong, though its digest is right and nothing is damaged, is found: the stage, the unit, the output
// and the first value that differs; and verifying writes nothing.
func TestVerifyFindsWrongOutputs(t *testing.T) {
	for _, c := range []struct {
		stage, output string
		spoil         func(t *testing.T, content []byte) []byte
		want          string
	}{
		{"capture.source", "0000.activations", func(t *testing.T, content []byte) []byte {
			a, err := artifacts.DecodeActivations(bytes.NewReader(content))
			if err != nil {
				t.Fatal(err)
			}
			a.Residual[7] += 1e-6
			var b bytes.Buffer
			if err := a.Encode(&b); err != nil {
				t.Fatal(err)
			}
			return b.Bytes()
		}, "unit 1 of 1, activations (activations): Residual[7] is "},
		{"cosines", "", func(t *testing.T, content []byte) []byte { return bytes.Replace(content, []byte("1"), []byte("2"), 1) }, "unit 1 of 1, "},
	} {
		dir, _ := finished(t)
		store := open(t, dir)
		step := small().experiment(t).step(t, dir, c.stage)
		out := step.Manifest[0]
		if o, ok := step.Manifest.Find(c.output); ok {
			out = o
		}
		content, err := store.Read(t.Context(), out.Digest)
		if err != nil {
			t.Fatal(err)
		}
		spoilt := c.spoil(t, content)
		if bytes.Equal(spoilt, content) {
			t.Fatalf("%s is as it was", c.stage)
		}
		swap(t, store, out.Digest, spoilt)
		mustBeClean(t, store, "nothing is damaged")
		before, err := cache.Size(t.Context(), store)
		if err != nil {
			t.Fatal(err)
		}
		all := verified(t, dir, VerifyOptions{Stage: c.stage})
		if v := all[c.stage]; len(all) != 1 || len(v.Differs) != 1 || !strings.HasPrefix(v.Differs[0], c.want) {
			t.Errorf("%s: verify = %+v, want %q…", c.stage, all, c.want)
		}
		if after, err := cache.Size(t.Context(), store); err != nil || after != before {
			t.Errorf("verifying made %+v of %+v, %v", after, before, err)
		}
	}
}

// A unit's own record may be wrong where the stage's is not.
func TestVerifyLooksAtUnitsToo(t *testing.T) {
	dir, _ := finished(t)
	store := open(t, dir)
	out := small().experiment(t).step(t, dir, "cosines").Manifest[0]
	var unit cache.Action
	err := store.Actions(t.Context(), func(a cache.Action, err error) error {
		if a.Kind() == "cosines unit" && len(a.Outputs) > 0 && a.Outputs[0].Digest == out.Digest {
			unit = a
		}
		return err
	})
	r, parseErr := cache.ParseRecipe(unit.Recipe)
	d, n, createErr := store.Create(t.Context(), writeAll([]byte(`{"wrong":1}`)))
	outputs := append([]cache.Output(nil), unit.Outputs...)
	outputs[0].Digest, outputs[0].Bytes = d, n
	for _, err := range []error{err, parseErr, createErr, store.RemoveAction(t.Context(), unit.Key), store.Commit(t.Context(), r, outputs)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if v := verified(t, dir, VerifyOptions{Stage: "cosines"})["cosines"]; len(v.Differs) != 1 {
		t.Errorf("verify = %+v", v)
	}
}

// A sample is the share that was asked for, the same for the same seed, and never nothing.
func TestVerifySamples(t *testing.T) {
	var steps []Step
	for _, name := range []string{"a", "b"} {
		steps = append(steps, Step{Stage: transforms.Stage{Name: name, ID: name, Kind: "generate", Units: 500}})
	}
	steps = append(steps, Step{Stage: transforms.Stage{Name: "judge", ID: "judge", Kind: "judge", Units: 500}})
	count := func(share float64, seed uint64) (n int) {
		chosen := sample(steps, VerifyOptions{Sample: share, Seed: seed})
		if len(chosen["judge"]) > 0 {
			t.Errorf("units that ask a judge are chosen: %v", chosen)
		}
		return len(chosen["a"]) + len(chosen["b"])
	}
	// Of 1,000 draws at 0.1 the standard deviation is 9.5.
	if n := count(.1, 1); n < 60 || n > 140 {
		t.Errorf("a tenth of 1,000 units is %d", n)
	}
	if n := count(1, 1); n != 1000 {
		t.Errorf("all of 1,000 units are %d", n)
	}
	if n := count(1e-12, 1); n != 1 {
		t.Errorf("hardly any of 1,000 units are %d, want 1", n)
	}
	if one, two := sample(steps, VerifyOptions{Sample: .1, Seed: 1}), sample(steps, VerifyOptions{Sample: .1, Seed: 2}); len(one["a"]) > 0 && len(two["a"]) > 0 && one["a"][0] == two["a"][0] && one["b"][0] == two["b"][0] {
		t.Error("two seeds choose alike")
	}
}
