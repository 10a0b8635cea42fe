package transforms

import (
	"context"
	"fmt"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/gpu"
	"github.com/persona-transfer/runpipeline/gpu/tokenizer"
	"github.com/persona-transfer/runpipeline/transforms/steer"
	"github.com/persona-transfer/runpipeline/transforms/trial"
)

// Generate is the stage that writes the texts: one unit, and one batch on the device, for each
// condition, persona and alpha, with every prompt and seed in it.
type Generate struct {
	Model     Model    `json:"model"`
	Layer     int      `json:"layer"` // where batches are steered that are; so AlphaUnit and Positions
	Prompts   []string `json:"test_prompts"`
	Seeds     int      `json:"n_seeds"`
	AlphaUnit string   `json:"alpha_unit"`
	Positions string   `json:"steer_positions"`
	Sampling  Sampling `json:"sampling"`
	Sampler   string   `json:"sampler"` // gpu.Sampler, of whose numbers the texts are
	Seed      uint64   `json:"seed"`
	Batches   []Batch  `json:"batches"`
}

// Sampling is how the next token is chosen.
type Sampling struct {
	MaxNewTokens int     `json:"max_new_tokens"`
	Temperature  float64 `json:"temperature"`
	TopP         float64 `json:"top_p"`
	TopK         int     `json:"top_k"`
	StopAtEOS    bool    `json:"stop_at_eos"`
}

// A Batch is what one unit generates. Alpha 0 is no steering.
type Batch struct {
	Condition string  `json:"condition"` // of the experiment, or Anchors
	Persona   string  `json:"persona"`   // empty for none and the anchors
	Alpha     float64 `json:"alpha"`
	Prefix    string  `json:"prefix"` // put before every prompt: the condition "prompt"
}

// Personas are those that the batch's texts are looked at as: its own, or all for texts that belong to none.
func (b Batch) Personas(all []string) []string {
	if b.Persona == "" {
		return all
	}
	return []string{b.Persona}
}

// Anchors is the unsteered set, apart from the condition none, that sets the zero of the scores.
const Anchors = "anchors"

// AnchorTexts is how many texts that set has at least beside a number of texts of each condition and alpha:
// ten times as many, so that the error of the zero adds at most a tenth to the variance of a mean; 120 are
// enough for any experiment, and fewer than 24 give no median.
func AnchorTexts(texts int) int { return min(120, max(24, 10*texts)) }

// AnchorSeeds is the number of seeds for each of n anchor prompts, where there are fewer prompts than texts.
func AnchorSeeds(n, texts int) int { return (texts + n - 1) / max(n, 1) }

// Batches enumerates the generation of an experiment: the unsteered texts, which depend on neither
// persona nor alpha, then every condition of every persona at every alpha.
func Batches(conditions []Condition, personas []string, alphas []float64, prompts map[string]string) []Batch {
	var batches []Batch
	for _, c := range conditions {
		if c.Role == trial.RoleBaseline {
			batches = append(batches, Batch{Condition: c.Name})
		}
	}
	for _, p := range personas {
		for _, c := range conditions {
			switch {
			case c.Role == trial.RoleBaseline:
			case !c.Steers():
				batches = append(batches, Batch{Condition: c.Name, Persona: p, Prefix: prompts[p]})
			default:
				for _, a := range alphas {
					batches = append(batches, Batch{Condition: c.Name, Persona: p, Alpha: a})
				}
			}
		}
	}
	return batches
}

const generateVersion = 5 // 5: tokens by an exponential race, the sampler named; 4: unsteered texts know no layer, artifacts of format 2; 3: ends of GGUF texts, end tokens that a prompt was given; 2: few anchor prompts are continued more than once

func init() { register("generate", generateVersion, many, generateWork, generate) }

// Texts counts those of all units.
func (s Generate) Texts() int { return len(s.Batches) * len(s.Prompts) * s.Seeds }

// Scoring is the stage that scores the texts.
func (s Generate) Scoring() Score {
	return Score{Model: s.Model, Texts: len(s.Prompts) * s.Seeds, Tokens: s.Sampling.MaxNewTokens, Prompt: meanTokens(s.Prompts)}
}

// generateWork is that of a batch.
func generateWork(s Generate, _ int) Work {
	return s.Model.Shape.writing(len(s.Prompts)*s.Seeds, meanTokens(s.Prompts), s.Sampling.MaxNewTokens)
}

