package judge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/transforms/judge/judgetest"
)

// impatient makes the pauses between tries short.
func impatient(t *testing.T) {
	first := firstPause
	firstPause = time.Millisecond
	t.Cleanup(func() { firstPause = first })
}

func usual() Settings {
	return Settings{Model: "judge-1", Logprobs: Auto, ReplyTokens: 16, Rubrics: DefaultRubrics()}
}

// ask asks a server one question, and gives what was said besides.
func ask(t *testing.T, s *judgetest.Server, e Endpoint, q Question) (a Answer, warnings []string, err error) {
	t.Helper()
	var mu sync.Mutex
	a, err = panelOf(t, s, e, func(w string) {
		mu.Lock()
		defer mu.Unlock()
		warnings = append(warnings, w)
	}).Ask(t.Context(), cache.NewMemory(), q)
	return a, warnings, err
}

func panelOf(t *testing.T, s *judgetest.Server, e Endpoint, tell func(string)) *Panel {
	t.Helper()
	e.URL = s.URL
	if e.Timeout == 0 {
		e.Timeout = 5
	}
	e.Concurrency = max(e.Concurrency, 4)
	p, err := New(usual(), e, tell)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func serve(t *testing.T, script func(judgetest.Request) judgetest.Reply) *judgetest.Server {
	t.Helper()
	s := judgetest.New(script)
	t.Cleanup(s.Close)
	return s
}

var pirate = Question{Measure: Trait, Persona: Persona{"pirate", "speaks like a pirate"}, Prompt: "The captain", Text: "sails the seven seas, arr!"}

// likely are tokens and how probable each is.
func likely(pairs ...any) (alternatives []judgetest.Alternative) {
	for i := 0; i < len(pairs); i += 2 {
		alternatives = append(alternatives, judgetest.Alternative{Token: pairs[i].(string), P: pairs[i+1].(float64)})
	}
	return alternatives
}

// TestRepliesAreNumbersOrMissing gives one reply after the other: the points, or the words of the reason.
func TestRepliesAreNumbersOrMissing(t *testing.T) {
	impatient(t)
	choice := func(message map[string]any, finish string) judgetest.Reply {
		return judgetest.Choice(map[string]any{"finish_reason": finish, "message": message})
	}
	for _, c := range []struct {
		name    string
		reply   judgetest.Reply
		want    float64 // −1: missing
		missing string
	}{
		{"a number", judgetest.Say("85"), 85, ""},
		{"zero", judgetest.Say("0"), 0, ""},
		{"all", judgetest.Say("100"), 100, ""},
		{"with blanks and a full stop", judgetest.Say(" 85.\n"), 85, ""},
		{"of a hundred", judgetest.Say("**85/100**"), 85, ""},
		{"with its name", judgetest.Say("Score: 7"), 7, ""},
		{"with an explanation below", judgetest.Say("40\nIt is somewhat silly."), 40, ""},
		{"more than all", judgetest.Say("101"), -1, `no number from 0 to 100: "101"`},
		{"less than nothing", judgetest.Say("-5"), -1, "no number"},
		{"a fraction", judgetest.Say("7.5"), -1, "no number"},
		{"two numbers", judgetest.Say("85\nor 90"), -1, "more than one number"},
		{"a sentence", judgetest.Say("I would say 85"), -1, "no number"},
		{"a range", judgetest.Say("80-90"), -1, "no number"},
		{"a word", judgetest.Say("very"), -1, "no number"},
		{"digits of another script", judgetest.Say("８５"), -1, "no number"},
		{"nonsense", judgetest.Say(strings.Repeat("lorem ", 1000)), -1, "lorem lorem"},
		{"nothing", judgetest.Say(""), -1, "empty"},
		{"no content", choice(map[string]any{"content": nil}, "length"), -1, `empty (it ended by "length")`},
		{"a refusal", choice(map[string]any{"content": nil, "refusal": "I cannot rate 50 pirates"}, "stop"), -1, "refuses"},
		{"a filter", choice(map[string]any{"content": "50"}, "content_filter"), -1, "content_filter"},
		{"a text too long", judgetest.Status(400, `{"error":{"message":"too long","code":"context_length_exceeded"}}`), -1, "context_length_exceeded"},
		{"a text too long, as vLLM says it", judgetest.Status(400, `{"object":"error","error":"This model's maximum context length is 4096 tokens"}`), -1, "maximum context length"},

		{"weighed", judgetest.Say("80", likely("80", .5, "90", .25, " 70", .125, "I", .125)), (40 + 22.5 + 8.75) / .875, ""},
		{"weighed, surely", judgetest.Say("80", likely("80", 1.0, "90", 0.0)), 80, ""},
		{"weighed behind a blank", judgetest.Say(" 80", likely(" ", 1.0), likely("80", .5, "60", .5)), 70, ""},
		{"weighed behind its name", judgetest.Say("Score: 80", likely("Score", 1.0), likely(":", 1.0), likely("80", .5, "60", .5)), 70, ""},
		{"the same number twice", judgetest.Say("8", likely("8", .5, " 8", .3, "12", .2)), 8*.8 + 12*.2, ""},
		{"numbers that are none", judgetest.Say("8", likely("8", .5, "08", .2, "101", .1, "8.", .1, "+9", .1)), 8, ""},
		{"hardly on numbers", judgetest.Say("80", likely("80", .3, "I", .25, "Sorry", .4)), -1, "too little of the probability is on numbers (0.30)"},
		{"probabilities that are none", judgetest.Say("80", likely("80", .9, "90", .9)), -1, "add up to 1.8"},
		{"alternatives of another text", judgetest.Say("80", likely("Well", .9, "10", .1)), 80, ""},
		{"no alternatives", judgetest.Say("80", likely()), 80, ""},
		// Digits one by one: 8 (.6) or 9 (.4), then 5 (.5), 0 (.3) or the end (.2): q = .8, m = 2.5/.8.
		{"digit by digit", judgetest.Say("85", likely("8", .6, "9", .4), likely("5", .5, "0", .3, "<end>", .2)),
			.6*(.2*8+.8*80+2.5) + .4*(.2*9+.8*90+2.5), ""},
		// 1 (.7), then 0 (.8) or 5 (.1) or the end (.1), then 0 (.9): 100 or 10, 15, 1. From 0 nothing goes on.
		{"digit by digit to a hundred", judgetest.Say("100", likely("1", .7, "0", .3), likely("0", .8, "5", .1, "<end>", .1), likely("0", .9, "<end>", .1)),
			.7 * (.8*(.9*100+.1*10) + .1*15 + .1*1), ""},
		{"one digit and the end", judgetest.Say("8", likely("8", .5, "7", .5), likely("<end>", 1.0)), 7.5, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := serve(t, judgetest.Always(c.reply))
			a, _, err := ask(t, s, Endpoint{}, pirate)
			if err != nil || a.Failed || len(s.Asked()) != 1 || a.Reply == (cache.Digest{}) {
				t.Fatalf("%+v (%v) after %d requests, want an answer that is kept, after one", a, err, len(s.Asked()))
			}
			if c.want < 0 {
				if !math.IsNaN(a.Points) || !strings.Contains(a.Missing, c.missing) || len(a.Missing) > 150 {
					t.Errorf("%g points, missing because %q, want missing because %q", a.Points, a.Missing, c.missing)
				}
			} else if math.Abs(a.Points-c.want) > 1e-9 || a.Missing != "" {
				t.Errorf("%g points (%s), want %g", a.Points, a.Missing, c.want)
			}
		})
	}
}

