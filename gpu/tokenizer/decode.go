package tokenizer

import (
	"math"
	"strings"
	"unicode/utf8"
)

// A decoder changes a list of token texts on the way back to text; what is left is joined.
type decoder func(tokens []string) []string

// decodeBytes joins byte-level tokens. A token with a character that stands for no byte, such as
// an added one with a space in it, is taken as it is written.
func decodeBytes(tokens []string) []string {
	var b strings.Builder
	for _, t := range tokens {
		bytes, _ := bytesOf(t)
		b.WriteString(bytes)
	}
	return []string{lossy(b.String())}
}

// decodeFallback joins runs of byte tokens, <0xNN>, to characters. A run that is not valid UTF-8 as
// a whole becomes one U+FFFD for each byte.
func decodeFallback(tokens []string) []string {
	var out []string
	var run []byte
	flush := func() {
		if len(run) == 0 {
			return
		}
		if utf8.Valid(run) {
			out = append(out, string(run))
		} else {
			for range run {
				out = append(out, "\uFFFD")
			}
		}
		run = run[:0]
	}
	for _, t := range tokens {
		if b, ok := byteToken(t); ok {
			run = append(run, b)
			continue
		}
		flush()
		out = append(out, t)
	}
	flush()
	return out
}

// byteToken returns the byte that a token <0xNN> names.
func byteToken(token string) (byte, bool) {
	if len(token) != 6 || !strings.HasPrefix(token, "<0x") || token[5] != '>' {
		return 0, false
	}
	value := 0
	for _, c := range []byte(token[3:5]) {
		switch {
		case c >= '0' && c <= '9':
			value = value<<4 | int(c-'0')
		case c >= 'A' && c <= 'F':
			value = value<<4 | int(c-'A'+10)
		case c >= 'a' && c <= 'f':
			value = value<<4 | int(c-'a'+10)
		default:
			return 0, false
		}
	}
	return byte(value), true
}

// decodeReplace returns a decoder that writes content for every match of p.
func decodeReplace(p pattern, content string) decoder {
	replace := replaceAll(p, content)
	return func(tokens []string) []string {
		work := work{longest: math.MaxInt, written: math.MaxInt64, steps: math.MaxInt64} // bounded when it was opened
		for i, t := range tokens {
			tokens[i] = replace(span{text: t, work: &work}).text
		}
		return tokens
	}
}

// decodeFuse joins all tokens to one.
func decodeFuse(tokens []string) []string { return []string{strings.Join(tokens, "")} }

// decodeStrip returns a decoder that removes up to start characters c from the front of every
// token and up to stop from its end.
func decodeStrip(c string, start, stop int) decoder {
	return func(tokens []string) []string {
		for i, t := range tokens {
			for n := 0; n < start && strings.HasPrefix(t, c) && c != ""; n++ {
				t = t[len(c):]
			}
			for n := 0; n < stop && strings.HasSuffix(t, c) && c != ""; n++ {
				t = t[:len(t)-len(c)]
			}
			tokens[i] = t
		}
		return tokens
	}
}

// decodePrefix returns SentencePiece's decoder of the space in front of a text: the first token loses one
// ▁, and if all, so does every token before which there is still no text.
func decodePrefix(all bool) decoder {
	return func(tokens []string) []string {
		for i, t := range tokens {
			tokens[i] = strings.TrimPrefix(t, "▁")
			if tokens[i] != "" || !all {
				break
			}
		}
		return tokens
	}
}

// decodeMetaspace returns a decoder that turns mark into spaces. The first token loses its marks,
// unless none was put there when encoding.
func decodeMetaspace(mark rune, scheme string) decoder {
	return func(tokens []string) []string {
		for i, t := range tokens {
			with := " "
			if i == 0 && scheme != prependNever {
				with = ""
			}
			tokens[i] = strings.ReplaceAll(t, string(mark), with)
		}
		return tokens
	}
}

// decodeSuffix returns the decoder of vocabularies that mark the end of a word: the mark becomes a
// space, and at the end of the text nothing.
func decodeSuffix(suffix string) decoder {
	return func(tokens []string) []string {
		for i, t := range tokens {
			with := " "
			if i == len(tokens)-1 {
				with = ""
			}
			tokens[i] = strings.ReplaceAll(t, suffix, with)
		}
		return tokens
	}
}
