package pipelines

import (
	"context"
	"slices"
	"time"

	"github.com/persona-transfer/runpipeline/gpu"
	"github.com/persona-transfer/runpipeline/transforms"
)

// A Session generates from one model with and without a vector, again and again.
type Session struct {
	Model    *Model
	Steer    Steering
	Sampling transforms.Sampling
	Seed     uint64
	Template bool
}

// Resolve settles how the session steers, before anything is generated; see [Model.Resolve].
func (s *Session) Resolve() (notes []string, err error) { return s.Model.Resolve(&s.Steer) }

// Speak continues a prompt, with the vector or without, and calls write with each new piece of
// text as it is chosen. It returns the whole continuation.
func (s *Session) Speak(ctx context.Context, prompt string, steered bool, write func(piece string)) (string, error) {
	t := s.Model.decoder.Tokenizer().At(time.Now())
	if err := transforms.CheckText(t, s.Template, prompt); err != nil {
		return "", Problems{err.Error()}
	}
	ids, err := transforms.PromptTokens(t, s.Template, prompt)
	if err != nil {
		return "", Problems{err.Error()}
	}
	if err := s.Model.hasRoom(len(ids), s.Sampling.MaxNewTokens); err != nil {
		return "", err
	}
	row := gpu.Row{Prompt: ids, Noise: gpu.Noise{Seed: s.Seed, Prompt: gpu.PromptDigest(prompt)}}
	if steered && s.Steer.File != "" {
		row.Push, err = s.Model.pushes(s.Steer, func(layer int) (float64, error) {
			return s.Model.meanNorm(ctx, [][]int32{ids}, [][]int{{len(ids) - 1}}, layer)
		})
		if err != nil {
			return "", err
		}
	}
	var chosen []int32
	shown := ""
	row.OnToken = func(token int32) {
		chosen = append(chosen, token)
		text := wholeRunes(t.Continuation(ids, slices.Clone(chosen)))
		if len(text) > len(shown) && text[:len(shown)] == shown {
			write(text[len(shown):])
			shown = text
		}
	}
	out, err := s.Model.decoder.Generate(ctx, []gpu.Row{row}, gpu.Sampling(s.Sampling))
	if err != nil {
		return "", err
	}
	text := t.Continuation(ids, out[0].Tokens)
	if len(text) > len(shown) && text[:len(shown)] == shown {
		write(text[len(shown):])
	}
	return text, nil
}

// wholeRunes drops a character at the end that is not complete yet.
func wholeRunes(text string) string {
	const replacement = "\uFFFD"
	for len(text) >= len(replacement) && text[len(text)-len(replacement):] == replacement {
		text = text[:len(text)-len(replacement)]
	}
	return text
}
