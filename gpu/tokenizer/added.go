package tokenizer

import (
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
	root   [256]int32 // node after the first byte, 0 if none
	nodes  []matchNode
}

type matchNode struct {
	next  map[byte]int32
	token int32 // index into tokens, -1 if none ends here
}

// newMatcher returns a matcher of tokens, whose texts are as they appear in the text searched.
func newMatcher(tokens []addedToken, texts []string) *matcher {
	m := &matcher{tokens: tokens, nodes: []matchNode{{token: -1}}}
	for i, text := range texts {
		if text != "" {
			m.insert(text, int32(i))
		}
	}
	return m
}

func (m *matcher) insert(text string, token int32) {
	node := m.root[text[0]]
	if node == 0 {
		node = m.grow()
		m.root[text[0]] = node
	}
	for i := 1; i < len(text); i++ {
		next, ok := m.nodes[node].next[text[i]]
		if !ok {
			next = m.grow()
			if m.nodes[node].next == nil {
				m.nodes[node].next = make(map[byte]int32)
			}
			m.nodes[node].next[text[i]] = next
		}
		node = next
	}
	if m.nodes[node].token < 0 { // the first of two equal texts wins
		m.nodes[node].token = token
	}
}

func (m *matcher) grow() int32 {
	m.nodes = append(m.nodes, matchNode{token: -1})
	return int32(len(m.nodes) - 1)
}

// find returns the first match at or after from: token index and byte range.
func (m *matcher) find(text string, from int) (token int32, start, stop int, ok bool) {
	if len(m.nodes) == 1 {
		return 0, 0, 0, false
	}
	for start = from; start < len(text); start++ {
		if token, stop, ok = m.longest(text, start); ok {
			return token, start, stop, true
		}
	}
	return 0, 0, 0, false
}

// longest returns the longest match that starts at start: token index and end.
func (m *matcher) longest(text string, start int) (token int32, stop int, ok bool) {
	node := m.root[text[start]]
	for i := start + 1; node != 0; i++ {
		if t := m.nodes[node].token; t >= 0 {
			token, stop, ok = t, i, true
		}
		if i == len(text) {
			break
		}
		node = m.nodes[node].next[text[i]]
	}
	return token, stop, ok
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
		index, start, stop, ok := m.find(s.text, from)
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
