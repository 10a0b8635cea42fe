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
// vector has seen, or on all of them where there are too few for halves: one unit a persona.
type Trait struct {
	Personas []PersonaRef `json:"personas"`
}

const traitVersion = 5 // 5: every word once, a guard; 4: held-out logits of every text; 3: scorers of one kind; 2: few texts have a scorer too

func init() { register("trait", traitVersion, many, traitWork, trait) }

// traitWork is a logistic regression of a few hundred texts, whatever they are.
func traitWork(Trait, int) Work { return Work{Pace: Counting, Elements: 2e8} }

// trait fits one scorer. A persona with fewer than trial.MinFewTexts gets an empty one: its trait is
// missing.
func trait(ctx context.Context, u *Unit, s Trait) (cache.ActionKey, error) {
	p := s.Personas[u.Index]
	r := u.Recipe().Input("texts", p.Texts)
	return u.Do(ctx, r, func(ctx context.Context) ([]Product, error) {
		texts, err := readPersona(ctx, u.Store, p.Texts)
		if err != nil {
			return nil, err
		}
		scorer, err := fitScorer(texts)
		if err != nil {
			return nil, fmt.Errorf("trait scorer of %s: %w", p.Name, err)
		}
		encoded, err := json.Marshal(scorer)
		if err != nil {
			return nil, err
		}
		return []Product{{Name: "scorer", Kind: artifacts.KindScorer, Write: writeBytes(encoded)}}, nil
	})
}

// scorers reads what the stage trait fitted, by persona; nil for one with too few texts. personas are in
// the order of that stage's units.
func (u *Unit) scorers(ctx context.Context, personas []string) (map[string]*trial.Scorer, error) {
	scorers := map[string]*trial.Scorer{}
	for i, p := range personas {
		scorer, err := u.scorer(ctx, i, p)
		if err != nil {
			return nil, err
		}
		scorers[p] = scorer
	}
	return scorers, nil
}

// scorer reads what the stage trait fitted for the persona of that index; nil if it has too few texts.
func (u *Unit) scorer(ctx context.Context, index int, persona string) (scorer *trial.Scorer, err error) {
	o, err := u.InputAt("trait", index, "scorer")
	if err != nil {
		return nil, err
	}
	b, err := u.Store.Read(ctx, o.Digest)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(b, &scorer); err != nil {
		return nil, fmt.Errorf("read the trait scorer of %s: %w", persona, err)
	}
	return scorer, nil
}

// fitScorer fits a scorer as the number of texts allows; nil if it allows none.
func fitScorer(texts PersonaTexts) (*trial.Scorer, error) {
	positive, negative := half(texts.Positive, true), half(texts.Negative, true)
	switch {
	case min(len(positive), len(negative)) >= trial.MinTexts:
		return trial.FitScorer(positive, negative)
	case min(len(texts.Positive), len(texts.Negative)) >= trial.MinFewTexts:
		return trial.FitFew(texts.Positive, texts.Negative)
	}
	return nil, nil
}