// TestScale puts 0 to 100 on 1 to 5.
func TestScale(t *testing.T) {
	for points, want := range map[float64]float64{0: 1, 25: 2, 50: 3, 100: 5} {
		if got := (Answer{Points: points}).Scale(); got != want {
			t.Errorf("%g points are %g, want %g", points, got, want)
		}
	}
}

// TestFailuresAreAskedAgainAndNeverKept fails in every way that may pass, and then answers.
func TestFailuresAreAskedAgainAndNeverKept(t *testing.T) {
	impatient(t)
	for name, bad := range map[string]judgetest.Reply{
		"busy":                          judgetest.Status(429, `{"error":{"message":"slow down","code":"rate_limit_exceeded"}}`),
		"broken":                        judgetest.Status(500, "oops"),
		"away":                          judgetest.Status(503, "<html>away</html>", "Content-Type", "text/html"),
		"half an answer":                judgetest.Half,
		"hung up":                       judgetest.HangUp,
		"a page":                        judgetest.Status(200, "<!DOCTYPE html><p>Log in", "Content-Type", "text/html"),
		"no JSON":                       judgetest.Status(200, `{"choices":[{"message":{"content":"85"}}`, "Content-Type", "application/json"),
		"no choices":                    judgetest.Status(200, `{"choices":[]}`),
		"another thing":                 judgetest.Status(200, `[85]`),
		"a stream":                      judgetest.Status(200, "data: {\"choices\":[{\"delta\":{\"content\":\"85\"}}]}\n\n", "Content-Type", "text/event-stream"),
		"an error that says it is none": judgetest.Status(200, `{"error":{"message":"upstream","code":502}}`),
		"ended by an error":             judgetest.Choice(map[string]any{"finish_reason": "error", "message": map[string]any{"content": "85"}}),
		"not UTF-8":                     judgetest.Status(200, "{\"choices\":[{\"message\":{\"content\":\"8\xff5\"}}]}"),
		"too much":                      judgetest.Status(200, `{"choices":[{"message":{"content":"`+strings.Repeat("8", maxReply)+`"}}]}`),
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, judgetest.InOrder(bad, bad, judgetest.Say("85")))
			a, _, err := ask(t, s, Endpoint{}, pirate)
			if err != nil || a.Points != 85 || len(s.Asked()) != 3 {
				t.Errorf("%+v (%v) after %d requests, want 85 after 3", a, err, len(s.Asked()))
			}

			s.Script(judgetest.Always(bad))
			store := cache.NewMemory()
			p := panelOf(t, s, Endpoint{}, nil)
			before := len(s.Asked())
			a, err = p.Ask(t.Context(), store, pirate)
			if err != nil || !a.Failed || !math.IsNaN(a.Points) || a.Missing == "" || len(s.Asked())-before != tries {
				t.Errorf("%+v (%v) after %d requests, want none after %d", a, err, len(s.Asked())-before, tries)
			}
			if n := count(t, store); n != 0 {
				t.Errorf("%d things are stored of a question that got no answer", n)
			}
			s.Script(judgetest.Always(judgetest.Say("12")))
			if a, err = p.Ask(t.Context(), store, pirate); err != nil || a.Points != 12 {
				t.Errorf("asked again: %+v (%v), want 12", a, err)
			}
		})
	}
}

