package pipelines

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"

	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/transforms"
)

// sweepOf is a sweep of the embedded pair with n cells, a multiple of 10: two layers, five ways of fitting, and seeds.
func sweepOf(n int) []byte {
	seeds := make([]int, n/10)
	for i := range seeds {
		seeds[i] = i
	}
	text, _ := json.Marshal(settings{"sweep": settings{ // numbers and strings always encode
		"layer_idx": []int{2, 3}, "seed": seeds,
		"fit": []settings{{"method": "ridge"}, {"method": "ols"}, {"method": "procrustes"}, {"method": "standardised"}, {"method": "low_rank", "rank": 8}},
	}})
	return text
}

func planSweep(b *testing.B, raw []byte, store cache.Store) (*Sweep, *Plan) {
	b.Helper()
	cells, err := parseCells(context.Background(), raw, raw, "")
	if err != nil {
		b.Fatal(err)
	}
	s, err := NewSweep(context.Background(), cells, false)
	if err != nil {
		b.Fatal(err)
	}
	plan, err := s.Plan(context.Background(), store)
	if err != nil {
		b.Fatal(err)
	}
	return s, plan
}

// BenchmarkPlanSweep goes from a configuration to its plan, of which nothing is stored.
func BenchmarkPlanSweep(b *testing.B) {
	for _, n := range []int{10, 100, 200, 1000} {
		b.Run(fmt.Sprintf("cells=%d", n), func(b *testing.B) {
			raw, stages := sweepOf(n), 0
			for b.Loop() {
				_, plan := planSweep(b, raw, cache.NewMemory())
				stages = len(plan.Steps)
			}
			b.ReportMetric(float64(stages), "stages")
			b.ReportMetric(b.Elapsed().Seconds()/float64(b.N)/float64(n)*1e3, "ms/cell")
		})
	}
}

// BenchmarkForetellSweep is what the command "plan" does beside: facts and costs, with the machine's speed as it was
// measured once.
func BenchmarkForetellSweep(b *testing.B) {
	for _, n := range []int{10, 100, 200, 1000} {
		b.Run(fmt.Sprintf("cells=%d", n), func(b *testing.B) {
			s, plan := planSweep(b, sweepOf(n), cache.NewMemory())
			for b.Loop() {
				costs, err := s.Costs(context.Background(), plan)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := s.Facts(context.Background(), cache.NewMemory(), plan, costs); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(b.Elapsed().Seconds()/float64(b.N)/float64(n)*1e3, "ms/cell")
		})
	}
}

// BenchmarkBuildSweep makes a plan's Beam pipeline and has it checked as a run does.
func BenchmarkBuildSweep(b *testing.B) {
	for _, n := range []int{10, 100, 200, 1000} {
		b.Run(fmt.Sprintf("cells=%d", n), func(b *testing.B) {
			_, plan := planSweep(b, sweepOf(n), cache.NewMemory())
			for b.Loop() {
				p, root := beam.NewPipelineWithRoot()
				build(root, transforms.Env{Run: "r", Cache: "c"}, plan)
				if err := directRuns(p); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(b.Elapsed().Seconds()/float64(b.N)/float64(n)*1e3, "ms/cell")
		})
	}
}
