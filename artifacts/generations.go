package artifacts

import (
	"fmt"
	"io"
	"slices"
)

// A Generation is one sampled continuation.
type Generation struct {
	Condition     string  `json:"condition"`
	Persona       string  `json:"persona"`        // empty where none applies
	Draw          int32   `json:"draw"`           // of the vector, from 0
	Alpha         float64 `json:"alpha"`          // as configured, in its unit
	AlphaAbsolute float64 `json:"alpha_absolute"` // length that was added to the residual
	Prompt        int32   `json:"prompt_id"`      // index of the prompt, from 0
	PromptText    string  `json:"prompt"`
	Seed          uint64  `json:"seed"`
	Text          string  `json:"text"`   // the continuation, without the prompt
	Tokens        []int32 `json:"tokens"` // of the continuation
	Ended         bool    `json:"ended"`  // the model ended the text itself
}

// Generations are the continuations of one batch or one stage, in the order that the driver
// fixed. Meta is the target's, at the layer that was steered, 0 where none was.
type Generations struct {
	Meta
	Notes map[string]string
	Rows  []Generation
}

// Encode writes the generations as an Arrow file.
func (g *Generations) Encode(w io.Writer) error {
	return encodeRows(w, KindGenerations, g.Notes, func(f facts) error {
		if err := g.Meta.set(f, ""); err != nil {
			return err
		}
		return g.validate()
	}, g.Rows)
}

func (g *Generations) validate() error {
	for i, row := range g.Rows {
		if row.Draw < 0 || row.Prompt < 0 || len(row.Tokens) > 0 && slices.Min(row.Tokens) < 0 {
			return fmt.Errorf("generation %d has draw %d, prompt %d, tokens %s", i, row.Draw, row.Prompt, cutList(row.Tokens))
		}
	}
	return nil
}

// DecodeGenerations reads what Encode wrote. Errors wrap [ErrFormat] or are the reader's own.
func DecodeGenerations(r io.Reader) (*Generations, error) {
	g := new(Generations)
	err := decodeRows(r, KindGenerations, &g.Notes, func(f facts) (err error) {
		g.Meta, err = f.meta("")
		return err
	}, &g.Rows)
	if err == nil {
		if err = g.validate(); err != nil {
			err = fmt.Errorf("read generations: %w: %w", ErrFormat, err)
		}
	}
	if err != nil {
		return nil, err
	}
	return g, nil
}

// A Score is what the unsteered target says about one generation.
type Score struct {
	Row        int32   `json:"row"`                       // of the generations it belongs to
	NLL        float64 `json:"nll" missing:"ok"`          // mean −log p per token of the continuation, nats; NaN if it has none
	Tokens     int32   `json:"tokens"`                    // how many tokens NLL is the mean of
	Perplexity float64 `json:"perplexity" missing:"ok"`   // exp(NLL)
	Shuffled   float64 `json:"shuffled_nll" missing:"ok"` // NLL of the same words in a drawn order; NaN where there are none
}

// Scores belong to one [Generations], named by its digest, row by row.
type Scores struct {
	Meta               // of the model that scored
	Generations string // digest, in hexadecimal
	Notes       map[string]string
	Rows        []Score
}

// Encode writes the scores as an Arrow file.
func (s *Scores) Encode(w io.Writer) error {
	return encodeRows(w, KindScores, s.Notes, func(f facts) error {
		f["generations"] = s.Generations
		if err := s.Meta.set(f, ""); err != nil {
			return err
		}
		return s.validate()
	}, s.Rows)
}

func (s *Scores) validate() error {
	for i, row := range s.Rows {
		if row.Row < 0 || row.Tokens < 0 || (row.Tokens == 0) != (row.NLL != row.NLL) || (row.NLL != row.NLL) != (row.Perplexity != row.Perplexity) ||
			row.Tokens == 0 && row.Shuffled == row.Shuffled {
			return fmt.Errorf("score %d is of row %d, has %d tokens, NLL %v, perplexity %v, shuffled %v", i, row.Row, row.Tokens, row.NLL, row.Perplexity, row.Shuffled)
		}
	}
	return nil
}

// DecodeScores reads what Encode wrote. Errors wrap [ErrFormat] or are the reader's own.
func DecodeScores(r io.Reader) (*Scores, error) {
	s := new(Scores)
	err := decodeRows(r, KindScores, &s.Notes, func(f facts) (err error) {
		if s.Generations, err = f.text("generations"); err == nil {
			s.Meta, err = f.meta("")
		}
		return err
	}, &s.Rows)
	if err == nil {
		if err = s.validate(); err != nil {
			err = fmt.Errorf("read scores: %w: %w", ErrFormat, err)
		}
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}
