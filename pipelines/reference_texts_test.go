package pipelines

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/transforms"
	"github.com/persona-transfer/runpipeline/transforms/trial"
)

// A referenceAnchor is an unsteered text that sets the zero of the scores.
type referenceAnchor struct {
	Prompt      string       `json:"prompt"`
	Tokens      []int32      `json:"tokens"`
	Ended       bool         `json:"ended"`
	Text        string       `json:"text"`
	NLL         trial.Number `json:"nll"` // missing where there are no tokens
	ShuffledNLL trial.Number `json:"shuffled_nll"`
}

// A referenceRow is a text of the experiment. Seeds that share a draw share it; a text of no persona is
// judged for each of them.
type referenceRow struct {
	Condition   string                  `json:"condition"`
	Persona     string                  `json:"persona"`
	Alpha       float64                 `json:"alpha"`
	Prompt      int32                   `json:"prompt"`
	Draw        int32                   `json:"draw"`
	Seeds       []uint64                `json:"seeds"`
	Dose        float64                 `json:"dose"`
	Tokens      []int32                 `json:"tokens"`
	Ended       bool                    `json:"ended"`
	Text        string                  `json:"text"`
	NLL         trial.Number            `json:"nll"`
	ShuffledNLL trial.Number            `json:"shuffled_nll"`
	Collapse    []string                `json:"collapse"`
	Coherence   float64                 `json:"coherence"`
	Logit       map[string]float64      `json:"logit"` // by persona
	Trait       map[string]trial.Number `json:"trait"` // missing where the text is unlike the scorer's own
}

// A textKey names one text of an experiment.
type textKey struct {
	condition, persona string
	alpha              float64
	prompt             int32
	seed               uint64
}

func (k textKey) String() string {
	return fmt.Sprintf("%s %s at alpha %g, prompt %d, seed %d", k.condition, k.persona, k.alpha, k.prompt, k.seed)
}

// texts are the reference's rows by name.
func (f *fixture) texts() map[textKey]referenceRow {
	rows := map[textKey]referenceRow{}
	for _, row := range f.Rows {
		for _, seed := range row.Seeds {
			rows[textKey{row.Condition, row.Persona, row.Alpha, row.Prompt, seed}] = row
		}
	}
	return rows
}

// generations reads all texts that a stage wrote, and their scores.
func (r *referenceRun) generations(t *testing.T, written, scored string) (texts []artifacts.Generation, scores []artifacts.Score) {
	outputs := r.outputs(t, scored, artifacts.KindScores)
	for i, o := range r.outputs(t, written, artifacts.KindGenerations) {
		texts = append(texts, fetch(t, r.store, o, artifacts.DecodeGenerations).Rows...)
		scores = append(scores, fetch(t, r.store, outputs[i], artifacts.DecodeScores).Rows...)
	}
	if len(texts) != len(scores) {
		t.Fatalf("%d texts with %d scores", len(texts), len(scores))
	}
	return texts, scores
}

// digits is the precision of numbers in fixture.json, as a share of them.
const digits = 1e-8

// logitError is how far a logit of a trait scorer may be off. Both regressions are solved until the gradient
// is below 3e-8, and ½‖w‖² makes the problem strongly convex: weights are off by less than the gradient, and
// logits, of rows of length 1.1 at most, by little more. The bias, which is not penalised, adds as much.
const logitError = 1e-7

// compareScorers compares the trait scorers: how well they tell held-out texts apart, what those score, and
// what every text of the experiment does.
func (r *referenceRun) compareScorers(t *testing.T) {
	for i, s := range r.scorers(t) {
		persona := r.PersonaDatasets.Names()[i]
		near(t, persona+", AUROC", s.AUROC, r.want.Zero.AUROC[persona], digits)
		near(t, persona+", mean logit of held-out positive texts", trial.Mean(s.HeldOutPositive), r.want.Zero.Positive[persona], logitError)
		for _, row := range r.want.Rows {
			if want, ok := row.Logit[persona]; ok {
				near(t, fmt.Sprintf("%s, logit of %q", persona, row.Text), s.Logit(row.Text), want, logitError)
			}
		}
	}
}

