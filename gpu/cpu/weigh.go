package cpu

// Largest is the largest of some logits, −∞ if there is none. One that is not a number is passed over.
func Largest(logits []float32) float32 { return best().top(logits) }

// Weigh writes exp((logit − top)·s) of each logit to weights, which must be as long, and returns their sum
// (B2), not a number if a logit is none. The bits are the same on every machine.
func Weigh(weights, logits []float32, top, s float32) (sum float32) {
	copy(weights, logits[:len(weights)])
	var lanes [16]float32
	best().exps(&lanes, weights, top, s)
	return total(&lanes)
}
