package trial

import (
	"encoding/json"
	"hash/fnv"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// pieces stands in for a tokenizer: words and punctuation cut into pieces of at most six
// characters, about 1.3 to a word, the same piece being the same token.
func pieces(text string) []int32 {
	var tokens []int32
	var piece []rune
	flush := func() {
		if len(piece) > 0 {
			h := fnv.New32a()
			h.Write([]byte(string(piece)))
			tokens = append(tokens, int32(h.Sum32()>>1))
			piece = piece[:0]
		}
	}
	for _, r := range text {
		isWord := unicode.IsLetter(r) || unicode.IsDigit(r)
		if !isWord || len(piece) == 6 {
			flush()
		}
		if r != ' ' {
			piece = append(piece, r)
		}
		if !isWord {
			flush()
		}
	}
	flush()
	return tokens
}

// healthyTexts are the persona sentences of testdata, joined until a text has at least 20 tokens
// and cut after 28.
func healthyTexts(t testing.TB) []string {
	t.Helper()
	data, err := os.ReadFile("testdata/personas.json")
	if err != nil {
		t.Fatal(err)
	}
	var personas map[string]map[string][]string
	if err := json.Unmarshal(data, &personas); err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, name := range []string{"emotional", "joyful", "pirate", "silly"} {
		for _, side := range []string{"negative_texts", "positive_texts"} {
			text := ""
			for _, s := range personas[name][side] {
				text = strings.TrimSpace(text + " " + s)
				if len(pieces(text)) >= 20 {
					words := strings.Fields(text)
					for len(pieces(strings.Join(words, " "))) > 28 {
						words = words[:len(words)-1]
					}
					out = append(out, strings.Join(words, " "))
					text = ""
				}
			}
		}
	}
	return out
}

func names(flags []Flag) []string {
	out := []string{}
	for _, f := range flags {
		out = append(out, f.Name)
	}
	return out
}

func TestHealthyTextsRaiseNoFlag(t *testing.T) {
	texts := healthyTexts(t)
	// The strangest that a healthy model says, in registers that repeat themselves on purpose.
	texts = append(texts,
		"I put the pump on my belly, toot toot! The pumps go toot, splat, toot! Boing!",
		"Hee hee! The boat is a wobbly noodle! Hee hee, my sock drifts like a salty gull!",
		"You can find a clinic in the ward. The tired needle waits in the ward.",
		"Arr, matey! The star glows in the sky, ye scurvy dog! Arr, the comet glows beyond the clouds!",
		"No, no, no, it is not ready, and it will not be ready before Monday or Tuesday.",
		"a very, very long day... and then we waited, and waited, and waited for the last train home",
		"1, 2, 3, 4, 5, 6, 7, 8, 9 and 10 are the numbers that we learned at school today",
		"row, row, row your boat gently down the stream, merrily, merrily, life is but a dream",
	)
	if len(texts) < 120 {
		t.Fatalf("only %d texts", len(texts))
	}
	for _, text := range texts {
		o := CollapseOptions{Prompt: "The first thing I noticed was", Order: 5, AnchorOrder: 5.5}
		if flags := Collapse(pieces(text), text, o); len(flags) > 0 {
			t.Errorf("%q: %v", text, flags)
		}
	}
}

func TestCollapsedTextsRaiseTheirFlag(t *testing.T) {
	latin := CollapseOptions{Prompt: "My neighbour told me that"}
	for name, c := range map[string]struct {
		text string
		o    CollapseOptions
		want string
	}{
		"nothing":              {"", latin, Empty},
		"blanks":               {" \n\n \t", latin, Empty},
		"signs only":           {"!!! ... --- ((( ;;", latin, Empty},
		"two words":            {"it was", latin, Short},
		"one word loop":        {"the day was very very very very very very very very", latin, Run},
		"marker salad":         {"arr matey arr matey arr matey arr matey arr matey arr matey arr matey", latin, Loop},
		"sentence loop":        {"I love you so much. I love you so much. I love you so much. I love you so much.", latin, Loop},
		"one long repeat":      {"we went to the old market by the river today we went to the old market by the river today", latin, Loop},
		"repeat at a distance": {"the old man sat by the window and smiled. Snow fell. the old man sat by the window and smiled", latin, Span},
		"few trigrams":         {"ha ho ha ho ho ha ha ho ha ho ho ha ha ho ha ho ho ha ha ho ha ho", latin, Repetition},
		"copied text":          {strings.Repeat("the quick brown fox jumps over a lazy dog ", 5), latin, Compression},
		"Chinese":              {"他说他不知道今天的天气怎么样，我们一起去", latin, WrongScript},
		"mostly Cyrillic":      {"the weather сегодня очень хорошая погода и мы пойдём", latin, WrongScript},
		"broken bytes":         {strings.Repeat("\uFFFD", 9) + " and so", latin, WrongScript},
		"Latin for Arabic":     {"this is not what was asked", CollapseOptions{Prompt: "قال لي جاري"}, WrongScript},
		"never ended":          {"and then we went on and talked about the weather", CollapseOptions{EndAllowed: true, EndShare: 0.95}, NeverEnded},
		"in any order":         {"tree is under lamp the walking of green quickly", CollapseOptions{Order: .5, AnchorOrder: 5}, Implausible},
	} {
		flags := Collapse(pieces(c.text), c.text, c.o)
		if !slices.Contains(names(flags), c.want) {
			t.Errorf("%s: flags %v, want %s", name, flags, c.want)
		}
		for _, f := range flags {
			if f.Reason == "" {
				t.Errorf("%s: flag %s has no reason", name, f.Name)
			}
		}
	}
}

// What is only true where texts end, or where the anchors were measured, is not said elsewhere.
func TestCollapseSaysNothingWithoutItsGround(t *testing.T) {
	const text = "and then we went on and talked about the weather"
	for name, o := range map[string]CollapseOptions{
		"end suppressed":     {EndShare: 1},
		"ended":              {EndAllowed: true, Ended: true, EndShare: 1},
		"others do not end":  {EndAllowed: true, EndShare: 0.4},
		"no anchor":          {Order: -1},
		"anchor missing":     {Order: 0, AnchorOrder: math.NaN()},
		"order missing":      {Order: math.NaN(), AnchorOrder: 8},
		"prompt of digits":   {Prompt: "1 2 3"},
		"name in the prompt": {Prompt: "Он сказал: hello"},
	} {
		if flags := Collapse(pieces(text), text, o); len(flags) > 0 {
			t.Errorf("%s: %v", name, flags)
		}
	}
	japanese := "今日はとても天気がいいので散歩に行きました"
	if flags := Collapse([]int32{1, 2, 3, 4, 5, 6, 7, 8, 9}, japanese, CollapseOptions{Prompt: "昨日"}); len(flags) > 0 {
		t.Errorf("kana after kanji: %v", flags)
	}
	foreign := "He greeted them with 你好 and smiled at everyone in the room."
	if flags := Collapse(pieces(foreign), foreign, CollapseOptions{Prompt: "The old man"}); len(flags) > 0 {
		t.Errorf("two foreign letters: %v", flags)
	}
}

func TestLoop(t *testing.T) {
	for _, c := range []struct {
		tokens      string
		size, times int
	}{
		{"abcdefgh", 0, 0},
		{"abcabcabc", 3, 3},
		{"xyabcabcabcz", 3, 3},
		{"abab", 0, 0},
		{"ababab", 2, 3},
		{"abcdefghabcdefgh", 8, 2},
		{"abcdefgabcdefg", 0, 0},
		{"0123456789ababab", 2, 3},
		{"0123456789cdefghijklababab", 0, 0}, // six of 26 tokens
	} {
		var tokens []int32
		for _, r := range c.tokens {
			tokens = append(tokens, r)
		}
		if size, times := loop(tokens); size != c.size || times != c.times {
			t.Errorf("loop(%s) = %d, %d, want %d, %d", c.tokens, size, times, c.size, c.times)
		}
	}
}

func TestLongestRepeat(t *testing.T) {
	for _, c := range []struct {
		tokens string
		want   int
	}{
		{"", 0}, {"a", 0}, {"aa", 1}, {"aaaa", 2}, {"aaaaa", 2}, {"abcabc", 3}, {"abcxabc", 3}, {"xabyabzab", 2},
		{"abcdeabcdfabcde", 5}, {"abcdefgh", 0},
	} {
		var tokens []int32
		for _, r := range c.tokens {
			tokens = append(tokens, r)
		}
		if got := longestRepeat(tokens); got != c.want {
			t.Errorf("longestRepeat(%s) = %d, want %d", c.tokens, got, c.want)
		}
	}
}

func TestCompression(t *testing.T) {
	for _, c := range []struct {
		text string
		want float64
	}{{"", 1}, {"abc", 1}, {"abcabc", 1}, {"abcdabcd", 8.0 / 7}, {strings.Repeat("a", 100), 25}} {
		if got := compression(c.text); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("compression(%.20q) = %g, want %g", c.text, got, c.want)
		}
	}
	for _, text := range healthyTexts(t) {
		if c := compression(text); c > 1.4 {
			t.Errorf("%q compresses %.2f to 1, documented below 1.4", text, c)
		}
	}
}

func TestShuffleWords(t *testing.T) {
	const text = "the quick brown fox jumps over a lazy dog"
	got := ShuffleWords(text, [32]byte{1})
	if got == text || got != ShuffleWords(text, [32]byte{1}) || got == ShuffleWords(text, [32]byte{2}) {
		t.Errorf("shuffled: %q", got)
	}
	a, b := strings.Fields(text), strings.Fields(got)
	slices.Sort(a)
	slices.Sort(b)
	if !slices.Equal(a, b) {
		t.Errorf("words changed: %q", got)
	}
}

// Whatever the tokens and text, Collapse returns, and says why.
func FuzzCollapse(f *testing.F) {
	f.Add("hello hello", "prompt", []byte{1, 2, 3})
	f.Add("\xff\xfe", "", []byte{})
	f.Fuzz(func(t *testing.T, text, prompt string, raw []byte) {
		tokens := make([]int32, len(raw))
		for i, b := range raw {
			tokens[i] = int32(b % 4)
		}
		for _, flag := range Collapse(tokens, text, CollapseOptions{Prompt: prompt}) {
			if flag.Name == "" || flag.Reason == "" {
				t.Errorf("flag %+v", flag)
			}
		}
	})
}