// scorers reads the scorers in the order of the personas.
func (r *referenceRun) scorers(t *testing.T) (scorers []*trial.Scorer) {
	for _, o := range r.outputs(t, "trait", artifacts.KindScorer) {
		s := new(trial.Scorer)
		fetchJSON(t, r.store, o, s)
		scorers = append(scorers, s)
	}
	if len(scorers) != len(r.PersonaDatasets.Sets) {
		t.Fatalf("%d scorers, want %d", len(scorers), len(r.PersonaDatasets.Sets))
	}
	return scorers
}

// compareAnchors compares the unsteered texts that set the zero of the scores.
func (r *referenceRun) compareAnchors(t *testing.T) {
	texts, _ := r.generations(t, "anchors", "anchors.score")
	if len(texts) != len(r.want.Anchors) {
		t.Fatalf("%d anchors, want %d", len(texts), len(r.want.Anchors))
	}
	for i, want := range r.want.Anchors {
		got := texts[i]
		if got.Condition != transforms.Anchors || got.PromptText != want.Prompt {
			t.Fatalf("anchor %d is %s of %q, want one of %q", i, got.Condition, got.PromptText, want.Prompt)
		}
		if !slices.Equal(got.Tokens, want.Tokens) || got.Ended != want.Ended || got.Text != want.Text {
			t.Errorf("anchor %d, %q: %v (%q, ended %t), want %v (%q, %t)", i, want.Prompt, got.Tokens, got.Text, got.Ended, want.Tokens, want.Text, want.Ended)
		}
	}
}

// compareTexts compares the greedy tokens of every condition, persona, alpha, prompt and seed, the draw
// and the dose they were steered with. No choice of the reference was nearer than its least margin, more
// than ten times what the order of float32 sums can move a logit, so there is nothing to allow for.
func (r *referenceRun) compareTexts(t *testing.T) {
	if r.want.LeastMargin < 10*logitsError {
		t.Fatalf("the least margin of the fixture is %g: texts could differ by chance", r.want.LeastMargin)
	}
	want := r.want.texts()
	texts, _ := r.generations(t, "generate", "score")
	for _, got := range texts {
		key := textKey{got.Condition, got.Persona, got.Alpha, got.Prompt, got.Seed}
		row, ok := want[key]
		if !ok {
			t.Fatalf("%v: not in the reference, or twice", key)
		}
		delete(want, key)
		if got.Draw != row.Draw {
			t.Errorf("%v: draw %d, want %d", key, got.Draw, row.Draw)
		}
		near(t, key.String()+", dose", got.AlphaAbsolute, row.Dose, 2*forward*row.Dose)
		if !slices.Equal(got.Tokens, row.Tokens) || got.Ended != row.Ended || got.Text != row.Text {
			t.Errorf("%v: %v (%q, ended %t), want %v (%q, %t)", key, got.Tokens, got.Text, got.Ended, row.Tokens, row.Text, row.Ended)
		}
	}
	for key := range want {
		t.Errorf("%v: missing", key)
	}
}

const (
	// logitsError is how far logits may be off: forward of their scale, which is about 4 for this pair.
	logitsError = 4 * forward
	// nllError: a logarithm of a softmax is off by twice its logits' error at the most.
	nllError = 2 * logitsError
	// coherenceError: one line falls by 2 a nat, since the anchors of the fixture take less than one; the other
	// rises by 3.6 over their order, at least 9 nats, in a quotient of four likelihoods, which is less.
	coherenceError = 2 * nllError
)

