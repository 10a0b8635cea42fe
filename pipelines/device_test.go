package pipelines

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/gpu"
	"github.com/persona-transfer/runpipeline/gpu/xla/pjrt"
)

// withoutPlugins is a machine on which nothing names a plugin.
func withoutPlugins(t *testing.T) {
	t.Helper()
	for _, v := range append(pjrt.Variables(pjrt.CPU), pjrt.Variables(pjrt.CUDA)...) {
		t.Setenv(v, "")
	}
	t.Setenv("XDG_DATA_HOME", t.TempDir())
}

// A mistake in a name is one of the configuration; a device that is not here is missing.
func TestDeviceThatIsNotThere(t *testing.T) {
	withoutPlugins(t)
	for _, c := range []struct {
		name, plugin string
		want         error
	}{{"cpu", "", nil}, {"cpu", "x.so", ErrConfig}, {"cuda:x", "", ErrConfig}, {"cuda", "", ErrMissing}, {"xla-cpu", "/gone.so", ErrMissing}} {
		if _, err := OpenDevice("-", c.name, c.plugin); !errors.Is(err, c.want) {
			t.Errorf("device %s with plugin %q: %v, want %v", c.name, c.plugin, err, c.want)
		}
	}
	c := parsed(t, everything().with("device", "cuda:1"), nil)
	if _, err := NewExperiment(t.Context(), c, true); !errors.Is(err, ErrMissing) || errors.Is(err, ErrConfig) {
		t.Errorf("an experiment on a card that is not there: %v", err)
	}
}

// Every device is listed, with the reason if it is not there, and the places where a plugin was looked for.
func TestDevicesAreListed(t *testing.T) {
	withoutPlugins(t)
	text := filepath.Join(t.TempDir(), "x.so")
	if err := os.WriteFile(text, []byte("no library"), 0o644); err != nil {
		t.Fatal(err)
	}
	list := ListDevices(text)
	if len(list) != 3 || list[0].Recipe != "cpu/float32" || list[0].Why != nil {
		t.Fatalf("listed %+v", list)
	}
	for _, d := range list[1:] {
		if d.Why == nil || !strings.Contains(d.Why.Error(), "no shared library") || len(d.Places) != 5 || d.Places[0] != "-device_plugin: "+text {
			t.Errorf("%s: %v, %q", d.Name, d.Why, d.Places)
		}
	}
}

// h100 is what recipes have of a card that no machine of ours has.
const h100 = "cuda/bfloat16/h100+jax-cuda13-pjrt-0.11.2"

// madeOn gives a store with the results of a run whose recipes name another device than the one that computed.
func madeOn(t *testing.T, text string) (dir string) {
	t.Helper()
	e := small().with("device", text).experiment(t)
	e.device.recorded = false
	for _, s := range e.sides() {
		s.Model.Open = "cpu"
	}
	e.personas = nil
	e.lay()
	dir = t.TempDir()
	if _, err := e.Run(t.Context(), Options{Cache: dir, Runner: "direct"}); err != nil {
		t.Fatal(err)
	}
	return dir
}

// What is stored of a device that is not here is found by what recipes have of it: plan, run, export, show and what the
// evaluation left. What is not stored is not computed, and nothing else than that device's is found.
func TestStoredResultsOfADeviceThatIsNotHere(t *testing.T) {
	withoutPlugins(t)
	dir := madeOn(t, h100)
	store := open(t, dir)
	e := small().with("device", h100).experiment(t)
	plan := planOf(t, e, dir)
	if !plan.Done() {
		t.Fatalf("the plan is %+v", plan.Steps)
	}
	if r, err := e.Run(t.Context(), Options{Cache: dir, Runner: "direct"}); err != nil || r.Computed() {
		t.Errorf("run what is there: %v", err)
	}
	if _, err := e.Export(t.Context(), store, ExportOptions{Name: "vectors/ridge/silly"}); err != nil {
		t.Errorf("export: %v", err)
	}
	if texts, _, err := e.Evaluated(t.Context(), store); err != nil || len(texts) == 0 {
		t.Errorf("%d texts: %v", len(texts), err)
	}
	if err := e.Show(t.Context(), store, "fit/map", 1, io.Discard); err != nil {
		t.Errorf("show: %v", err)
	}

	if err := e.Check(t.Context(), func(CheckResult) { t.Error("a check ran") }); !errors.Is(err, ErrConfig) {
		t.Errorf("check runs models: %v", err)
	}
	other := small().with("device", h100).with("n_seeds", 2).experiment(t)
	_, err := other.Run(t.Context(), Options{Cache: dir, Runner: "direct"})
	if !errors.Is(err, ErrConfig) || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "what runs models is called cuda:bf16 (stage anchors runs one") {
		t.Errorf("more seeds: %v", err)
	}
	plan = planOf(t, other, dir)
	costs, err := other.Alone().Costs(t.Context(), plan)
	if err != nil || len(costs) > 0 {
		t.Errorf("the device that is not here has a speed: %v, %v", costs, err)
	}
	facts, err := other.Alone().Facts(t.Context(), store, plan, costs)
	if err != nil || !slices.ContainsFunc(facts, func(f Fact) bool { return f.Name == "time" && strings.Contains(f.Value, "was not opened") }) {
		t.Errorf("the plan does not say why there is no time: %v, %v", facts, err)
	}
	endpoint := small().with("device", h100).with("primary", settings{"condition": "ridge", "versus": []string{"none"}, "measure": "coherence"}).experiment(t)
	if _, err := endpoint.Run(t.Context(), Options{Cache: dir, Runner: "direct"}); err != nil {
		t.Errorf("another endpoint runs no model: %v", err)
	}
	for _, text := range []string{"cpu", "cuda/bfloat16/h200+jax-cuda13-pjrt-0.11.2", h100 + "+flags-1a2b3c4d"} {
		if planOf(t, small().with("device", text).experiment(t), dir).Done() {
			t.Errorf("results of the H100 are taken for those of %s", text)
		}
	}
	if _, err := ParseConfig(small().with("device", h100).with("device_plugin", "/x.so").bytes(), ""); !errors.Is(err, ErrConfig) {
		t.Errorf("a plugin for a device that is not opened: %v", err)
	}
	for name, want := range map[string]bool{"cuda:bf16": true, "cuda:3:bf16": true, "cuda": false, "cpu": false, h100: false} {
		if got := (&Config{Device: name}).NamedDevice(h100); got != want {
			t.Errorf("%s names %s: %t", name, h100, got)
		}
	}
}

