package tokenizer

import "testing"

// TestFingerprint: a vocabulary has one fingerprint as Hugging Face writes it down and as a GGUF does,
// with or without padding behind it, and no two vocabularies share one.
func TestFingerprint(t *testing.T) {
	of := func(name string, tok *Tokenizer, err error) string {
		t.Helper()
		if err == nil {
			var print string
			if print, err = tok.Fingerprint(); err == nil {
				return print
			}
		}
		t.Fatalf("%s: %v", name, err)
		return ""
	}
	seen := map[string]string{}
	for name, pre := range map[string]string{"gpt2": "gpt-2", "smollm": "smollm", "llama3": "llama-bpe", "o200k": "gpt-4o", "deepseek": "deepseek-v3"} {
		tok, err := FromJSON(unzip(t, "vocab/"+name+".json.gz"), nil)
		print := of(name, tok, err)
		if other, ok := seen[print]; ok {
			t.Errorf("%s and %s have the same fingerprint", name, other)
		}
		seen[print] = name
		v := ggufOf(t, name, pre)
		tok, err = FromVocab(v)
		if again := of(name, tok, err); again != print {
			t.Errorf("%s has another fingerprint as a GGUF", name)
		}
		v.Tokens, v.Types = append(v.Tokens, "[PAD1]", "[PAD2]"), append(v.Types, unusedToken, unusedToken)
		tok, err = FromVocab(v)
		if again := of(name, tok, err); again != print {
			t.Errorf("%s has another fingerprint with padding", name)
		}
	}
	if len(seen) != 5 {
		t.Errorf("%d fingerprints of 5 vocabularies", len(seen))
	}
}
