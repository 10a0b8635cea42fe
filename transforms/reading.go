package transforms

import (
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/persona-transfer/runpipeline/gpu/tokenizer"
)

// A reading is a text as one model reads it: its tokens, and for each the offset in the text
// (without the template around it) just after the token, or -1. The model sees the text up to stop: a
// template may trim it.
type reading struct {
	tokens []int32
	ends   []int
	stop   int
}

// readText tokenises a text, inside the model's chat template if that is asked for.
func readText(t *tokenizer.Tokenizer, template bool, text string) (reading, error) {
	if !template {
		ids, ends, err := t.EncodeEnds(text)
		if err != nil {
			return reading{}, err
		}
		for i, e := range ends {
			if e <= 0 {
				ends[i] = -1
			}
		}
		return reading{ids, ends, len(text)}, nil
	}
	whole, place, err := t.ChatPlace(text)
	if err != nil {
		return reading{}, err
	}
	ids, ends, err := t.EncodeRendered(whole)
	if err != nil {
		return reading{}, err
	}
	for i, e := range ends {
		if ends[i] = e - place.Start + place.From; e < 0 || ends[i] <= place.From || ends[i] > place.To {
			ends[i] = -1
		}
	}
	return reading{ids, ends, place.To}, nil
}

// at gives the last token that ends at the offset, or -1.
func (r reading) at(end int32) int {
	for i := len(r.ends) - 1; i >= 0; i-- {
		if r.ends[i] == int(end) {
			return i
		}
	}
	return -1
}

// keep filters offsets to those at which a token ends.
func (r reading) keep(ends []int32) []int32 {
	var kept []int32
	for _, e := range ends {
		if r.at(e) >= 0 {
			kept = append(kept, e)
		}
	}
	return kept
}

// PromptTokens tokenises a test prompt: as it is, or as a user's message to be answered.
func PromptTokens(t *tokenizer.Tokenizer, template bool, prompt string) ([]int32, error) {
	if !template {
		return t.EncodePrompt(prompt)
	}
	whole, err := t.Chat([]tokenizer.Message{{Role: "user", Content: prompt}}, true)
	if err != nil {
		return nil, err
	}
	ids, _, err := t.EncodeRendered(whole)
	return ids, err
}

// CheckText reports why a text cannot be read by a model, or nil.
func CheckText(t *tokenizer.Tokenizer, template bool, text string) error {
	ids, err := PromptTokens(t, template, text)
	if err != nil {
		return err
	}
	if len(ids) > maxTokens {
		return fmt.Errorf("%w: %.40q has %d tokens, more than %d", ErrTexts, text, len(ids), maxTokens)
	}
	if !utf8.ValidString(text) || len(ids) == 0 || !template && standsForNothing(t, ids) {
		return fmt.Errorf("%w: %.40q tokenises to nothing", ErrTexts, text)
	}
	return nil
}

// standsForNothing reports that a prompt's tokens are those that stand around every text, or nothing but
// beginnings of text.
func standsForNothing(t *tokenizer.Tokenizer, ids []int32) bool {
	around, err := t.EncodePrompt("")
	if err == nil && len(ids) == len(around) {
		return true
	}
	bos, ok := t.BOS()
	return ok && !slices.ContainsFunc(ids, func(id int32) bool { return id != bos })
}