// TestSlowAnswersAreGivenUp: an answer that does not come in time is a failure like others.
func TestSlowAnswersAreGivenUp(t *testing.T) {
	impatient(t)
	slow := func(w http.ResponseWriter, r judgetest.Request) {
		io.WriteString(w, `{"choices":`)
		w.(http.Flusher).Flush()
		time.Sleep(time.Second)
	}
	s := serve(t, judgetest.InOrder(slow, judgetest.Say("85")))
	if a, _, err := ask(t, s, Endpoint{Timeout: .2}, pirate); err != nil || a.Points != 85 || len(s.Asked()) != 2 {
		t.Errorf("%+v (%v) after %d requests, want 85 after 2", a, err, len(s.Asked()))
	}
}

// TestWaitsAsLongAsItIsAsked: nobody asks before the time that a busy endpoint gave; one that asks for
// hours ends the asking.
func TestWaitsAsLongAsItIsAsked(t *testing.T) {
	impatient(t)
	s := serve(t, judgetest.InOrder(judgetest.Status(429, "", "Retry-After", "1"), judgetest.Say("85")))
	begun := time.Now()
	if a, _, err := ask(t, s, Endpoint{}, pirate); err != nil || a.Points != 85 || time.Since(begun) < time.Second {
		t.Errorf("%+v (%v) after %v, want 85 after a second", a, err, time.Since(begun))
	}
	s.Script(judgetest.Always(judgetest.Status(429, "", "Retry-After", "86400")))
	if _, _, err := ask(t, s, Endpoint{}, pirate); !errors.Is(err, ErrStopped) || !strings.Contains(err.Error(), "asks to wait for 24h0m0s") {
		t.Errorf("asked to wait a day: %v", err)
	}
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name, value string
		want        time.Duration
	}{
		{"Retry-After", "7", 7 * time.Second}, {"Retry-After", "0.5", time.Second / 2}, {"Retry-After", now.Add(time.Minute).Format(http.TimeFormat), time.Minute},
		{"Retry-After", now.Add(-time.Minute).Format(http.TimeFormat), 0}, {"Retry-After", "-3", 0}, {"Retry-After", "NaN", 0}, {"Retry-After", "1e300", 0}, {"Retry-After", "soon", 0},
		{"Retry-After-Ms", "250", time.Second / 4}, {"X", "5", 0},
	} {
		if got := retryAfter(http.Header{c.name: {c.value}}, now); got != c.want {
			t.Errorf("%s: %s is %v, want %v", c.name, c.value, got, c.want)
		}
	}
}

