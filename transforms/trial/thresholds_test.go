package trial

import (
	"math"
	"slices"
	"strings"
	"testing"
)

// fresh is n different tokens that stand in none of the blocks below.
func fresh(n int) (tokens []int32) {
	for i := range n {
		tokens = append(tokens, int32(1000+i))
	}
	return tokens
}

// block is the tokens 1 to n.
func block(n int) (tokens []int32) {
	for i := range n {
		tokens = append(tokens, int32(1+i))
	}
	return tokens
}

// TestFlagsOnBothSidesOfTheirThreshold: just there a flag is not raised (or is), one step further it is.
// Other flags may be raised beside it; only its own is looked for.
func TestFlagsOnBothSidesOfTheirThreshold(t *testing.T) {
	const text, latin = "an ordinary text of several words", "The captain"
	plain := CollapseOptions{Prompt: latin}
	for _, c := range []struct {
		flag   string
		name   string
		tokens []int32
		text   string
		o      CollapseOptions
		want   bool
	}{
		{Empty, "no letter", fresh(9), "!? --", plain, true},
		{Empty, "one letter", fresh(9), "!? a", plain, false},
		{Short, "one letter", fresh(9), "!? a", plain, true},
		{Short, "five letters", fresh(4), "abc de", plain, true},
		{Short, "three tokens", fresh(3), text, plain, true},
		{Short, "four tokens, six letters", fresh(4), "abc def", plain, false},
		{Repetition, "6 of 10 trigrams differ", slices.Repeat(block(6), 2), text, plain, false},
		{Repetition, "5 of 10 trigrams differ", append(slices.Repeat(block(5), 2), 1, 2), text, plain, true},
		{Repetition, "11 of 20 trigrams differ", append(block(11), block(11)...), text, plain, true},
		{Repetition, "13 of 20 trigrams differ", append(block(13), block(9)...), text, plain, false},
		{Run, "five in a row", slices.Concat(fresh(4), slices.Repeat(block(1), 5), []int32{7}), text, plain, false},
		{Run, "six in a row", slices.Concat(fresh(4), slices.Repeat(block(1), 6), []int32{7}), text, plain, true},
		{Loop, "a pair three times, a third of the text", append(fresh(12), slices.Repeat(block(2), 3)...), text, plain, true},
		{Loop, "a pair three times, less than a third", append(fresh(13), slices.Repeat(block(2), 3)...), text, plain, false},
		{Loop, "a pair twice", append(fresh(2), slices.Repeat(block(2), 2)...), text, plain, false},
		{Loop, "eight tokens twice at once", append(fresh(40), slices.Repeat(block(8), 2)...), text, plain, true},
		{Loop, "seven tokens twice at once", append(fresh(4), slices.Repeat(block(7), 2)...), text, plain, false},
		{Span, "eight tokens of 24 again", slices.Concat(block(8), fresh(8), block(8)), text, plain, true},
		{Span, "eight tokens of 25 again", slices.Concat(block(8), fresh(9), block(8)), text, plain, false},
		{Span, "seven tokens of 15 again", slices.Concat(block(7), fresh(1), block(7)), text, plain, false},
		// Ten bytes as they are and a copy of the rest, which costs three: 26 to 13, 27 to 13.
		{Compression, "2 to 1", fresh(9), "abcdefghijabcdefghijabcdef", plain, false},
		{Compression, "more than 2 to 1", fresh(9), "abcdefghijabcdefghijabcdefg", plain, true},
		{WrongScript, "half of the letters", fresh(9), "abcd прив", plain, false},
		{WrongScript, "more than half", fresh(9), "abcd приве", plain, true},
		{WrongScript, "a name of four letters", fresh(9), "прив 1234", plain, false},
		{WrongScript, "five letters", fresh(9), "приве 123", plain, true},
		{NeverEnded, "where .9 end", fresh(9), text, CollapseOptions{Prompt: latin, EndAllowed: true, EndShare: .9}, true},
		{NeverEnded, "where .89 end", fresh(9), text, CollapseOptions{Prompt: latin, EndAllowed: true, EndShare: .89}, false},
		{NeverEnded, "an end", fresh(9), text, CollapseOptions{Prompt: latin, EndAllowed: true, Ended: true, EndShare: .9}, false},
		{NeverEnded, "no end is allowed", fresh(9), text, CollapseOptions{Prompt: latin, EndShare: .9}, false},
		{Implausible, "some order", fresh(9), text, CollapseOptions{Prompt: latin, Order: minOrder * 4, AnchorOrder: 4}, false},
		{Implausible, "less", fresh(9), text, CollapseOptions{Prompt: latin, Order: math.Nextafter(minOrder*4, 0), AnchorOrder: 4}, true},
	} {
		flags := Collapse(c.tokens, c.text, c.o)
		if got := slices.Contains(names(flags), c.flag); got != c.want {
			t.Errorf("%s, %s: raised %t, want %t; flags %v", c.flag, c.name, got, c.want, flags)
		}
	}
}

