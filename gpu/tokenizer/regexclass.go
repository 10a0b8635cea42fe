package tokenizer

import (
	"fmt"
	"sync/atomic"
	"unicode"

	"github.com/dlclark/regexp2/syntax"
)

// A charClass is the characters that one place of a pattern matches.
type charClass struct {
	contains func(r rune) bool
	pages    [256]atomic.Pointer[[4]uint64] // of the characters below U+10000, made when first asked for
}

func (c *charClass) has(r rune) bool {
	if uint32(r) >= 1<<16 {
		return c.contains(r)
	}
	page := c.pages[r>>8].Load()
	if page == nil {
		page = new([4]uint64)
		for i := range rune(256) {
			if c.contains(r&^0xFF | i) {
				page[i>>6] |= 1 << (i & 63)
			}
		}
		c.pages[r>>8].Store(page)
	}
	return page[r>>6&3]>>(r&63)&1 == 1
}

// newClass reads a part of a pattern that matches one character: a letter, an escape, a set or a dot. What
// it means is regexp2's knowledge, but for the newer characters, which count as old ones of their category,
// and for the long s, which in another case is an s.
func newClass(part string, fold, dotAll bool) (*charClass, error) {
	options := syntax.RegexOptions(0)
	if fold {
		options |= syntax.IgnoreCase
	}
	if dotAll {
		options |= syntax.Singleline
	}
	tree, err := syntax.Parse(part, options)
	if err != nil {
		return nil, err
	}
	code, err := syntax.Write(tree)
	if err != nil {
		return nil, err
	}
	// The program of one character: try, mark, the character with its operand, capture, stop.
	const at = 3
	if len(code.Codes) <= at+2 || code.Codes[at+2] != syntax.Capturemark {
		return nil, fmt.Errorf("%.40q is not supported", part)
	}
	op, operand := syntax.InstOp(code.Codes[at]), code.Codes[at+1]
	var plain func(r rune) bool
	switch op & syntax.Mask {
	case syntax.One:
		plain = func(r rune) bool { return r == rune(operand) }
	case syntax.Notone:
		plain = func(r rune) bool { return r != rune(operand) }
	case syntax.Set:
		plain = code.Sets[operand].CharIn
	default:
		return nil, fmt.Errorf("%.40q is not supported", part)
	}
	lower := plain
	if op&syntax.Ci != 0 {
		lower = func(r rune) bool { return plain(unicode.ToLower(r)) }
	}
	longS := fold && (len(part) < 2 || part[1] != '^') && lower('s')
	return &charClass{contains: func(r rune) bool { return lower(asOldRune(r)) || longS && r == 'ſ' }}, nil
}

func isWordChar(r rune) bool { return syntax.IsWordChar(asOldRune(r)) }
