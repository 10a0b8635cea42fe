// Package tiny is the pair of language models that ships inside the program, and the
// language they speak.
//
// The language is a seeded grammar: short English passages about one of twenty topics in
// one of fourteen registers: plain, formal, silly, angry, poetic, pirate, timid, and seven that have words
// and marks in common with these, each in sentences of its own (toddler, salesman, joker, sergeant, gossip,
// cowboy, preacher), so that a map can carry a register that it has not been shown. The topic
// decides nouns, verbs, adjectives and places; the register decides everything else. A
// register is therefore exactly what an experiment calls a persona: it can be asked for,
// measured and transferred, and it says nothing about the subject.
//
// The topics are divided once and for all, so that no text of the experiment shares its
// subject matter with another part of it:
//
//	calibration  10 topics  the map's paired texts, the anchor prompts
//	persona       5 topics  the texts that make persona vectors and trait scorers
//	test          5 topics  the prompts that are steered
//
// The models themselves have read documents of all topics and registers, with the topic
// and the register drawn independently of each other.
//
// [Folder] gives the two models as Hugging Face folders: "qwen2", the source (width 96,
// four blocks, byte-level BPE), and "llama", the target (width 128, four blocks, BPE with
// byte fallback). They were made by `go run ./gpu/tiny/train`; TRAINING.md holds the
// losses and the digests. Both are open to any program that reads such folders.
//
// Every function here is a pure function of its arguments: the same arguments give the
// same bytes on every machine (PCG of math/rand/v2, no map order, no floating point that
// could differ).
package tiny