// TestHopelessEndpointsAreAskedOnce: where no question would be answered, the error says why and nothing
// else is asked.
func TestHopelessEndpointsAreAskedOnce(t *testing.T) {
	impatient(t)
	t.Setenv("SOME_KEY", "sk-secret-0123456789")
	for name, c := range map[string]struct {
		reply judgetest.Reply
		want  string
	}{
		"key":     {judgetest.Status(401, `{"error":{"message":"Incorrect API key provided: sk-secret-0123456789."}}`), "the key is the one in SOME_KEY"},
		"model":   {judgetest.Status(404, `{"error":{"message":"The model judge-1 does not exist","code":"model_not_found"}}`), "The model judge-1 does not exist"},
		"credit":  {judgetest.Status(429, `{"error":{"message":"You exceeded your current quota","code":"insufficient_quota"}}`), "You exceeded your current quota; waiting does not help"},
		"moved":   {judgetest.Status(307, "", "Location", "http://127.0.0.1:1/elsewhere"), "it sends on to another address"},
		"request": {judgetest.Status(400, `{"error":{"message":"messages:\u001b[31m too few"}}`), "answers 400 Bad Request: messages: [31m too few"},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, judgetest.Always(c.reply))
			p := panelOf(t, s, Endpoint{KeyEnv: "SOME_KEY"}, nil)
			for i := range 3 {
				q := pirate
				q.Text += strconv.Itoa(i)
				if _, err := p.Ask(t.Context(), cache.NewMemory(), q); !errors.Is(err, ErrStopped) || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret") {
					t.Errorf("question %d: %v, want %q", i, err, c.want)
				}
			}
			if n := len(s.Asked()); n != 1 {
				t.Errorf("%d requests, want one", n)
			}
		})
	}
}

// TestEndpointThatIsDownIsLeftAlone: after five questions in a row without an answer the rest is not tried.
func TestEndpointThatIsDownIsLeftAlone(t *testing.T) {
	impatient(t)
	s := serve(t, judgetest.Always(judgetest.Status(502, "")))
	p := panelOf(t, s, Endpoint{}, nil)
	for i := range 8 {
		q := pirate
		q.Text += strconv.Itoa(i)
		a, err := p.Ask(t.Context(), cache.NewMemory(), q)
		if down := i >= failedInRow-1; a.Failed == down || errors.Is(err, ErrStopped) != down {
			t.Errorf("question %d: %+v, %v", i, a, err)
		}
	}
	if n := len(s.Asked()); n != failedInRow*tries {
		t.Errorf("%d requests, want %d", n, failedInRow*tries)
	}

	s.Script(func(r judgetest.Request) judgetest.Reply { // one that fails now and then is not down
		if strings.HasSuffix(r.Text(), "!") {
			return judgetest.Fair
		}
		return judgetest.Status(502, "")
	})
	p = panelOf(t, s, Endpoint{}, nil)
	for i := range 2 * failedInRow {
		q := pirate
		q.Text += strconv.Itoa(i)
		if i%2 == 1 {
			q.Text += "!"
		}
		if a, err := p.Ask(t.Context(), cache.NewMemory(), q); err != nil || a.Failed == (i%2 == 1) {
			t.Errorf("question %d: %+v, %v", i, a, err)
		}
	}
}

