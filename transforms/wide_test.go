package transforms

import (
	"cmp"
	"flag"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/gpu"
	"github.com/persona-transfer/runpipeline/gpu/gputest/cputime"
	"github.com/persona-transfer/runpipeline/transforms/linear"
)

var (
	fullWidth = flag.Int("width", 64, "width of both models whose activations TestStagesOnPlantedPairs makes; 4096 is that of the experiment this repeats, and takes some minutes and 2 GB of the temporary folder")
	fullPairs = flag.Int("pairs", 0, "how many pairs there are; 0: 5000 at a width of 4096, fewer at smaller ones")
)

// A planted is a calibration whose truth is known: both models see the same few latent numbers, each through a
// matrix of its own, beside a mean of its own and noise.
type planted struct {
	width, pairs int
	rand         *rand.Rand
	source       sight
	target       sight
	personas     [][]float64 // what each adds to the latent numbers of its texts
}

// A sight is how a model sees the latent numbers.
type sight struct {
	matrix []float32 // [latent×width], standard normal
	mean   []float32
	noise  float32 // its standard deviation
}

const (
	plantedLatent = 32
	plantedTexts  = 24 // of a persona, a side
	plantedFolds  = 5
)

// explained is the share of the target's variance that is not its noise: the R² of the best map.
func (p *planted) explained() float64 {
	noise := float64(p.target.noise * p.target.noise)
	return plantedLatent / (plantedLatent + noise)
}

func plant(width, pairs, personas int) *planted {
	p := &planted{width: width, pairs: pairs, rand: rand.New(rand.NewPCG(1, 2))}
	p.source, p.target = p.sight(.5), p.sight(2)
	for range personas {
		p.personas = append(p.personas, p.latent())
	}
	return p
}

func (p *planted) sight(noise float32) sight {
	s := sight{noise: noise}
	for range plantedLatent * p.width {
		s.matrix = append(s.matrix, float32(p.rand.NormFloat64()))
	}
	for range p.width {
		s.mean = append(s.mean, float32(3*p.rand.NormFloat64()))
	}
	return s
}

func (p *planted) latent() (z []float64) {
	for range plantedLatent {
		z = append(z, p.rand.NormFloat64())
	}
	return z
}

// see appends what a model sees of latent numbers.
func (p *planted) see(to []float32, s sight, z []float64) []float32 {
	row := slices.Clone(s.mean)
	for k, v := range z {
		for j, m := range s.matrix[k*p.width : (k+1)*p.width] {
			row[j] += float32(v) * m
		}
	}
	for j := range row {
		row[j] += s.noise * float32(p.rand.NormFloat64())
	}
	return append(to, row...)
}

// texts are how many positions a text of the calibration has, and documents how many texts a document.
const (
	plantedPositions = 5
	plantedDocument  = 4
)

// captured stores what the captures would, and which texts resemble each persona: every tenth text has its manner.
func (p *planted) captured(t *testing.T, store cache.Store, names []string) (source, target, resembling Manifest) {
	t.Helper()
	found := make([]*Resembling, len(names))
	for i, name := range names {
		found[i] = &Resembling{CalibrationReport: CalibrationReport{Persona: name, Pairs: p.pairs}}
	}
	for from := 0; from < p.pairs; from += ShardRows {
		x := &artifacts.Activations{Meta: place("s", 14, p.width), Dim: p.width}
		y := &artifacts.Activations{Meta: place("t", 14, p.width), Dim: p.width}
		for _, f := range found {
			f.Rows = append(f.Rows, []int32{})
		}
		for i := from; i < min(from+ShardRows, p.pairs); i++ {
			text := i / plantedPositions
			z := p.latent()
			for k, f := range found {
				if text%10 != k {
					continue
				}
				for j, v := range p.personas[k] {
					z[j] += v
				}
				rows, here := &f.Rows[len(f.Rows)-1], int32(text-from/plantedPositions)
				if !slices.Contains(*rows, here) {
					*rows = append(*rows, here)
				}
				f.PairsResembling++
			}
			for _, a := range []*artifacts.Activations{x, y} {
				a.Document, a.Fold = append(a.Document, fmt.Sprint(text/plantedDocument)), append(a.Fold, int32(text/plantedDocument))
				a.Text, a.End, a.Token = append(a.Text, int32(text-from/plantedPositions)), append(a.End, int32(i%plantedPositions)), append(a.Token, "x")
			}
			x.Residual, y.Residual = p.see(x.Residual, p.source, z), p.see(y.Residual, p.target, z)
		}
		name := unitName(len(source), "activations")
		source = append(source, keep(t, store, name, artifacts.KindActivations, x.Encode))
		target = append(target, keep(t, store, name, artifacts.KindActivations, y.Encode))
	}
	for i, f := range found {
		resembling = append(resembling, keep(t, store, unitName(i, "texts"), KindJSON, writeBytes(EncodeJSON(f))))
	}
	return source, target, resembling
}

