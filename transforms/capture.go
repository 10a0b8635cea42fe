package transforms

import (
	"context"
	"fmt"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/gpu"
	"github.com/persona-transfer/runpipeline/gpu/tokenizer"
)

// Capture is the stage that records one model's residual stream at the positions of the pairs.
type Capture struct {
	Model     Model       `json:"model"`
	Layer     int         `json:"layer"`
	Positions string      `json:"positions"`    // recorded in the shards, so that a vector of another rule is refused
	Size      ReadingSize `json:"size" key:"-"` // of a unit
}

const captureVersion = 4 // 4: artifacts of format 2; 2: texts without a position are not run, which changes the batches of the others; 3: as pairs 2

func init() { register("capture", captureVersion, many, captureWork, capture) }

// captureWork is that of a shard.
func captureWork(s Capture, _ int) Work {
	w := s.Model.Shape.reading(s.Size.Tokens, s.Size.Length, s.Layer+1)
	w.Stored = 4 * float64(ShardRows) * float64(s.Model.Shape.Hidden)
	return w
}

// meta describes what was read, for the check that vectors and maps belong together.
func (s Capture) meta(hidden int) artifacts.Meta {
	return artifacts.Meta{ModelDigest: s.Model.Digest, Layer: s.Layer, Positions: s.Positions, Template: template(s.Model.Template), Device: s.Model.Device, Hidden: hidden}
}

func template(on bool) string {
	if on {
		return "chat"
	}
	return "none"
}

// capture records one shard. It reads pairs.
func capture(ctx context.Context, u *Unit, s Capture) (cache.ActionKey, error) {
	shard, err := u.Need("pairs", shardName(u.Index))
	if err != nil {
		return cache.ActionKey{}, err
	}
	r := u.Recipe().Struct(s).Input("texts", shard.Digest)
	return u.Do(ctx, r, func(ctx context.Context) ([]Product, error) {
		texts, err := load(ctx, u.Store, shard, artifacts.KindTexts, artifacts.DecodeTexts)
		if err != nil {
			return nil, err
		}
		acts, err := u.residuals(ctx, s, texts)
		if err != nil {
			return nil, err
		}
		return []Product{{Name: "activations", Kind: artifacts.KindActivations, Rows: int64(acts.Rows()), Write: acts.Encode}}, nil
	})
}

// residuals reads the residual stream at every position of the texts, one row a position. A text
// without a position is not run: its status says why.
func (u *Unit) residuals(ctx context.Context, s Capture, texts *artifacts.Texts) (*artifacts.Activations, error) {
	d, err := u.decoder(ctx, s.Model)
	if err != nil {
		return nil, err
	}
	hidden := d.Config().Hidden
	acts := &artifacts.Activations{Meta: s.meta(hidden), Dim: hidden}
	tokens, positions, err := s.read(d.Tokenizer(), texts, acts)
	if err != nil {
		return nil, err
	}
	residuals, err := d.Capture(ctx, tokens, positions, []gpu.Site{{Layer: s.Layer}})
	if err != nil {
		return nil, fmt.Errorf("capture after block %d: %w", s.Layer, err)
	}
	for _, rows := range residuals {
		acts.Residual = append(acts.Residual, rows...)
	}
	return acts, finite(acts.Residual, fmt.Sprintf("residual after block %d", s.Layer))
}

// read tokenises the texts that have positions, and says in acts what each of these is.
func (s Capture) read(t *tokenizer.Tokenizer, texts *artifacts.Texts, acts *artifacts.Activations) (tokens [][]int32, positions [][]int, err error) {
	for i, row := range texts.Rows {
		if len(row.Ends) == 0 {
			continue
		}
		read, err := readText(t, s.Model.Template, row.Text)
		if err != nil {
			return nil, nil, err
		}
		var at []int
		for _, end := range row.Ends {
			p := read.at(end)
			if p < 0 {
				return nil, nil, fmt.Errorf("text %.40q: no token ends at byte %d", row.Text, end)
			}
			at = append(at, p)
			acts.Document, acts.Text, acts.End = append(acts.Document, row.Document), append(acts.Text, int32(i)), append(acts.End, end)
			acts.Token, acts.Fold = append(acts.Token, t.Token(read.tokens[p])), append(acts.Fold, row.Fold)
		}
		tokens, positions = append(tokens, read.tokens), append(positions, at)
	}
	return tokens, positions, nil
}

// finite refuses NaN and infinity, which would spread through every later number.
func finite(v []float32, what string) error {
	for i, x := range v {
		if x-x != 0 {
			return fmt.Errorf("%s: value %d is %g", what, i, x)
		}
	}
	return nil
}
