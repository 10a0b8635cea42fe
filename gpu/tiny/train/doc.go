// Train makes the embedded pair of models: tokenizers, weights and configuration, from
// nothing but the grammar of package tiny.
//
//	GOEXPERIMENT=simd go run ./gpu/tiny/train
//
// writes gpu/tiny/qwen2 and gpu/tiny/llama, and gpu/tiny/TRAINING.md, which says how it
// went. It takes half an hour on two cores.
//
// The files depend on the flags and on the processor's instruction set alone: training
// again gives the same bytes, on any number of cores. Another instruction set rounds
// differently, which training amplifies; the losses then agree within a percent.
//
//	-out DIR      where to write (default gpu/tiny)
//	-tokens N     training tokens of each model (default 2,400,000); fewer for a trial
//	-model NAME   only qwen2 or only llama (TRAINING.md then has only that one)
package main
