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

	// What is needed for it alone.
	Shuffles int  // permutations of the pairs
	Self     bool // the map of the target to itself
	HeldOut  bool // a map for each persona of the texts that do not resemble it

	// carry makes of vectors of the two models, some of either, as many of the target. A condition that has it carries
	// a persona's own vector in one way: what its cosine with the target's own is worth is known from vectors of
	// permuted labels, carried in the same way.
	carry func(t *toolbox, persona string, source, native [][]float32) ([][]float32, error)

	// draw makes its vectors for a persona, one for each draw. Without both, nothing is added: the texts are
	// unsteered, or steered by a prompt.
	draw func(t *toolbox, persona string) ([][]float32, error)
}

// Conditions lists all conditions, in the order of every table. It is a function, so that nobody changes
// the list.
func Conditions() []Condition {
	return []Condition{
		{Name: "none", Role: trial.RoleBaseline},
		{Name: "zero_pad", Role: trial.RoleControl, carry: zeroPad},
		{Name: "interpolation", Role: trial.RoleControl, carry: interpolation},
		{Name: "random_projection", Role: trial.RoleControl, draw: randomProjection},
		{Name: "ridge", Role: trial.RoleMapped, carry: mapped},
		{Name: "ridge_held_out", Role: trial.RoleHeldOut, HeldOut: true, carry: heldOut}, // the method where the map has not seen the persona's manner
		{Name: "oracle", Role: trial.RoleOracle, draw: oracle},
		{Name: "random_direction", Role: trial.RoleControl, Random: true, draw: randomDirection},
		{Name: "shuffled_pairs", Role: trial.RoleControl, Random: true, Shuffles: 20, draw: shuffledPairs},
		{Name: "prompt", Role: trial.RoleOther}, // needs no vector at all, so it is no criterion
		{Name: "self", Role: trial.RoleOther, Optional: true, Self: true, carry: selfMapped},
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
func (c Condition) Steers() bool { return c.carry != nil || c.draw != nil }

// Carries reports a condition whose vector is a persona's own, carried in one way.
func (c Condition) Carries() bool { return c.carry != nil }

// drawOf says which of a condition's n draws serves a row: the rows of all prompts and seeds take them in turn, so
// that each draw serves some of different prompts.
func drawOf(n, prompt, seed, seeds int) int { return (prompt*seeds + seed) % n }

// zeroPad is the source's vector with zeros behind it, or cut off.
func zeroPad(t *toolbox, _ string, source, _ [][]float32) (out [][]float32, err error) {
	for _, v := range source {
		out = append(out, linear.ZeroPad(v, t.dim))
	}
	return out, nil
}

// interpolation is the source's vector read at evenly spaced places.
func interpolation(t *toolbox, _ string, source, _ [][]float32) ([][]float32, error) {
	out := make([][]float32, len(source))
	for i, v := range source {
		var err error
		if out[i], err = linear.Interpolate(v, t.dim); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// randomProjection is the source's vector times random matrices.
func randomProjection(t *toolbox, persona string) (out [][]float32, err error) {
	for k := range t.settings.Draws {
		out = append(out, linear.RandomProjection(t.source[persona].Values, t.dim, t.seed("random_projection", persona, k)))
	}
	return out, nil
}

// mapped is the source's vector carried by the fitted map: the method.
func mapped(t *toolbox, _ string, source, _ [][]float32) ([][]float32, error) {
	return t.apply("map", source)
}

// heldOut is the source's vector carried by a map that was fitted without the texts that resemble the persona.
func heldOut(t *toolbox, persona string, source, _ [][]float32) ([][]float32, error) {
	return t.apply(heldOutName(persona), source)
}

// oracle is the target's own vector: the upper bound.
func oracle(t *toolbox, persona string) ([][]float32, error) {
	return [][]float32{t.native[persona].Values}, nil
}

// selfMapped is the target's own vector carried by the map of the target to itself, which must return it.
func selfMapped(t *toolbox, _ string, _, native [][]float32) ([][]float32, error) {
	return t.apply("self", native)
}

// randomDirection is drawn from the covariance of the target's activations.
func randomDirection(t *toolbox, persona string) ([][]float32, error) {
	return t.directions[persona], nil
}

// shuffledPairs is the source's vector carried by maps of permuted pairs.
func shuffledPairs(t *toolbox, persona string) ([][]float32, error) {
	return t.shuffled[persona], nil
}
