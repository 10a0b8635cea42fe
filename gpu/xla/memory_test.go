package xla

import (
	"errors"
	"strings"
	"testing"

	"github.com/persona-transfer/runpipeline/gpu/arch"
	"github.com/persona-transfer/runpipeline/gpu/engine"
)

// TestMemoryIsPlanned plans a model of seven billion parameters on cards of several sizes: the numbers were
// reckoned by hand from its shapes.
func TestMemoryIsPlanned(t *testing.T) {
	c, err := arch.ParseConfig([]byte(shapesOf["7b"]))
	if err != nil {
		t.Fatal(err)
	}
	card := &Device{plugin: Plugin{Path: "/card", CUDA: true}}
	const gib = 1 << 30
	for _, test := range []struct {
		name   string
		o      Options
		memory int64
		tokens int // of a pass; 0: refused
		texts  int // of 192 slots
	}{
		{"80 GB in bfloat16", Options{BFloat16: true}, 68 * gib, 1 << 14, 128},
		{"80 GB in float32", Options{}, 68 * gib, 1 << 14, 64},
		{"24 GB in bfloat16", Options{BFloat16: true}, 20 * gib, 1 << 14, 16},
		{"24 GB in float32", Options{}, 20 * gib, 0, 0},
		{"8 GB in bfloat16", Options{BFloat16: true}, 7 * gib, 0, 0},
	} {
		m := &Model{config: c, dev: card, forms: card.forms(test.o.matrix()), sizes: card.sizes(), memory: test.memory}
		err := m.shrink()
		if test.tokens == 0 {
			if !errors.Is(err, ErrMemory) || !strings.Contains(err.Error(), "GiB of weights in ") {
				t.Errorf("%s: %v", test.name, err)
			}
			continue
		}
		if err != nil || m.sizes.tokens != test.tokens || m.texts(mostTexts, 192) != test.texts {
			t.Errorf("%s: passes of %d tokens, %d texts, %v; want %d and %d", test.name, m.sizes.tokens, m.texts(mostTexts, 192), err, test.tokens, test.texts)
		}
		if n := m.need.pass(m.sizes.tokens); n > test.memory {
			t.Errorf("%s: a pass of %d bytes", test.name, n)
		}
	}
	bytes := footprintOf(c, card.forms(bf16), card.sizes())
	// 6,738,415,616 parameters, 266,240 of them gains; 32 blocks of 4,096 keys and as many values.
	if bytes.weights != 2*(6738415616-266240)+4*266240 || bytes.slot != 3*2*32*4096*2 {
		t.Errorf("%+v", bytes)
	}
}

// TestTextsAreContinuedInGroupsThatFit continues more texts than there is memory for at a time.
func TestTextsAreContinuedInGroupsThatFit(t *testing.T) {
	m, r := model(t, "llama")
	m.need = footprintOf(m.config, m.forms, m.sizes)
	m.memory = m.need.loop(2*rowStep, 64)
	texts := make([]engine.Text, 2*rowStep+3)
	for i := range texts {
		texts[i] = engine.Text{Sequence: m.NewSequence(1), Last: r.Text(1, uint64(i))[0], Most: 2}
	}
	groups := m.writings(texts, engine.Choice{})
	if len(groups) != 2 || len(groups[0].which) != 2*rowStep || len(groups[1].which) != 3 {
		t.Errorf("%d groups, the first of %d texts", len(groups), len(groups[0].which))
	}
}
