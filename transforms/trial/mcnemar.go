package trial

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// McNemar returns the two-sided exact p-value that two conditions have the same rate of a binary
// outcome, from the pairs in which they differ: b where only the first has it, c where only the
// second does. It is min(1, 2·P(X ≤ min(b, c))) for X ~ Binomial(b+c, ½) (McNemar 1947); 1 if no
// pair differs. It treats pairs as independent, which texts of one prompt are only nearly: the
// interval of the difference is the result, this describes it.
func McNemar(b, c int) float64 {
	if b+c == 0 {
		return 1
	}
	x := distuv.Binomial{N: float64(b + c), P: 0.5}
	return math.Min(1, 2*x.CDF(float64(min(b, c))))
}

// discordant counts the pairs of texts (same persona, prompt and seed) in which only a's text collapsed,
// and those in which only b's did. If b has several rows for a pair, each counts.
func discordant(a, b []Row) (onlyA, onlyB int) {
	type key struct {
		persona      string
		prompt, seed int
	}
	collapsed := make(map[key]bool, len(a))
	for _, r := range a {
		collapsed[key{r.Persona, r.Prompt, r.Seed}] = r.Collapsed
	}
	for _, r := range b {
		was, ok := collapsed[key{r.Persona, r.Prompt, r.Seed}]
		switch {
		case ok && was && !r.Collapsed:
			onlyA++
		case ok && !was && r.Collapsed:
			onlyB++
		}
	}
	return onlyA, onlyB
}
