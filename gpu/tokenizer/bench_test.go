package tokenizer

import (
	"strings"
	"testing"
)

// benchText is a megabyte of English prose, code and some other languages, without repetition of whole lines.
func benchText(b *testing.B) string {
	var out strings.Builder
	list := texts(b)
	for n := 0; out.Len() < 1<<20; n++ {
		words := strings.Fields(list[n*7%len(list)] + " " + list[n*13%len(list)])
		for i := range words {
			out.WriteString(words[(i*5+n)%len(words)])
			out.WriteByte(' ')
		}
		out.WriteString("The request was sent to the server, and nothing but silence came back. ")
	}
	return out.String()
}

func BenchmarkEncode(b *testing.B) {
	for _, name := range []string{"gpt2", "qwen2", "llama3", "o200k", "llama1", "gemma", "unigram"} {
		b.Run(name, func(b *testing.B) {
			tok, err := FromJSON(unzip(b, "vocab/"+name+".json.gz"), nil)
			if err != nil {
				b.Fatal(err)
			}
			text := benchText(b)
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				mustEncode(tok, text)
			}
		})
	}
}
