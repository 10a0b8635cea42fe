package arch

import (
	"fmt"
	"slices"
	"strings"

	"github.com/persona-transfer/runpipeline/gpu/checkpoint"
)

// A Source is what weights are read from; *checkpoint.Checkpoint is one.
type Source interface {
	Tensors() []checkpoint.TensorInfo
	// ReadRows reads rows [from, from+n) of a tensor seen as a matrix [first dimension, rest].
	ReadRows(name string, from, n int, dst []float32) error
}

// Float32Tensors lists the tensors that the configuration needs, by name, as a source has them whose values are float32.
func (c *Config) Float32Tensors() (out []checkpoint.TensorInfo) {
	for name, shape := range c.Tensors() {
		out = append(out, checkpoint.TensorInfo{Name: name, DType: "F32", Shape: shape})
	}
	slices.SortFunc(out, func(a, b checkpoint.TensorInfo) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// CheckTensors compares the tensors that are there with those that the configuration needs.
// Missing and misshapen tensors are an error that lists them. Tensors that transformers would ignore as
// well are returned as unused, sorted.
func (c *Config) CheckTensors(have []checkpoint.TensorInfo) (unused []string, err error) {
	want := c.Tensors()
	var missing, misshapen []string
	seen := map[string]bool{}
	for _, t := range have {
		seen[t.Name] = true
		shape, ok := want[t.Name]
		switch {
		case !ok && !c.unread(t.Name):
			unused = append(unused, t.Name)
		case ok && t.Shape != nil && !slices.Equal(shape, t.Shape):
			misshapen = append(misshapen, fmt.Sprintf("%s %v, want %v", t.Name, t.Shape, shape))
		}
	}
	for name := range want {
		if !seen[name] {
			missing = append(missing, name)
		}
	}
	var problems []string
	for _, l := range []struct {
		what  string
		names []string
	}{{"missing", missing}, {"misshapen", misshapen}, {"unused", unused}} {
		if len(l.names) > 0 {
			slices.Sort(l.names)
			problems = append(problems, fmt.Sprintf("%d %s: %s", len(l.names), l.what, Some(l.names)))
		}
	}
	if len(missing)+len(misshapen) > 0 {
		return nil, fmt.Errorf("tensors do not fit the configuration: %s", strings.Join(problems, "; "))
	}
	slices.Sort(unused)
	return unused, nil
}

// Some lists the first names, and how many more there are.
func Some(names []string) string {
	const most = 20
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

// unread reports whether a stored tensor is known not to be a weight of the decoder: old checkpoints store
// the rotary frequencies and the causal mask, which follow from the configuration, and a larger model
// has other parts.
func (c *Config) unread(name string) bool {
	return strings.HasSuffix(name, "rotary_emb.inv_freq") || strings.HasSuffix(name, "attn.masked_bias") ||
		strings.HasSuffix(name, "attn.bias") && strings.HasPrefix(name, "transformer.h.") ||
		slices.ContainsFunc(c.names.unread, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}

// ReadVector reads the values of a vector.
func (s Param) ReadVector(src Source, dst []float32) error {
	for _, p := range s.Parts {
		n, err := p.read(src, dst)
		if err != nil {
			return err
		}
		dst = dst[n:]
	}
	return nil
}

// read reads the part's rows to the start of dst, repeats them, and returns how many values that
// makes.
func (p Part) read(src Source, dst []float32) (int, error) {
	if err := src.ReadRows(p.Tensor, p.From, p.N, dst[:p.N]); err != nil {
		return 0, err
	}
	if p.Add != 0 {
		for i := range dst[:p.N] {
			dst[i] += p.Add
		}
	}
	for i := 1; i < p.Repeat; i++ {
		copy(dst[i*p.N:], dst[:p.N])
	}
	return p.N * p.Repeat, nil
}
