package pipelines

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"reflect"

	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/transforms"
	"github.com/persona-transfer/runpipeline/transforms/judge"
)

// Judge says who judges the texts if Config.UseGPT4 is set, and how it is asked.
type Judge struct {
	Endpoint string `json:"endpoint"` // of an OpenAI-compatible server, up to and without /chat/completions
	Model    string `json:"model"`
	KeyEnv   string `json:"key_env"` // environment variable that holds the key; empty: OPENAI_API_KEY for OpenAI, else none

	Temperature float64 `json:"temperature"`
	Logprobs    string  `json:"logprobs"`     // "auto": where the endpoint offers them; or "off"
	ReplyTokens int     `json:"reply_tokens"` // of an answer, at most
	Rubrics     Rubrics `json:"rubrics"`
	OnFailure   string  `json:"on_failure"` // "stop", or "missing": go on without an answer that did not come

	Concurrency       int     `json:"concurrency"`
	RequestsPerMinute float64 `json:"requests_per_minute"` // 0: no limit
	MaxRequests       int     `json:"max_requests"`        // of a run; 0: no limit
	MaxTokens         int     `json:"max_tokens"`          // of a run; 0: no limit
	Timeout           float64 `json:"timeout"`             // of a request, in seconds
}

// Rubrics are files that say what is rated and how. Without one, the project's own is used.
type Rubrics struct {
	Trait     Rubric `json:"trait"`
	Coherence Rubric `json:"coherence"`
}

// A Rubric is the text of a file, or the project's own.
type Rubric struct{ File, Text string }

// JSONShapes implements [strictjson.Union].
func (*Rubric) JSONShapes() (string, []reflect.Type) {
	return "a file name", []reflect.Type{reflect.TypeFor[string]()}
}

// UnmarshalJSON accepts a file name.
func (r *Rubric) UnmarshalJSON(b []byte) error {
	*r = Rubric{}
	return json.Unmarshal(b, &r.File)
}

// MarshalJSON writes the form that was read.
func (r Rubric) MarshalJSON() ([]byte, error) { return json.Marshal(r.File) }

func defaultJudge() Judge {
	return Judge{Endpoint: judge.OpenAI, Model: "gpt-4.1-mini", Logprobs: judge.Auto, ReplyTokens: 16, OnFailure: transforms.Stop, Concurrency: 8, Timeout: 60}
}

func (j *Judge) endpoint() judge.Endpoint {
	return judge.Endpoint{URL: j.Endpoint, KeyEnv: j.KeyEnv, Concurrency: j.Concurrency, RequestsPerMinute: j.RequestsPerMinute,
		MaxRequests: j.MaxRequests, MaxTokens: j.MaxTokens, Timeout: j.Timeout}
}

func (j *Judge) rubrics() judge.Rubrics {
	own := judge.DefaultRubrics()
	return judge.Rubrics{Trait: cmp.Or(j.Rubrics.Trait.Text, own.Trait), Coherence: cmp.Or(j.Rubrics.Coherence.Text, own.Coherence)}
}

const maxConcurrency = 256

