package tokenizer

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"sync"
	"unicode/utf8"
)

// A unigram is the model of Kudo (2018): of all ways to cut a word into tokens it takes the one
// whose log probabilities add up to the most.
type unigram struct {
	texts        *trie // of ids
	vocab        map[string]int32
	scores       []float64 // by id
	unk          int32     // -1: characters that have no token are dropped
	unkScore     float64
	bytes        [256]int32 // <0xNN> tokens
	byteFallback bool       // every byte has its token
	float32      bool       // scores add up in single precision, as in SentencePiece itself
	pool         sync.Pool  // *[]unigramStep
}

// unkPenalty is how much an unknown character is worse than the least likely token; the value is
// SentencePiece's kUnkPenalty.
const unkPenalty = 10

// userBonus is the score of a user's token for each byte but the first; the value is SentencePiece's.
const userBonus = 0.1

// resetScore is how far from 0 scores in single precision may get before they are all moved so that the
// current one is 0; the value is SentencePiece's kScoreResetThreshold.
const resetScore = 100000

// A unigramStep is the best way to a place in the word.
type unigramStep struct {
	score float64
	id    int32
	start int32 // where its last token starts, -1 if the place cannot be reached
}

// newUnigram returns the model of tokens by id. Of their types, which are nil if all are normal, only
// normal and users' tokens are found in text; a user's token is better than any normal ones.
func newUnigram(tokens []string, scores []float64, unk int32, byteFallback bool, types []int32) (*unigram, error) {
	m := &unigram{texts: newTrie(), vocab: make(map[string]int32, len(tokens)), scores: slices.Clone(scores), unk: unk}
	lowest := math.Inf(1)
	for id, token := range tokens {
		switch {
		case types == nil || types[id] == normalToken:
			lowest = min(lowest, scores[id])
		case types[id] == userToken:
			m.scores[id] = float64(float32(userBonus * float64(len(token)-1)))
		default:
			continue
		}
		m.vocab[token] = int32(id)
		if token != "" {
			if err := m.texts.insert(token, int32(id), true); err != nil {
				return nil, err
			}
		}
	}
	m.unkScore = lowest - unkPenalty
	m.byteFallback = byteFallback
	for i, token := range tokens {
		if b, ok := byteToken(token); ok {
			m.bytes[b] = int32(i)
		}
	}
	for b := range m.bytes {
		id := int(m.bytes[b])
		if id >= len(tokens) {
			m.byteFallback = false
		} else if got, ok := byteToken(tokens[id]); !ok || int(got) != b {
			m.byteFallback = false
		}
	}
	m.pool.New = func() any { return new([]unigramStep) }
	return m, nil
}

func (m *unigram) tokens(w *work, word string, ids, ends []int32) ([]int32, []int32) {
	buffer := m.pool.Get().(*[]unigramStep)
	defer m.pool.Put(buffer)
	if cap(*buffer) < len(word)+1 {
		*buffer = make([]unigramStep, len(word)+1)
	}
	steps := (*buffer)[:len(word)+1]
	if !m.walk(w, word, steps) {
		return ids, ends
	}

	// Follow the best way back, then turn it around.
	from := len(ids)
	for end := len(word); end > 0; {
		s := steps[end]
		start := int(s.start)
		if s.id == m.unk && m.unk != none { // unknown characters in a row are one token
			for start > 0 && steps[start].id == m.unk {
				start = int(steps[start].start)
			}
		}
		ids, ends = m.emitBackwards(word, s.id, start, end, ids, ends)
		end = start
	}
	for i, j := from, len(ids)-1; i < j; i, j = i+1, j-1 {
		ids[i], ids[j] = ids[j], ids[i]
	}
	shift := len(ids) - len(ends)
	for i, j := from-shift, len(ends)-1; i < j; i, j = i+1, j-1 {
		ends[i], ends[j] = ends[j], ends[i]
	}
	return ids, ends
}

