package judge

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/persona-transfer/runpipeline/cache"
)

// An Answer is what a judge said of a text.
type Answer struct {
	Points   float64      // 0-100; NaN: missing
	Weighted bool         // by the probabilities of tokens; else read from the reply
	Missing  string       // why there are no points
	Failed   bool         // no answer came at all; asking again may bring one
	Reply    cache.Digest // of the reply that was kept; zero if there is none
}

// Scale puts points on the scale of the other measures, 1 to 5.
func (a Answer) Scale() float64 { return 1 + a.Points/25 }

func missing(format string, args ...any) Answer {
	return Answer{Points: math.NaN(), Missing: fmt.Sprintf(format, args...)}
}

// A completion is what is read of a reply.
type completion struct {
	Choices []struct {
		Message *struct {
			Content *string `json:"content"`
			Refusal *string `json:"refusal"`
		} `json:"message"`
		Finish   string `json:"finish_reason"`
		Logprobs *struct {
			Content []position `json:"content"`
		} `json:"logprobs"`
	} `json:"choices"`
	Usage struct {
		Total int `json:"total_tokens"`
	} `json:"usage"`
	Error *apiError `json:"error"`
}

// An apiError is what an endpoint says of a request that it does not carry out.
type apiError struct {
	Message string
	Code    string
}

// UnmarshalJSON takes the forms in which servers write errors: an object, or a text; codes that are numbers.
func (e *apiError) UnmarshalJSON(b []byte) error {
	var whole struct {
		Message string          `json:"message"`
		Code    json.RawMessage `json:"code"`
		Type    string          `json:"type"`
	}
	if json.Unmarshal(b, &e.Message) == nil {
		return nil
	}
	if err := json.Unmarshal(b, &whole); err != nil {
		return err
	}
	e.Message = whole.Message
	if json.Unmarshal(whole.Code, &e.Code) != nil || e.Code == "" {
		e.Code = whole.Type
	}
	return nil
}

// parse reads a reply: a completion, or a refusal of one text.
func parse(raw []byte) (*completion, error) {
	if !utf8.Valid(raw) {
		return nil, errors.New("it is not UTF-8")
	}
	var c completion
	if err := json.Unmarshal(raw, &c); err != nil {
		return nil, errors.New("it is not JSON")
	}
	if c.Error != nil && c.refusesText() {
		return &c, nil
	}
	if len(c.Choices) == 0 || c.Choices[0].Message == nil {
		return nil, errors.New("there is no message in it")
	}
	if c.Choices[0].Finish == "error" {
		return nil, errors.New("it ended by an error")
	}
	return &c, nil
}

// refusesText reports an error that is about the text that was sent, and would be the same tomorrow.
func (c *completion) refusesText() bool {
	switch c.Error.Code {
	case "content_filter", "content_policy_violation", "context_length_exceeded", "exceed_context_size_error":
		return true
	}
	return strings.Contains(c.Error.Message, "maximum context length") // vLLM has no code for it
}

// answer is what a reply says.
func (c *completion) answer() Answer {
	if c.Error != nil {
		return missing("the endpoint refuses the text: %s", told(cmp.Or(c.Error.Code, c.Error.Message)))
	}
	choice := c.Choices[0]
	content := ""
	if choice.Message.Content != nil {
		content = strings.TrimSpace(*choice.Message.Content)
	}
	switch {
	case choice.Finish == "content_filter":
		return missing("the endpoint refuses the text: content_filter")
	case choice.Message.Refusal != nil && *choice.Message.Refusal != "":
		return missing("the judge refuses")
	case content == "":
		return missing("the reply is empty (it ended by %q)", cut(choice.Finish))
	}
	if choice.Logprobs != nil {
		if w, ok := weigh(choice.Logprobs.Content, content); ok {
			return w
		}
	}
	points, err := number(content)
	if err != nil {
		return missing("%v", err)
	}
	return Answer{Points: points}
}

// whole is a number that stands alone, with what models like to put around one.
var whole = regexp.MustCompile(`^(?i:(?:score|rating|answer)\s*[:=]\s*)?["'*` + "`" + `]*(\d{1,3})(?:\.0+)?(?:\s*/\s*100)?["'*` + "`" + `.]*$`)

var anyDigit = regexp.MustCompile(`[0-9]`)

// number reads a reply that is one number from 0 to 100. An explanation may follow on lines of its own
// as long as there is no other number in it, of which the first might be none.
func number(content string) (float64, error) {
	line, rest, _ := strings.Cut(content, "\n")
	m := whole.FindStringSubmatch(strings.TrimSpace(line))
	if m == nil {
		return 0, fmt.Errorf("the reply is no number: %q", cut(content))
	}
	n, err := strconv.Atoi(m[1])
	if err != nil || n > 100 {
		return 0, fmt.Errorf("the reply is no number from 0 to 100: %q", cut(content))
	}
	if anyDigit.MatchString(rest) {
		return 0, fmt.Errorf("the reply has more than one number: %q", cut(content))
	}
	return float64(n), nil
}

// cut shows the beginning of what somebody else wrote.
func cut(text string) string {
	const shown = 60
	if len(text) <= shown {
		return text
	}
	return strings.ToValidUTF8(text[:shown], "") + "…"
}
