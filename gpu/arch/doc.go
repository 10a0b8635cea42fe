// Package arch describes the architectures of decoders as data: what a family's config.json means,
// how its position encodings turn, and which stored tensors make which weights. Engines compute
// with what it says; it computes nothing itself but the angles of positions.
package arch