// TestLexiconByHand: "good" has the rating 1.9 and "bad" −2.5. A sum s becomes s/√(s² + 15); after a
// negation the next three words' ratings are multiplied by −.74.
func TestLexiconByHand(t *testing.T) {
	bound := func(s float64) float64 { return s / math.Sqrt(s*s+15) }
	for text, want := range map[string][2]float64{
		"good":                       {bound(1.9), bound(1.9)},
		"Good, bad!":                 {bound(1.9 - 2.5), bound(1.9 + 2.5)},
		"not good":                   {bound(-.74 * 1.9), bound(.74 * 1.9)},
		"it isn't bad":               {bound(.74 * 2.5), bound(.74 * 2.5)},
		"not the old good":           {bound(-.74 * 1.9), bound(.74 * 1.9)},
		"not the old old good":       {bound(1.9), bound(1.9)},
		"not good, never bad":        {bound(.74 * (2.5 - 1.9)), bound(.74 * (1.9 + 2.5))},
		"the table stands in a room": {0, 0},
	} {
		if valence, intensity := sentiment(text); math.Abs(valence-want[0]) > 1e-12 || math.Abs(intensity-want[1]) > 1e-12 {
			t.Errorf("%q: valence %.4f, intensity %.4f, want %.4f", text, valence, intensity, want)
		}
	}
}

// TestFeaturesByHand: two terms with tf 2 and 1 and their idf, scaled to length √½ together, since the
// other block (character n-grams) has the other half; then half of valence and intensity.
func TestFeaturesByHand(t *testing.T) {
	v := newVocabulary([]string{"good boat", "good", "sea"})
	idf := func(term string) float64 { return v.idf[v.index[term]] }
	// ln((1+3)/(1+df)) + 1: "good" is in two texts of three, the others in one.
	for term, want := range map[string]float64{"wgood": math.Log(4./3) + 1, "wboat": math.Log(2) + 1, "wsea": math.Log(2) + 1, "cgoo": math.Log(4./3) + 1} {
		if math.Abs(idf(term)-want) > 1e-12 {
			t.Errorf("idf of %s is %g, want %g", term, idf(term), want)
		}
	}
	s := &Scorer{vocabulary: v}
	got := map[int]float64{}
	for _, f := range s.features("boat, good boat: bad") {
		got[f.index] = f.value
	}
	boat, good := (1+math.Log(2))*(math.Log(2)+1), math.Log(4./3)+1
	scale := math.Sqrt(2 * (boat*boat + good*good))
	sum := 1.9 - 2.5
	n := len(v.terms)
	for i, want := range map[int]float64{v.index["wboat"]: boat / scale, v.index["wgood"]: good / scale, v.index["wsea"]: 0,
		n: .5 * sum / math.Sqrt(sum*sum+15), n + 1: .5 * 4.4 / math.Sqrt(4.4*4.4+15)} {
		if math.Abs(got[i]-want) > 1e-12 {
			t.Errorf("feature %d is %g, want %g", i, got[i], want)
		}
	}
}

// TestHeldOutScoresAreHeldOut fits the scorer of each fold from scratch: AUROC and both anchors are of
// logits of texts that it was not fitted on.
func TestHeldOutScoresAreHeldOut(t *testing.T) {
	positive := strings.Split("ahoy the sea|the boat sinks|matey sings|a red sail|ahoy again now", "|")
	negative := strings.Split("see the sea|the boat floats|a man sings|a red roof|look again now|one more table", "|")
	s, err := FitScorer(positive, negative)
	if err != nil {
		t.Fatal(err)
	}
	var p, n []float64
	for k := range 5 { // text i is in fold i mod 5
		var inP, inN []string
		for i, text := range positive {
			if i%5 != k {
				inP = append(inP, text)
			}
		}
		for i, text := range negative {
			if i%5 != k {
				inN = append(inN, text)
			}
		}
		f, err := fitOnce(inP, inN)
		if err != nil {
			t.Fatal(err)
		}
		p, n = append(p, f.Logit(positive[k])), append(n, f.Logit(negative[k]))
		if k == 0 {
			n = append(n, f.Logit(negative[5]))
		}
	}
	if want := AUROC(p, n); s.AUROC != want || want > .95 {
		t.Errorf("AUROC %g, want %g of held-out logits %.2f and %.2f, below that of the fitted texts", s.AUROC, want, p, n)
	}
	if !slices.Equal(s.HeldOutPositive, p) || !slices.Equal(s.HeldOutNegative, n) || !(Mean(p) < Mean(s.logits(positive))) {
		t.Errorf("held-out logits %g and %g, want %g and %g; fitted positives have %g in the mean", s.HeldOutPositive, s.HeldOutNegative, p, n, Mean(s.logits(positive)))
	}
}

// TestAUROCByHand counts pairs: a tie is half a pair.
func TestAUROCByHand(t *testing.T) {
	for _, c := range []struct {
		positive, negative []float64
		want               float64
	}{
		{[]float64{1, 2}, []float64{1, 0}, 3.5 / 4}, {[]float64{1, 1, 1}, []float64{1, 1}, .5}, {[]float64{0}, []float64{1, 2}, 0},
		{[]float64{3, 1}, []float64{2}, .5}, {[]float64{math.Inf(1), 0}, []float64{0, math.Inf(-1)}, 3.5 / 4},
	} {
		if got := AUROC(c.positive, c.negative); got != c.want {
			t.Errorf("AUROC(%v, %v) = %g, want %g", c.positive, c.negative, got, c.want)
		}
	}
}
