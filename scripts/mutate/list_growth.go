package main

// Growth: what is measured, and the exponent that comes of it. Models of random weights: that they have the spread that
// they say.
var growthMutants = []Mutant{
	{Name: "growth/small sizes decide too", File: "scripts/growth/exponent.go",
		Old: `from := len(sizes) - upper(len(sizes))`, New: `from := 0 * upper(len(sizes))`,
		Wrong: "what a call takes at any size hides how it grows", Tests: "TestExponentIsOfTheUpperSizes"},
	{Name: "growth/a slope through the origin", File: "scripts/growth/exponent.go",
		Old: `(n*xy - x*y) / (n*xx - x*x)`, New: `(n*xy) / (n*xx)`,
		Wrong: "the exponent depends on the unit of time", Tests: "TestExponentOfAPower"},
	{Name: "growth/the most of all rounds", File: "scripts/growth/measure.go",
		Old: `r.seconds[i] = min(r.seconds[i], time`, New: `r.seconds[i] = max(0, time`,
		Wrong: "the last run counts, however disturbed", Tests: "TestMeasureTakesTheLeast"},
	{Name: "growth/what was there counts", File: "scripts/growth/measure.go",
		Old: `float64(top - before)`, New: `float64(top - 0*before)`,
		Wrong: "the weights are the work's memory, and nothing grows", Tests: "TestPeakIsWhatIsAlive"},
	{Name: "randommodel/weights twice as wide", File: "scripts/randommodel/weights.go",
		Old: `const step = 0.02 /`, New: `const step = 0.04 /`,
		Wrong: "residuals grow where those of models do not", Tests: "TestFoldersHaveWhatTheySay"},
	{Name: "randommodel/pieces begin anew", File: "scripts/randommodel/weights.go",
		Old: `mix(seed + uint64(from+i)*`, New: `mix(seed + uint64(0*from+i)*`,
		Wrong: "large matrices repeat, and have a low rank", Tests: "TestValuesDependOnTheirPlaceAlone"},
}
