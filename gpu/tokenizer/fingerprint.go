package tokenizer

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// specimens are texts in which tokenizers differ: letter case, numbers, white space, code, accents,
// scripts with and without spaces, emoji of several code points, and characters that few vocabularies have.
var specimens = []string{
	"The quick brown fox jumps over the lazy dog. THE QUICK BROWN FOX!",
	"I'll say we've been there; they'd said it isn't so, you're right (it's 'fine').",
	"0 1 12 123 1234 12345 3.14159 1,000,000 -7 1e-9 ½ ٣٤٥ 2026-11-27",
	"  two  spaces   three\ttab\n\nnew lines\r\n   and trailing   ",
	"def f(x):\n    return {\"a\": [x ** 2, x != 0]} # comment\n\tif (a && b) { ++i; }",
	"naïve café Ångström œuvre straße ﬁnance ① Ⅷ e\u0301",
	"Привет, мир! Γειά σου κόσμε. שלום עולם مرحبا بالعالم",
	"今日は世界。你好，世界！ 안녕하세요 세계 สวัสดีชาวโลก नमस्ते दुनिया",
	"👩\u200d👩\u200d👧\u200d👦 🏳️\u200d🌈 👍🏽 🇨🇭 ™ © → ≠ ∑ 𝔘𝔫𝔦 \u00a0\u2003\u200b\u3000",
	"unhappiness antidisestablishmentarianism supercalifragilistic aaaaaaaaaaaaaaaaaaaa",
	"https://example.org/a?b=c&d=%20 user@example.org <tag attr='1'/> \\n $x^2$ ¥€£",
}

// Fingerprint tells tokenizers apart by what they do: the SHA-256, in hexadecimal, of the tokens that
// they make of a few texts. A folder's tokenizer and that of the same model's GGUF have the same one,
// however differently their vocabularies are written down and padded.
func (t *Tokenizer) Fingerprint() (string, error) {
	h := sha256.New()
	for _, text := range specimens {
		ids, _, err := t.encode(text, nil, nil)
		if err != nil {
			return "", fmt.Errorf("fingerprint of a tokenizer: %w", err)
		}
		fmt.Fprintln(h, ids)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