// described stores the vectors of the personas in both models and the sums of the texts that they are made of.
func (p *planted) described(t *testing.T, store cache.Store, names []string) (source, target Manifest) {
	t.Helper()
	for i, name := range names {
		sums := [2]*linear.Contrast{linear.NewContrast(p.width, plantedTexts, plantedTexts), linear.NewContrast(p.width, plantedTexts, plantedTexts)}
		for text := range 2 * plantedTexts {
			for range plantedPositions {
				z := p.latent()
				for j, v := range p.personas[i] {
					if text < plantedTexts {
						z[j] += v
					}
				}
				sums[0].Add(text, p.see(nil, p.source, z))
				sums[1].Add(text, p.see(nil, p.target, z))
			}
		}
		for k, into := range []*Manifest{&source, &target} {
			at := place([]string{"s", "t"}[k], 14, p.width)
			up, down := split(sums[k])
			v := sums[k].Vector(up, down)
			own := &artifacts.Vectors{Meta: at, Rows: []artifacts.Vector{{Persona: name, Condition: "native", Norm: linear.Norm(v), Values: v}}}
			*into = append(*into, keep(t, store, unitName(i, "vector"), artifacts.KindVectors, own.Encode), keep(t, store, unitName(i, "texts"), artifacts.KindMatrices, contrastBlocks(sums[k], at).Encode))
		}
	}
	return source, target
}

// A stageTook is what a stage of a run took.
type stageTook struct {
	name           string
	seconds, cpu   float64
	planned        float64 // seconds
	bytes, onDisk  int64   // of all its outputs, and of their files
	most, expected int     // of memory
}

// TestStagesOnPlantedPairs runs every stage that lies between the captures and the generation, by the runner of a
// run, on activations that are made up: the map must find what was planted, and so must every vector that it
// carries. With -width 4096 it says what each stage takes at the size of the models that people have. More than
// 4 GiB of memory, or sums of more than 1 GiB, fail.
func TestStagesOnPlantedPairs(t *testing.T) {
	width, pairs := *fullWidth, *fullPairs
	if pairs == 0 {
		pairs = max(3*ShardRows-7, 5000*width/4096) // the last shard is not full
	}
	personas := []string{"angry", "silly", "stoic"}
	dir := t.TempDir()
	store, err := cache.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	p := plant(width, pairs, len(personas))
	manifests := map[string]Manifest{}
	manifests["capture.source"], manifests["capture.target"], manifests["resemblance"] = p.captured(t, store, personas)
	manifests["personas.source"], manifests["personas.target"] = p.described(t, store, personas)
	explained := p.explained()
	p = nil
	known := map[string]string{}
	for name, m := range manifests {
		r := cache.NewRecipe("planted "+name, 1)
		if err := store.Commit(t.Context(), r, m); err != nil {
			t.Fatal(err)
		}
		known[name] = r.Key().String()
	}

	took := runMeasured(t, dir, known, plantedStages(width, pairs, personas))
	checkPlanted(t, store, took.committed, personas, explained)
	var grams int64
	for _, s := range took.stages {
		if s.name == "gram" {
			grams = s.bytes
		}
	}
	if want := int64(plantedFolds * 8 * (width*(width+1)/2 + width*width + 3*width + 3)); grams < want || grams > want+want/100+plantedFolds<<13 {
		t.Errorf("the sums of %d folds at a width of %d are %d bytes, want about %d", plantedFolds, width, grams, want)
	}
	if grams > 1<<30 && width <= 4096 {
		t.Errorf("the sums of the folds are %d MiB, want less than 1024", grams>>20)
	}
	took.judge(t)
}

