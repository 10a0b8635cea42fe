package main

import (
	"bytes"
	"fmt"
	"time"
)

// A record says how the training of a model went.
type record struct {
	family     family
	parameters int
	tokens     int // seen in training
	lines      []line
	validation float64 // nats per token, of the stored weights
	device     string  // on which it was trained
	digest     string  // SHA-256 of model.safetensors, in hexadecimal
	took       time.Duration

	sum   float64 // of the losses since the last line
	count int
}

// A line is the mean loss of the steps up to one of them.
type line struct {
	step int
	loss float64 // nats per token
}

// recordLines is about how many lines a record has.
const recordLines = 20

// add counts the loss of a step (from 1) and reports whether it ended a line.
func (r *record) add(step, steps int, loss float64) bool {
	r.sum += loss
	r.count++
	if step%max(1, steps/recordLines) != 0 && step != steps {
		return false
	}
	r.lines = append(r.lines, line{step, r.sum / float64(r.count)})
	r.sum, r.count = 0, 0
	return true
}

// markdown writes the records as TRAINING.md.
func markdown(log []record) []byte {
	var b bytes.Buffer
	fmt.Fprint(&b, "# How the embedded pair was trained\n\n"+
		"Written by `GOEXPERIMENT=simd go run ./gpu/tiny/train`. Losses are in nats per token; the validation\n"+
		"loss is that of the weights as they are stored, in bfloat16, on documents of another seed. The same\n"+
		"device gives the same bytes of weights.\n\n"+
		"| model | parameters | tokens | validation loss | device | time |\n|---|---|---|---|---|---|\n")
	for _, r := range log {
		fmt.Fprintf(&b, "| %s | %d | %d | %.4f | %s | %s |\n", r.family.name, r.parameters, r.tokens, r.validation, r.device, r.took.Round(time.Second))
	}
	fmt.Fprint(&b, "\n| model | SHA-256 of model.safetensors |\n|---|---|\n")
	for _, r := range log {
		fmt.Fprintf(&b, "| %s | %s |\n", r.family.name, r.digest)
	}
	for _, r := range log {
		fmt.Fprintf(&b, "\n## %s\n\n| up to step | training loss |\n|---|---|\n", r.family.name)
		for _, l := range r.lines {
			fmt.Fprintf(&b, "| %d | %.4f |\n", l.step, l.loss)
		}
	}
	return b.Bytes()
}