func (j *Judge) check(k *check) {
	if err := judge.CheckURL(j.Endpoint); err != nil {
		k.want(false, "judge.endpoint: %v", err)
	}
	k.want(j.Model != "", "judge.model: missing")
	k.want(j.Temperature >= 0 && j.Temperature <= 2, "judge.temperature: %g; want 0 to 2", j.Temperature)
	k.oneOf("judge.logprobs", j.Logprobs, judge.Auto, judge.Off)
	k.want(j.ReplyTokens >= 1 && j.ReplyTokens <= 100_000, "judge.reply_tokens: %d; want 1 to 100000", j.ReplyTokens)
	k.oneOf("judge.on_failure", j.OnFailure, transforms.Stop, transforms.GoOn)
	k.want(j.Concurrency >= 1 && j.Concurrency <= maxConcurrency, "judge.concurrency: %d; want 1 to %d", j.Concurrency, maxConcurrency)
	k.want(j.RequestsPerMinute >= 0 && !math.IsInf(j.RequestsPerMinute, 0), "judge.requests_per_minute: %g; want 0 (no limit) or more", j.RequestsPerMinute)
	k.want(j.MaxRequests >= 0, "judge.max_requests: %d; want 0 (no limit) or more", j.MaxRequests)
	k.want(j.MaxTokens >= 0, "judge.max_tokens: %d; want 0 (no limit) or more", j.MaxTokens)
	k.want(j.Timeout > 0 && j.Timeout <= 3600, "judge.timeout: %g; want more than 0, at most 3600 seconds", j.Timeout)
	rubrics := j.rubrics()
	for measure, text := range map[string]string{judge.Trait: rubrics.Trait, judge.Coherence: rubrics.Coherence} {
		if err := judge.CheckRubric(measure, text); err != nil {
			k.want(false, "judge.rubrics.%s: %v", measure, err)
		}
	}
}

// judging is the stage that asks the judge.
func (e *Experiment) judging(g transforms.Generate) transforms.Judge {
	j := &e.Judge
	s := transforms.Judge{Settings: judge.Settings{Model: j.Model, Temperature: j.Temperature, Logprobs: j.Logprobs, ReplyTokens: j.ReplyTokens, Rubrics: j.rubrics()},
		OnFailure: j.OnFailure, Endpoint: j.endpoint(), Seed: e.Seed, Texts: g.Texts()}
	for _, name := range e.PersonaDatasets.Names() {
		s.Personas = append(s.Personas, judge.Persona{Name: name, Description: e.PersonaDatasets.Sets[name].described(name)})
	}
	return s
}

// described is what a judge is told of a persona.
func (p Persona) described(name string) string {
	switch {
	case p.Description != "":
		return p.Description
	case p.Prompt != "":
		return fmt.Sprintf("the manner of a writer who was told %q", p.Prompt)
	}
	return fmt.Sprintf("writing that is %s", name)
}

// questions is how many the judge is asked at most: as many as there are, if no two texts are alike.
func (e *Experiment) questions() (n int) {
	g := e.generation()
	for _, b := range g.Batches {
		traits := len(b.Personas(e.PersonaDatasets.Names()))
		n += (traits + 1) * len(g.Prompts) * g.Seeds
	}
	return n
}

// asksJudge reports a plan in which the judge may be asked something.
func asksJudge(plan *Plan) bool {
	s := plan.step("judge").State
	return s == Run || s == Open
}

// checkJudge reports a judge that cannot be asked, before any work.
func (e *Experiment) checkJudge(plan *Plan) error {
	if !asksJudge(plan) {
		return nil
	}
	if err := e.Judge.endpoint().CheckKey(); err != nil {
		return Problems{"judge.key_env: " + err.Error()}
	}
	return nil
}

// judgeFact says what a run would ask the judge.
func (e *Experiment) judgeFact(ctx context.Context, store cache.Store, plan *Plan) (string, error) {
	who := fmt.Sprintf("%s at %s", e.Judge.Model, e.Judge.endpoint().Host())
	step, generated := plan.step("judge"), plan.step("generate")
	switch {
	case step.State == Hit:
		return who + ": every question is answered, nothing is sent", nil
	case step.State == Unneeded:
		return who + ": nothing is asked", nil
	case generated.State != Hit:
		return fmt.Sprintf("%s: up to %d questions, with the texts in them, are sent to that host; how many of them were answered before is known once the texts are there", who, e.questions()), nil
	}
	n, err := e.judging(e.generation()).Stands(ctx, store, generated.Manifest)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s: %d questions, %d of them answered already; the other %d, with the texts in them, are sent to that host", who, n.Questions, n.Answered, n.Questions-n.Answered), nil
}
