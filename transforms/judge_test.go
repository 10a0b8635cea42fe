package transforms

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/transforms/judge"
	"github.com/persona-transfer/runpipeline/transforms/judge/judgetest"
)

// A hearing is a stage that has a judge of this machine read three batches of two prompts and two seeds: an
// unsteered one, one for each of two personas.
type hearing struct {
	t      *testing.T
	server *judgetest.Server
	store  cache.Store
	batch  Manifest
	s      Judge
	run    *run
	warned []string
}

func newHearing(t *testing.T) *hearing {
	h := &hearing{t: t, server: judgetest.New(judgetest.Always(judgetest.Fair)), store: cache.NewMemory()}
	t.Cleanup(h.server.Close)
	for i, b := range []Batch{{Condition: "none"}, {Condition: "ridge", Persona: "silly", Alpha: .5}, {Condition: "oracle", Persona: "angry", Alpha: .5}} {
		g := &artifacts.Generations{Meta: place("t", 1, 2)}
		for prompt := range 2 {
			for seed := range 2 {
				g.Rows = append(g.Rows, artifacts.Generation{Condition: b.Condition, Persona: b.Persona, Alpha: b.Alpha, Prompt: int32(prompt), Seed: uint64(seed),
					PromptText: fmt.Sprint("The road ", prompt), Text: fmt.Sprintf("winds on %d %d %d", i, prompt, seed)})
			}
		}
		h.batch = append(h.batch, keep(t, h.store, unitName(i, "texts"), artifacts.KindGenerations, g.Encode))
	}
	h.s = Judge{Settings: judge.Settings{Model: "judge-1", Logprobs: judge.Auto, ReplyTokens: 16, Rubrics: judge.DefaultRubrics()}, OnFailure: Stop,
		Personas: []judge.Persona{{Name: "angry", Description: "is angry"}, {Name: "silly", Description: "is silly"}},
		Endpoint: judge.Endpoint{URL: h.server.URL, Concurrency: 2, Timeout: 5}, Seed: 1}
	h.again()
	return h
}

// again begins another run.
func (h *hearing) again() {
	var mu sync.Mutex
	h.run = &run{name: fmt.Sprintf("%s %p", h.t.Name(), h), ctx: h.t.Context(), events: func(e Event) {
		mu.Lock()
		defer mu.Unlock()
		if e.Warning {
			h.warned = append(h.warned, e.Note)
		}
	}}
	closePanels(h.run.name)
	h.t.Cleanup(func() { closePanels(h.run.name) })
}

// part runs a unit of two.
func (h *hearing) part(index int) (*artifacts.Judgements, error) {
	h.t.Helper()
	u := unit(NewStage("judge", "judge", h.s, 2, "generate"), index, h.store, h.batch)
	u.run = h.run
	key, err := judgeTexts(h.t.Context(), u, h.s)
	if err != nil {
		return nil, err
	}
	j, err := load(h.t.Context(), h.store, outputOf(h.t, u, key, err, "judgements"), artifacts.KindJudgements, artifacts.DecodeJudgements)
	if err != nil {
		h.t.Fatal(err)
	}
	return j, nil
}

// TestJudgementsAreThoseOfTheirRows: each row of the table is about the text that it names, the unsteered ones
// under both personas, and holds what the judge answered about that one.
func TestJudgementsAreThoseOfTheirRows(t *testing.T) {
	h := newHearing(t)
	seen := map[string]bool{}
	for part := range 2 {
		j, err := h.part(part)
		if err != nil {
			t.Fatal(err)
		}
		if len(j.Rows) != 2*(3+2+2) || j.Model != "judge-1" || j.Generations != h.batch.Digest().String() {
			t.Fatalf("%d judgements of %s, want 14", len(j.Rows), j.Model)
		}
		points := map[string]int{} // by measure, persona and text
		for _, r := range h.server.Asked() {
			measure, persona := judge.Trait, ""
			switch {
			case strings.Contains(r.System(), `"angry"`):
				persona = "angry"
			case strings.Contains(r.System(), `"silly"`):
				persona = "silly"
			default:
				measure = judge.Coherence
			}
			points[measure+persona+r.Text()] = judgetest.Points(r)
		}
		for _, row := range j.Rows {
			text := fmt.Sprintf("winds on %d %d %d", row.Batch, row.Row/2, row.Row%2)
			if int(row.Row/2)%2 != part {
				t.Errorf("part %d has row %d", part, row.Row)
			}
			n, ok := points[row.Measure+row.Persona+text]
			if want := 1 + float64(n)/25; !ok || row.Score != want || !row.Weighted || row.Reply == "" {
				t.Errorf("%+v: want %g", row, want)
			}
			seen[fmt.Sprint(row.Batch, row.Row, row.Persona, row.Measure)] = true
		}
	}
	if len(seen) != 28 || len(h.server.Asked()) != 28 {
		t.Errorf("%d different judgements of %d questions, want 28", len(seen), len(h.server.Asked()))
	}
}

