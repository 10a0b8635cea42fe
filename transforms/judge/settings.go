package judge

import (
	_ "embed"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"strings"
	"time"
)

// The measures that a judge is asked for.
const (
	Trait     = "trait"
	Coherence = "coherence"
)

// What Settings.Logprobs says.
const (
	Auto = "auto" // where the endpoint offers them
	Off  = "off"
)

// Settings are what an answer depends on.
type Settings struct {
	Model       string  `json:"model"`
	Temperature float64 `json:"temperature"`
	Logprobs    string  `json:"logprobs"`
	ReplyTokens int     `json:"reply_tokens"` // of an answer, at most
	Rubrics     Rubrics `json:"rubrics"`
}

// Rubrics are the texts that say what is rated and how: the system messages. In that of the trait
// {persona} and {description} stand for the persona's.
type Rubrics struct {
	Trait     string `json:"trait"`
	Coherence string `json:"coherence"`
}

//go:embed rubrics/trait.txt
var traitRubric string

//go:embed rubrics/coherence.txt
var coherenceRubric string

// DefaultRubrics are those of this project.
func DefaultRubrics() Rubrics { return Rubrics{Trait: traitRubric, Coherence: coherenceRubric} }

const (
	placePersona     = "{persona}"
	placeDescription = "{description}"

	// MaxRubric bounds a rubric, in bytes: it is sent with every question.
	MaxRubric = 64 << 10
)

var placeholder = regexp.MustCompile(`\{[A-Za-z_]+\}`)

// CheckRubric says what is wrong with a rubric, or nothing.
func CheckRubric(measure, text string) error {
	known := map[string]bool{placePersona: measure == Trait, placeDescription: measure == Trait}
	found := false
	for _, p := range placeholder.FindAllString(text, -1) {
		if !known[p] {
			return fmt.Errorf("%s stands for nothing here", p)
		}
		found = true
	}
	switch {
	case strings.TrimSpace(text) == "":
		return fmt.Errorf("empty")
	case len(text) > MaxRubric:
		return fmt.Errorf("%d bytes; want at most %d", len(text), MaxRubric)
	case measure == Trait && !found:
		return fmt.Errorf("neither %s nor %s is in it, so it asks for no persona", placePersona, placeDescription)
	}
	return nil
}

// An Endpoint is where and in which manner a judge is asked. None of it is part of a recipe.
type Endpoint struct {
	URL               string  `json:"url"` // up to and without /chat/completions
	KeyEnv            string  `json:"key_env"`
	Concurrency       int     `json:"concurrency"`
	RequestsPerMinute float64 `json:"requests_per_minute"` // 0: no limit
	MaxRequests       int     `json:"max_requests"`        // of a run; 0: no limit
	MaxTokens         int     `json:"max_tokens"`          // of a run, of questions and answers; 0: no limit
	Timeout           float64 `json:"timeout"`             // of one request, in seconds
}

// OpenAI is the endpoint whose key is in [OpenAIKey] unless another variable is named.
const (
	OpenAI    = "https://api.openai.com/v1"
	OpenAIKey = "OPENAI_API_KEY"
)

// keyName is the environment variable that holds the key. That of OpenAI goes to OpenAI alone: another
// endpoint gets a key where the configuration says which.
func (e Endpoint) keyName() string {
	if e.KeyEnv == "" && e.URL == OpenAI {
		return OpenAIKey
	}
	return e.KeyEnv
}

// Host is who is asked, for people.
func (e Endpoint) Host() string {
	if u, err := url.Parse(e.URL); err == nil && u.Host != "" {
		return u.Host
	}
	return e.URL
}

// CheckURL says what is wrong with an endpoint's address, or nothing. It quotes nothing of it: somebody
// may have put a key there.
func CheckURL(address string) error {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("not an address; want one such as %s or http://127.0.0.1:8000/v1", OpenAI)
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return fmt.Errorf("it holds a user, a query or a fragment; a key belongs in the environment, see key_env")
	case strings.HasSuffix(strings.TrimRight(u.Path, "/"), "/chat/completions"):
		return fmt.Errorf("leave /chat/completions out; it is added")
	}
	return nil
}

// key reads the key from the environment.
func (e Endpoint) key() (string, error) {
	name := e.keyName()
	if name == "" {
		return "", nil
	}
	key := strings.TrimSpace(os.Getenv(name))
	if key == "" {
		return "", fmt.Errorf("the environment variable %s, which holds the key for %s, is not set", name, e.Host())
	}
	for _, r := range key {
		if r <= ' ' || r > '~' {
			return "", fmt.Errorf("the environment variable %s holds characters that no key has", name)
		}
	}
	return key, nil
}

// CheckKey says why there is no key that can be sent, or nothing.
func (e Endpoint) CheckKey() error { _, err := e.key(); return err }

func (e Endpoint) timeout() time.Duration { return time.Duration(e.Timeout * float64(time.Second)) }
