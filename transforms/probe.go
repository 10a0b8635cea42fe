package transforms

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/gpu"
	"github.com/persona-transfer/runpipeline/transforms/linear"
	"github.com/persona-transfer/runpipeline/transforms/trial"
)

// ProbeFit is the stage that fits a probe for each persona on the activations of a model that is not steered, as it
// reads the persona's texts with odd numbers, which no vector has seen: one unit a persona.
type ProbeFit struct {
	Model    Model        `json:"model"`
	Layer    int          `json:"layer"`
	Personas []PersonaRef `json:"personas"`
	Size     ReadingSize  `json:"size" key:"-"` // of a unit
}

// Probe is the stage that reads texts with those probes. Units are those of the stage whose texts they are, and
// depend on the texts alone: not on what was steered how, which the model that reads them does not know.
type Probe struct {
	Model    Model    `json:"model"`
	Layer    int      `json:"layer"`
	Personas []string `json:"personas"`       // in the order of the stage that fits the probes
	Texts    int      `json:"texts" key:"-"`  // of a unit
	Tokens   int      `json:"tokens" key:"-"` // of a text, at most
}

const (
	probeFitVersion = 1
	probeVersion    = 1
)

func init() {
	register("probe.fit", probeFitVersion, many, probeFitWork, fitProbe)
	register("probe", probeVersion, many, probeWork, readProbe)
}

// probeFitWork is that of reading half a persona's texts.
func probeFitWork(s ProbeFit, _ int) Work {
	return s.Model.Shape.reading(s.Size.Tokens, s.Size.Length, s.Layer+1)
}

// probeWork is that of a batch.
func probeWork(s Probe, _ int) Work {
	return s.Model.Shape.reading(s.Texts*s.Tokens, s.Tokens, s.Layer+1)
}

// fitProbe fits one probe: null where a persona has too few texts for halves, since a probe on the texts that made
// the vector would tell how far a text goes the vector's way.
func fitProbe(ctx context.Context, u *Unit, s ProbeFit) (cache.ActionKey, error) {
	p := s.Personas[u.Index]
	r := u.Recipe().Struct(s.Model).Int("layer", int64(s.Layer)).Input("texts", p.Texts)
	return u.Do(ctx, r, func(ctx context.Context) ([]Product, error) {
		texts, err := readPersona(ctx, u.Store, p.Texts)
		if err != nil {
			return nil, err
		}
		positive, negative := half(texts.Positive, true), half(texts.Negative, true)
		var probe *trial.Probe
		if min(len(positive), len(negative)) >= trial.MinTexts {
			residuals, err := u.meanResiduals(ctx, s.Model, s.Layer, slices.Concat(positive, negative))
			if err != nil {
				return nil, fmt.Errorf("probe of %s: %w", p.Name, err)
			}
			sides := [2][][]float64{known(residuals[:len(positive)]), known(residuals[len(positive):])}
			if min(len(sides[0]), len(sides[1])) >= trial.MinTexts {
				if probe, err = trial.FitProbe(sides[0], sides[1]); err != nil {
					return nil, fmt.Errorf("probe of %s: %w", p.Name, err)
				}
			}
		}
		encoded, err := json.Marshal(probe)
		if err != nil {
			return nil, err
		}
		return []Product{{Name: "probe", Kind: artifacts.KindScorer, Write: writeBytes(encoded)}}, nil
	})
}

// readProbe makes "readings" of one batch: of every text under its persona's probe, or under all where it is for
// none. It reads the stage that wrote the texts, and the one that fitted the probes.
func readProbe(ctx context.Context, u *Unit, s Probe) (cache.ActionKey, error) {
	o, err := u.InputAt(u.Stage.Inputs[0], u.Index, "texts")
	if err != nil {
		return cache.ActionKey{}, err
	}
	batch, err := load(ctx, u.Store, o, artifacts.KindGenerations, artifacts.DecodeGenerations)
	if err != nil {
		return cache.ActionKey{}, err
	}
	texts, personas, err := asTexts(batch, s.Personas)
	if err != nil {
		return cache.ActionKey{}, err
	}
	list := digestOf(texts)
	r := u.Recipe().Struct(s.Model).Int("layer", int64(s.Layer)).Input("texts", list)
	for i, persona := range personas {
		probe, err := u.InputAt(u.Stage.Inputs[1], slices.Index(s.Personas, persona), "probe")
		if err != nil {
			return cache.ActionKey{}, err
		}
		r.Text(fmt.Sprintf("persona.%d", i), persona).Input(fmt.Sprintf("probe.%d", i), probe.Digest)
	}
	return u.Do(ctx, r, func(ctx context.Context) ([]Product, error) {
		out := &artifacts.Readings{Texts: list.String(), Meta: artifacts.Meta{ModelDigest: s.Model.Digest, Layer: s.Layer, Positions: "mean", Template: template(s.Model.Template), Device: s.Model.Device}}
		var residuals []meanResidual // of all texts, once there is a probe
		for _, persona := range personas {
			probe, err := u.probe(ctx, u.Stage.Inputs[1], slices.Index(s.Personas, persona))
			if err != nil {
				return nil, err
			}
			if probe == nil {
				continue
			}
			if residuals == nil {
				if residuals, err = u.meanResiduals(ctx, s.Model, s.Layer, texts); err != nil {
					return nil, err
				}
			}
			out.Hidden = probe.Dim()
			for i, m := range residuals {
				reading := artifacts.Reading{Row: int32(i), Persona: persona, Logit: math.NaN(), Status: m.status}
				if m.status == "" {
					reading.Logit = probe.Logit(m.mean)
				}
				out.Rows = append(out.Rows, reading)
			}
		}
		return []Product{{Name: "readings", Kind: artifacts.KindReadings, Rows: int64(len(out.Rows)), Write: out.Encode}}, nil
	})
}

