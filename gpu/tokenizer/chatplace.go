package tokenizer

import (
	"errors"
	"fmt"
	"strings"
)

// ErrPlace reports a chat template that makes something else of a text, so that the text has no place in
// what the template writes.
var ErrPlace = errors.New("the chat template changes the text")

// A Place says where a message's text is in a conversation: whole[Start:Start+To-From] is text[From:To].
// It is less than all of the text where the template trims it.
type Place struct{ Start, From, To int }

// marks are characters of private use that stand for a message, so that its place is found and not that
// of the same letters in the template's own text. The second is for texts and templates with the first in them.
var marks = []string{"\uE5A1\uE5A2\uE5A3", "\U000F5A1A\U000F5A2B\U000F5A3C"}

// ChatPlace writes a conversation of one message of the user, as [Tokenizer.Chat] does without a generation
// prompt, and says where the message is in it; of a message that is written more than once, the last time.
//
// The template is rendered with marks in place of the message as well, and the two renderings must be the
// same around it: the error wraps [ErrPlace] if they are not.
func (t *Tokenizer) ChatPlace(text string) (whole string, place Place, err error) {
	render := func(text string) (string, error) { return t.Chat([]Message{{Role: "user", Content: text}}, false) }
	if whole, err = render(text); err != nil {
		return "", Place{}, err
	}
	for _, mark := range marks {
		if strings.Contains(text, mark) || strings.Contains(t.chat.source, mark) {
			continue
		}
		marked, err := render(mark)
		if err != nil {
			continue
		}
		if place, ok := between(strings.Split(marked, mark), whole, text); ok {
			return whole, place, nil
		}
	}
	return "", Place{}, fmt.Errorf("%w %.40q, so positions in it cannot be found", ErrPlace, text)
}

// between finds the last gap in what a template writes around a message: whole has to be parts with the
// same piece of text in each gap, and the piece to be at one place of text only.
func between(parts []string, whole, text string) (Place, bool) {
	gaps, around := len(parts)-1, 0
	for _, p := range parts {
		around += len(p)
	}
	if gaps < 1 || len(whole) < around || (len(whole)-around)%gaps != 0 {
		return Place{}, false
	}
	size := (len(whole) - around) / gaps
	if size == 0 || !strings.HasPrefix(whole, parts[0]) {
		return Place{}, false
	}
	piece := whole[len(parts[0]):][:size]
	from := strings.Index(text, piece)
	if from < 0 || from != strings.LastIndex(text, piece) || whole != strings.Join(parts, piece) {
		return Place{}, false
	}
	return Place{Start: len(whole) - len(parts[gaps]) - size, From: from, To: from + size}, true
}
