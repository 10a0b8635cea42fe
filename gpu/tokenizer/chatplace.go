package tokenizer

import (
	"errors"
	"fmt"
	"strings"
)

// ErrPlace reports a chat template that changes a text, so that the text cannot be located in the
// template's output.
var ErrPlace = errors.New("the chat template changes the text")

// A Place says where a message's text is in a conversation: whole[Start:Start+To-From] is text[From:To].
// It is less than all of the text where the template trims it.
type Place struct{ Start, From, To int }

// marks are private-use characters that are rendered in place of a message to locate it; a search for the
// message could find the same words in the template. The second mark is used where a text or a template
// contains the first.
var marks = []string{"\uE5A1\uE5A2\uE5A3", "\U000F5A1A\U000F5A2B\U000F5A3C"}

// ChatPlace renders a conversation of one user message, as [Tokenizer.Chat] does without a generation
// prompt, and returns where the message is in it: the last place, if the template repeats it.
//
// The template is rendered a second time with a mark in place of the message. The error wraps [ErrPlace]
// if the two renderings differ in anything but the message.
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

// between finds a message in whole, given the parts that the template writes around it: whole must be
// parts joined by one and the same piece of text, and that piece must occur only once in text.
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