// compareLikelihoods compares the mean −log p of every continuation under the unsteered target.
func (r *referenceRun) compareLikelihoods(t *testing.T) {
	want := r.want.texts()
	_, anchors := r.generations(t, "anchors", "anchors.score")
	for i, got := range anchors {
		near(t, fmt.Sprintf("anchor %d", i), got.NLL, float64(r.want.Anchors[i].NLL), nllError)
		near(t, fmt.Sprintf("anchor %d with its words shuffled", i), got.Shuffled, float64(r.want.Anchors[i].ShuffledNLL), nllError)
	}
	texts, scores := r.generations(t, "generate", "score")
	for i, got := range texts {
		key := textKey{got.Condition, got.Persona, got.Alpha, got.Prompt, got.Seed}
		near(t, key.String(), scores[i].NLL, float64(want[key].NLL), nllError)
		near(t, key.String()+" with its words shuffled", scores[i].Shuffled, float64(want[key].ShuffledNLL), nllError)
	}
}

// report reads report.json.
func (r *referenceRun) report(t *testing.T) (report transforms.Report) {
	t.Helper()
	if err := json.Unmarshal(r.outcome.report, &report); err != nil {
		t.Fatal(err)
	}
	return report
}

// compareZero compares the anchors of coherence and trait.
func (r *referenceRun) compareZero(t *testing.T) {
	got, want := r.report(t).Anchors, r.want.Zero
	near(t, "anchors", float64(got.Texts), float64(len(r.want.Anchors)), 0)
	near(t, "median NLL", float64(got.NLL), want.NLL, nllError)
	near(t, "median of what the order of words tells", float64(got.Order), want.Order, 2*nllError)
	near(t, "share of texts that ended", got.EndShare, want.EndShare, digits)
	for _, p := range r.PersonaDatasets.Names() {
		near(t, p+", logit of unsteered texts", float64(got.Unsteered[p]), want.Unsteered[p], logitError)
		near(t, p+", logit of held-out positive texts", float64(got.Positive[p]), want.Positive[p], logitError)
		s, w := got.Separation[p], want.Separation[p]
		near(t, p+", AUROC against unsteered texts", float64(s.AUROC.Value), w.AUROC, digits)
		for i, v := range []trial.Number{s.DPrime.Value, s.DPrime.Low, s.DPrime.High} {
			near(t, fmt.Sprintf("%s, number %d of d'", p, i), float64(v), w.DPrime[i], 10*logitError) // of logits about a standard deviation apart
		}
	}
}

// compareScores compares flags with their reasons, coherence and trait of every text. Trait rises by 4 over
// the distance of its anchors, and three logits in it are off.
func (r *referenceRun) compareScores(t *testing.T) {
	want := r.want.texts()
	outputs := r.outputs(t, "evaluate", artifacts.KindEvaluation)
	if len(outputs) != 1 {
		t.Fatalf("%d tables of rows", len(outputs))
	}
	seen := 0
	for _, got := range fetch(t, r.store, outputs[0], artifacts.DecodeEvaluation).Rows {
		key := textKey{got.Condition, got.Persona, got.Alpha, got.Prompt, got.Seed}
		if got.Condition == "none" {
			key.persona = ""
		}
		row := want[key]
		if !slices.Equal(got.Collapse, row.Collapse) {
			t.Errorf("%v: flags %q, want %q", key, got.Collapse, row.Collapse)
		}
		near(t, key.String()+", coherence", got.Coherence, row.Coherence, coherenceError)
		distance := r.want.Zero.Positive[got.Persona] - r.want.Zero.Unsteered[got.Persona]
		near(t, key.String()+", trait of "+got.Persona, got.Trait, float64(row.Trait[got.Persona]), 4*3*logitError/distance)
		near(t, key.String()+", perplexity", got.Perplexity, math.Exp(float64(row.NLL)), nllError*got.Perplexity*1.1)
		seen++
	}
	judged := 0
	for _, row := range r.want.Rows {
		judged += len(row.Seeds) * len(row.Trait)
	}
	if seen != judged {
		t.Errorf("%d rows, want %d", seen, judged)
	}
}