// Where weights rest a plan counts them: on "cpu" and XLA's processor in the machine's memory, as they are there; on a
// card in its own, beside which the machine holds what is on its way.
func TestMemoryIsOfTheDeviceThatHasIt(t *testing.T) {
	needs := func(device gpu.Device) (e *Experiment, plan *Plan, generate Need) {
		e = small().experiment(t)
		e.device.Device = device
		for _, s := range e.sides() {
			s.weights = device.ValueBytes() * s.shape.Parameters()
		}
		plan, err := e.Plan(t.Context(), cache.NewMemory())
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range e.Alone().needs(plan) {
			if n.For == "stage generate" {
				generate = n
			}
		}
		return e, plan, generate
	}
	_, _, cpu := needs(gpu.Device{Platform: "cpu", DType: "float32"})
	_, _, host := needs(gpu.Device{Platform: "xla-cpu", DType: "float32"})
	_, _, half := needs(gpu.Device{Platform: "xla-cpu", DType: "bfloat16"})
	e, plan, card := needs(gpu.Device{Platform: "cuda", DType: "bfloat16", Memory: 80 << 30})
	room := e.device.LoadBytes(e.Target.shape)
	if cpu.Outside != 0 || host.weights() != cpu.weights() || host.Outside != cpu.weights()+cpu.Work+libraryBytes || host.Work != cpu.Work+libraryBytes+2*room {
		t.Errorf("cpu %+v, xla-cpu %+v, a matrix on its way %d", cpu, host, 2*room)
	}
	if 2*half.weights() != host.weights() || half.Work != cpu.Work+libraryBytes+room {
		t.Errorf("in bfloat16 %+v, in float32 %+v", half, host)
	}
	if len(card.Weights) != 0 || card.Work != room+libraryBytes || card.Outside != libraryBytes {
		t.Errorf("of a card the machine has %+v, want the library and a matrix of %d bytes on its way", card, room)
	}
	if hint := (&NoRoom{card, Memory{Bytes: 1, Source: "a test"}}).Hint(); strings.Contains(hint, "bf16") {
		t.Errorf("a card's weights are none of the machine's memory, for which it says %q", hint)
	}
	text := e.Alone().memory(t.Context(), plan)
	if own := Size(half.weights()); !strings.Contains(text, "of the card's own at its peak, in stage") || !strings.Contains(text, "weights are "+own+" of it; it gives 80 GiB; and about ") || !strings.Contains(text, " of the machine's, in stage ") {
		t.Errorf("of a card's memory it says %q, want weights of %s", text, own)
	}
	big := Need{Weights: []ModelWeight{{"seven", 28e9, 7e9}}, Work: 1 << 30}
	on := big.on(Device{Device: gpu.Device{Platform: "xla-cpu", DType: "float32"}})
	if big.Total()-on.Total() < gpu.Headroom(28e9)/2 {
		t.Errorf("Go's collector leaves garbage beside what XLA holds: %s, on cpu %s", Size(on.Total()), Size(big.Total()))
	}
	if hint := (&NoRoom{on, Memory{Bytes: 1, Source: "a test"}}).Hint(); strings.Contains(hint, "quantised") || !strings.Contains(hint, ":bf16") {
		t.Errorf("to who lacks memory for what XLA widens it says %q", hint)
	}
}

func TestArithmetic(t *testing.T) {
	for device, want := range map[string]string{h100: h100, "cpu": "cpu in float32", "cuda:1": "cuda:1 in float32", "cuda:1:bf16": "cuda:1 in bfloat16"} {
		if got := (&Config{Device: device, DType: "float32"}).Arithmetic(); got != want {
			t.Errorf("%s is %q, want %q", device, got, want)
		}
	}
}

// A card has no peak: then there is no share of it, rather than one that is no number.
func TestBenchWithoutAPeak(t *testing.T) {
	j := &job{name: "x", texts: 4, tokens: 5, products: 50e9, reads: 5, seconds: []float64{1}}
	b := &Bench{Device: "cuda/float32/h100+x", TokenBytes: 3e9}
	b.Work = []BenchWork{j.result(b)}
	if w := b.Work[0]; w.OfPeak != 0 || w.OfReading != 0 || w.GFLOPs == 0 {
		t.Errorf("shares of no peak: %+v", w)
	}
	if _, err := json.Marshal(b); err != nil {
		t.Error(err)
	}
	if got := (Device{Device: gpu.Device{Platform: "cuda"}}).kernels(); got != "" {
		t.Errorf("a card has the kernels %q", got)
	}
}
