// Package cache stores the results of computations under what produced them, so that none
// is done twice.
//
// # Nouns
//
// A [Recipe] is the complete text of one computation: its kind, its version, every setting
// that can change the bytes, and the digest of each input. Its SHA-256 is the [ActionKey].
// A blob is content, found by its [Digest], the SHA-256 of the content itself. An [Action]
// joins the two: this recipe made these outputs. It is the commit record of a computation:
// one that has no action has not happened, whatever blobs it left.
//
// Inputs enter a recipe by the digest of their content and not by the key of the action
// that made them. If a change upstream produces the same bytes as before, it ends there.
//
// A miss is not an error. [Diff] of two recipes says in words why one happened; the store
// remembers the last recipe under each name that a person knows ([Remember]) to have
// something to compare with.
//
// # Layout of the local store
//
//	root/
//	  README               what this folder is and that deleting it only costs time
//	  VERSION              "1"
//	  actions/ab/abcd…     text: the recipe, one line per output, the SHA-256 of it all
//	  blobs/3f/3f9a….zst   read-only; zstdcat FILE | sha256sum prints the name
//	  recent/…, runs/…     notes: small texts that no result depends on, and their SHA-256
//	  tmp/                 unfinished writes; what is a day old is garbage
//
// # Invariants
//
//	I1  A blob's name is the digest of its content before compression. The compressed
//	    form may differ between versions of the library and enters no key.
//	I2  A file under blobs/ or actions/ is complete: it was written in tmp/, synced,
//	    made read-only, then linked or renamed.
//	I3  An action is written after every blob it names, and after their folders are synced.
//	    Its own is synced before the next action or note is written: whoever pulls the plug
//	    may lose the last one, which is a miss. Whoever kills a process loses none.
//	I4  Nothing under blobs/ or actions/ changes; only an explicit delete removes it. The
//	    one exception is an action whose blobs were deleted: it may be committed anew. Notes are
//	    replaced as a whole.
//	I5  A reader that finds I1 broken, a blob's seal that is not that of the bytes before it, or an
//	    action or a note that is not what was written, returns ErrCorrupt naming the file, and
//	    deletes nothing. So every stored bit that flips is found by whoever reads its file, and
//	    [Check], which reads all of them, finds each.
//	I6  Any number of processes may share the folder on one machine. None waits for another:
//	    they may repeat work, and the first record of an action stays, but none sees half of
//	    one. A file in tmp/ is locked by its writer, so that none takes it for garbage, whatever
//	    the clocks say.
//
// A seal is twelve bytes behind a blob's zstd frame, a skippable frame with the CRC-32C of what stands
// before it: frames have bits on which their content does not depend. VERSION is held against README.
// [Repair] removes what is damaged, and the actions that name it before the blobs that they name.
//
// An action whose blob is absent counts as a miss, not as damage: deleting a file is how a
// person, or a garbage collection, makes room and heals damage. A blob that is there but
// wrong is damage and stops whoever reads it.
//
// What is not in an action record: time, host, duration. Two machines that do the same
// computation write the same record; durations belong to the record of a run.
//
// # Design notes
//
// The two hashes, and feeding content rather than keys into the next recipe, follow Go's
// build cache and build IDs; writing a file's name as the hash of its content so that
// standard tools can check it follows restic. Differences from Go's cache: recipe lines are
// framed by their length, recipes are kept to explain misses, content is compressed and
// verified on every read, an entry is never trimmed by age, and there is no verify switch
// inside the store.
package cache
