package sheet

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/cache"
)

// Size is how many texts a sheet has unless somebody wants more or fewer, and MaxSize the most.
const (
	Size    = 50
	MaxSize = 5000
)

// A Sheet is what one person rates.
type Sheet struct {
	Code string // of this sheet: every number begins with it
	Rows []Row
}

// A Row is one text. What is tagged json is in the key, the rest in front of the person.
type Row struct {
	ID        string  `json:"id"`
	Persona   string  `json:"persona"`
	Condition string  `json:"condition"`
	Alpha     float64 `json:"alpha"`
	Draw      int32   `json:"draw"`
	Prompt    int32   `json:"prompt_id"`
	Seed      uint64  `json:"seed"`
	Digest    string  `json:"text_digest"` // of prompt and text

	Description string `json:"-"`
	PromptText  string `json:"-"`
	Text        string `json:"-"`
}

// place is what tells a text of an experiment from every other.
type place struct {
	persona, condition string
	alpha              float64
	draw, prompt       int32
	seed               uint64
}

func placeOf(s artifacts.Sample) place {
	return place{s.Persona, s.Condition, s.Alpha, s.Draw, s.Prompt, s.Seed}
}

func (r Row) place() place { return place{r.Persona, r.Condition, r.Alpha, r.Draw, r.Prompt, r.Seed} }

// digest names a prompt with a text.
func digest(s artifacts.Sample) string {
	return cache.Sum(fmt.Appendf(nil, "%d:%s%s", len(s.PromptText), s.PromptText, s.Text)).Short()
}

// Draw takes n texts, or all that differ if there are fewer: in turn of each condition and, within one, of
// each persona, as the seed has it. Of texts that are alike to a reader only one is taken, and none that is empty.
func Draw(texts []artifacts.Sample, n int, seed uint64, describe func(persona string) string) *Sheet {
	r := rand.New(rand.NewChaCha8(cache.NewRecipe("sheet", 1).Uint("seed", seed).Key()))
	var conditions []string
	groups := map[string][]artifacts.Sample{}
	for _, i := range r.Perm(len(texts)) {
		s := texts[i]
		if strings.TrimSpace(s.Text) == "" {
			continue
		}
		if groups[s.Condition] == nil {
			conditions = append(conditions, s.Condition)
		}
		groups[s.Condition] = append(groups[s.Condition], s)
	}
	slices.Sort(conditions)
	for _, c := range conditions {
		groups[c] = inTurn(groups[c])
	}
	type seen struct{ persona, prompt, text string }
	taken := map[seen]bool{}
	var chosen []artifacts.Sample
	for left := true; left && len(chosen) < n; {
		left = false
		for _, c := range conditions {
			for len(groups[c]) > 0 && len(chosen) < n {
				s := groups[c][0]
				groups[c] = groups[c][1:]
				if key := (seen{s.Persona, s.PromptText, s.Text}); !taken[key] {
					taken[key], left = true, true
					chosen = append(chosen, s)
					break
				}
			}
		}
	}
	r.Shuffle(len(chosen), func(i, j int) { chosen[i], chosen[j] = chosen[j], chosen[i] })
	sheet := &Sheet{}
	code := fnv.New32a()
	for _, s := range chosen {
		fmt.Fprintf(code, "%v %s\n", placeOf(s), digest(s))
	}
	sheet.Code = fmt.Sprintf("%08x", code.Sum32())
	for i, s := range chosen {
		sheet.Rows = append(sheet.Rows, Row{ID: fmt.Sprintf("%s-%d", sheet.Code, i+1), Persona: s.Persona, Condition: s.Condition, Alpha: s.Alpha, Draw: s.Draw,
			Prompt: s.Prompt, Seed: s.Seed, Digest: digest(s), Description: describe(s.Persona), PromptText: s.PromptText, Text: s.Text})
	}
	return sheet
}

// inTurn takes one text of each persona after the other, each persona's in their order.
func inTurn(texts []artifacts.Sample) (out []artifacts.Sample) {
	var personas []string
	of := map[string][]artifacts.Sample{}
	for _, s := range texts {
		if of[s.Persona] == nil {
			personas = append(personas, s.Persona)
		}
		of[s.Persona] = append(of[s.Persona], s)
	}
	for len(out) < len(texts) {
		for _, p := range personas {
			if len(of[p]) > 0 {
				out = append(out, of[p][0])
				of[p] = of[p][1:]
			}
		}
	}
	return out
}
