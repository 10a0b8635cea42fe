package transforms

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/transforms/judge"
)

// Judge is the stage that asks a judge about the texts. A unit is some of the prompts with all their
// conditions, personas and alphas, in a drawn order, so that a judge that changes in the course of a run
// changes for all conditions alike. Its questions are kept one by one ([judge.Panel]): a unit that is
// begun again asks only what has no answer.
type Judge struct {
	Settings  judge.Settings  `json:"judge"`
	OnFailure string          `json:"on_failure"` // Stop or GoOn
	Personas  []judge.Persona `json:"personas"`

	Endpoint judge.Endpoint `json:"endpoint" key:"-"`
	Seed     uint64         `json:"seed" key:"-"`  // of the order, which changes no answer
	Texts    int            `json:"texts" key:"-"` // of all units
}

// What becomes of a question that got no answer.
const (
	Stop = "stop"    // its unit fails
	GoOn = "missing" // its score is missing
)

// JudgeUnits is into how many units the texts of so many prompts are cut.
func JudgeUnits(prompts int) int { return min(prompts, 10) }

const judgeVersion = 1

func init() { register("judge", judgeVersion, many, judgeWork, judgeTexts) }

// judgeWork is next to nothing here: how long the judge takes is not known.
func judgeWork(s Judge, _ int) Work { return Work{Pace: Counting, Elements: 1e4 * float64(s.Texts)} }

// judgeTexts makes "judgements" of one unit's texts. It reads generate.
func judgeTexts(ctx context.Context, u *Unit, s Judge) (cache.ActionKey, error) {
	r := u.Recipe().Struct(s).Int("part", int64(u.Index)).Int("parts", int64(u.Stage.Units)).Input("generations", u.Input("generate").Digest())
	return u.Do(ctx, r, func(ctx context.Context) ([]Product, error) {
		asked, err := s.Questions(ctx, u.Store, u.Input("generate"), func(prompt int) bool { return prompt%u.Stage.Units == u.Index })
		if err != nil {
			return nil, err
		}
		answers, err := u.ask(ctx, s, asked)
		if err != nil {
			return nil, err
		}
		table := &artifacts.Judgements{Model: s.Settings.Model, Generations: u.Input("generate").Digest().String()}
		for i, q := range asked {
			table.Rows = append(table.Rows, q.judgement(answers[i]))
		}
		return []Product{{Name: "judgements", Kind: artifacts.KindJudgements, Rows: int64(len(table.Rows)), Write: table.Encode}}, nil
	})
}

// An Asked is a question about one row of one batch.
type Asked struct {
	judge.Question
	Batch, Row int
}

// Questions lists what is asked about stored generations, of the prompts that are wanted, in the order of
// the rows: the trait of the persona that a text is steered for, or of every persona if it is for none;
// and its coherence.
func (s Judge) Questions(ctx context.Context, store cache.Store, generations Manifest, want func(prompt int) bool) ([]Asked, error) {
	var asked []Asked
	for i, o := range generations {
		batch, err := load(ctx, store, o, artifacts.KindGenerations, artifacts.DecodeGenerations)
		if err != nil {
			return nil, err
		}
		for k, row := range batch.Rows {
			if !want(int(row.Prompt)) {
				continue
			}
			q := Asked{judge.Question{Prompt: row.PromptText, Text: row.Text}, i, k}
			for _, p := range s.Personas {
				if row.Persona == "" || row.Persona == p.Name {
					q.Measure, q.Persona = judge.Trait, p
					asked = append(asked, q)
				}
			}
			q.Measure, q.Persona = judge.Coherence, judge.Persona{}
			asked = append(asked, q)
		}
	}
	return asked, nil
}

// judgement is the row of an answer.
func (q Asked) judgement(a judge.Answer) artifacts.Judgement {
	j := artifacts.Judgement{Batch: int32(q.Batch), Row: int32(q.Row), Persona: q.Persona.Name, Measure: q.Measure, Score: math.NaN(), Weighted: a.Weighted, Status: a.Missing}
	if a.Missing == "" {
		j.Score = a.Scale()
	}
	if a.Reply != (cache.Digest{}) {
		j.Reply = a.Reply.String()
	}
	return j
}

// ask asks all questions of a unit, in a drawn order.
func (u *Unit) ask(ctx context.Context, s Judge, asked []Asked) ([]judge.Answer, error) {
	panel, err := u.panel(s)
	if err != nil {
		return nil, err
	}
	draw := rand.New(rand.NewChaCha8(cache.NewRecipe("order of questions", 1).Uint("seed", s.Seed).Int("unit", int64(u.Index)).Key()))
	answers := make([]judge.Answer, len(asked))
	var group errgroup.Group // its context is not used: one question's error must not cut off others that are paid for
	group.SetLimit(max(s.Endpoint.Concurrency, 1))
	var mu sync.Mutex
	done, failed, why := 0, 0, ""
	for _, i := range draw.Perm(len(asked)) {
		group.Go(func() error {
			a, err := panel.Ask(ctx, u.Store, asked[i].Question)
			answers[i] = a
			mu.Lock()
			defer mu.Unlock()
			if done++; a.Failed {
				failed, why = failed+1, a.Missing
			}
			u.share(float64(done) / float64(len(asked)))
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	if failed > 0 && s.OnFailure == Stop {
		return nil, fmt.Errorf("%d of %d questions were %s; what was answered is kept, and the same command asks the rest (judge.on_failure \"missing\" goes on without)", failed, len(asked), why)
	}
	return answers, nil
}

// panels are those of this process, by run and stage: a budget is that of a run.
var panels lazy[*judge.Panel]

func (u *Unit) panel(s Judge) (*judge.Panel, error) {
	return panels.get(panelsOf(u.run.name)+u.Stage.Name, func() (*judge.Panel, error) { return judge.New(s.Settings, s.Endpoint, u.warn) })
}

// panelsOf begins the keys of a run's panels.
func panelsOf(run string) string { return run + "\n" }

// closePanels forgets those of a run.
func closePanels(run string) {
	panels.mu.Lock()
	defer panels.mu.Unlock()
	for key := range panels.open {
		if strings.HasPrefix(key, panelsOf(run)) {
			delete(panels.open, key)
		}
	}
}

// A Standing says how much of what a judge is asked is answered already.
type Standing struct{ Questions, Answered int }

// Stands counts the questions about stored generations, those about texts that are alike once.
func (s Judge) Stands(ctx context.Context, store cache.Store, generations Manifest) (Standing, error) {
	asked, err := s.Questions(ctx, store, generations, func(int) bool { return true })
	if err != nil {
		return Standing{}, err
	}
	var n Standing
	seen := map[judge.Question]bool{}
	for _, q := range asked {
		if seen[q.Question] || q.Empty() {
			continue
		}
		seen[q.Question] = true
		n.Questions++
		_, ok, err := judge.Known(ctx, store, s.Settings, q.Question)
		if err != nil {
			return n, err
		}
		if ok {
			n.Answered++
		}
	}
	return n, nil
}

// stopped reports an error after which no unit would get an answer.
func stopped(err error) bool { return errors.Is(err, judge.ErrStopped) }
