// Package strictjson reads the JSON that people and other programs write for this one:
// configurations, texts, personas, vectors, scorers. encoding/json forgives what would change a
// result in silence; this package refuses it:
//
//	S1  a key that is given twice in one object, at any depth
//	S2  a key that no field has; letter case counts
//	S3  null where the Go type has no null, and a list whose length an array does not have
//	S4  a number that does not fit its type: fractions for whole numbers, 1e999, NaN, Infinity
//	S5  bytes that are not UTF-8, and \u escapes of half a surrogate pair
//	S6  anything but white space behind the value
//	S7  objects and lists nested deeper than [MaxDepth]
//
// The text is read once before encoding/json decodes it, in time and memory linear in its length.
// What is accepted, encoding/json accepts too and decodes to the same value. Problems are reported
// together, each with its place.
package strictjson
