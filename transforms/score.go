package transforms

import (
	"context"
	"fmt"
	"math"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/gpu"
	"github.com/persona-transfer/runpipeline/transforms/trial"
)

// Score is the stage that reads each continuation with the unsteered target: how surprising is it?
// Units are those of the stage whose texts they are.
type Score struct {
	Model  Model `json:"model"`
	Texts  []int `json:"texts" key:"-"`  // of each unit
	Tokens int   `json:"tokens" key:"-"` // of a text, at most
	Prompt int   `json:"prompt" key:"-"` // of a prompt, about
}

const scoreVersion = 3 // 3: artifacts of format 2; 2: end tokens that a prompt was given

func init() { register("score", scoreVersion, many, scoreWork, score) }

// scoreWork is that of a batch.
func scoreWork(s Score, unit int) Work {
	return s.Model.Shape.scoring(s.Texts[unit], s.Prompt, s.Tokens)
}

// score reads one batch. The anchors are read twice: as they are, for the zero of coherence, and
// with their words shuffled, for the point beyond which a text counts as garbled. It reads the stage
// that wrote the texts.
func score(ctx context.Context, u *Unit, s Score) (cache.ActionKey, error) {
	batch, err := u.InputAt(u.Stage.Inputs[0], u.Index, "texts")
	if err != nil {
		return cache.ActionKey{}, err
	}
	r := u.Recipe().Struct(s).Input("generations", batch.Digest)
	return u.Do(ctx, r, func(ctx context.Context) ([]Product, error) {
		rows, err := load(ctx, u.Store, batch, artifacts.KindGenerations, artifacts.DecodeGenerations)
		if err != nil {
			return nil, err
		}
		texts := make([][]int32, len(rows.Rows))
		for i, row := range rows.Rows {
			texts[i] = row.Tokens
		}
		passes := 1
		if len(rows.Rows) > 0 && rows.Rows[0].Condition == Anchors {
			passes = 2
		}
		nll, err := u.nll(gpu.PartOf(ctx, 0, passes), s.Model, rows, texts)
		if err != nil {
			return nil, err
		}
		scores := &artifacts.Scores{Meta: rows.Meta, Generations: batch.Digest.String()}
		for i, row := range rows.Rows {
			scores.Rows = append(scores.Rows, artifacts.Score{Row: int32(i), NLL: nll[i], Tokens: int32(len(row.Tokens)), Perplexity: math.Exp(nll[i])})
		}
		products := []Product{{Name: "scores", Kind: artifacts.KindScores, Rows: int64(len(scores.Rows)), Write: scores.Encode}}
		if passes == 2 {
			shuffled, err := u.shuffledWords(gpu.PartOf(ctx, 1, passes), s, rows)
			if err != nil {
				return nil, err
			}
			products = append(products, Product{Name: "shuffled", Kind: artifacts.KindScores, Rows: int64(len(shuffled.Rows)), Write: shuffled.Encode})
		}
		return products, nil
	})
}

// nll is the mean negative log-likelihood, in nats a token, of each continuation of its test
// prompt (without any prefix that asked for a persona); NaN for an empty one.
func (u *Unit) nll(ctx context.Context, m Model, rows *artifacts.Generations, continuations [][]int32) ([]float64, error) {
	d, err := u.decoder(ctx, m)
	if err != nil {
		return nil, err
	}
	prompts := make([][]int32, len(continuations))
	for i, row := range rows.Rows {
		if prompts[i], err = PromptTokens(d.Tokenizer(), m.Template, row.PromptText); err != nil {
			return nil, err
		}
	}
	losses, err := d.NLL(ctx, prompts, continuations)
	if err != nil {
		return nil, err
	}
	means := make([]float64, len(losses))
	for i, tokens := range losses {
		sum := 0.0
		for _, l := range tokens {
			if l != l {
				return nil, fmt.Errorf("score text %d of %d: the likelihood of a token is NaN", i+1, len(losses))
			}
			sum += float64(l)
		}
		means[i] = sum / float64(len(tokens)) // 0/0: NaN, no tokens
	}
	return means, nil
}

// shuffledWords scores the anchors with the words of each in a drawn order.
func (u *Unit) shuffledWords(ctx context.Context, s Score, rows *artifacts.Generations) (*artifacts.Scores, error) {
	d, err := u.decoder(ctx, s.Model)
	if err != nil {
		return nil, err
	}
	texts := make([][]int32, len(rows.Rows))
	for i, row := range rows.Rows {
		seed := cache.NewRecipe("shuffled words", 1).Text("text", row.Text).Int("row", int64(i)).Key()
		if texts[i], err = d.Tokenizer().EncodePlain(" " + trial.ShuffleWords(row.Text, seed)); err != nil {
			return nil, err
		}
	}
	nll, err := u.nll(ctx, s.Model, rows, texts)
	if err != nil {
		return nil, err
	}
	out := &artifacts.Scores{Meta: rows.Meta}
	for i := range texts {
		out.Rows = append(out.Rows, artifacts.Score{Row: int32(i), NLL: nll[i], Tokens: int32(len(texts[i])), Perplexity: math.Exp(nll[i])})
	}
	return out, nil
}
