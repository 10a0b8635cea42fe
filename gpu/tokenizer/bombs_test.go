package tokenizer

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/persona-transfer/runpipeline/gpu/gputest/cputime"
)

// vocabJSON is a tokenizer.json with a small model and the other parts given.
func vocabJSON(parts string) string {
	if parts != "" {
		parts += ","
	}
	return `{` + parts + `"model":{"type":"BPE","vocab":{"a":0,"b":1,"<unk>":2},"merges":[],"unk_token":"<unk>"}}`
}

// list writes n entries with commas between.
func list(n int, entry func(i int) string) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(entry(i))
	}
	return b.String()
}

func same(text string) func(int) string { return func(int) string { return text } }

// chain is a normalizer of n times one.
func chain(n int, one string) string {
	return `"normalizer":{"type":"Sequence","normalizers":[` + list(n, same(one)) + `]}`
}

func split(expr string) string {
	return fmt.Sprintf(`"pre_tokenizer":{"type":"Split","pattern":{"Regex":%q},"behavior":"Isolated"}`, expr)
}

// circle is a charsmap whose table leads back to itself at every a, and whose replacement is with.
func circle(with string) []byte {
	units := make([]uint32, 256)
	units['a'] = 'a' | 'a'<<10 // labelled a; its children begin where the root's do
	data := binary.LittleEndian.AppendUint32(nil, uint32(4*len(units)))
	for _, u := range units {
		data = binary.LittleEndian.AppendUint32(data, u)
	}
	return append(data, with...)
}

// precompiledJSON is a normalizer of a charsmap.
func precompiledJSON(charsmap []byte) string {
	return fmt.Sprintf(`"normalizer":{"type":"Precompiled","precompiled_charsmap":%q}`, base64.StdEncoding.EncodeToString(charsmap))
}

// spmWith is a SentencePiece model of the pieces a and b with a charsmap.
func spmWith(charsmap []byte) []byte {
	out := []byte("\x0a\x03\x0a\x01a\x0a\x03\x0a\x01b")
	field := binary.AppendUvarint([]byte{0x12}, uint64(len(charsmap)))
	out = binary.AppendUvarint(append(out, 0x1a), uint64(len(field)+len(charsmap)))
	return append(append(out, field...), charsmap...)
}

