// Package pipelines is the experiment: its configuration, the list of its stages, and what it takes
// to plan and run them.
//
//	file ──LoadSweep──► Cells ──NewSweep──► Sweep ──Plan──► Plan ──Run──► SweepResult
//
// A [Config] is what a person writes; with a sweep in its file there is one for each [Cell], else
// there is one. [NewSweep] finds the models of all cells and lays their stages out
// (stages.go): data that name what they read, with settings whose every field is in the recipe
// unless it says otherwise. Stages of several cells that would compute the same are one. [Sweep.Plan] looks each stage up
// in the store without changing anything. [Sweep.Run] builds one Beam pipeline of the stages that are missing and judges
// its success by the manifests that are there afterwards, not by what the runner says. An [Experiment] alone is a
// sweep of one cell.
//
// # The stages
//
//	pairs ─► capture.source ─┐
//	     └─► capture.target ─┴► gram ─► fit ─┐
//	personas.source, personas.target ────────┼► vectors ─► generate ─► score ─┐
//	                                         └► cosines ─┐     ├► (judge) ────┤
//	                                                     ├─────│──────────────┤
//	probe.fit ───────────────────────────────────────────│─────┴► probe ──────┤
//	      └─► anchors.probe ─────────────────────────────┴────────────────────┤
//	anchors ─► anchors.score ─┐                                               │
//	trait ────────────────────┴► yardstick ───────────────────────────────────┴► evaluate
//	                                 └► gate
//
// Capture, probes and generation wait for the gate, which is no input of theirs: what it knows of the results
// changes no bytes. It lets a run that cannot show anything say so before it has taken long.
//
// # Rules
//
//   - Only this package knows about runners. Two runs in one process take turns, because two Beam
//     runs would race.
//   - Bad input is found before anything runs and wraps [ErrConfig]; a model or file that is not
//     there wraps [ErrMissing]; a stage that could not be finished wraps [ErrStage] and the cause.
//   - Nothing of time, host, folder or worker count is in a result. Durations are in [StageRecord].
package pipelines
