package tokenizer

import (
	"slices"
	"sync"
	"testing"
)

// TestTokenizersServeManyGoroutines tests T4; run it with -race.
func TestTokenizersServeManyGoroutines(t *testing.T) {
	list := texts(t)
	for _, name := range []string{"qwen2", "gemma", "unigram"} {
		alone := openVocab(t, name)
		want := make([][]int32, 100)
		for i := range want {
			want[i] = mustEncode(alone, list[i])
		}
		config := []byte(`{"chat_template": "{% for m in messages %}{{ m.role }}: {{ m.content }}{% endfor %}"}`)
		tok, err := FromJSON(unzip(t, "vocab/"+name+".json.gz"), config)
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for i := range want {
					if got := mustEncode(tok, list[i]); !slices.Equal(got, want[i]) {
						t.Errorf("%s: Encode(%q) = %v, want %v", name, list[i], got, want[i])
					}
					if got, err := tok.Chat([]Message{{"user", list[i]}}, true); got != "user: "+list[i] || err != nil {
						t.Errorf("%s: Chat(%q) = %q, %v", name, list[i], got, err)
					}
				}
			})
		}
		wg.Wait()
	}
}
