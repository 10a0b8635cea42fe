package transforms

import (
	"context"
	"fmt"
	"testing"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"

	"github.com/persona-transfer/runpipeline/cache"
)

// BenchmarkStages runs chains of four stages with a unit each that has next to nothing to do, in a store in memory: what
// is left is Beam's, which builds a graph of them all, and ours for each stage.
func BenchmarkStages(b *testing.B) {
	for _, n := range []int{40, 400, 4000} {
		b.Run(fmt.Sprintf("stages=%d", n), func(b *testing.B) {
			var stages []Stage
			for i := range n / 4 {
				stages = append(stages, experimentOf(toy{Text: fmt.Sprint(i)}, toy{Text: fmt.Sprint(i)}, toy{}, toy{})...)
			}
			for b.Loop() {
				at := fmt.Sprintf("%s %p", b.Name(), &stages)
				memory := cache.NewMemory()
				if _, err := stores.get(at, func() (cache.Store, error) { return memory, nil }); err != nil {
					b.Fatal(err)
				}
				committed := 0
				env := Env{Run: at, Cache: at}
				end := Begin(context.Background(), env.Run, func(ev Event) {
					if ev.Unit < 0 {
						committed++
					}
				}, stages...)
				p, s := beam.NewPipelineWithRoot()
				built := map[string]beam.PCollection{}
				for _, stage := range stages {
					var open []beam.PCollection
					for _, id := range stage.Before() {
						open = append(open, built[id])
					}
					built[stage.ID] = Apply(s, env, stage, nil, open)
				}
				_, err := beam.Run(context.Background(), "direct", p)
				if stopped, failed := end(); err != nil || stopped != nil || failed != nil || committed != n {
					b.Fatalf("%d of %d stages: %v, %v, %v", committed, n, err, stopped, failed)
				}
				delete(stores.open, at)
			}
			b.ReportMetric(b.Elapsed().Seconds()/float64(b.N)/float64(n)*1e3, "ms/stage")
		})
	}
}
