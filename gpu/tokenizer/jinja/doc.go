// Package jinja renders chat templates: the part of the template language Jinja that they use, with the
// results of Jinja2 in Hugging Face's settings (jinja2 3.1, the immutable sandbox, trim_blocks,
// lstrip_blocks, loop controls, Hugging Face's tojson, raise_exception and generation).
//
// What holds for every template and every input:
//
//	J1  What Jinja2 renders is rendered with the same text, or refused with an error that names what is
//	    not supported. Nothing is left out in silence.
//	J2  A render ends within its budget of steps and bytes (budget.go), whatever the template does, and
//	    takes memory only after the budget has paid for it. It ends at once when its context does.
//	J3  A template reads nothing but the variables it is given: no files, no clock, no random numbers.
//	    The same template and variables give the same text or the same refusal on every machine.
//	J4  A Template is never changed by a render, so one may be rendered by many goroutines.
//
// Refused by name are: templates that use others (include, import, from, extends, block), autoescape,
// integers beyond 64 bits, texts with lone surrogates, addresses and random values (printing a macro,
// a method or a generator, lipsum, random), and the filters that only serve web pages.
//
// The files follow a template's way: lexer, parser (statements, expressions), nodes; then values and what
// can be done with them (compare, arithmetic, repr, json, attributes, methods, filters, tests); then the
// evaluation of expressions and statements.
package jinja
