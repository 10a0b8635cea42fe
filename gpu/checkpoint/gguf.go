package checkpoint

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/persona-transfer/runpipeline/format/gguf"
)

// A ggufModel is a GGUF while it is being turned into a Checkpoint. Problems are collected,
// so that one message names them all.
type ggufModel struct {
	archName       string
	arch           architecture
	meta           map[string]any
	tensors        map[string]*tensor // by GGUF's name
	heads, kvHeads int
	problems       []string
	notes          []string // what is odd and does no harm
}

// openGGUF opens a .gguf file.
func openGGUF(path, ref string) (_ *Checkpoint, err error) {
	b, err := openBlob(os.DirFS(filepath.Dir(path)), filepath.Base(path))
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", ref, err)
	}
	c, err := newGGUF(b, ref)
	if err != nil {
		b.close()
		return nil, fmt.Errorf("open %s: %w", ref, err)
	}
	return c, nil
}

// newGGUF makes a checkpoint of b, which stays the caller's if there is an error.
func newGGUF(b *blob, ref string) (_ *Checkpoint, err error) {
	defer recoverFault(b.name, &err)()
	h, err := readGGUF(b)
	if err != nil {
		return nil, err
	}
	m, err := newGGUFModel(h)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", b.name, err, ErrFormat)
	}
	c := &Checkpoint{name: ref, tensors: make(map[string]*tensor), blobs: []*blob{b}, parts: []part{{name: b.name, blob: b}}}
	c.vocab = m.vocab()
	config := m.arch.config(m)
	m.addRope(config)
	addTokens(config, c.vocab)
	for _, t := range h.tensors {
		if ropeTensors[t.Name] {
			continue
		}
		if err := m.convert(t); err != nil {
			m.problems = append(m.problems, err.Error())
		} else if err := c.add(t); err != nil {
			return nil, err
		}
	}
	if len(m.problems) == 0 {
		if c.config, err = json.MarshalIndent(config, "", "  "); err != nil {
			m.problem("configuration: %v", err)
		}
	}
	if len(m.problems) > 0 {
		return nil, fmt.Errorf("%s: %s: %w", b.name, join(m.problems, "; "), ErrFormat)
	}
	for _, note := range slices.Concat(h.notes, m.notes) {
		c.notes = append(c.notes, b.name+": "+note)
	}
	sortInfos(c.infos)
	return c, nil
}

// newGGUFModel looks up the architecture and what every architecture has.
func newGGUFModel(h *ggufHeader) (*ggufModel, error) {
	name, _ := h.meta["general.architecture"].(string)
	arch, ok := architectures[name]
	if !ok {
		var known []string
		for a := range architectures {
			known = append(known, a)
		}
		slices.Sort(known)
		return nil, fmt.Errorf("architecture %.100q is not supported (supported: %s)", name, strings.Join(known, ", "))
	}
	if n, ok := gguf.Int(h.meta["split.count"]); ok && n > 1 {
		return nil, fmt.Errorf("one of %d files of a split model: merge them first, for example with llama.cpp's llama-gguf-split --merge", n)
	}
	m := &ggufModel{archName: name, arch: arch, meta: h.meta, tensors: make(map[string]*tensor)}
	for _, t := range h.tensors {
		m.tensors[t.Name] = t
	}
	if n := m.intOr("expert_count", 0); n > 0 {
		m.problem("a mixture of %d experts is not supported", n)
	}
	m.heads = m.int("attention.head_count")
	m.kvHeads = m.intOr("attention.head_count_kv", m.heads)
	if m.kvHeads == 0 || m.heads%m.kvHeads != 0 {
		m.problem("%d heads share %d key heads", m.heads, m.kvHeads)
	}
	if len(m.problems) > 0 {
		return nil, errors.New(join(m.problems, "; "))
	}
	return m, nil
}

func (m *ggufModel) problem(format string, args ...any) {
	m.problems = append(m.problems, fmt.Sprintf(format, args...))
}

func (m *ggufModel) note(format string, args ...any) {
	m.notes = append(m.notes, fmt.Sprintf(format, args...))
}

const (
	maxSize   = 1 << 31 // larger than any number that describes a model's shape
	maxBlocks = 1 << 14 // more than any model has
)

// int returns a positive number of the architecture's metadata.
func (m *ggufModel) int(key string) int {
	if _, ok := m.meta[m.archName+"."+key]; !ok {
		m.problem("metadata %s.%s is missing", m.archName, key)
		return 1
	}
	n := m.intOr(key, 1)
	if n == 0 {
		m.problem("metadata %s.%s is 0", m.archName, key)
		return 1
	}
	return n
}

// intOr returns a number of the architecture's metadata, or def if it is not there. A
// number given per block must be the same for all.
func (m *ggufModel) intOr(key string, def int) int {
	key = m.archName + "." + key
	v, ok := m.meta[key]
	if !ok {
		return def
	}
	n, ok := gguf.Int(v)
	if a, isArray := v.(gguf.Array); isArray && a.Len > 0 && a.Len <= maxBlocks {
		if all, err := a.Ints(); err == nil {
			n = all[0]
			ok = !slices.ContainsFunc(all, func(x int64) bool { return x != n })
		}
	}
	if !ok || n < 0 || n > maxSize {
		m.problem("metadata %s is not one number from 0 to %d", key, maxSize)
		return def
	}
	return int(n)
}

// floatOr returns a number of the architecture's metadata, or def if it is not there.
func (m *ggufModel) floatOr(key string, def float32) float32 {
	v, ok := m.meta[m.archName+"."+key]
	if !ok {
		return def
	}
	f, ok := v.(float32)
	if !ok || f < 0 || f > 1e30 || f != f {
		m.problem("metadata %s.%s is %s, not a positive float32", m.archName, key, show(v))
		return def
	}
	return f
}
