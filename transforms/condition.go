package transforms

import (
	"slices"

	"github.com/persona-transfer/runpipeline/transforms/linear"
	"github.com/persona-transfer/runpipeline/transforms/trial"
)

// A Condition is one way to obtain the vector that the target is steered with. To add one, add its row to
// the table.
type Condition struct {
	Name     string
	Role     string // in the verdict; see trial.RoleControl and its neighbours
	Optional bool   // runs only if the configuration names it

	// Random says that it draws directions as likely as any for a vector of this model that carries nothing: how far
	// what they do lies apart is part of every comparison with a vector.
	Random bool

	// Carried says that it carries a persona's own vector in one way: what its cosine with the target's own is worth
	// is known from vectors of permuted labels, carried in the same way. The others are drawn, and the draws tell.
	Carried bool

	// What is needed for it alone.
	Shuffles int  // permutations of the pairs
	Self     bool // the map of the target to itself
	HeldOut  bool // a map for each persona of the texts that do not resemble it

	// vectors makes its vectors for a persona, one for each draw. Without it, nothing is added: the
	// texts are unsteered, or steered by a prompt.
	vectors func(t *toolbox, persona string) ([][]float32, error)
}

// Conditions lists all conditions, in the order of every table. It is a function, so that nobody changes
// the list.
func Conditions() []Condition {
	return []Condition{
		{Name: "none", Role: trial.RoleBaseline},
		{Name: "zero_pad", Role: trial.RoleControl, Carried: true, vectors: zeroPad},
		{Name: "interpolation", Role: trial.RoleControl, Carried: true, vectors: interpolation},
		{Name: "random_projection", Role: trial.RoleControl, vectors: randomProjection},
		{Name: "ridge", Role: trial.RoleMapped, Carried: true, vectors: mapped},
		{Name: "ridge_held_out", Role: trial.RoleHeldOut, Carried: true, HeldOut: true, vectors: heldOut}, // the method where the map has not seen the persona's manner
		{Name: "oracle", Role: trial.RoleOracle, vectors: oracle},
		{Name: "random_direction", Role: trial.RoleControl, Random: true, vectors: randomDirection},
		{Name: "shuffled_pairs", Role: trial.RoleControl, Random: true, Shuffles: 20, vectors: shuffledPairs},
		{Name: "prompt", Role: trial.RoleOther}, // needs no vector at all, so it is no criterion
		{Name: "self", Role: trial.RoleOther, Optional: true, Carried: true, Self: true, vectors: selfMapped},
	}
}

// FindCondition gives the row of that name.
func FindCondition(name string) (Condition, bool) {
	all := Conditions()
	i := slices.IndexFunc(all, func(c Condition) bool { return c.Name == name })
	if i < 0 {
		return Condition{}, false
	}
	return all[i], true
}

// Steers reports a condition that adds a vector.
func (c Condition) Steers() bool { return c.vectors != nil }

// drawOf says which of a condition's n draws serves a row: the rows of all prompts and seeds take them in turn, so
// that each draw serves some of different prompts.
func drawOf(n, prompt, seed, seeds int) int { return (prompt*seeds + seed) % n }

func one(v []float32, err error) ([][]float32, error) { return [][]float32{v}, err }

// zeroPad is the source's vector with zeros behind it, or cut off.
func zeroPad(t *toolbox, persona string) ([][]float32, error) {
	return one(linear.ZeroPad(t.source[persona].Values, t.dim), nil)
}

// interpolation is the source's vector read at evenly spaced places.
func interpolation(t *toolbox, persona string) ([][]float32, error) {
	return one(linear.Interpolate(t.source[persona].Values, t.dim))
}

// randomProjection is the source's vector times random matrices.
func randomProjection(t *toolbox, persona string) (out [][]float32, err error) {
	for k := range t.settings.Draws {
		out = append(out, linear.RandomProjection(t.source[persona].Values, t.dim, t.seed("random_projection", persona, k)))
	}
	return out, nil
}

// mapped is the source's vector carried by the fitted map: the method.
func mapped(t *toolbox, persona string) ([][]float32, error) {
	return one(t.apply("map", t.source[persona].Values))
}

// heldOut is the source's vector carried by a map that was fitted without the texts that resemble the persona.
func heldOut(t *toolbox, persona string) ([][]float32, error) {
	return one(t.apply(heldOutName(persona), t.source[persona].Values))
}

// oracle is the target's own vector: the upper bound.
func oracle(t *toolbox, persona string) ([][]float32, error) {
	return one(t.native[persona].Values, nil)
}

// selfMapped is the target's own vector carried by the map of the target to itself, which must return it.
func selfMapped(t *toolbox, persona string) ([][]float32, error) {
	return one(t.apply("self", t.native[persona].Values))
}

// randomDirection is drawn from the covariance of the target's activations.
func randomDirection(t *toolbox, persona string) ([][]float32, error) {
	return t.directions[persona], nil
}

// shuffledPairs is the source's vector carried by maps of permuted pairs.
func shuffledPairs(t *toolbox, persona string) ([][]float32, error) {
	return t.shuffled[persona], nil
}
