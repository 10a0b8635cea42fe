package transforms

import (
	"fmt"
	"slices"
	"testing"
)

// TestDrawnSamplesAreNested: a corpus with more texts at its end, or in another order, gives the same texts
// in the same order, and the further ones between them. Another seed gives another order.
func TestDrawnSamplesAreNested(t *testing.T) {
	var texts []Text
	for i := range 200 {
		texts = append(texts, Text{Document: fmt.Sprint(i / 3), Text: fmt.Sprint("text ", i%150)})
	}
	texts = append(texts, texts[7], texts[7]) // the same text of the same document, three times
	all, some := drawn(texts, 42), drawn(texts[:90], 42)
	kept := slices.DeleteFunc(slices.Clone(all), func(x Text) bool { return !slices.Contains(texts[:90], x) })
	kept = slices.DeleteFunc(kept, func(x Text) bool { return x == texts[7] })
	some = slices.DeleteFunc(some, func(x Text) bool { return x == texts[7] })
	if !slices.Equal(kept, some) {
		t.Errorf("of 202 texts the first 90 come as %v, alone as %v", kept, some)
	}
	other := slices.Clone(texts)
	slices.Reverse(other)
	if again := drawn(other, 42); !slices.Equal(again, all) {
		t.Errorf("the same texts in another order come as %v, want %v", again, all)
	}
	if slices.Equal(drawn(texts, 43), all) || slices.Equal(all, texts) {
		t.Error("nothing is drawn")
	}
	var at []int
	for i, x := range all {
		if x == texts[7] {
			at = append(at, i)
		}
	}
	if len(at) != 3 || at[2]-at[0] < 3 {
		t.Errorf("a text that is there three times comes at %v", at)
	}
}
