package main

import "slices"

// quantities is what is measured without any model's files, the pass with the models of some subject.
func quantities(s subject) []quantity {
	return slices.Concat(mapQuantities(), []quantity{widthQuantity()}, modelQuantities(s), experimentQuantities())
}

// pretrained is what is measured with a model of about a hundred million parameters.
func pretrained(ref string) []quantity {
	return modelQuantities(subject{ref: ref, name: "pretrained", texts: []int{4, 8, 16, 32}, tokens: 8, some: 16})
}
