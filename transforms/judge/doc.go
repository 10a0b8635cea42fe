// Package judge asks a language model behind an OpenAI-compatible address what a text is worth.
//
// # One question
//
// A [Question] is one text seen under one measure: does it show the persona, or does it hang together.
// The two are asked apart, so that neither answer leans on the other. The judge sees the persona's
// description, the prompt and the text, and nothing that tells where the text comes from: no condition,
// no alpha, no other text. What is rated stands between marks that are made from it, so that no text can
// contain them, and what it says is declared to be material.
//
// # One answer
//
// An [Answer] is a number from 0 to 100. Where the endpoint gives the probabilities of the tokens that
// could have stood in the first place, it is their mean (as G-Eval has it, Liu et al. 2023); else the
// reply must be that number and nothing else. Whatever is neither is missing, with the reason: a refusal,
// nonsense, an empty reply. No number stands in for a missing one.
//
// # What is kept
//
// The endpoint's reply is kept as it came, under a recipe of the model's name, the settings and the two
// messages. Of the endpoint it says nothing: the same model elsewhere is the same judge. So no question
// is paid for twice, in no later run and no other experiment, and texts that are alike are asked about
// once. Only answers are kept: an address that is busy, broken or of something else gave none, and is
// asked again.
//
//	J1  A reply that was kept is never asked for again, and never replaced.
//	J2  What is kept is a whole chat completion, or a refusal of this one text with its reason.
//	J3  The key comes from the environment and is in no recipe, reply, error or artifact.
//	J4  A process that is killed loses at most the replies that were under way: as many as are asked
//	    for side by side.
//
// # The same recipe
//
// Elsewhere in this program the same recipe means the same bytes. A hosted model does not promise that,
// even at temperature 0 and with a seed, and it may change behind its name. Here the reply that was kept
// is the measurement, and everything that is computed of it is repeatable to the bit: with these replies
// in the store the same recipe gives the same bytes; with an empty store it is a new measurement, which
// may differ. Settings that an endpoint does not take (a seed, a temperature, log-probabilities) are left
// out of the request, not of the recipe: the recipe says what was asked for.
package judge
