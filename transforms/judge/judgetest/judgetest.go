// Package judgetest is a server that speaks the protocol of chat completions, well or badly as a test
// tells it, on a port of this machine.
package judgetest

import (
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
)

// A Request is a question as it arrived.
type Request struct {
	Number      int // from 0, in the order of arrival
	Key         string
	Model       string   `json:"model"`
	Temperature *float64 `json:"temperature"`
	Seed        *int     `json:"seed"`
	MaxTokens   *int     `json:"max_tokens"`
	MaxReply    *int     `json:"max_completion_tokens"`
	Logprobs    bool     `json:"logprobs"`
	Top         int      `json:"top_logprobs"`
	Messages    []struct{ Role, Content string }
	Raw         string
}

// System is what the judge is told to rate.
func (r Request) System() string { return r.Messages[0].Content }

// User is the message with the text in it.
func (r Request) User() string { return r.Messages[1].Content }

// Text is what stands between the marks of the continuation.
func (r Request) Text() string {
	_, rest, _ := strings.Cut(r.User(), ": the continuation begins]\n")
	return rest[:max(strings.LastIndex(rest, "\n[MARK-"), 0)]
}

// A Reply writes an answer.
type Reply func(w http.ResponseWriter, r Request)

// A Server counts what it is asked and answers as its script says.
type Server struct {
	URL string // as a configuration has it

	server *httptest.Server
	mu     sync.Mutex
	script func(r Request) Reply
	asked  []Request
	now    int
	most   int
}

// New starts a server. Close ends it.
func New(script func(r Request) Reply) *Server {
	s := &Server{script: script}
	s.server = httptest.NewServer(s)
	s.URL = s.server.URL + "/v1"
	return s
}

// Close ends the server, and connections that are under way.
func (s *Server) Close() {
	s.server.CloseClientConnections()
	s.server.Close()
}

// Script changes what is answered from now on.
func (s *Server) Script(script func(r Request) Reply) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.script = script
}

// Asked gives what arrived so far.
func (s *Server) Asked() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Request(nil), s.asked...)
}

// Most is how many requests were under way at once, at most.
func (s *Server) Most() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.most
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var q Request
	if err != nil || json.Unmarshal(body, &q) != nil || len(q.Messages) != 2 || r.Method != http.MethodPost || r.URL.Path != "/v1/chat/completions" {
		http.Error(w, "no such thing here: "+r.Method+" "+r.URL.Path, http.StatusNotFound)
		return
	}
	q.Key, q.Raw = strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), string(body)
	s.mu.Lock()
	q.Number = len(s.asked)
	s.asked = append(s.asked, q)
	s.now++
	s.most = max(s.most, s.now)
	reply := s.script(q)
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.now--
		s.mu.Unlock()
	}()
	reply(w, q)
}

// Always answers everything alike.
func Always(reply Reply) func(Request) Reply { return func(Request) Reply { return reply } }

// Points is what Fair answers: a number that depends on the text and on what is rated, and on nothing else.
func Points(r Request) int {
	measure, _, _ := strings.Cut(r.System(), ".")
	return int(crc32.ChecksumIEEE([]byte(measure+"\x00"+r.Text())) % 101)
}

// Fair is a judge that answers with a number, and with log-probabilities if it is asked for them.
func Fair(w http.ResponseWriter, r Request) {
	n := strconv.Itoa(Points(r))
	var top []Alternative
	if r.Logprobs {
		top = []Alternative{{Token: n, P: 1}}
	}
	Say(n, top)(w, r)
}

// Plain is one that offers no log-probabilities.
func Plain(w http.ResponseWriter, r Request) { Say(strconv.Itoa(Points(r)), nil)(w, r) }

// An Alternative is a token and how probable it is.
type Alternative struct {
	Token string
	P     float64
}

// Say answers with a text; the alternatives of its tokens, if there are any, are those of the first, the
// second and so on, the first alternative of each the one that was said.
func Say(content string, positions ...[]Alternative) Reply {
	var tokens []any
	for _, alternatives := range positions {
		if len(alternatives) == 0 {
			continue
		}
		var top []any
		for _, a := range alternatives {
			logprob := -9999.0
			if a.P > 0 {
				logprob = math.Log(a.P)
			}
			top = append(top, map[string]any{"token": a.Token, "logprob": logprob})
		}
		tokens = append(tokens, map[string]any{"token": alternatives[0].Token, "logprob": math.Log(alternatives[0].P), "top_logprobs": top})
	}
	choice := map[string]any{"index": 0, "finish_reason": "stop", "message": map[string]any{"role": "assistant", "content": content}}
	if tokens != nil {
		choice["logprobs"] = map[string]any{"content": tokens}
	}
	return Choice(choice)
}

// Choice answers with a completion of that choice.
func Choice(choice map[string]any) Reply {
	return func(w http.ResponseWriter, r Request) {
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(map[string]any{"id": fmt.Sprint("chatcmpl-", r.Number), "object": "chat.completion", "model": r.Model,
			"choices": []any{choice}, "usage": map[string]int{"prompt_tokens": 100, "completion_tokens": 1, "total_tokens": 101}})
	}
}

// Status answers with a status, headers as name and value in turn, and a body.
func Status(code int, body string, headers ...string) Reply {
	return func(w http.ResponseWriter, r Request) {
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(code)
		io.WriteString(w, body)
	}
}

// Half announces a whole answer and hangs up in the middle of it.
func Half(w http.ResponseWriter, r Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", "400")
	io.WriteString(w, `{"choices":[{"message":{"content":"8`)
	panic(http.ErrAbortHandler)
}

// HangUp ends the connection without a word.
func HangUp(http.ResponseWriter, Request) { panic(http.ErrAbortHandler) }

// InOrder answers the first request with the first reply and so on; the last one stays.
func InOrder(replies ...Reply) func(Request) Reply {
	return func(r Request) Reply { return replies[min(r.Number, len(replies)-1)] }
}