// asTexts are the texts of a batch, and the personas that they are looked at as.
func asTexts(batch *artifacts.Generations, all []string) (texts, personas []string, err error) {
	for i, row := range batch.Rows {
		if row.Persona != batch.Rows[0].Persona {
			return nil, nil, fmt.Errorf("row %d of a batch for %q is for %q: %w", i, batch.Rows[0].Persona, row.Persona, artifacts.ErrMismatch)
		}
		texts, personas = append(texts, row.Text), Batch{Persona: row.Persona}.Personas(all)
	}
	for _, p := range personas {
		if !slices.Contains(all, p) {
			return nil, nil, fmt.Errorf("a batch for %q, which is none of the personas: %w", p, artifacts.ErrMismatch)
		}
	}
	return texts, personas, nil
}

// digestOf names a list of texts.
func digestOf(texts []string) cache.Digest { return cache.Sum(EncodeJSON(texts)) }

// probe reads what the stage of that name fitted for the persona of that index; nil if it had too few texts.
func (u *Unit) probe(ctx context.Context, stage string, index int) (probe *trial.Probe, err error) {
	o, err := u.InputAt(stage, index, "probe")
	if err != nil {
		return nil, err
	}
	b, err := u.Store.Read(ctx, o.Digest)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(b, &probe); err != nil {
		return nil, fmt.Errorf("read the probe of persona %d: %w: %w", index, artifacts.ErrFormat, err)
	}
	return probe, nil
}

// A meanResidual is that of a model over the tokens of a text, or why there is none.
type meanResidual struct {
	mean   []float64
	status string
}

// known are the means that there are.
func known(residuals []meanResidual) (means [][]float64) {
	for _, m := range residuals {
		if m.status == "" {
			means = append(means, m.mean)
		}
	}
	return means
}

// chunkTokens is about how many tokens are in memory at once: those of one layer, in float32.
const chunkTokens = 16384

// meanResiduals reads each text by itself, as calibration texts are read, and takes the mean of its tokens' residuals after a
// block. The first token of what the model reads is not in it: where a model writes no token before a text, that one
// carries what it parks there, many times as long as all others, so that the mean would tell how long the text is. A
// text that comes again is read once.
func (u *Unit) meanResiduals(ctx context.Context, m Model, layer int, texts []string) ([]meanResidual, error) {
	d, err := u.decoder(ctx, m)
	if err != nil {
		return nil, err
	}
	residuals := make([]meanResidual, len(texts))
	of := map[string]int{}
	var different []int // indices of texts that are read
	var tokens [][]int32
	var positions [][]int
	for i, text := range texts {
		if _, again := of[text]; again {
			continue
		}
		of[text] = i
		ids, at, status := placesOf(d, m.Template, text)
		if residuals[i].status = status; status == "" {
			different, tokens, positions = append(different, i), append(tokens, ids), append(positions, at)
		}
	}
	chunks := inChunks(tokens)
	for c, chunk := range chunks {
		from, to := chunk[0], chunk[1]
		captured, err := d.Capture(gpu.PartOf(ctx, c, len(chunks)), tokens[from:to], positions[from:to], []gpu.Site{{Layer: layer}})
		if err != nil {
			return nil, fmt.Errorf("read texts after block %d: %w", layer, err)
		}
		for k, rows := range captured {
			if err := finite(rows, fmt.Sprintf("residual after block %d", layer)); err != nil {
				return nil, err
			}
			residuals[different[from+k]].mean = linear.MeanRow(rows, d.Config().Hidden)
		}
	}
	for i, text := range texts {
		residuals[i] = residuals[of[text]]
	}
	return residuals, nil
}

// inChunks cuts texts into runs of at most chunkTokens, from and to, or of one text.
func inChunks(tokens [][]int32) (chunks [][2]int) {
	for from := 0; from < len(tokens); {
		to, n := from, 0
		for ; to < len(tokens) && (to == from || n+len(tokens[to]) <= chunkTokens); to++ {
			n += len(tokens[to])
		}
		chunks, from = append(chunks, [2]int{from, to}), to
	}
	return chunks
}

// placesOf gives a text's tokens and which of them are its own, but for the first that the model reads; or why it
// cannot be read.
func placesOf(d *gpu.Decoder, template bool, text string) (tokens []int32, at []int, status string) {
	read, err := readText(d.Tokenizer(), template, text)
	longest := min(maxTokens, d.Config().Longest())
	switch {
	case err != nil:
		return nil, nil, fmt.Sprintf("the model's tokenizer does not take the text: %v", err)
	case len(read.tokens) > longest:
		return nil, nil, fmt.Sprintf("the text has more than %d tokens", longest)
	}
	for i, end := range read.ends {
		if i > 0 && end >= 0 {
			at = append(at, i)
		}
	}
	if at == nil {
		return nil, nil, "the text has no token behind its first"
	}
	return read.tokens, at, ""
}
