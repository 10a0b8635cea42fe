package gpu

import (
	"context"
	"encoding/binary"
	"slices"

	"github.com/persona-transfer/runpipeline/gpu/engine"
)

// keptFloats bounds the keys and values that stay with the decoder for the next call: 256 MiB.
const keptFloats = 1 << 26

// fewShared is how many tokens several prompts must have in common for these to be computed ahead: a
// pass of its own costs about as much as a few tokens more.
const fewShared = 8

// A prefix is a prompt without its last token, the part that texts can share.
type prefix struct {
	text
	class string // prefixes of one class encode positions alike
	key   string // of one key are the same; "": a push reaches it, it belongs to one text
}

// begin gives every text a sequence that holds the prefix of its prompt, which is what is before the token to
// begin with. Equal prefixes are computed once and forked, and so are tokens with which all begin. Calls often have
// the prompts of the call before, with other pushes: these stay with the decoder. None of it changes a bit of what
// follows.
func (d *Decoder) begin(ctx context.Context, texts []text, prompt func(i int) []int32) error {
	var fresh []prefix
	of := make([]string, len(texts))
	used := map[string]engine.Sequence{}
	owners := map[int]int{} // by fresh prefix: the text that it belongs to
	for i := range texts {
		p := d.prefixOf(prompt(i), texts[i].push, texts[i].last)
		if of[i] = p.key; p.key == "" {
			owners[len(fresh)] = i
			fresh = append(fresh, p)
		} else if _, ok := used[p.key]; !ok {
			if used[p.key] = d.kept[p.key]; used[p.key] == nil {
				fresh = append(fresh, p)
			}
		}
	}
	err := d.compute(ctx, fresh)
	for j, p := range fresh {
		if i, ok := owners[j]; ok {
			texts[i].seq = p.seq
		} else {
			used[p.key] = p.seq
		}
	}
	d.keep(used)
	if err != nil {
		d.keep(nil)
		return err
	}
	for i := range texts {
		if of[i] != "" {
			texts[i].seq = used[of[i]].Fork()
		}
	}
	if d.keptSize() > keptFloats {
		d.keep(nil)
	}
	return nil
}

// prefixOf is the prefix of a prompt with some pushes, for which the prompt's last token is last.
func (d *Decoder) prefixOf(prompt []int32, push []Push, last int) prefix {
	n := len(prompt) - 1
	p := prefix{text: text{tokens: prompt[:n], push: push, last: last}}
	var class []byte
	for _, r := range d.config.Ropes {
		class = binary.AppendUvarint(class, uint64(r.Class(len(prompt), d.config.MaxPositions)))
	}
	p.class = string(class)
	if edits(push, 0, n, last) == nil {
		key := slices.Clone(class)
		for _, t := range p.tokens {
			key = binary.LittleEndian.AppendUint32(key, uint32(t))
		}
		p.key = string(key)
	}
	return p
}

// compute makes the sequences of prefixes.
func (d *Decoder) compute(ctx context.Context, list []prefix) error {
	groups := map[string][]*prefix{}
	for i := range list {
		p := &list[i]
		p.seq = d.engine.NewSequence(len(p.tokens) + 1)
		if p.key != "" {
			groups[p.class] = append(groups[p.class], p)
		}
	}
	for _, group := range groups {
		if n := common(group); d.writer == nil && len(group) > 1 && n >= fewShared {
			first := group[0]
			root := []text{{seq: first.seq, tokens: first.tokens[:n]}}
			if err := d.feed(ctx, root, func(int, engine.Item, engine.Result) {}); err != nil {
				return err
			}
			for _, p := range group {
				if p.tokens = p.tokens[n:]; p != first {
					p.seq = first.seq.Fork()
				}
			}
		}
	}
	var rest []text
	for _, p := range list {
		if len(p.tokens) > 0 {
			rest = append(rest, p.text)
		}
	}
	return d.feed(ctx, rest, func(int, engine.Item, engine.Result) {})
}

// common is the number of tokens with which all prefixes begin.
func common(list []*prefix) int {
	n := len(list[0].tokens)
	for _, p := range list[1:] {
		n = min(n, len(p.tokens))
		for i := range n {
			if p.tokens[i] != list[0].tokens[i] {
				n = i
				break
			}
		}
	}
	return n
}

// keep lets go of the prefixes that are kept, other than those in next, which are kept from now on.
func (d *Decoder) keep(next map[string]engine.Sequence) {
	for key, s := range d.kept {
		if next[key] != s && s != nil {
			s.Free()
		}
	}
	d.kept = next
}

// keptSize is about how many values the kept prefixes hold.
func (d *Decoder) keptSize() int {
	const spare = 16 // a last page is half empty
	n := 0
	for _, s := range d.kept {
		n += s.Len() + spare
	}
	return n * 2 * d.config.Layers * d.config.KVDim()
}

// freeAll gives the memory of texts back.
func freeAll(texts []text) {
	for _, t := range texts {
		if t.seq != nil {
			t.seq.Free()
		}
	}
}
