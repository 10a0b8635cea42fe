package transforms

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/gpu/tokenizer"
)

// ErrTexts reports texts that cannot serve the experiment: too few, or none that tokenise.
var ErrTexts = errors.New("texts of the configuration")

// ShardRows is how many pairs a shard of activations holds: small enough that a killed run loses
// seconds and a shard takes little memory, large enough that products of its rows are no slower than of more.
const ShardRows = 500

// maxTokens is the longest text that is read. Attention over a whole text takes memory with the square
// of its length: a 7B model's scores of one layer are then 2 GiB.
const maxTokens = 4096

// Shards is the number of shards for n pairs.
func Shards(n int) int { return (n + ShardRows - 1) / ShardRows }

// Pairs is the stage that chooses which positions of which texts are read in both models.
type Pairs struct {
	Source    TextModel    `json:"source_model"`
	Target    TextModel    `json:"target_model"`
	Texts     cache.Digest `json:"calibration_texts"` // JSON list of {document, text}
	Samples   int          `json:"n_training_samples"`
	Positions string       `json:"positions"` // "last" or "word_ends"
	Seed      uint64       `json:"seed"`
}

// A Text is one row of a corpus.
type Text struct {
	Document string `json:"document,omitempty"`
	Text     string `json:"text"`
}

const pairsVersion = 4 // 4: artifacts of format 2; 3: texts drawn by seed and text; 2: word ends in scripts without spaces; texts in a chat template are found by marks, not by search

func init() { register("pairs", pairsVersion, whole, pairsWork, pairs) }

// pairsWork counts texts that are tokenised twice.
func pairsWork(s Pairs, _ int) Work {
	return Work{Pace: Counting, Elements: 20_000 * float64(s.Samples)}
}

// pairs draws texts in a seeded order until there are enough positions, and cuts them into shards.
// A document's texts share an ordinal in the Fold column, by which the fit keeps them together.
func pairs(ctx context.Context, u *Unit, s Pairs) (cache.ActionKey, error) {
	r := u.Recipe().Struct(s)
	return u.Do(ctx, r, func(ctx context.Context) ([]Product, error) {
		texts, err := ReadTexts(ctx, u.Store, s.Texts)
		if err != nil {
			return nil, err
		}
		both := aligner{positions: s.Positions}
		for _, m := range []TextModel{s.Source, s.Target} {
			t, err := m.Tokenizer(ctx)
			if err != nil {
				return nil, err
			}
			both.readers = append(both.readers, reader{t, m.Template})
		}
		shards, err := both.shards(ctx, drawn(texts, s.Seed), s.Samples)
		if err != nil {
			return nil, err
		}
		products := make([]Product, len(shards))
		for i, shard := range shards {
			products[i] = Product{Name: shardName(i), Kind: artifacts.KindTexts, Rows: int64(positionsIn(shard)), Write: shard.Encode}
		}
		return products, nil
	})
}

func shardName(i int) string { return fmt.Sprintf("shard.%04d", i) }

// drawn gives the texts in a random order that depends on the seed and, for each text, on the text alone:
// each has a key of its own, by which they are sorted. So every pair of models reads the same texts, and
// a smaller sample, or one of a smaller corpus, is a part of a larger one. A text that comes again has
// another key for each time.
func drawn(texts []Text, seed uint64) []Text {
	type draw struct {
		key  cache.ActionKey
		text Text
	}
	draws, times := make([]draw, len(texts)), map[Text]int64{}
	for i, t := range texts {
		r := cache.NewRecipe("calibration text", 1).Uint("seed", seed).Text("document", t.Document).Text("text", t.Text).Int("time", times[t])
		draws[i] = draw{r.Key(), t}
		times[t]++
	}
	slices.SortFunc(draws, func(a, b draw) int { return bytes.Compare(a.key[:], b.key[:]) })
	order := make([]Text, len(texts))
	for i, d := range draws {
		order[i] = d.text
	}
	return order
}

// A reader is a model as far as it turns texts into tokens.
type reader struct {
	tokenizer *tokenizer.Tokenizer
	template  bool // texts stand in its chat template
}

// An aligner finds the positions at which its readers, one or two, have read the same characters.
type aligner struct {
	readers   []reader
	positions string
}

// ends gives the byte offsets in text, in order, at which a position of the rule ends in all
// readers. An empty list comes with the reason, which is a status and no error: one row of a corpus
// must not stop the others.
func (a aligner) ends(text string) (ends []int32, status string) {
	if strings.TrimSpace(text) == "" {
		return nil, "the text is empty"
	}
	var readings []reading
	stop := len(text)
	for _, r := range a.readers {
		read, err := readText(r.tokenizer, r.template, text)
		if err != nil {
			return nil, err.Error()
		}
		if len(read.tokens) > maxTokens {
			return nil, fmt.Sprintf("the text has more than %d tokens", maxTokens)
		}
		readings, stop = append(readings, read), min(stop, read.stop)
	}
	wanted := []int32{int32(stop)}
	if a.positions == "word_ends" {
		if wanted = wordEnds(text); len(wanted) == 0 {
			return nil, fmt.Sprintf(`the text has fewer than %d words, and positions "word_ends" begin with that one; "last" reads the end of every text`, firstWord)
		}
	}
	for _, read := range readings {
		wanted = read.keep(wanted)
	}
	if len(wanted) == 0 {
		return nil, "the models do not end on a common character"
	}
	return wanted, ""
}

// shards cuts the texts into shards of ShardRows positions, n in all.
func (a aligner) shards(ctx context.Context, texts []Text, n int) ([]*artifacts.Texts, error) {
	documents := map[string]int32{}
	var shards []*artifacts.Texts
	rows, total, leftOut := 0, 0, ""
	for i, t := range texts {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if total == n {
			break
		}
		ends, status := a.ends(t.Text)
		if status != "" {
			leftOut = status
		}
		document := t.Document
		if document == "" {
			document = fmt.Sprintf("text.%d", i)
		}
		ordinal, ok := documents[document]
		if !ok {
			ordinal = int32(len(documents))
			documents[document] = ordinal
		}
		for first := true; first || len(ends) > 0; first = false {
			if len(shards) == 0 || rows == ShardRows {
				shards, rows = append(shards, &artifacts.Texts{}), 0
			}
			take := min(len(ends), ShardRows-rows, n-total)
			shard := shards[len(shards)-1]
			shard.Rows = append(shard.Rows, artifacts.Text{Document: document, Text: t.Text, Ends: ends[:take], Fold: ordinal, Status: status})
			rows, total, ends = rows+take, total+take, ends[take:]
			if total == n {
				break
			}
		}
	}
	if total < n {
		err := fmt.Errorf("%w: calibration_texts gives %d pairs (positions %q), n_training_samples asks for %d", ErrTexts, total, a.positions, n)
		if leftOut != "" {
			err = fmt.Errorf("%w; texts are left out, the last because %s", err, leftOut)
		}
		return nil, err
	}
	return shards, nil
}

// positionsIn counts the positions of a shard.
func positionsIn(t *artifacts.Texts) (n int) {
	for _, row := range t.Rows {
		n += len(row.Ends)
	}
	return n
}