// TestConditionsAreAskedAboutInTurn: the order of the questions has no condition first, and depends on the
// seed; the answers do not.
func TestConditionsAreAskedAboutInTurn(t *testing.T) {
	h := newHearing(t)
	h.s.Endpoint.Concurrency = 1
	order := func() (batches string) {
		for _, r := range h.server.Asked() {
			batches += strings.Fields(r.Text())[2]
		}
		return batches
	}
	if _, err := h.part(0); err != nil {
		t.Fatal(err)
	}
	first := order()
	sorted := strings.Repeat("0", 6) + strings.Repeat("1", 4) + strings.Repeat("2", 4)
	if len(first) != len(sorted) || first == sorted || !strings.ContainsAny(first[:7], "12") || !strings.ContainsAny(first[7:], "0") {
		t.Errorf("asked about the batches %s", first)
	}
	other := newHearing(t)
	other.s.Endpoint.Concurrency, other.s.Seed = 1, 2
	if _, err := other.part(0); err != nil {
		t.Fatal(err)
	}
	h = other
	if order() == first {
		t.Errorf("another seed has the same order %s", first)
	}
}

// TestAFailedCallIsNoScore: where one question fails at every try, the unit fails and says how to go on, or
// goes on with that score missing; either way the failure is not kept, and the next run asks that one again.
func TestAFailedCallIsNoScore(t *testing.T) {
	h := newHearing(t)
	bad := "winds on 1 0 1"
	broken := func(r judgetest.Request) judgetest.Reply {
		if r.Text() == bad && strings.Contains(r.System(), `"silly"`) {
			return judgetest.Status(500, "", "Retry-After-Ms", "1")
		}
		return judgetest.Fair
	}
	h.server.Script(broken)
	_, err := h.part(0)
	if err == nil || infrastructure(err) || !strings.Contains(err.Error(), "1 of 14 questions were not answered: ") || !strings.Contains(err.Error(), "answers 500 Internal Server Error; what was answered is kept, and the same command asks the rest") {
		t.Fatalf("a question that fails: %v", err)
	}
	n := len(h.server.Asked())

	h.s.OnFailure = GoOn
	h.again()
	j, err := h.part(0)
	if err != nil {
		t.Fatal(err)
	}
	missing := 0
	for _, row := range j.Rows {
		if math.IsNaN(row.Score) {
			missing++
			if row.Batch != 1 || row.Row != 1 || row.Measure != judge.Trait || row.Reply != "" || !strings.HasPrefix(row.Status, "not answered: ") {
				t.Errorf("missing: %+v", row)
			}
		}
	}
	if asked := len(h.server.Asked()) - n; missing != 1 || asked != 6 {
		t.Errorf("%d scores are missing after %d more requests, want 1 after the 6 tries of one question", missing, asked)
	}

	h.s.OnFailure = Stop
	h.again()
	h.server.Script(judgetest.Always(judgetest.Fair))
	n = len(h.server.Asked())
	if j, err = h.part(0); err != nil || len(h.server.Asked()) != n+1 {
		t.Fatalf("%v after %d more requests, want the one that was missing", err, len(h.server.Asked())-n)
	}
	for _, row := range j.Rows {
		if math.IsNaN(row.Score) {
			t.Errorf("still missing: %+v", row)
		}
	}
}

