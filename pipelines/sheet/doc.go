// Package sheet asks a person what the scorers were asked, and says how far they agree.
//
// [Draw] takes some of an experiment's texts, as many of each condition as of every other, and puts them in
// a drawn order under numbers that tell nothing. What a person gets ([Sheet.WriteCSV], [Sheet.WriteHTML])
// holds the persona, the prompt and the text; which condition, alpha and seed a number stands for is in a
// file apart ([Sheet.WriteKey]). [Read] takes the filled table back together with that file, and [Compare]
// puts the person's ratings beside those of each scorer.
//
// The texts are a model's and may be anything. In the table no cell begins like a formula; in the page they
// are text; characters that turn or hide what stands beside them are written out in both.
package sheet
