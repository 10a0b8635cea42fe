package tokenizer

import (
	"strings"
	"unicode/utf8"
)

// GPT-2 writes tokens as text by giving every byte a printable character: itself if it is one in
// Latin-1, else the next free code point from U+0100 on. See bytes_to_unicode in
// https://github.com/openai/gpt-2/blob/master/src/encoder.py.
var (
	byteRune [256]rune    // the character that stands for a byte
	runeByte [0x144]int16 // the byte that a character stands for, or -1
	_        = initAlphabet()
)

func initAlphabet() bool {
	for i := range runeByte {
		runeByte[i] = -1
	}
	next := rune(0x100)
	for b := range 256 {
		r := rune(b)
		printable := b >= '!' && b <= '~' || b >= 0xA1 && b <= 0xAC || b >= 0xAE
		if !printable {
			r = next
			next++
		}
		byteRune[b] = r
		runeByte[r] = int16(b)
	}
	return true
}

// bytesOf returns the bytes that a byte-level token's text stands for. It reports false if some
// character stands for no byte: then the token cannot come from text.
func bytesOf(token string) (string, bool) {
	plain := true
	for i := 0; i < len(token); i++ {
		if token[i] < '!' || token[i] > '~' {
			plain = false
			break
		}
	}
	if plain {
		return token, true
	}
	out := make([]byte, 0, len(token))
	for _, r := range token {
		if int(r) >= len(runeByte) || runeByte[r] < 0 {
			return token, false
		}
		out = append(out, byte(runeByte[r]))
	}
	return string(out), true
}

// textOf writes bytes as a byte-level token's text, the inverse of bytesOf.
func textOf(bytes string) string {
	var b strings.Builder
	for i := 0; i < len(bytes); i++ {
		b.WriteRune(byteRune[bytes[i]])
	}
	return b.String()
}

// lossy returns bytes as text, every maximal invalid part replaced by U+FFFD, as Rust's
// String::from_utf8_lossy does.
func lossy(bytes string) string {
	if utf8.ValidString(bytes) {
		return bytes
	}
	return sanitize(span{text: bytes, work: newWork(len(bytes))}).text
}
