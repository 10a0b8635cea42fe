package tokenizer

import (
	"fmt"
	"unicode"
	"unicode/utf8"
)

// An added token is recognised in the text before the model sees it.
type addedToken struct {
	ID         int32  `json:"id"`
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"` // only between characters that are no part of a word
	LStrip     bool   `json:"lstrip"`      // swallows the white space before it
	RStrip     bool   `json:"rstrip"`      // swallows the white space after it
	Normalized bool   `json:"normalized"`  // searched for in the normalised text
	Special    bool   `json:"special"`     // left out when decoding without special tokens
}

// A matcher finds added tokens in text: leftmost first, and of those the longest.
type matcher struct {
	tokens []addedToken
	texts  *trie // of indexes into tokens
}

// newMatcher returns a matcher of tokens, whose texts are as they appear in the text searched; of equal
// texts the first counts.
func newMatcher(tokens []addedToken, texts []string) (*matcher, error) {
	m := &matcher{tokens: tokens, texts: newTrie()}
	for i, text := range texts {
		if text != "" {
			if err := m.texts.insert(text, int32(i), false); err != nil {
				return nil, fmt.Errorf("added tokens: %w", err)
			}
		}
	}
	return m, nil
}

// find returns the first match at or after from: token index and byte range.
func (m *matcher) find(w *work, text string, from int) (token int32, start, stop int, ok bool) {
	if m.texts.empty() {
		return 0, 0, 0, false
	}
	for start = from; start < len(text); start++ {
		if token, stop, ok = m.longest(w, text, start); ok {
			return token, start, stop, true
		}
	}
	return 0, 0, 0, false
}

// longest returns the longest match that starts at start: token index and end.
func (m *matcher) longest(w *work, text string, start int) (token int32, stop int, ok bool) {
	node, i := m.texts.root[text[start]], start+1
	for ; node != 0; i++ {
		if t := m.texts.values[node]; t >= 0 {
			token, stop, ok = t, i, true
		}
		if i == len(text) {
			break
		}
		node = m.texts.child(node, text[i])
	}
	return token, stop, w.step(i-start, "the search for added tokens") && ok
}

// A piece is a span of text, or the added token that it was recognised as.
type piece struct {
	span
	id int32 // -1 for text
}

// split appends the pieces of s, none of them empty text, to out. White space that a token swallowed
// may be an added token too: then that is found as well, and the first token ends before it.
func (m *matcher) split(s span, out []piece) []piece {
	done, last := 0, 0 // end and start of the last piece
	for from := 0; ; {
		index, start, stop, ok := m.find(s.work, s.text, from)
		if !ok {
			break
		}
		from = stop
		token := &m.tokens[index]
		if token.SingleWord && (endsInWord(s.text[:start]) || startsWithWord(s.text[stop:])) {
			continue
		}
		if token.LStrip {
			start = done + len(trimRightSpace(s.text[done:max(start, done)]))
		}
		if token.RStrip {
			stop = max(stop, done)
			stop += len(s.text[stop:]) - len(trimLeftSpace(s.text[stop:]))
		}
		if start >= stop { // nothing is left of it
			continue
		}
		if done < start {
			out = append(out, piece{s.slice(done, start), -1})
		} else if start < done {
			out[len(out)-1].span = s.slice(last, start)
		}
		out = append(out, piece{s.slice(start, stop), token.ID})
		done, last = stop, start
	}
	if done < len(s.text) {
		out = append(out, piece{s.slice(done, len(s.text)), -1})
	}
	return out
}

func endsInWord(text string) bool {
	r, n := utf8.DecodeLastRuneInString(text)
	return n > 0 && isWord(r)
}

func startsWithWord(text string) bool {
	r, n := utf8.DecodeRuneInString(text)
	return n > 0 && isWord(r)
}

// isWord reports whether r matches \w of Unicode regular expressions (UTS 18, annex C).
func isWord(r rune) bool {
	return unicode.In(r, unicode.L, unicode.M, unicode.Nd, unicode.Nl, unicode.Pc,
		unicode.Other_Alphabetic, unicode.Join_Control, newWords())
}
