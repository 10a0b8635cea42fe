// Package pjrt finds the shared library behind an XLA device, tells what file it is, and installs one. It opens
// none: the files it looks at are read as bytes.
//
// # Which file
//
// A plugin is a compiler and a device in one shared library, made by others, that runs in this process with all
// its rights. So it is chosen by the user and never fetched or looked for by itself; [Find] takes the first of
//
//  1. the path that the user gives: a file, a folder, or a Python environment's site-packages folder,
//  2. the environment variables that users of PJRT know ([Variables]),
//  3. the folder of [Install].
//
// A choice that turns out wrong is an error, never a reason to go on to the next. Words in a path mean nothing:
// what a file is for is asked of the file.
//
// # What a file is called
//
// Recipes name the compiler that computed a result by the file's content alone ([File.Compiler]), so that the
// same file has one name wherever it lies: that of the package that it was released in, where we know its
// SHA-256, else the beginning of its SHA-256.
package pjrt
