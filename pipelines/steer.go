package pipelines

import (
	"context"
	"slices"
	"time"

	"github.com/persona-transfer/runpipeline/gpu"
	"github.com/persona-transfer/runpipeline/transforms"
)

// A Session generates from one model with one vector, again and again.
type Session struct {
	Model    *Model
	Steer    Steering
	Sampling transforms.Sampling
	Seed     uint64
	Template bool
}

// Check reports what is wrong with the session's vector before anything is generated.
func (s *Session) Check() error {
	_, err := s.Model.push(s.Steer, func(int) (float64, error) { return 1, nil })
	return err
}

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
		push, err := s.Model.push(s.Steer, func(layer int) (float64, error) {
			return s.Model.meanNorm(ctx, [][]int32{ids}, [][]int{{len(ids) - 1}}, layer)
		})
		if err != nil {
			return "", err
		}
		row.Push = []gpu.Push{push}
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