// TestSettingsThatAreNotTakenAreLeftOut: a server that knows none of the optional settings is asked without
// them, which is said once where it matters, and every question but the first at once.
func TestSettingsThatAreNotTakenAreLeftOut(t *testing.T) {
	impatient(t)
	refuse := func(name string) judgetest.Reply {
		return judgetest.Status(400, fmt.Sprintf(`{"error":{"message":"Unsupported parameter: '%s'"}}`, name))
	}
	s := serve(t, func(r judgetest.Request) judgetest.Reply {
		switch {
		case r.Top > 0 || r.Logprobs:
			return refuse("top_logprobs")
		case r.MaxTokens != nil:
			return judgetest.Status(400, `{"error":{"message":"Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."}}`)
		case r.Temperature != nil:
			return refuse("temperature")
		case r.Seed != nil:
			return judgetest.Status(422, `{"message":"extra field: seed"}`)
		case r.MaxReply == nil || *r.MaxReply != 16:
			return judgetest.Status(400, "no bound")
		}
		return judgetest.Say("85")
	})
	var warnings []string
	p := panelOf(t, s, Endpoint{}, func(w string) { warnings = append(warnings, w) })
	store := cache.NewMemory()
	for i := range 3 {
		q := pirate
		q.Text += strconv.Itoa(i)
		if a, err := p.Ask(t.Context(), store, q); err != nil || a.Points != 85 || a.Weighted {
			t.Errorf("question %d: %+v (%v), want 85", i, a, err)
		}
	}
	if n := len(s.Asked()); n != 4+3 {
		t.Errorf("%d requests, want one for each setting and one for each question", n)
	}
	if got := strings.Join(warnings, "\n"); len(warnings) != 2 || !strings.Contains(got, "log-probabilities") || !strings.Contains(got, "temperature") {
		t.Errorf("it is said %q", warnings)
	}

	always := serve(t, judgetest.Always(refuse("seed")))
	if _, _, err := ask(t, always, Endpoint{}, pirate); !errors.Is(err, ErrStopped) || len(always.Asked()) != 2 {
		t.Errorf("a server that refuses what was left out: %v after %d requests", err, len(always.Asked()))
	}
}

// TestSettingsAreSent looks at one request: what is asked for, with which key, and from whom.
func TestSettingsAreSent(t *testing.T) {
	t.Setenv("SOME_KEY", " sk-secret-0123456789\n")
	s := serve(t, judgetest.Always(judgetest.Fair))
	if _, _, err := ask(t, s, Endpoint{KeyEnv: "SOME_KEY"}, pirate); err != nil {
		t.Fatal(err)
	}
	r := s.Asked()[0]
	if r.Key != "sk-secret-0123456789" || r.Model != "judge-1" || r.Temperature == nil || *r.Temperature != 0 || r.Seed == nil || *r.MaxTokens != 16 || !r.Logprobs || r.Top != 20 {
		t.Errorf("sent %+v", r)
	}
	if r.Text() != pirate.Text || !strings.Contains(r.System(), `"pirate": speaks like a pirate`) || strings.Contains(r.Raw, "{persona}") {
		t.Errorf("the text is %q, the system message\n%s", r.Text(), r.System())
	}

	t.Setenv(OpenAIKey, "sk-of-openai-0123456789")
	if _, _, err := ask(t, s, Endpoint{}, pirate); err != nil || s.Asked()[1].Key != "" {
		t.Errorf("%v; another endpoint than OpenAI's is sent the key %q", err, s.Asked()[1].Key)
	}
	if key, err := (Endpoint{URL: OpenAI}).key(); key != "sk-of-openai-0123456789" || err != nil {
		t.Errorf("the key for OpenAI is %q (%v)", key, err)
	}
	t.Setenv(OpenAIKey, "")
	if err := (Endpoint{URL: OpenAI}).CheckKey(); err == nil || !strings.Contains(err.Error(), "OPENAI_API_KEY, which holds the key for api.openai.com, is not set") {
		t.Errorf("without a key: %v", err)
	}
	t.Setenv(OpenAIKey, "sk-\r\nX-Header: 1")
	if err := (Endpoint{URL: OpenAI}).CheckKey(); err == nil || strings.Contains(err.Error(), "X-Header") {
		t.Errorf("a key of two lines: %v", err)
	}
}

// TestTheKeyIsNowhere has a server that repeats the key in answers and errors: nothing that is kept or said
// holds it.
func TestTheKeyIsNowhere(t *testing.T) {
	impatient(t)
	const key = "sk-secret-0123456789"
	t.Setenv("SOME_KEY", key)
	said := ""
	tell := func(w string) { said += w }
	for _, reply := range []judgetest.Reply{judgetest.Say("your key is " + key), judgetest.Status(401, `{"error":"`+key+`"}`), judgetest.Status(500, key),
		judgetest.Status(200, key), judgetest.Status(400, `{"error":{"message":"`+key+` has no context","code":"content_filter"}}`)} {
		store := cache.NewMemory()
		a, err := panelOf(t, serve(t, judgetest.Always(reply)), Endpoint{KeyEnv: "SOME_KEY"}, tell).Ask(t.Context(), store, pirate)
		text := fmt.Sprint(a, err, said)
		store.Actions(t.Context(), func(a cache.Action, err error) error { text += a.Recipe; return err })
		store.Blobs(t.Context(), func(d cache.Digest, _ int64) error {
			b, err := store.Read(t.Context(), d)
			text += string(b)
			return err
		})
		if strings.Contains(text, "secret") {
			t.Errorf("the key is in\n%s", text)
		}
	}
}