// plantedStages are the stages as an experiment lays them out that has all conditions.
func plantedStages(width, pairs int, personas []string) []Stage {
	widths := Widths{Source: width, Target: width, Pairs: pairs}
	var steered, carried []string
	for _, c := range Conditions() {
		if c.Steers() {
			steered = append(steered, c.Name)
		}
		if c.Carries() {
			carried = append(carried, c.Name)
		}
	}
	shuffles := conditionNamed("shuffled_pairs").Shuffles
	stages := []Stage{
		NewStage("gram", "gram", Gram{Folds: plantedFolds, Widths: widths}, plantedFolds, "capture.source", "capture.target"),
		NewStage("fit", "fit", Fit{Method: "ridge", Centre: true, Lambdas: []float64{.01, .1, 1, 10}, Unit: "relative", Folds: plantedFolds, Self: true, Widths: widths}, 1,
			"gram", "capture.source", "capture.target"),
		NewStage("fit.held_out", "refit", Refit{Method: "ridge", Centre: true, Unit: "relative", Widths: widths}, len(personas),
			"capture.source", "capture.target", "resemblance", "fit", "gram"),
		NewStage("vectors", "vectors", VectorSettings{Conditions: steered, Personas: personas, Draws: 20, Seed: 1,
			Shuffled: Shuffled{Permutations: shuffles, Method: "ridge", Centre: true, Unit: "relative"}, Widths: widths}, 1,
			"fit", "personas.source", "personas.target", "capture.source", "capture.target", "fit.held_out", "gram"),
		NewStage("cosines", "cosines", Cosines{Conditions: carried, Personas: personas, Seed: 1, Widths: widths}, 1,
			"fit", "personas.source", "personas.target", "fit.held_out"),
	}
	stages[len(stages)-1].After = "vectors" // one at a time, to see what each takes
	return stages
}

func conditionNamed(name string) Condition {
	c, _ := FindCondition(name)
	return c
}

// A measurement is what the stages of a run took, and under which key each is committed.
type measurement struct {
	stages    []stageTook
	committed map[string]string
}

// runMeasured runs stages one after the other, in one pipeline.
func runMeasured(t *testing.T, dir string, known map[string]string, stages []Stage) measurement {
	t.Helper()
	m := measurement{committed: map[string]string{}}
	speed, err := MeasureSpeed(t.Context(), "cpu", 256, 512)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	clock, cpu, disk := time.Now(), cputime.Now(), onDisk(t, dir)
	residentMost()
	env := Env{Run: t.Name(), Cache: dir}
	var written int64
	for i, stage := range stages {
		stages[i] = byName(stage)
	}
	end := Begin(t.Context(), env.Run, func(ev Event) {
		mu.Lock()
		defer mu.Unlock()
		if ev.Ends() && ev.Unit >= 0 {
			written += ev.Bytes
			return
		}
		if ev.Unit >= 0 {
			return
		}
		m.committed[ev.Stage] = ev.Key.String()
		now := onDisk(t, dir)
		s := stageTook{name: ev.Stage, seconds: time.Since(clock).Seconds(), cpu: (cputime.Now() - cpu).Seconds(), bytes: written, onDisk: now - disk, most: residentMost()}
		for _, stage := range stages {
			if stage.Name == ev.Stage {
				for _, w := range stage.Works() {
					s.expected = max(s.expected, int(w.Bytes))
					s.planned += w.Seconds(speed)
				}
			}
		}
		m.stages = append(m.stages, s)
		clock, cpu, disk, written = time.Now(), cputime.Now(), now, 0
	}, stages...)
	p, s := beam.NewPipelineWithRoot()
	built := map[string]beam.PCollection{}
	for _, stage := range stages {
		var open []beam.PCollection
		for _, in := range stage.Before() {
			if of, ok := built[in]; ok {
				open = append(open, of)
			}
		}
		built[stage.Name] = Apply(s, env, stage, known, open)
	}
	_, err = beam.Run(t.Context(), "direct", p)
	if ended := cmp.Or(end()); ended != nil || err != nil || len(m.stages) != len(stages) {
		t.Fatalf("%d of %d stages were committed: %v, %v", len(m.stages), len(stages), ended, err)
	}
	return m
}

// judge tells what each stage took, and refuses memory that a plan would not have expected: with what the process
// takes itself, what the collector leaves, and what the stages before have not given back.
func (m measurement) judge(t *testing.T) {
	t.Helper()
	const mib = 1 << 20
	t.Logf("%-13s %9s %9s %9s %12s %12s %12s %12s", "stage", "planned", "seconds", "cpu", "stored MiB", "on disk MiB", "most MiB", "expected MiB")
	plan := 0
	for _, s := range m.stages {
		alive := 128*mib + s.expected
		plan = max(plan, alive+min(alive, gpu.Headroom(s.expected)))
		if *fullWidth >= 1024 && s.most > plan+plan/10 {
			t.Errorf("%s had %d MiB resident, a plan expects %d", s.name, s.most/mib, plan/mib)
		}
		t.Logf("%-13s %9.2f %9.2f %9.2f %12.1f %12.1f %12d %12d", s.name, s.planned, s.seconds, s.cpu, float64(s.bytes)/mib, float64(s.onDisk)/mib, s.most/mib, s.expected/mib)
		if s.most > 4<<30 {
			t.Errorf("%s had %d MiB resident, want at most 4096", s.name, s.most/mib)
		}
	}
}

