package tokenizer

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// plainBPE is byte-pair encoding as its definition reads: join the pair of lowest rank, of those
// the leftmost, until none is left.
func plainBPE(m *bpe, word string) []int32 {
	var w workspace
	w.start(m, newWork(len(word)), word)
	s := slices.Clone(w.symbols)
	for {
		best, at, to := uint32(never), -1, int32(0)
		for i := 0; i+1 < len(s); i++ {
			if rank, id := m.pair(word, s[i], s[i+1]); rank < best {
				best, at, to = rank, i, id
			}
		}
		if at < 0 {
			break
		}
		s[at] = symbol{id: to, start: s[at].start, end: s[at+1].end}
		s = slices.Delete(s, at+1, at+2)
	}
	var ids []int32
	for _, x := range s {
		ids = append(ids, x.id)
	}
	return ids
}

// TestBothWaysOfJoiningFollowTheDefinition holds the scan for short words and the heap for long ones
// against plainBPE, on words of few letters, where equal pairs overlap all the time.
func TestBothWaysOfJoiningFollowTheDefinition(t *testing.T) {
	spm, err := FromSentencePiece(unzip(t, "vocab/spm_llama.model.gz"), nil)
	if err != nil {
		t.Fatal(err)
	}
	tiktoken, err := FromTiktoken(unzip(t, "vocab/qwen.tiktoken.gz"), nil)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(5, 6))
	for name, tok := range map[string]*Tokenizer{"gpt2": openVocab(t, "gpt2"), "llama1": openVocab(t, "llama1"), "sink": openVocab(t, "sink"), "spm": spm, "tiktoken": tiktoken} {
		m := tok.model.(*bpe)
		for range 300 {
			var word string
			if rng.IntN(2) == 0 {
				word = oddText(rng, 1+rng.IntN(80))
			} else {
				for range 1 + rng.IntN(40) {
					word += []string{"a", "e", "th", "in", "▁", " ", "er", "n"}[rng.IntN(8)]
				}
			}
			want := plainBPE(m, word)
			for way, joinAll := range map[string]func(*workspace, *bpe, string){"short": (*workspace).joinShort, "long": (*workspace).joinLong} {
				w := new(workspace)
				if w.start(m, newWork(len(word)), word); len(w.symbols) == 0 {
					continue
				}
				joinAll(w, m, word)
				var got []int32
				for _, s := range w.symbols {
					if s.end > s.start {
						got = append(got, s.id)
					}
				}
				if !slices.Equal(got, want) {
					t.Errorf("%s, %s: %q = %v, want %v", name, way, word, got, want)
				}
			}
			// Words are cut before ▁ where that changes nothing.
			if got, _ := m.tokens(newWork(len(word)), word, nil, nil); !m.ignoreMerges && !slices.Equal(got, want) {
				t.Errorf("%s, cut: %q = %v, want %v", name, word, got, want)
			}
		}
	}
}

func TestPairTableKeepsTheLastOfEqualPairs(t *testing.T) {
	table := newPairTable(1000)
	for i := range int32(1000) {
		table.set(i%50, i/20, uint32(i), i)
	}
	for i := range int32(50) {
		for j := range int32(60) {
			last := int32(-1)
			for k := range int32(1000) {
				if k%50 == i && k/20 == j {
					last = k
				}
			}
			rank, id := table.get(i, j)
			if last < 0 && rank != never || last >= 0 && (rank != uint32(last) || id != last) {
				t.Errorf("pair %d, %d: rank %d, id %d, want %d", i, j, rank, id, last)
			}
		}
	}
}

// TestLongWordsTakeLittleTime encodes a megabyte without a space. Joining all pairs by scanning would
// take 10¹² steps.
func TestLongWordsTakeLittleTime(t *testing.T) {
	text := strings.Repeat("thein", 40000)
	for _, name := range []string{"gpt2", "llama1", "unigram"} {
		tok := openVocab(t, name)
		if got := tok.Decode(mustPlain(tok, text), true); got != text {
			t.Errorf("%s: %d bytes come back as %d", name, len(text), len(got))
		}
	}
}
