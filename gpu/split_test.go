package gpu_test

import (
	"context"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/persona-transfer/runpipeline/gpu"
	"github.com/persona-transfer/runpipeline/gpu/gputest"
)

// akin are n rows that begin with the same eight tokens, most with more: some prompts are equal, some go
// on from others, and texts are steered in every way.
func akin(r *gputest.Reference, n int) []gpu.Row {
	stem := r.Text(14, 77)
	rows := variedRows(r, n, 9)
	for i := range rows {
		switch i % 5 {
		case 0, 1:
			rows[i].Prompt = slices.Concat(stem, r.Text(1+i%3*9, uint64(i%3)))
		case 2:
			rows[i].Prompt = stem[:11+i%4]
		case 3:
			rows[i].Prompt = rows[i-1].Prompt
		case 4:
			rows[i].Prompt = slices.Concat(stem[:8], rows[i].Prompt)
		}
	}
	return rows
}

// splits cuts 0 … n−1 into parts in random order, the last of which has one number each.
func splits(n int) (out [][]int) {
	rng := rand.New(rand.NewPCG(3, 4))
	order := rng.Perm(n)
	for len(order) > 3 {
		k := 1 + rng.IntN(len(order)-1)
		out, order = append(out, order[:k]), order[k:]
	}
	for _, i := range order {
		out = append(out, []int{i})
	}
	return out
}

func pick[T any](from []T, which []int) (out []T) {
	for _, i := range which {
		out = append(out, from[i])
	}
	return out
}

// TestSplitsChangeNothing gives all rows to one call, spreads them over calls, and gives each alone to a
// decoder that has seen nothing else: residuals, logits, likelihoods, texts and margins have the same bits.
func TestSplitsChangeNothing(t *testing.T) {
	eachFamily(t, func(t *testing.T, d *gpu.Decoder, r *gputest.Reference) {
		ctx := context.Background()
		rows := akin(r, 13)
		var texts, continuations [][]int32
		var last [][]int
		var pushes [][]gpu.Push
		for i, row := range rows {
			texts, pushes = append(texts, row.Prompt), append(pushes, row.Push)
			last = append(last, []int{len(row.Prompt) - 1, 0})
			continuations = append(continuations, r.Text(i%4*7, uint64(i)))
		}
		sites := []gpu.Site{{Layer: 1}, {Layer: 0}}
		sampled := gpu.Sampling{MaxNewTokens: 9, Temperature: 1, TopP: 0.9, StopAtEOS: true}
		compute := func(d *gpu.Decoder, which []int) [][]any {
			t.Helper()
			residuals, err1 := d.CaptureSteered(ctx, pick(texts, which), pick(last, which), sites, pick(pushes, which))
			logits, err2 := d.Logits(ctx, pick(texts, which), pick(pushes, which))
			likelihoods, err3 := d.NLL(ctx, pick(texts, which), pick(continuations, which))
			for _, err := range []error{err1, err2, err3} {
				if err != nil {
					t.Fatal(err)
				}
			}
			best, drawn := generate(t, d, pick(rows, which), greedy), generate(t, d, pick(rows, which), sampled)
			out := make([][]any, len(which))
			for i := range which {
				out[i] = []any{residuals[i], logits[i], likelihoods[i], best[i], drawn[i]}
			}
			return out
		}
		all := make([]int, len(rows))
		for i := range all {
			all[i] = i
		}
		want := compute(d, all)
		for _, part := range splits(len(rows)) {
			for j, got := range compute(d, part) {
				if !reflect.DeepEqual(got, want[part[j]]) {
					t.Errorf("row %d of %d in a call of %d: other bits than in a call of all", part[j], len(rows), len(part))
				}
			}
		}
		fresh, _ := open(t, t.Name()[len("TestSplitsChangeNothing/"):])
		for i := range rows {
			if got := compute(fresh, []int{i}); !reflect.DeepEqual(got[0], want[i]) {
				t.Errorf("row %d alone: other bits than in a call of all", i)
			}
		}
	})
}

// TestAForkIsTheWholeText scores several continuations of a prompt, and the same tokens after a prompt of
// one token, which nothing is forked from: the likelihoods have the same bits.
func TestAForkIsTheWholeText(t *testing.T) {
	eachFamily(t, func(t *testing.T, d *gpu.Decoder, r *gputest.Reference) {
		switch r.Config.Ropes[0].Type {
		case "dynamic", "qwen", "longrope":
			t.Skip("positions turn by the length of the prompt")
		}
		ctx := context.Background()
		prompt := r.Text(37, 1)
		var prompts, continuations, first, rest [][]int32
		for i := range 4 {
			c := r.Text(3+10*i, uint64(10+i))
			prompts, continuations = append(prompts, prompt), append(continuations, c)
			first, rest = append(first, prompt[:1]), append(rest, slices.Concat(prompt[1:], c))
		}
		forked, err := d.NLL(ctx, prompts, continuations)
		if err != nil {
			t.Fatal(err)
		}
		whole, err := d.NLL(ctx, first, rest)
		if err != nil {
			t.Fatal(err)
		}
		for i := range forked {
			if want := whole[i][len(prompt)-1:]; !reflect.DeepEqual(forked[i], want) {
				t.Errorf("continuation %d: %v after a fork, %v in a whole text", i, forked[i], want)
			}
		}
	})
}

// TestPromptsThatEncodePositionsOtherwise begin with the same tokens, whose keys are not the same: the
// length of the prompt decides how they turn.
func TestPromptsThatEncodePositionsOtherwise(t *testing.T) {
	for _, family := range []string{"llama_dynamic", "qwen", "phi3"} {
		t.Run(family, func(t *testing.T) {
			d, r := open(t, family)
			fresh, _ := open(t, family)
			long := r.Text(40, 1)
			rows := []gpu.Row{{Prompt: long[:10]}, {Prompt: long[:18]}, {Prompt: long}}
			for i, got := range generate(t, d, rows, greedy) {
				if want := generate(t, fresh, rows[i:i+1], greedy)[0]; !reflect.DeepEqual(got, want) {
					t.Errorf("a prompt of %d tokens becomes %v among others, %v alone", len(rows[i].Prompt), got, want)
				}
			}
		})
	}
}

// TestManyRowsTakeTurns generates more rows than are under way at a time, of which some end early.
func TestManyRowsTakeTurns(t *testing.T) {
	_, r := open(t, "gemma3")
	var rows []gpu.Row
	for i := range 300 {
		rows = append(rows, gpu.Row{Prompt: r.Text(1+i%7, uint64(i%11)), Noise: gpu.Noise{Seed: uint64(i)}})
	}
	config := *r.Config
	config.EOS = []int32{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	e, err := gpu.OpenSource(&config, r, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	s := gpu.Sampling{MaxNewTokens: 6, Temperature: 1, StopAtEOS: true}
	all := generate(t, e, rows, s)
	ended := 0
	for i := range rows {
		if all[i].Ended {
			ended++
		}
		if i%29 == 0 {
			if got := generate(t, e, rows[i:i+1], s)[0]; !reflect.DeepEqual(got, all[i]) {
				t.Errorf("row %d of 300: %v, alone %v", i, all[i], got)
			}
		}
	}
	if ended < 30 || ended > 270 {
		t.Errorf("%d of 300 rows ended early: the test shows little", ended)
	}
}
