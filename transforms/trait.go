package transforms

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/transforms/trial"
)

// Trait is the stage that fits a trait scorer for each persona, on the odd-numbered texts, which no
// vector has seen: one unit a persona.
type Trait struct {
	Personas []PersonaRef `json:"personas"`
}

const traitVersion = 1

func init() { register("trait", traitVersion, many, trait) }

// trait fits one scorer. A persona with too few texts gets an empty one: its trait is missing.
func trait(ctx context.Context, u *Unit, s Trait) (cache.ActionKey, error) {
	p := s.Personas[u.Index]
	r := u.Recipe().Input("texts", p.Texts)
	return u.Do(ctx, r, func(ctx context.Context) ([]Product, error) {
		texts, err := readPersona(ctx, u.Store, p.Texts)
		if err != nil {
			return nil, err
		}
		positive, negative := half(texts.Positive, true), half(texts.Negative, true)
		encoded := []byte("null")
		if min(len(positive), len(negative)) >= trial.MinTexts {
			scorer, err := trial.FitScorer(positive, negative, trial.Combined)
			if err != nil {
				return nil, fmt.Errorf("trait scorer of %s: %w", p.Name, err)
			}
			if encoded, err = json.Marshal(scorer); err != nil {
				return nil, err
			}
		}
		return []Product{{Name: "scorer", Kind: artifacts.KindScorer, Write: writeBytes(encoded)}}, nil
	})
}