// count is how many actions and blobs a store has.
func count(t *testing.T, store cache.Store) (n int) {
	t.Helper()
	store.Actions(t.Context(), func(cache.Action, error) error { n++; return nil })
	store.Blobs(t.Context(), func(cache.Digest, int64) error { n++; return nil })
	return n
}

// TestNothingIsAskedTwice: the same question side by side, again, of another panel and of another endpoint is
// one request. What an answer depends on is another question.
func TestNothingIsAskedTwice(t *testing.T) {
	slow := func(w http.ResponseWriter, r judgetest.Request) {
		time.Sleep(100 * time.Millisecond)
		judgetest.Fair(w, r)
	}
	s, elsewhere := serve(t, judgetest.Always(slow)), serve(t, judgetest.Always(judgetest.Say("1")))
	store := cache.NewMemory()
	p := panelOf(t, s, Endpoint{}, nil)
	answers := make([]Answer, 8)
	var wait sync.WaitGroup
	for i := range answers {
		wait.Go(func() { answers[i], _ = p.Ask(t.Context(), store, pirate) })
	}
	wait.Wait()
	again, err := panelOf(t, elsewhere, Endpoint{MaxRequests: 1}, nil).Ask(t.Context(), store, pirate)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range append(answers, again) {
		if a != answers[0] || math.IsNaN(a.Points) {
			t.Errorf("answers %+v and %+v", a, answers[0])
		}
	}
	if n := len(s.Asked()) + len(elsewhere.Asked()); n != 1 {
		t.Fatalf("%d requests, want 1", n)
	}

	base := usual()
	keys := map[cache.ActionKey]string{base.recipe(pirate).Key(): "the question"}
	for name, change := range map[string]func(s *Settings, q *Question){
		"model":       func(s *Settings, q *Question) { s.Model += "'" },
		"temperature": func(s *Settings, q *Question) { s.Temperature = 1 },
		"logprobs":    func(s *Settings, q *Question) { s.Logprobs = Off },
		"bound":       func(s *Settings, q *Question) { s.ReplyTokens++ },
		"rubric":      func(s *Settings, q *Question) { s.Rubrics.Trait += " Be strict." },
		"measure":     func(s *Settings, q *Question) { q.Measure = Coherence },
		"persona":     func(s *Settings, q *Question) { q.Persona.Name = "sailor" },
		"description": func(s *Settings, q *Question) { q.Persona.Description += "!" },
		"prompt":      func(s *Settings, q *Question) { q.Prompt += " of" },
		"text":        func(s *Settings, q *Question) { q.Text += "!" },
	} {
		s, q := base, pirate
		change(&s, &q)
		if other, taken := keys[s.recipe(q).Key()]; taken {
			t.Errorf("another %s has the key of %s", name, other)
		}
		keys[s.recipe(q).Key()] = name
	}
	same := pirate
	same.Measure, base.Rubrics.Trait = Coherence, "another"
	if base.recipe(same).Key() != usual().recipe(same).Key() {
		t.Error("the rubric of the trait is part of a question about coherence")
	}
}

// TestTheFirstReplyStays: of two processes that asked the same at once, the later takes the earlier's answer.
func TestTheFirstReplyStays(t *testing.T) {
	store := cache.NewMemory()
	var first, second *Panel
	s := serve(t, judgetest.Always(judgetest.Say("10")))
	first = panelOf(t, s, Endpoint{}, nil)
	second = panelOf(t, serve(t, judgetest.Always(func(w http.ResponseWriter, r judgetest.Request) {
		if _, err := first.Ask(context.Background(), store, pirate); err != nil {
			t.Error(err)
		}
		judgetest.Say("90")(w, r)
	})), Endpoint{}, nil)
	for range 2 {
		if a, err := second.Ask(t.Context(), store, pirate); err != nil || a.Points != 10 {
			t.Errorf("%+v (%v), want the first answer, 10", a, err)
		}
	}
}

