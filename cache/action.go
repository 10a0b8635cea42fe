package cache

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// An Action is a finished computation: what was asked for and what came out.
type Action struct {
	Key     ActionKey
	Recipe  string
	Outputs []Output
}

// actionHeader begins every record; its number is raised when the layout changes.
const actionHeader = "action 1\n"

// EncodeAction returns the text of an action record:
//
//	action 1
//	recipe 212
//	…212 bytes of recipe…
//	output map transfer-map 3f9a… 49152 0
//	sum 81c0…
//
// The recipe's length keeps a recipe from imitating an output, and sum is the SHA-256 of
// everything above it: without it, damage to a digest or a row count would go unseen.
// Nothing in a record depends on time, host or path. An error means that outputs are not what a record
// can hold.
func EncodeAction(recipe string, outputs []Output) ([]byte, error) {
	var text strings.Builder
	fmt.Fprintf(&text, "%srecipe %d\n%s", actionHeader, len(recipe), recipe)
	seen := make(map[string]bool)
	for _, o := range outputs {
		if err := o.validate(); err != nil {
			return nil, err
		}
		if seen[o.Name] {
			return nil, fmt.Errorf("output %q is given twice", o.Name)
		}
		seen[o.Name] = true
		fmt.Fprintf(&text, "output %s %s %s %d %d\n", o.Name, o.Kind, o.Digest, o.Bytes, o.Rows)
	}
	return fmt.Appendf(nil, "%ssum %s\n", text.String(), Sum([]byte(text.String()))), nil
}

// DecodeAction reads the record of key. It accepts exactly what EncodeAction writes; every
// error means that the record is damaged.
func DecodeAction(key ActionKey, record []byte) (Action, error) {
	const sumLine = len("sum \n") + 64
	if len(record) < sumLine {
		return Action{}, errors.New("action record is cut short")
	}
	body, last := string(record[:len(record)-sumLine]), string(record[len(record)-sumLine:])
	if last != fmt.Sprintf("sum %s\n", Sum([]byte(body))) {
		return Action{}, errors.New("action record does not match its sum")
	}
	rest, ok := strings.CutPrefix(body, actionHeader+"recipe ")
	digits, rest, ok2 := strings.Cut(rest, "\n")
	n, err := strconv.Atoi(digits)
	if !ok || !ok2 || err != nil || n < 0 || n > len(rest) || strconv.Itoa(n) != digits {
		return Action{}, errors.New("action record has no recipe")
	}
	a := Action{Key: key, Recipe: rest[:n]}
	r, err := ParseRecipe(a.Recipe)
	if err != nil {
		return Action{}, err
	}
	if r.Key() != key {
		return Action{}, errors.New("action record holds the recipe of another key")
	}
	for line := range strings.Lines(rest[n:]) {
		o, err := parseOutput(line)
		if err != nil {
			return Action{}, err
		}
		a.Outputs = append(a.Outputs, o)
	}
	again, err := EncodeAction(a.Recipe, a.Outputs)
	if err != nil || string(again) != string(record) {
		return Action{}, errors.New("action record is not in the one form that is written")
	}
	return a, nil
}

func parseOutput(line string) (o Output, err error) {
	words := strings.Split(strings.TrimSuffix(line, "\n"), " ")
	if len(words) != 6 || words[0] != "output" {
		return o, fmt.Errorf("output line %.80q has not six words", line)
	}
	o.Name, o.Kind = words[1], words[2]
	var errBytes, errRows error
	o.Digest, err = ParseDigest(words[3])
	o.Bytes, errBytes = strconv.ParseInt(words[4], 10, 64)
	o.Rows, errRows = strconv.ParseInt(words[5], 10, 64)
	return o, cmp.Or(err, errBytes, errRows)
}

// validate refuses what the record could not hold on one line of six words.
func (o Output) validate() error {
	switch {
	case !validName(o.Name):
		return fmt.Errorf("output name %.80q is not visible ASCII", o.Name)
	case !validName(o.Kind):
		return fmt.Errorf("output %s: kind %.80q is not visible ASCII", o.Name, o.Kind)
	case o.Bytes < 0 || o.Rows < 0:
		return fmt.Errorf("output %s: %d bytes, %d rows", o.Name, o.Bytes, o.Rows)
	}
	return nil
}