// TestHostileVocabulariesCostLittle opens vocabularies that were made to take time or memory, encodes a text and
// decodes its tokens. Each must be refused with a short message, when it is opened or when it is used, or
// do what it says, within bounds several times beyond what that needs.
func TestHostileVocabulariesCostLittle(t *testing.T) {
	const million = 1_000_000
	long := strings.Repeat("a", 10<<20)
	as := strings.Repeat("a", 50_000)
	for _, b := range []struct {
		what   string
		file   string
		config string
		text   string
		heap   uint64 // MiB allocated at most
		want   string // of the error; "": it is used
	}{
		// Patterns. Most are harmless: no fork of a pattern is passed twice.
		{"(a+)+$", vocabJSON(split(`(a+)+$`)), "", as + "!", 100, ""},
		{"(a|a)*b", vocabJSON(split(`(a|a)*b`)), "", as, 100, ""},
		{"(.*)*X", vocabJSON(split(`(.*)*X`)), "", as, 100, ""},
		{"(.*a){20}", vocabJSON(split(`(?:.*a){20}b`)), "", as, 200, ""},
		{"(a*)*(a*)*(a*)*b", vocabJSON(split(`(a*)*(a*)*(a*)*b`)), "", as, 100, ""},
		{"a pattern with a thousand forks", vocabJSON(split(`(?:a?){1000}b`)), "", as, 500, `the pattern "(?:a?){1000}b" takes`},
		{"an atomic group from everywhere", vocabJSON(split(`(?>a+)b`)), "", as, 500, `the pattern "(?>a+)b" takes more than 512 steps`},
		{"a look from everywhere", vocabJSON(split(`a(?=a*$)(?!a*$)`)), "", as, 500, "steps for each byte of the text"},
		{"looks within looks", vocabJSON(split(`(?:(?=(?:(?=(?:a|a)*)a)*)a)*b`)), "", as, 500, "steps for each byte of the text"},
		{"a pattern of 10^6 parts", vocabJSON(split(`((a{100}){100}){100}`)), "", as, 50, "more than 4096 instructions"},
		{"a pattern of 10^9 nothings", vocabJSON(split(`(((){1000}){1000}){1000}`)), "", as, 50, "more than 4096 instructions"},
		{"a pattern of 10 MB", vocabJSON(split(long)), "", as, 200, "at most"},
		{"a pattern in a normalizer", vocabJSON(`"normalizer":{"type":"Replace","pattern":{"Regex":"(a+)+$"},"content":""}`), "", as + "!", 100, ""},
		{"a pattern in a decoder", vocabJSON(`"decoder":{"type":"Replace","pattern":{"Regex":"(?>a+)+$"},"content":""}`), "", as, 50, "decoder Replace with the regular expression"},

		// Normalizers.
		{"Replace doubles 60 times", vocabJSON(chain(60, `{"type":"Replace","pattern":{"String":"a"},"content":"aa"}`)), "", "aaaa", 50, "more than 32 times as long"},
		{"Replace writes 1 MB for a letter", vocabJSON(chain(1, `{"type":"Replace","pattern":{"String":"a"},"content":"`+long[:1<<20]+`"}`)), "", as, 200, "more than 32 times as long"},
		{"Replace of nothing", vocabJSON(chain(60, `{"type":"Replace","pattern":{"String":""},"content":"aa"}`)), "", as, 100, ""},
		{"Replace of a pattern that matches nothing", vocabJSON(chain(60, `{"type":"Replace","pattern":{"Regex":"b*"},"content":"aa"}`)), "", as, 300, ""},
		{"Replace back and forth", vocabJSON(chain(50, `{"type":"Replace","pattern":{"String":"a"},"content":"bbbbbbbb"},{"type":"Replace","pattern":{"String":"bbbbbbbb"},"content":"a"}`)), "", as, 300, "more than 32 times as long"},
		{"Prepend of 10 MB", vocabJSON(chain(1, `{"type":"Prepend","prepend":"`+long+`"}`)), "", "a", 200, "at most 4194304 are read"},
		{"Prepend of 1 MB", vocabJSON(chain(1, `{"type":"Prepend","prepend":"`+long[:1<<20]+`"}`)), "", "a", 50, "more than 32 times as long"},
		{"Prepend 99 times before each of many pieces", vocabJSON(chain(99, `{"type":"Prepend","prepend":"`+long[:30000]+`"}`) + `,"added_tokens":[{"id":0,"content":"a"}]`), "", strings.Repeat("ab", 5000), 500, "more than 32 times as long"},
		{"NFKC of what grows most", vocabJSON(chain(99, `{"type":"NFKC"}`)), "", strings.Repeat("\uFDFA", 10_000), 300, ""},
		{"NFD of many marks", vocabJSON(chain(9, `{"type":"NFD"},{"type":"NFC"}`)), "", "a" + strings.Repeat("\u0301\u0323", 20_000), 1000, ""},
		{"a table of replacements that is a circle", vocabJSON(precompiledJSON(circle("b\x00"))), "", as, 50, ""},
		{"a replacement of 1 MB", vocabJSON(precompiledJSON(circle(long[:1<<20]))), "", as, 50, "a replacement of 1048576 bytes"},
		{"a million parts", vocabJSON(chain(million/10, `{"type":"NFC"}`)), "", as, 100, "Sequences of more than 100 parts"},
		{"sequences of sequences", vocabJSON(`"normalizer":` + strings.Repeat(`{"type":"Sequence","normalizers":[`, 3000) + strings.Repeat(`]}`, 3000)), "", as, 50, "nested more than 8 deep"},
		{"parts that are not known", vocabJSON(`"normalizer":{"type":"` + long[:1<<20] + `"}`), "", as, 50, "unknown normalizer aaa"},
		{"a normalizer nested deep", vocabJSON(`"normalizer":` + strings.Repeat("[", 3<<20)), "", as, 100, "exceeded max depth"},

		// Added tokens.
		{"an added token of 10 MB", vocabJSON(`"added_tokens":[{"id":3,"content":"` + long + `"}]`), "", as, 200, "has 10485760 bytes, at most 4096"},
		{"a million added tokens", vocabJSON(`"added_tokens":[` + list(million, func(i int) string { return fmt.Sprintf(`{"id":%d,"content":"t%d"}`, i+3, i) }) + `]`), "", as, 1500, ""},
		{"many long added tokens", vocabJSON(`"added_tokens":[` + list(3000, func(i int) string { return fmt.Sprintf(`{"id":%d,"content":"%d%s"}`, i+3, i, long[:4000]) }) + `]`), "", as, 500, "tokens of more than 8388608 bytes"},
		{"an added token that nearly matches everywhere", vocabJSON(`"added_tokens":[{"id":3,"content":"` + long[:4000] + `b"}]`), "", as, 50, "the search for added tokens takes more than 512 steps"},
		{"added tokens that grow when normalised", vocabJSON(`"added_tokens":[` + list(1000, func(i int) string { return fmt.Sprintf(`{"id":%d,"content":"a%d","normalized":true}`, i+3, i) }) + `],` + chain(20, `{"type":"Replace","pattern":{"String":"a"},"content":"aa"}`)), "", as, 50, "normalise the added tokens"},
		{"added tokens with wrong ids", vocabJSON(`"added_tokens":[` + list(million/10, func(i int) string { return fmt.Sprintf(`{"id":-1,"content":"t%d"}`, i) }) + `]`), "", as, 300, "and "},
		{"special tokens of two files", vocabJSON(""), `{"added_tokens_decoder":{` + list(30_000, func(i int) string { return fmt.Sprintf(`"%d":{"content":"t%d"}`, i+3, i) }) + `},"additional_special_tokens":[` + list(30_000, func(i int) string { return fmt.Sprintf(`"s%d"`, i) }) + `]}`, as, 200, ""},

		// What is put around a text.
		{"2·10^8 tokens around a text", vocabJSON(`"post_processor":{"type":"TemplateProcessing","single":[{"Sequence":{"id":"A"}},` + list(10_000, same(`{"SpecialToken":{"id":"s"}}`)) + `],"special_tokens":{"s":{"ids":[` + list(20_000, same("1")) + `]}}}`), "", as, 50, "more than 100 tokens around every text"},
		{"the same in pieces", vocabJSON(`"post_processor":{"type":"Sequence","processors":[` + list(90, same(`{"type":"TemplateProcessing","single":[{"Sequence":{"id":"A"}},`+list(90, same(`{"SpecialToken":{"id":"s"}}`))+`],"special_tokens":{"s":{"ids":[1]}}}`)) + `]}`), "", as, 50, "tokens around every text"},

		// Decoders.
		{"decoder doubles 60 times", vocabJSON(`"decoder":{"type":"Sequence","decoders":[` + list(60, same(`{"type":"Replace","pattern":{"String":"a"},"content":"aa"}`)) + `]}`), "", "a", 50, "decoders that make a token more than 16 times as long"},
		{"decoder of nothing", vocabJSON(`"decoder":{"type":"Sequence","decoders":[` + list(60, same(`{"type":"BPEDecoder","suffix":""}`)) + `]}`), "", "a", 50, "decoders that make a token more than 16 times as long"},
		{"decoder Strip of 10^9", vocabJSON(`"decoder":{"type":"Strip","content":"a","start":1000000000,"stop":1000000000}`), "", as, 50, ""},
		{"decoder Strip of nothing", vocabJSON(`"decoder":{"type":"Strip","content":"","start":1000000000,"stop":1000000000}`), "", as, 50, ""},

		// Models.
		{"half a million merges", `{"model":{"type":"BPE","vocab":{"a":0,"aa":1},"merges":[` + list(million/2, same(`["a","a"]`)) + `]}}`, "", as, 300, ""},
		{"merges that are no pairs", `{"model":{"type":"BPE","vocab":{"a":0,"aa":1},"merges":[` + list(million/2, same(`[]`)) + `]}}`, "", as, 100, "a merge joins 0 tokens"},
		{"a token of 10 MB", `{"model":{"type":"BPE","vocab":{"a":0,"` + long + `":1},"merges":[]}}`, "", as, 300, "has 10485760 bytes"},
		{"a mark of 10 MB", `{"model":{"type":"BPE","vocab":{"a":0},"merges":[],"continuing_subword_prefix":"` + long + `"}}`, "", as, 200, "marks of 10485760 and 0 bytes"},
		{"half a million scored tokens", `{"model":{"type":"Unigram","vocab":[` + list(million/2, func(i int) string { return fmt.Sprintf(`["t%d",-1]`, i) }) + `],"unk_id":0}}`, "", as, 800, ""},
		{"half a million empty scored tokens", `{"model":{"type":"Unigram","vocab":[` + list(million/2, same(`[]`)) + `]}}`, "", as, 100, "is no pair of text and score"},
		{"scores without bound", `{"model":{"type":"Unigram","vocab":[["a",1e308],["aa",-1e308],["aaa",1.7e308]],"unk_id":0}}`, "", as, 50, ""},
		{"scored tokens of all lengths", `{"model":{"type":"Unigram","vocab":[` + list(2000, func(i int) string { return `["` + long[:i+1] + `",-1]` }) + `],"unk_id":0}}`, "", as, 200, "the search for tokens takes more than 512 steps"},
		{"an id of 10^9", `{"model":{"type":"BPE","vocab":{"a":1000000000},"merges":[]}}`, "", as, 50, "has id 1000000000"},
	} {
		within(t, b.what, b.heap, func() error {
			tok, err := FromJSON([]byte(b.file), []byte(b.config))
			if err != nil {
				return err
			}
			ids, err := tok.Encode(b.text)
			if err != nil {
				return err
			}
			tok.Decode(ids, false)
			tok.Continuation(ids[:1], ids[1:])
			_, _, err = tok.EncodeEnds(b.text)
			return err
		}, b.want)
	}
	for _, b := range []struct {
		what string
		open func() (*Tokenizer, error)
		heap uint64
		want string
	}{
		{"tiktoken of newlines", func() (*Tokenizer, error) { return FromTiktoken([]byte(strings.Repeat("\n", 10<<20)), nil) }, 50, "no token for byte 0"},
		{"tiktoken of one line", func() (*Tokenizer, error) { return FromTiktoken([]byte(long+" 1"), nil) }, 200, "no token for byte 0"},
		{"a GGUF token of 10 MB of spaces", func() (*Tokenizer, error) {
			return FromVocab(Vocab{Model: "llama", Tokens: []string{strings.Repeat(" ", 10<<20)}, Scores: []float32{0}, Types: []int32{userToken}})
		}, 50, "has 10485760 bytes"},
		{"a SentencePiece table of replacements that is a circle", func() (*Tokenizer, error) {
			tok, err := FromSentencePiece(spmWith(circle("b\x00")), nil)
			if err == nil {
				_, err = tok.Encode(as)
			}
			return tok, err
		}, 50, "the search for replacements takes more than 512 steps"},
		{"a SentencePiece model of empty pieces", func() (*Tokenizer, error) {
			return FromSentencePiece([]byte(strings.Repeat("\x0a\x00", million)), nil)
		}, 500, ""},
	} {
		within(t, b.what, b.heap, func() error {
			_, err := b.open()
			return err
		}, b.want)
	}
}

