package transforms

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/gpu"
	"github.com/persona-transfer/runpipeline/transforms/linear"
)

// Personas is the stage that takes persona vectors from one model: one unit a persona.
type Personas struct {
	Capture  Capture      `json:"capture"`
	Partner  TextModel    `json:"partner"` // word ends are those that both models have; empty for "last"
	Personas []PersonaRef `json:"personas"`
}

// A PersonaRef names a persona and its stored texts.
type PersonaRef struct {
	Name  string       `json:"name"`
	Texts cache.Digest `json:"texts"` // JSON of PersonaTexts
}

// PersonaTexts are the texts that describe a persona, as stored.
type PersonaTexts struct {
	Positive []string `json:"positive_texts"`
	Negative []string `json:"negative_texts"`
}

// half picks the texts with even numbers, which fit vectors, or odd ones, which train the scorer.
func half(texts []string, odd bool) []string {
	var out []string
	for i, t := range texts {
		if (i%2 == 1) == odd {
			out = append(out, t)
		}
	}
	return out
}

const personasVersion = 6 // 6: the sums of each text beside the vector; 5: artifacts of format 2; 2: a vector of length 0 is refused; texts are read 500 at a time; 3: as capture 2; 4: as pairs 2

func init() { register("personas", personasVersion, many, personasWork, personas) }

// personasWork is that of reading half a persona's texts.
func personasWork(s Personas, _ int) Work {
	return captureWork(s.Capture, 0)
}

// personas makes one persona's "vector", mean(positive) − mean(negative) with its length, and "texts", the sums
// that it is made of.
func personas(ctx context.Context, u *Unit, s Personas) (cache.ActionKey, error) {
	p := s.Personas[u.Index]
	r := u.Recipe().Struct(s.Capture).Text("persona", p.Name).Text("partner", s.Partner.Digest).Bool("partner_template", s.Partner.Template).Text("partner_date", s.Partner.Date).Input("texts", p.Texts)
	return u.Do(ctx, r, func(ctx context.Context) ([]Product, error) {
		texts, err := readPersona(ctx, u.Store, p.Texts)
		if err != nil {
			return nil, err
		}
		positive, negative := half(texts.Positive, false), half(texts.Negative, false)
		d, err := u.decoder(ctx, s.Capture.Model)
		if err != nil {
			return nil, err
		}
		sums := linear.NewContrast(d.Config().Hidden, len(positive), len(negative))
		up, err := u.mean(gpu.PartOf(ctx, 0, 2), s, positive, "persona_datasets."+p.Name+".positive_texts", sums.Add)
		if err != nil {
			return nil, err
		}
		down, err := u.mean(gpu.PartOf(ctx, 1, 2), s, negative, "persona_datasets."+p.Name+".negative_texts", func(text int, row []float32) {
			sums.Add(len(positive)+text, row)
		})
		if err != nil {
			return nil, err
		}
		v := make([]float32, len(up))
		for i := range v {
			v[i] = float32(up[i] - down[i])
		}
		if linear.Norm(v) == 0 {
			return nil, fmt.Errorf("%w: persona_datasets.%s: positive and negative texts have the same mean activation, so they give no vector", ErrTexts, p.Name)
		}
		out := &artifacts.Vectors{Meta: s.Capture.meta(len(v))}
		out.Rows = []artifacts.Vector{{Persona: p.Name, Condition: "native", Norm: linear.Norm(v), Values: v}}
		return []Product{
			{Name: "vector", Kind: artifacts.KindVectors, Rows: 1, Write: out.Encode},
			{Name: "texts", Kind: artifacts.KindMatrices, Rows: int64(len(sums.Rows)), Write: contrastBlocks(sums, out.Meta).Encode},
		}, nil
	})
}

// mean is the mean residual over all positions of the texts, accumulated in float64; ShardRows texts
// are in memory at a time. name is what the configuration calls them. each is given every row with the index of
// its text.
func (u *Unit) mean(ctx context.Context, s Personas, texts []string, name string, each func(text int, row []float32)) ([]float64, error) {
	d, err := u.decoder(ctx, s.Capture.Model)
	if err != nil {
		return nil, err
	}
	a := aligner{readers: []reader{{d.Tokenizer(), s.Capture.Model.Template}}, positions: s.Capture.Positions}
	if s.Partner != (TextModel{}) {
		t, err := s.Partner.Tokenizer(ctx)
		if err != nil {
			return nil, err
		}
		a.readers = append(a.readers, reader{t, s.Partner.Template})
	}
	shard := &artifacts.Texts{}
	for i, text := range texts {
		ends, status := a.ends(text)
		shard.Rows = append(shard.Rows, artifacts.Text{Document: fmt.Sprintf("text.%d", i), Text: text, Ends: ends, Fold: int32(i), Status: status})
	}
	if positionsIn(shard) == 0 {
		return nil, fmt.Errorf("%w: %s: none of %d texts has a position to read (positions %q): %s", ErrTexts, name, len(texts), s.Capture.Positions, shard.Rows[len(texts)-1].Status)
	}
	stream := linear.NewStream(d.Config().Hidden)
	chunks := slices.Collect(slices.Chunk(shard.Rows, ShardRows))
	for i, rows := range chunks {
		acts, err := u.residuals(gpu.PartOf(ctx, i, len(chunks)), s.Capture, &artifacts.Texts{Rows: rows})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if err := stream.Add(acts.Residual); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		for k, text := range acts.Text {
			each(i*ShardRows+int(text), acts.Row(k))
		}
	}
	return stream.Mean(), nil
}

func readPersona(ctx context.Context, s cache.Store, d cache.Digest) (PersonaTexts, error) {
	var p PersonaTexts
	b, err := s.Read(ctx, d)
	if err != nil {
		return p, err
	}
	if err := json.Unmarshal(b, &p); err != nil {
		return p, fmt.Errorf("read persona texts %s: %w", d.Short(), artifacts.ErrFormat)
	}
	return p, nil
}
