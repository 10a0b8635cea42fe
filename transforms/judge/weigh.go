package judge

import (
	"math"
	"regexp"
	"strconv"
	"strings"
)

// A position is one token of a reply, and the tokens that could have stood there.
type position struct {
	Token string `json:"token"`
	Top   []struct {
		Token   string  `json:"token"`
		Logprob float64 `json:"logprob"`
	} `json:"top_logprobs"`
}

// minMass is how much of the probability must be on numbers for an answer to be one: a judge that would
// more often say something else is not answering. A judgement; persona_vectors asks for .25.
const minMass = 0.5

var numeral = regexp.MustCompile(`^(?:0|[1-9][0-9]?|100)$`)

// tokenText is a token without the signs by which tokenizers write a space.
func tokenText(token string) string { return strings.Trim(token, " \n\t\r▁Ġ\"'*`") }

// weigh gives the mean of the numbers that could have been answered,
//
//	Σ p(n)·n / Σ p(n),
//
// over the alternatives of the first token that says something. ok is false where the endpoint gave no
// alternatives, or those of another text than the reply.
//
// Some tokenizers write each digit as a token of its own: then no alternative has two digits. There
// the number of each first digit d is read as if it went on like the reply did: with probability q
// (that of any digit in the second place) by a second digit of mean m, 10·d + m, else not at all, d.
// What follows other first digits than the reply's is not known; no number begins with 0 and goes on.
func weigh(positions []position, content string) (a Answer, ok bool) {
	for len(positions) > 0 && tokenText(positions[0].Token) == "" {
		positions = positions[1:]
	}
	if len(positions) == 0 || len(positions[0].Top) == 0 || !strings.HasPrefix(strings.TrimLeft(content, "\"'*`"), tokenText(positions[0].Token)) {
		return a, false
	}
	if _, err := number(content); err == nil { // behind "Score:", which is accepted in a reply
		for len(positions) > 1 && !numeral.MatchString(tokenText(positions[0].Token)) {
			positions = positions[1:]
		}
	}
	for _, at := range positions[:min(len(positions), 3)] { // all that is read: no number is longer
		if _, total := numerals(at); !(total <= 1.01) {
			return missing("the log-probabilities are none: they add up to %.3g", total), true
		}
	}
	p, _ := numerals(positions[0])
	mass, digits := 0.0, true
	for n, w := range p {
		mass += w
		digits = digits && n < 10
	}
	if mass < minMass {
		return missing("too little of the probability is on numbers (%.2f): %q", mass, cut(content)), true
	}
	value := func(n int) float64 { return float64(n) }
	if digits && len(positions) > 1 {
		value = digitwise(positions)
	}
	sum := 0.0
	for n := range 101 { // in order: maps have none, and sums depend on theirs
		sum += p[n] * value(n)
	}
	return Answer{Points: min(max(sum/mass, 0), 100), Weighted: true}, true
}

// numerals gives the probability of each number from 0 to 100 among a position's alternatives, and of all
// alternatives together.
func numerals(at position) (p map[int]float64, total float64) {
	p = map[int]float64{}
	for _, alternative := range at.Top {
		w := math.Exp(alternative.Logprob)
		total += w
		if t := tokenText(alternative.Token); numeral.MatchString(t) {
			n, _ := strconv.Atoi(t) // it is at most 100
			p[n] += w
		}
	}
	return p, total
}

// digitwise gives the mean number that begins with a digit.
func digitwise(positions []position) func(first int) float64 {
	second, _ := numerals(positions[1])
	first, _ := strconv.Atoi(tokenText(positions[0].Token)) // or 0: what begins with no digit goes on like 0
	q, m := 0.0, 0.0
	for d := range 10 {
		q += second[d]
		m += float64(d) * second[d]
	}
	q = min(q, 1)
	if q > 0 {
		m /= q
	}
	hundred := 0.0 // that 10 goes on to 100
	if first == 1 && tokenText(positions[1].Token) == "0" && len(positions) > 2 {
		third, _ := numerals(positions[2])
		hundred = min(third[0], 1)
	}
	return func(d int) float64 {
		switch {
		case d == 0:
			return 0
		case d == first && d == 1 && hundred > 0: // the second digit is 0 on the way to 100
			return (1-q)*1 + (q-second[0])*10 + (q * m) + second[0]*(hundred*100+(1-hundred)*10)
		}
		return (1-q)*float64(d) + q*(10*float64(d)+m)
	}
}
