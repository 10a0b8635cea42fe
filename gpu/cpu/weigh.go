package cpu

// Largest is the largest of some logits, −∞ if there is none. One that is not a number is passed over.
func Largest(logits []float32) float32 { return best().largest(logits) }

// Weigh writes exp((logit − top)·s) of each logit to weights, which must be as long, and returns their sum
// (B2), not a number if a logit is none. The bits are the same on every machine.
func Weigh(weights, logits []float32, top, s float32) (sum float32) {
	copy(weights, logits[:len(weights)])
	return best().exps(weights, top, s)
}