// TestRubbishMovesNoScore: every reply of a judge that answers with anything but a number is a score that is
// missing with its reason.
func TestRubbishMovesNoScore(t *testing.T) {
	for _, reply := range []judgetest.Reply{judgetest.Say("lovely"), judgetest.Say("1e2"), judgetest.Say("\x00"), judgetest.Say("4 out of 5"), judgetest.Say("-1"),
		judgetest.Choice(map[string]any{"message": map[string]any{"refusal": "100"}}), judgetest.Status(400, `{"error":{"code":"content_filter","message":"100"}}`)} {
		h := newHearing(t)
		h.server.Script(judgetest.Always(reply))
		j, err := h.part(0)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range j.Rows {
			if !math.IsNaN(row.Score) || row.Status == "" || row.Reply == "" {
				t.Errorf("%+v, want a score that is missing", row)
			}
		}
	}
}

// TestTheBudgetIsTheRuns: both units of a run spend the same one, the next run has its own; what stops the
// judge stops the run.
func TestTheBudgetIsTheRuns(t *testing.T) {
	h := newHearing(t)
	h.s.Endpoint.MaxRequests = 20
	if _, err := h.part(0); err != nil {
		t.Fatal(err)
	}
	if _, err := h.part(1); !errors.Is(err, judge.ErrStopped) || !infrastructure(err) {
		t.Fatalf("the second unit: %v", err)
	}
	if n := len(h.server.Asked()); n != 20 {
		t.Errorf("%d requests, want 20", n)
	}
	n, err := h.s.Stands(t.Context(), h.store, h.batch)
	if err != nil || n != (Standing{28, 20}) {
		t.Errorf("%+v (%v), want 20 of 28 answered", n, err)
	}
	end := Begin(t.Context(), h.run.name, h.run.events)
	end() // of a run that has this name: its budget is closed
	if _, err := h.part(1); err != nil || len(h.server.Asked()) != 28 {
		t.Errorf("the next run: %v, %d requests in all", err, len(h.server.Asked()))
	}
	if _, err := h.part(0); err != nil || len(h.server.Asked()) != 28 {
		t.Errorf("a unit that is there: %v, %d requests in all", err, len(h.server.Asked()))
	}
}

// TestEqualTextsAreOneQuestion: two seeds that gave the same text, or a text without words.
func TestEqualTextsAreOneQuestion(t *testing.T) {
	h := newHearing(t)
	g := &artifacts.Generations{Meta: place("t", 1, 2)}
	for seed, text := range []string{"the same", "the same", " ", "another"} {
		g.Rows = append(g.Rows, artifacts.Generation{Condition: "ridge", Persona: "silly", Seed: uint64(seed), PromptText: "The road", Text: text})
	}
	h.batch = Manifest{keep(t, h.store, unitName(0, "texts"), artifacts.KindGenerations, g.Encode)}
	j, err := h.part(0)
	if err != nil || len(j.Rows) != 8 || len(h.server.Asked()) != 4 {
		t.Fatalf("%v; %d judgements of %d questions, want 8 of 4", err, len(j.Rows), len(h.server.Asked()))
	}
	if j.Rows[0].Score != j.Rows[2].Score || j.Rows[0].Reply != j.Rows[2].Reply || j.Rows[4].Status != "there is no text" {
		t.Errorf("judgements %+v", j.Rows)
	}
}

// TestWarningsOfTheJudgeAreTheRuns: an endpoint without log-probabilities is told of, once a run.
func TestWarningsOfTheJudgeAreTheRuns(t *testing.T) {
	h := newHearing(t)
	h.server.Script(func(r judgetest.Request) judgetest.Reply {
		if r.Logprobs {
			return judgetest.Status(400, `{"error":"logprobs are not supported"}`)
		}
		return judgetest.Plain
	})
	for part := range 2 {
		if j, err := h.part(part); err != nil || j.Rows[0].Weighted || math.IsNaN(j.Rows[0].Score) {
			t.Fatalf("part %d: %v", part, err)
		}
	}
	if len(h.warned) != 1 || !strings.Contains(h.warned[0], "takes no log-probabilities") {
		t.Errorf("warned %q", h.warned)
	}
}
