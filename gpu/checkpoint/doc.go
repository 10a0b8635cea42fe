// Package checkpoint opens a language model's files: its configuration, its tensors and
// its tokenizer, from a Hugging Face folder, a hub id or a GGUF file.
//
// # Words
//
// A checkpoint is everything that makes one model. A shard is one weight file of it. The
// hub is a server that speaks the routes of huggingface.co. A tensor's stored type is
// what the file holds (BF16, Q4_K); reading always yields float32.
//
// # Promises
//
//	C1  Every name, shape and layout is Hugging Face's, whatever the file. A consumer
//	    never needs to know that a model came from GGUF.
//	C2  Weights are never copied as a whole: files on disk are mapped, and rows are
//	    converted from the mapping straight into the caller's slice. After [Checkpoint.Forget]
//	    and [Checkpoint.Digest] none of the mapping is in the process's memory.
//	C3  Whatever is read from a file is understood or refused with [ErrFormat]; oddities that
//	    do no harm are in [Checkpoint.Notes]. Memory used while reading a header is bounded by a small
//	    multiple of the header's real size, whatever lengths it claims.
//	C4  A file that a download puts into the hub's cache folder is complete and has the
//	    checksum that the hub announced, or its size where a mirror announces no checksum;
//	    unfinished downloads lie beside it under another name.
//	C5  [Checkpoint.Digest] depends on contents only, never on where they lie.
//	C6  A token never appears in an error, a log or a file, nor does what the hub's address
//	    holds of a user's name, password or query, whatever a hub sends back.
//	C7  Only regular files are opened. What a file may list is bounded, and a message lists
//	    at most twenty names.
//	C8  A hub that is busy or breaks off is asked again a few times; every wait has an end
//	    and ends with its context.
//
// # Sources
//
// The file formats: packages format/safetensors and format/gguf. The cache folder: https://huggingface.co/docs/huggingface_hub/guides/manage-cache.
//
// # Design notes
//
// The readers are our own. go-huggingface 0.4.0 has some for safetensors and GGUF, but they
// read whole tensors into GoMLX, take lengths and offsets from headers on trust, and keep
// GGUF's names, row order and shifted norms; its hub client takes any file that exists for
// complete. Row ranges from a mapping, [ErrFormat] for every odd byte and C1 need less code
// than wrapping them would.
//
// A hub id is asked for at the hub whenever its revision may have moved, and answered from
// the cache when the hub cannot be asked, as huggingface_hub does. With MetadataOnly the
// cache is asked first: looking at a plan should not need a network.
package checkpoint

import "errors"

// ErrNotFound reports that a model, or a file that it needs, does not exist where it was
// looked for: no such folder or hub id, a missing shard, no access, no network.
var ErrNotFound = errors.New("not found")

// ErrFormat reports a file that is damaged, hostile or of a kind this package does not
// read.
var ErrFormat = errors.New("unreadable model file")
