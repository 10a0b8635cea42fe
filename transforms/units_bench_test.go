package transforms

import (
	"context"
	"testing"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"

	"github.com/persona-transfer/runpipeline/cache"
)

var benchStore cache.Store

func init() {
	cache.Register("bench", func(context.Context, string) (cache.Store, error) { return benchStore, nil })
}

// BenchmarkUnits runs a stage of a thousand units that have nothing to do, on each runner of this process, in a folder
// and in memory: what Beam and the store take for each, when it is computed and stored and when it is found.
func BenchmarkUnits(b *testing.B) {
	const units = 1000
	for _, runner := range []string{"direct", "prism"} {
		for _, place := range []string{"folder", "memory"} {
			b.Run(runner+"/"+place, func(b *testing.B) {
				at := b.TempDir()
				if place == "memory" {
					at, benchStore = "bench://"+b.Name(), cache.NewMemory()
				}
				run := func(text string) {
					stages := []Stage{toyStage(text, units, toy{})}
					Link(stages)
					end := Begin(b.Context(), text, func(Event) {}, stages...)
					p, s := beam.NewPipelineWithRoot()
					Apply(s, Env{Run: text, Cache: at}, stages[0], nil, nil)
					if _, err := beam.Run(b.Context(), runner, p); err != nil {
						b.Fatal(err)
					}
					if stopped, failed := end(); stopped != nil || failed != nil {
						b.Fatal(stopped, failed)
					}
				}
				text := ""
				b.Run("computed", func(b *testing.B) {
					for b.Loop() {
						text += "x"
						run(text)
					}
					b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(units*b.N), "µs/unit")
				})
				b.Run("found", func(b *testing.B) {
					for b.Loop() {
						run(text)
					}
					b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(units*b.N), "µs/unit")
				})
			})
		}
	}
}