// checkPlanted holds what the stages stored against what was planted.
func checkPlanted(t *testing.T, store cache.Store, committed map[string]string, personas []string, explained float64) {
	t.Helper()
	var inputs []Manifest
	stages := []string{"fit", "vectors", "cosines"}
	for _, name := range stages {
		key, err := cache.ParseActionKey(committed[name])
		if err != nil {
			t.Fatal(err)
		}
		m, _, err := store.Lookup(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		inputs = append(inputs, m)
	}
	u := unit(NewStage("evaluate", "evaluate", Evaluate{}, 1, stages...), 0, store, inputs...)
	report, err := u.fitReport(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var best linear.PenaltyFit
	for _, s := range report.CV.Penalties {
		if s.Lambda == report.CV.Best {
			best = s
		}
	}
	// The best map explains so much; one that is fitted to a few thousand pairs a little less.
	if best.R2 > explained+.02 || best.R2 < explained-.1 {
		t.Errorf("R² %.4f at λ=%g, the planted map has %.4f", best.R2, best.Lambda, explained)
	}
	reports, err := u.cosineReports(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, persona := range personas {
		vectors := func(condition string) []artifacts.Vector {
			o, err := u.Need("vectors", condition+"/"+persona)
			if err != nil {
				t.Fatal(err)
			}
			v, err := load(t.Context(), store, o, artifacts.KindVectors, artifacts.DecodeVectors)
			if err != nil {
				t.Fatal(err)
			}
			return v.Rows
		}
		native := vectors("oracle")[0].Values
		cosine := func(condition string) (mean float64) {
			rows := vectors(condition)
			for _, v := range rows {
				mean += math.Abs(linear.Cosine(v.Values, native)) / float64(len(rows))
			}
			return mean
		}
		// Vectors of some hundred rows are themselves known to within the noise of these, and a direction drawn at random
		// among the latent ones has a cosine of about 1/√32.
		for condition, bounds := range map[string][2]float64{"ridge": {.95, 1}, "ridge_held_out": {.95, 1}, "self": {.99, 1}, "zero_pad": {0, .6}, "shuffled_pairs": {0, .6}, "random_direction": {0, .6}} {
			if got := cosine(condition); !(got >= bounds[0] && got <= bounds[1]) {
				t.Errorf("%s for %s has a cosine of %.3f with the target's own vector, want %.2f to %.2f", condition, persona, got, bounds[0], bounds[1])
			}
		}
		if slices.Equal(vectors("ridge")[0].Values, vectors("ridge_held_out")[0].Values) {
			t.Errorf("nothing was left out for %s", persona)
		}
		// What a map that predicts makes of permuted labels is near what the target makes of them.
		found := reports[persona]
		for condition, bounds := range map[string][2]float64{"ridge": {.9, 1}, "ridge_held_out": {.9, 1}, "self": {.95, 1}, "zero_pad": {-.3, .3}} {
			f := found.Conditions[condition].Whole
			if mean := float64(f.Mean); f.Permutations != permutations || !(mean >= bounds[0] && mean <= bounds[1]) {
				t.Errorf("%s for %s: floor %+v, want a mean of %.2f to %.2f over %d permutations", condition, persona, f, bounds[0], bounds[1], permutations)
			}
		}
		if float64(found.Source.Halves) < .5 || float64(found.Target.Halves) < .5 {
			t.Errorf("halves of the texts of %s agree by %.3f and %.3f", persona, found.Source.Halves, found.Target.Halves)
		}
	}
}

// onDisk is what the files of a store take.
func onDisk(t *testing.T, dir string) (bytes int64) {
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			bytes += info.Size()
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	return bytes
}

// residentMost is what this process had resident at most since it was called last, 0 where the system does not say.
func residentMost() int {
	b, _ := os.ReadFile("/proc/self/status")
	os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) // proc(5): the peak begins anew
	_, rest, ok := strings.Cut(string(b), "VmHWM:")
	if !ok {
		return 0
	}
	kib, _ := strconv.Atoi(strings.Fields(rest)[0])
	return kib << 10
}
