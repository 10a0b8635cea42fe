// Package trial says what a text is worth and what a comparison of conditions is worth.
//
// A text gets collapse flags ([Collapse]), a coherence from 1 to 5 ([Coherence]) and, per persona,
// a trait from 1 to 5 ([Scorer], [Trait]), unless it is unlike what the scorer knows ([Scorer.Unlike]).
// testdata/kinds.jsonl is a table of what texts of many kinds get. One scored text is a [Row]; [Evaluate] turns the rows of
// an experiment into an [Evaluation]: tables per condition, persona and alpha, paired differences
// with intervals, and a [Verdict].
//
// # Rules that hold everywhere
//
//  1. The unit of chance is the prompt. Intervals come from resampling prompts, with every text of
//     a drawn prompt, in every condition at once; personas and seeds are repeated measures. In every
//     resample alphas are chosen anew. What a resample cannot know is added: how far vectors at random
//     lie apart ([NullReport]), and how scores near an end of their scale would differ if there were more.
//  2. A missing value is NaN, never a default. In JSON it is null. A collapsed text keeps its trait
//     in its row but counts as missing in every trait mean.
//  3. A condition's alpha is chosen on one half of the prompts (even or odd numbers) and reported
//     on the other, by one rule for all conditions ([ChooseAlpha]).
//  4. The scorer never sees the vector that was injected, nor the texts that made it.
//  5. Nothing here reads a clock, a map's order or a global random source: the same rows and
//     options give the same bits.
package trial
