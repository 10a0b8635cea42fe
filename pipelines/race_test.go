//go:build race

package pipelines

// raceDetector is on; runs take ten times as long.
const raceDetector = true