// emitBackwards appends bytes start to end of word as token id, or as byte tokens, last first.
func (m *unigram) emitBackwards(word string, id int32, start, end int, ids, ends []int32) ([]int32, []int32) {
	if id != m.unk {
		return append(ids, id), append(ends, int32(end))
	}
	if known, ok := m.vocab[word[start:end]]; ok { // unknown characters may add up to a token
		return append(ids, known), append(ends, int32(end))
	}
	if m.byteFallback {
		for i := end - 1; i >= start; i-- {
			ids, ends = append(ids, m.bytes[word[i]]), append(ends, int32(i+1))
		}
		return ids, ends
	}
	if m.unk == none {
		return ids, ends
	}
	return append(ids, m.unk), append(ends, int32(end))
}

// walk fills steps with the best way to every place of word; it reports false if that is too much work.
func (m *unigram) walk(w *work, word string, steps []unigramStep) bool {
	for i := range steps {
		steps[i] = unigramStep{start: -1, id: none}
	}
	steps[0] = unigramStep{start: 0, id: none - 1}
	last := 0 // the last place that has been reached
	for i := 0; i < len(word); {
		_, n := utf8.DecodeRuneInString(word[i:])
		if m.float32 && math.Abs(steps[i].score) > resetScore && w.step(last-i, "the search for tokens") {
			by := steps[i].score
			for k := i; k <= last; k++ {
				steps[k].score = m.round(steps[k].score - by)
			}
		}
		single := false
		here := steps[i].score
		reach := func(j int, score float64, id int32) {
			if score = m.round(here + score); steps[j].start < 0 || score > steps[j].score {
				steps[j] = unigramStep{score, id, int32(i)}
			}
			last = max(last, j)
		}
		node, j := m.texts.root[word[i]], i+1
		for ; node != 0; j++ {
			if id := m.texts.values[node]; id >= 0 {
				reach(j, m.scores[id], id)
				single = single || j == i+n
			}
			if j == len(word) {
				break
			}
			node = m.texts.child(node, word[j])
		}
		if !w.step(j-i, "the search for tokens") {
			return false
		}
		if !single {
			reach(i+n, m.unkScore, m.unk)
		}
		i += n
	}
	return true
}

// round returns a sum of scores in the model's precision: it decides between ways that are equally good.
func (m *unigram) round(score float64) float64 {
	if m.float32 {
		return float64(float32(score))
	}
	return score
}

// unigram sets a Unigram model.
func (b *builder) unigram(data json.RawMessage) error {
	var spec struct {
		Vocab        []scoredToken
		UnkID        *int `json:"unk_id"`
		ByteFallback bool `json:"byte_fallback"`
	}
	if err := json.Unmarshal(data, &spec); err != nil {
		return fmt.Errorf("model Unigram: %w", err)
	}
	if b.byteLevel {
		return fmt.Errorf("model Unigram behind a ByteLevel pre_tokenizer")
	}
	if len(spec.Vocab) == 0 || len(spec.Vocab) > maxID {
		return fmt.Errorf("model Unigram with %d tokens", len(spec.Vocab))
	}
	b.expect(len(spec.Vocab))
	tokens, scores := make([]string, len(spec.Vocab)), make([]float64, len(spec.Vocab))
	for id, row := range spec.Vocab {
		tokens[id], scores[id] = row.text, row.score
		b.setToken(int32(id), row.text)
	}
	unk := int32(none)
	if spec.UnkID != nil {
		if *spec.UnkID < 0 || *spec.UnkID >= len(tokens) {
			return fmt.Errorf("model Unigram: unk_id %d of %d tokens", *spec.UnkID, len(tokens))
		}
		unk = int32(*spec.UnkID)
	}
	m, err := newUnigram(tokens, scores, unk, spec.ByteFallback, nil)
	if err != nil {
		return fmt.Errorf("model Unigram: %w", err)
	}
	b.tokenizer.model = m
	return nil
}

// A scoredToken is a token and its score, which tokenizer.json writes as a list.
type scoredToken struct {
	text  string
	score float64
}

func (s *scoredToken) UnmarshalJSON(data []byte) error {
	var text *string
	var score *float64
	row := []any{&text, &score}
	if err := json.Unmarshal(data, &row); err != nil || len(row) != 2 || text == nil || score == nil {
		return fmt.Errorf("%.40q is no pair of text and score", data)
	}
	s.text, s.score = *text, *score
	return nil
}
