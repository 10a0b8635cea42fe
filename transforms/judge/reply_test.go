package judge

import (
	"math"
	"testing"
)

// FuzzReply reads any bytes: what comes out is a number from 0 to 100 or the reason why there is none.
func FuzzReply(f *testing.F) {
	for _, seed := range []string{
		`{"choices":[{"message":{"content":"85"},"finish_reason":"stop"}],"usage":{"total_tokens":9}}`,
		`{"choices":[{"message":{"content":"85"},"logprobs":{"content":[{"token":"8","top_logprobs":[{"token":"8","logprob":-0.1},{"token":"9","logprob":-9999}]},{"token":"5","top_logprobs":[{"token":"5","logprob":0}]}]}}]}`,
		`{"choices":[{"message":{"content":"100"},"logprobs":{"content":[{"token":"1","top_logprobs":[{"token":"1","logprob":0}]},{"token":"0","top_logprobs":[{"token":"0","logprob":0}]},{"token":"0","top_logprobs":[{"token":"0","logprob":1e300}]}]}}]}`,
		`{"choices":[{"message":{"content":null,"refusal":"no"}}]}`, `{"error":{"code":"content_filter"}}`, `{"error":"maximum context length"}`, `{"error":{"code":400}}`, `null`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := parse(raw)
		if err != nil {
			return
		}
		a := c.answer()
		if number := a.Points >= 0 && a.Points <= 100; number == (a.Missing != "") || !number && !math.IsNaN(a.Points) {
			t.Errorf("%q is %g points, missing because %q", raw, a.Points, a.Missing)
		}
	})
}
