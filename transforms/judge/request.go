package judge

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// maxReply bounds a reply, in bytes.
const maxReply = 4 << 20

// topLogprobs is how many alternatives are asked for: the most that endpoints give.
const topLogprobs = 20

// A failure is an attempt that brought no answer.
type failure struct {
	text  string
	fatal bool          // no question would be answered
	after time.Duration // how long the endpoint asks to wait
	drop  string        // a setting that the endpoint does not take
}

func (f *failure) Error() string { return f.text }

// settingsTold are the parts of a request that endpoints may refuse, as their errors name them, and what
// is said when one is left out. In place of max_tokens stands max_completion_tokens.
var settingsTold = []struct{ name, loses string }{
	{"logprobs", "log-probabilities: numbers are read from its replies"},
	{"max_tokens", ""},
	{"temperature", "temperature: it answers at its own, so that asking anew would give other answers"},
	{"seed", ""},
}

// body is a request without some of the settings.
func (s Settings) body(q Question, without map[string]bool) []byte {
	system, user := s.messages(q)
	type message struct {
		Role    string `json:"role"`
		Content string `json:"content"`
	}
	request := map[string]any{"model": s.Model, "messages": []message{{"system", system}, {"user", user}}}
	limit := "max_tokens"
	if without[limit] {
		limit = "max_completion_tokens"
	}
	request[limit] = s.ReplyTokens
	if !without["temperature"] {
		request["temperature"] = s.Temperature
	}
	if !without["seed"] {
		request["seed"] = 1
	}
	if s.Logprobs == Auto && !without["logprobs"] {
		request["logprobs"], request["top_logprobs"] = true, topLogprobs
	}
	b, err := json.Marshal(request)
	if err != nil {
		panic(fmt.Sprintf("judge: encode a request: %v", err)) // numbers are finite, the rest is text
	}
	return b
}

// post sends one request and gives a reply that can be kept.
func (p *Panel) post(ctx context.Context, body []byte) ([]byte, *completion, *failure) {
	ctx, cancel := context.WithTimeout(ctx, p.endpoint.timeout())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimRight(p.endpoint.URL, "/")+"/chat/completions", bytes.NewReader(body))
	if err != nil {
		return nil, nil, &failure{text: p.host + ": not an address that can be asked", fatal: true}
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "persona-transfer")
	if p.key != "" {
		req.Header.Set("Authorization", "Bearer "+p.key)
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return nil, nil, &failure{text: fmt.Sprintf("%s cannot be reached: %s", p.host, p.plain(ctx, err))}
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxReply+1))
	raw = p.redact(raw)
	switch {
	case err != nil:
		return nil, nil, &failure{text: fmt.Sprintf("%s: the answer broke off: %s", p.host, p.plain(ctx, err))}
	case len(raw) > maxReply:
		return nil, nil, &failure{text: fmt.Sprintf("%s: an answer of more than %d MiB", p.host, maxReply>>20)}
	case resp.StatusCode == http.StatusOK:
		c, err := parse(raw)
		if err != nil {
			return nil, nil, &failure{text: fmt.Sprintf("%s answers with what is no chat completion: %v (%s, it begins with %q)", p.host, err, told(resp.Header.Get("Content-Type")), told(string(raw)))}
		}
		return raw, c, nil
	}
	return p.refused(resp, raw)
}

// refused says what an answer other than success means.
func (p *Panel) refused(resp *http.Response, raw []byte) ([]byte, *completion, *failure) {
	status := resp.StatusCode
	said := fmt.Sprintf("%s answers %d %s", p.host, status, http.StatusText(status))
	var message, code string
	c, err := parse(raw)
	if err == nil && c.Error != nil && status/100 == 4 { // of this text alone: an answer
		return raw, c, nil
	}
	var whole struct {
		Error   *apiError `json:"error"`
		Message string    `json:"message"`
		Detail  string    `json:"detail"`
	}
	if json.Unmarshal(raw, &whole) == nil {
		message = whole.Message + whole.Detail
		if whole.Error != nil {
			message, code = whole.Error.Message, whole.Error.Code
		}
	}
	if message != "" {
		said += ": " + told(message)
	}
	switch {
	case status/100 == 3:
		return nil, nil, &failure{text: said + ": it sends on to another address; give that one", fatal: true}
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		name := p.endpoint.keyName()
		if name == "" {
			return nil, nil, &failure{text: said + "; no key was sent: name the environment variable that holds it in judge.key_env", fatal: true}
		}
		return nil, nil, &failure{text: said + "; the key is the one in " + name, fatal: true}
	case code == "insufficient_quota" || status == http.StatusPaymentRequired:
		return nil, nil, &failure{text: said + "; waiting does not help", fatal: true}
	case status == http.StatusTooManyRequests || status >= 500 || slices.Contains([]int{http.StatusRequestTimeout, http.StatusConflict, http.StatusTooEarly}, status):
		return nil, nil, &failure{text: said, after: retryAfter(resp.Header, time.Now())}
	case status == http.StatusBadRequest || status == http.StatusUnprocessableEntity:
		for _, s := range settingsTold {
			if strings.Contains(message, s.name) {
				return nil, nil, &failure{text: said, fatal: true, drop: s.name}
			}
		}
	}
	return nil, nil, &failure{text: said, fatal: true}
}

// retryAfter is how long an endpoint asks to wait, 0 if it does not say.
func retryAfter(h http.Header, now time.Time) time.Duration {
	const most = 1e9 // seconds; more overflows
	if ms, err := strconv.ParseFloat(h.Get("Retry-After-Ms"), 64); err == nil && ms >= 0 && ms < 1000*most {
		return time.Duration(ms * float64(time.Millisecond))
	}
	value := h.Get("Retry-After")
	if s, err := strconv.ParseFloat(value, 64); err == nil && s >= 0 && s < most {
		return time.Duration(s * float64(time.Second))
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(at.Sub(now), 0)
	}
	return 0
}

// plain says what went wrong on the way, without the address, which net/http repeats.
func (p *Panel) plain(ctx context.Context, err error) string {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Sprintf("no answer within %v", p.endpoint.timeout())
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return told(string(p.redact([]byte(err.Error()))))
}

// minKey is the length from which a key is one: local servers take any word, which may stand anywhere.
const minKey = 8

// redact takes the key out of what an endpoint says.
func (p *Panel) redact(text []byte) []byte {
	if len(p.key) < minKey {
		return text
	}
	return bytes.ReplaceAll(text, []byte(p.key), []byte("[key]"))
}

// told is one short line of what somebody else wrote.
func told(text string) string {
	const most = 200
	if len(text) > most {
		text = text[:most] + "…"
	}
	line := strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, ""))
	return strings.Join(strings.Fields(line), " ")
}
