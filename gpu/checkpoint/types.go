package checkpoint

import (
	"fmt"
	"slices"
	"strings"

	"github.com/persona-transfer/runpipeline/format/gguf"
)

// CheckTypes reports those of the named tensors whose stored type is not decoded, all of them at once, by file
// and type. Nothing is read. The error wraps [ErrFormat].
func (c *Checkpoint) CheckTypes(names []string) error {
	foreign := map[string][]*tensor{}
	for _, name := range names {
		if t, ok := c.tensors[name]; ok && t.foreign() {
			foreign[t.file()] = append(foreign[t.file()], t)
		}
	}
	if len(foreign) == 0 {
		return nil
	}
	var files []string
	for file, tensors := range foreign {
		files = append(files, file+": "+byType(tensors))
	}
	slices.Sort(files)
	return fmt.Errorf("%s; %s: %w", join(files, "; "), readTypes(c.vocab != nil), ErrFormat)
}

// byType lists the types of tensors, each with the first tensors of it by name.
func byType(tensors []*tensor) string {
	const shown = 3
	names := map[string][]string{}
	for _, t := range tensors {
		names[t.DType] = append(names[t.DType], t.Name)
	}
	var parts []string
	for dtype, of := range names {
		slices.Sort(of)
		text := strings.Join(of[:min(len(of), shown)], ", ")
		if more := len(of) - shown; more > 0 {
			text += fmt.Sprintf(" and %d more", more)
		}
		parts = append(parts, fmt.Sprintf("%s (%s)", dtype, text))
	}
	slices.Sort(parts)
	return "weights of stored types that are not supported: " + join(parts, ", ")
}

// readTypes says which stored types of a kind of file are read.
func readTypes(inGGUF bool) string {
	if !inGGUF {
		return "supported: F64, F32, F16, BF16"
	}
	var names []string
	for t := range gguf.Type(maxType) {
		if ggufCodec(t).decode != nil {
			names = append(names, t.String())
		}
	}
	return "supported: " + strings.Join(names, ", ")
}

// maxType is beyond every type's number in a GGUF.
const maxType = 64