// TestBudgetEndsTheAsking: requests, tries among them, are counted, and tokens; what is known is still told.
func TestBudgetEndsTheAsking(t *testing.T) {
	impatient(t)
	for name, c := range map[string]struct {
		e    Endpoint
		sent int
	}{"requests": {Endpoint{MaxRequests: 3}, 3}, "tokens": {Endpoint{MaxTokens: 150}, 3}} { // 101 tokens each; one request fails
		t.Run(name, func(t *testing.T) {
			s := serve(t, judgetest.InOrder(judgetest.Status(500, ""), judgetest.Fair))
			p, store := panelOf(t, s, c.e, nil), cache.NewMemory()
			var errs []error
			for i := range 4 {
				q := pirate
				q.Text += strconv.Itoa(i)
				_, err := p.Ask(t.Context(), store, q)
				errs = append(errs, err)
			}
			if errs[0] != nil || errs[1] != nil || !errors.Is(errs[2], ErrStopped) || !errors.Is(errs[3], ErrStopped) || len(s.Asked()) != c.sent {
				t.Fatalf("%v after %d requests, want two answers of %d requests", errs, len(s.Asked()), c.sent)
			}
			if text := errs[2].Error(); !strings.Contains(text, "judge.max_"+name+" ") || !strings.Contains(text, "again; what was answered is kept") {
				t.Errorf("the error is %q", text)
			}
			q := pirate
			q.Text += "0"
			if a, err := p.Ask(t.Context(), store, q); err != nil || math.IsNaN(a.Points) {
				t.Errorf("a known answer is %+v (%v)", a, err)
			}
		})
	}
}

// TestSideBySide: as many questions as allowed are under way at once, no more, and no faster than allowed.
func TestSideBySide(t *testing.T) {
	slow := func(w http.ResponseWriter, r judgetest.Request) {
		time.Sleep(50 * time.Millisecond)
		judgetest.Fair(w, r)
	}
	s := serve(t, judgetest.Always(slow))
	p, store := panelOf(t, s, Endpoint{Concurrency: 5}, nil), cache.NewMemory()
	many := func(p *Panel, n int) {
		var wait sync.WaitGroup
		for i := range n {
			q := pirate
			q.Text += strconv.Itoa(i)
			wait.Go(func() {
				if _, err := p.Ask(t.Context(), store, q); err != nil {
					t.Error(err)
				}
			})
		}
		wait.Wait()
	}
	many(p, 20)
	if got := s.Most(); got != 5 {
		t.Errorf("%d requests were under way at once, want 5", got)
	}
	begun := time.Now()
	store = cache.NewMemory()
	many(panelOf(t, s, Endpoint{RequestsPerMinute: 600}, nil), 6) // one at once, then one each 100 ms
	if took := time.Since(begun); took < 500*time.Millisecond {
		t.Errorf("6 requests at 10 a second took %v", took)
	}
}

// TestInterruptedAnswersAreKept: a request that is under way when the run is interrupted is waited for and
// kept; nothing else is asked.
func TestInterruptedAnswersAreKept(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := serve(t, judgetest.Always(func(w http.ResponseWriter, r judgetest.Request) {
		cancel()
		time.Sleep(50 * time.Millisecond)
		judgetest.Fair(w, r)
	}))
	p, store := panelOf(t, s, Endpoint{}, nil), cache.NewMemory()
	if _, err := p.Ask(ctx, store, pirate); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
	other := pirate
	other.Text += "!"
	if _, err := p.Ask(ctx, store, other); !errors.Is(err, context.Canceled) || len(s.Asked()) != 1 {
		t.Errorf("after the interrupt: %v, %d requests", err, len(s.Asked()))
	}
	if _, ok, err := Known(t.Context(), store, usual(), pirate); !ok || err != nil {
		t.Errorf("the answer that was under way is kept: %t (%v)", ok, err)
	}
}

// TestEmptyTextsAreNotAskedAbout: there is nothing to rate in them.
func TestEmptyTextsAreNotAskedAbout(t *testing.T) {
	s := serve(t, judgetest.Always(judgetest.Fair))
	q := pirate
	q.Text = " \n"
	if a, _, err := ask(t, s, Endpoint{}, q); err != nil || !math.IsNaN(a.Points) || a.Failed || len(s.Asked()) != 0 {
		t.Errorf("%+v (%v) after %d requests", a, err, len(s.Asked()))
	}
}
