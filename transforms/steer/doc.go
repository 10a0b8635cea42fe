// Package steer is the one way from a persona vector and an alpha to what is added to a model's
// residual stream. A run, a probe, a conversation, an export and a plan all come through here, so that
// the same alpha in the same unit is the same length everywhere.
//
// The operator is addition, h + p at the chosen positions of one layer (Turner et al., arXiv
// 2308.10248). In the unit "absolute" p is alpha·v, literally. In every other unit only the direction of
// v counts, and its length is alpha times a length that was measured at the layer that is steered:
//
//	p = alpha · scale(unit) · v/‖v‖
//
// so that conditions whose vectors differ in length are compared at the same dose.
package steer
