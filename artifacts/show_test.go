package artifacts

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func TestShowTellsWhatIsInside(t *testing.T) {
	want := map[string]string{
		KindTexts:       "row 0\n  document \"d0\"\n  text \"Ein Igel — läuft.\"\n  ends [3 8]\n  fold 0\n  status \"\"\nrows 3\n",
		KindActivations: "model \"tiny:qwen2\"",
		KindMatrices:    "  values [17]\n",
		KindVectors:     "  values [3 4]\n",
		KindMap:         "  part \"w\"\n  values [1 2]\n",
		KindGenerations: "  seed 9223372036854775808\n",
		KindScores:      "  nll 2.5\n",
		KindJudgements:  "  persona \"silly\"\n  measure \"trait\"\n  score 3.5\n  weighted true\n",
		KindReadings:    "  persona \"silly\"\n  logit -1.5\n",
		KindEvaluation:  "  measures [\"judge coherence\" \"judge trait\" \"probe trait\"]\n  measures_scores [4.5 2 3.25]\n",
	}
	for _, s := range samples() {
		var b strings.Builder
		if err := Show(&b, bytes.NewReader(encoded(t, s.encode)), s.name, 1); err != nil {
			t.Errorf("%s: %v", s.name, err)
		}
		if !strings.HasPrefix(b.String(), "kind "+s.name+"\n") || !strings.Contains(b.String(), want[s.name]) || strings.Contains(b.String(), "row 1\n") {
			t.Errorf("%s: got\n%s", s.name, b.String())
		}
		if err := Show(&b, bytes.NewReader([]byte("ARROW1")), s.name, 1); !errors.Is(err, ErrFormat) {
			t.Errorf("%s of nonsense: %v", s.name, err)
		}
	}
}

func TestLongValuesAreCut(t *testing.T) {
	if got, want := cutText(strings.Repeat("é", 150)), `"`+strings.Repeat("é", 100)+`"… (300 bytes)`; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	if got, want := cutList([]int{1, 2, 3, 4, 5, 6, 7}), "[1 2 3 4 5 6 …] (7)"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