// generate writes one batch. It reads vectors, or nothing if no batch is steered.
func generate(ctx context.Context, u *Unit, s Generate) (cache.ActionKey, error) {
	b := s.Batches[u.Index]
	r := u.Recipe().Struct(s.Model).Strings("prompts", s.Prompts).Int("seeds", int64(s.Seeds)).Struct(s.Sampling).Text("sampler", s.Sampler).Uint("seed", s.Seed).Struct(b)
	meta := artifacts.Meta{ModelDigest: s.Model.Digest, Template: template(s.Model.Template), Device: s.Model.Device}
	var vectors cache.Output
	if b.Alpha != 0 {
		meta.Layer = s.Layer
		var err error
		if vectors, err = u.Need("vectors", b.Condition+"/"+b.Persona); err != nil {
			return cache.ActionKey{}, err
		}
		r.Int("layer", int64(s.Layer)).Text("alpha_unit", s.AlphaUnit).Text("steer_positions", s.Positions).Input("vectors", vectors.Digest)
	}
	return u.Do(ctx, r, func(ctx context.Context) ([]Product, error) {
		if s.Sampler != gpu.Sampler {
			return nil, fmt.Errorf("generate: tokens are to be chosen by %q; this program's sampler is %q", s.Sampler, gpu.Sampler)
		}
		d, err := u.decoder(ctx, s.Model)
		if err != nil {
			return nil, err
		}
		meta.Hidden = d.Config().Hidden
		rows := &artifacts.Generations{Meta: meta}
		batch, err := u.rows(ctx, s, b, d, vectors, rows)
		if err != nil {
			return nil, err
		}
		outputs, err := d.Generate(ctx, batch, gpu.Sampling(s.Sampling))
		if err != nil {
			return nil, fmt.Errorf("generate %s %s at alpha %g: %w", b.Condition, b.Persona, b.Alpha, err)
		}
		for i, o := range outputs {
			rows.Rows[i].Tokens, rows.Rows[i].Ended = o.Tokens, o.Ended
			rows.Rows[i].Text = d.Tokenizer().Continuation(batch[i].Prompt, o.Tokens)
		}
		return []Product{{Name: "texts", Kind: artifacts.KindGenerations, Rows: int64(len(outputs)), Write: rows.Encode}}, nil
	})
}

// rows makes the rows of a batch: prompt by prompt, seed by seed.
func (u *Unit) rows(ctx context.Context, s Generate, b Batch, d *gpu.Decoder, o cache.Output, out *artifacts.Generations) ([]gpu.Row, error) {
	var vectors *artifacts.Vectors
	var steering steer.Steering
	if b.Alpha != 0 {
		var err error
		if steering, err = s.steering(b.Alpha); err != nil {
			return nil, err
		}
		if vectors, err = load(ctx, u.Store, o, artifacts.KindVectors, artifacts.DecodeVectors); err != nil {
			return nil, err
		}
		if err := s.belongs(vectors); err != nil {
			return nil, err
		}
	}
	var batch []gpu.Row
	for i, prompt := range s.Prompts {
		tokens, err := promptWith(d.Tokenizer(), s.Model.Template, b.Prefix, prompt)
		if err != nil {
			return nil, err
		}
		for seed := range s.Seeds {
			row := gpu.Row{Prompt: tokens, Noise: gpu.Noise{Seed: s.Seed + uint64(seed), Prompt: gpu.PromptDigest(prompt)}}
			text := artifacts.Generation{Condition: b.Condition, Persona: b.Persona, Alpha: b.Alpha, Prompt: int32(i), PromptText: prompt, Seed: uint64(seed)}
			if vectors != nil {
				v := vectors.Rows[drawOf(len(vectors.Rows), i, seed, s.Seeds)]
				push, length, err := steering.Push(v, vectors.Scales)
				if err != nil {
					return nil, fmt.Errorf("steer with %s of %s: %w", b.Condition, b.Persona, err)
				}
				text.AlphaAbsolute, text.Draw = length, v.Draw
				row.Push = []gpu.Push{push}
			}
			batch = append(batch, row)
			out.Rows = append(out.Rows, text)
		}
	}
	return batch, nil
}

// steering is how the stage adds a vector at one alpha.
func (s Generate) steering(alpha float64) (steer.Steering, error) {
	positions, err := steer.ParsePositions(s.Positions)
	if err != nil {
		return steer.Steering{}, fmt.Errorf("steer_positions: %w", err)
	}
	unit, err := steer.ParseUnit(s.AlphaUnit)
	if err != nil {
		return steer.Steering{}, fmt.Errorf("alpha_unit: %w", err)
	}
	return steer.Steering{Layer: s.Layer, Positions: positions, Alpha: alpha, Unit: unit}, nil
}

// belongs refuses vectors that were made for another model or layer than the one that is steered.
func (s Generate) belongs(v *artifacts.Vectors) error {
	want := v.Meta
	want.ModelDigest, want.Layer = s.Model.Digest, s.Layer
	return v.Meta.Match(want)
}

// promptWith tokenises a prompt after a prefix that asks for a persona: as a system message where a
// chat template is used, else as a sentence before it.
func promptWith(t *tokenizer.Tokenizer, template bool, prefix, prompt string) ([]int32, error) {
	if prefix == "" {
		return PromptTokens(t, template, prompt)
	}
	if !template {
		return PromptTokens(t, false, prefix+" "+prompt)
	}
	whole, err := t.Chat([]tokenizer.Message{{Role: "system", Content: prefix}, {Role: "user", Content: prompt}}, true)
	if err != nil { // templates without a system role take it as part of the user's message
		return PromptTokens(t, true, prefix+"\n\n"+prompt)
	}
	ids, _, err := t.EncodeRendered(whole)
	return ids, err
}
