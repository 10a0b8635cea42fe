package cache

import "slices"

// Version is the text of the file VERSION, which says that a folder, or what lies under a prefix in a
// bucket, is a store of this layout. Another layout has another [Readme] as well: by that a damaged VERSION is told
// from one of another layout.
const Version = "1\n" // 1: zstd blobs, text actions with a sum

// Readme is the text of the file README.
const Readme = `This folder is the artifact cache of runpipeline. Deleting it, or any file in it, only
costs the time to compute its content again; nothing else depends on it. The command
"runpipeline fsck" reads every byte of it and names what is damaged.

actions/ab/abcd…      what was computed (the recipe) and what came out, as text
blobs/3f/3f9a….zst    content; zstdcat FILE | sha256sum prints the file's name
recent/…              which recipe was last seen under a name, to explain what changed
runs/…                what each run did, and when
tmp/                  unfinished writes
VERSION               layout of this folder
`

// BlobName is the name of a blob's file below the root of a store. It is the same wherever the store is, so
// that one may be copied with the tools of its place.
func BlobName(d Digest) string {
	name := d.String()
	return "blobs/" + name[:2] + "/" + name + ".zst"
}

// ActionName is the name of an action's file below the root of a store.
func ActionName(k ActionKey) string {
	name := k.String()
	return "actions/" + name[:2] + "/" + name
}

// IsOurs reports a name, of a file or a folder, that the root of a store may hold. Where there is another,
// and no VERSION, the place is somebody else's.
func IsOurs(name string) bool {
	return slices.Contains([]string{"README", "VERSION", "actions", "blobs", "tmp"}, name) || slices.Contains(NoteFolders, name)
}