// within fails if f takes more than ten seconds, fifty times what most bombs take here, allocates more than
// heap MiB, or ends with another error than one short message with want in it.
func within(t *testing.T, what string, heap uint64, f func() error, want string) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := cputime.Now()
	err := f()
	if took := cputime.Now() - start; took > 10*time.Second {
		t.Errorf("%s: took %v", what, took)
	}
	runtime.ReadMemStats(&after)
	if got := (after.TotalAlloc - before.TotalAlloc) >> 20; got > heap {
		t.Errorf("%s: %d MiB allocated, want at most %d", what, got, heap)
	}
	switch {
	case want == "" && err != nil:
		t.Errorf("%s: %.300v", what, err)
	case want == "":
	case !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), want):
		t.Errorf("%s: %.300v; want %q", what, err, want)
	case len(err.Error()) > 25_000:
		t.Errorf("%s: a message of %d bytes: %.300v", what, len(err.Error()), err)
	}
}

// TestNoMergesCollide fills a table of pairs with such as all have one place in it if the hash is a
// multiplication by a known number.
func TestNoMergesCollide(t *testing.T) {
	const n, golden = 100_000, 0x9E3779B97F4A7C15
	inverse := uint64(1)
	for range 6 { // Newton's iteration: each doubles the bits that are right
		inverse *= 2 - golden*inverse
	}
	table := newPairTable(n)
	start := cputime.Now()
	for i := range uint64(n) {
		key := (i<<40|i&0xFFFFF)*inverse - 1
		table.set(int32(key>>32), int32(key), 1, 2)
	}
	if took := cputime.Now() - start; took > 3*time.Second { // milliseconds; nine seconds and more if all collide
		t.Errorf("%d pairs took %v", n, took)
	}
}
