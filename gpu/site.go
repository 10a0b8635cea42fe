package gpu

import (
	"fmt"
	"math"

	"github.com/persona-transfer/runpipeline/gpu/arch"
)

// A Site is a place in the residual stream: after block Layer, counted from 0, and before
// the final norm.
type Site struct{ Layer int }

// String is "resid_post.3".
func (s Site) String() string { return fmt.Sprintf("resid_post.%d", s.Layer) }

// Positions says at which tokens a [Push] is added.
type Positions int

// The choices of Positions.
const (
	Response   Positions = iota // the newest token of every forward: the last prompt token, then each generated one
	All                         // every token, the prompt's included
	LastPrompt                  // the last prompt token only
)

// String is the word that configurations use.
func (p Positions) String() string {
	switch p {
	case Response:
		return "response"
	case All:
		return "all"
	case LastPrompt:
		return "last_prompt"
	}
	return fmt.Sprintf("Positions(%d)", int(p))
}

// span is the tokens [from, to) that a push with these positions reaches in a text whose prompt's last
// token is last.
func (p Positions) span(last int) (from, to int) {
	switch p {
	case All:
		return 0, math.MaxInt
	case LastPrompt:
		return last, last + 1
	}
	return last, math.MaxInt
}

// A Push is one addition to the residual stream.
type Push struct {
	Site      Site
	Vector    []float32 // what is added, already scaled; Hidden values
	Positions Positions
}

// checkPushes reports the first push that does not fit the model.
func checkPushes(c *arch.Config, pushes []Push) error {
	for i, p := range pushes {
		if err := checkSite(c, p.Site); err != nil {
			return fmt.Errorf("push %d: %w", i, err)
		}
		if len(p.Vector) != c.Hidden {
			return fmt.Errorf("push %d at %s: vector of %d values, want %d", i, p.Site, len(p.Vector), c.Hidden)
		}
		if p.Positions < Response || p.Positions > LastPrompt {
			return fmt.Errorf("push %d at %s: unknown positions %d", i, p.Site, p.Positions)
		}
		for _, v := range p.Vector {
			if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
				return fmt.Errorf("push %d at %s: vector is not finite", i, p.Site)
			}
		}
	}
	return nil
}

// checkTextPushes checks the pushes of n texts; nil is none.
func checkTextPushes(c *arch.Config, n int, push [][]Push) error {
	if push != nil && len(push) != n {
		return fmt.Errorf("%d texts with %d lists of pushes", n, len(push))
	}
	for i, p := range push {
		if err := checkPushes(c, p); err != nil {
			return fmt.Errorf("text %d: %w", i, err)
		}
	}
	return nil
}

func checkSite(c *arch.Config, s Site) error {
	if s.Layer < 0 || s.Layer >= c.Layers {
		return fmt.Errorf("%s: the model has layers 0 to %d", s, c.Layers-1)
	}
	return nil
}

// checkTokens reports the first token that the embedding does not have, and empty texts.
func checkTokens(c *arch.Config, tokens []int32) error {
	if len(tokens) == 0 {
		return fmt.Errorf("no tokens")
	}
	for i, t := range tokens {
		if t < 0 || int(t) >= c.Vocab {
			return fmt.Errorf("token %d is %d, the vocabulary has %d", i, t, c.Vocab)
		}
	}
	return nil
}
