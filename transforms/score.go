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
	Texts  int   `json:"texts" key:"-"`  // of a unit
	Tokens int   `json:"tokens" key:"-"` // of a text, at most
	Prompt int   `json:"prompt" key:"-"` // of a prompt, about
}

const scoreVersion = 4 // 4: every text is also read with its words shuffled; 3: artifacts of format 2; 2: end tokens that a prompt was given

func init() { register("score", scoreVersion, many, scoreWork, score) }

// scoreWork is that of a batch, which is read as it is and shuffled.
func scoreWork(s Score, _ int) Work {
	return s.Model.Shape.scoring(2*s.Texts, s.Prompt, s.Tokens)
}

// score reads one batch twice: as it is, and with the words of each text shuffled, which tells what their
// order is worth. It reads the stage that wrote the texts.
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
		nll, err := u.nll(gpu.PartOf(ctx, 0, 2), s.Model, rows, texts)
		if err != nil {
			return nil, err
		}
		if texts, err = u.shuffled(ctx, s.Model, rows); err != nil {
			return nil, err
		}
		shuffled, err := u.nll(gpu.PartOf(ctx, 1, 2), s.Model, rows, texts)
		if err != nil {
			return nil, err
		}
		scores := &artifacts.Scores{Meta: rows.Meta, Generations: batch.Digest.String()}
		for i, row := range rows.Rows {
			scores.Rows = append(scores.Rows, artifacts.Score{Row: int32(i), NLL: nll[i], Tokens: int32(len(row.Tokens)), Perplexity: math.Exp(nll[i]), Shuffled: shuffled[i]})
		}
		return []Product{{Name: "scores", Kind: artifacts.KindScores, Rows: int64(len(scores.Rows)), Write: scores.Encode}}, nil
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

// shuffled is the tokens of each text with its words in an order that is drawn for the text; none for a text
// without words.
func (u *Unit) shuffled(ctx context.Context, m Model, rows *artifacts.Generations) ([][]int32, error) {
	d, err := u.decoder(ctx, m)
	if err != nil {
		return nil, err
	}
	texts := make([][]int32, len(rows.Rows))
	for i, row := range rows.Rows {
		words := trial.ShuffleWords(row.Text, cache.NewRecipe("shuffled words", 2).Text("text", row.Text).Key())
		if words == "" {
			continue
		}
		if texts[i], err = d.Tokenizer().EncodePlain(" " + words); err != nil {
			return nil, err
		}
	}
	return texts, nil
}
