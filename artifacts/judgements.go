package artifacts

import (
	"fmt"
	"io"
)

// A Judgement is what a judge said of one generation under one measure.
type Judgement struct {
	Batch    int32   `json:"batch"`              // of the generations
	Row      int32   `json:"row"`                // of that batch
	Persona  string  `json:"persona"`            // empty where the measure knows none
	Measure  string  `json:"measure"`            // "trait" or "coherence"
	Score    float64 `json:"score" missing:"ok"` // 1-5
	Weighted bool    `json:"weighted"`           // by the probabilities of tokens; else read from the reply
	Reply    string  `json:"reply_digest"`       // of the judge's reply as it came; empty if there is none
	Status   string  `json:"status"`             // empty, or why the score is missing
}

// Judgements belong to the generations of a stage, named by the digest of its outputs.
type Judgements struct {
	Model       string // that judged
	Generations string // digest, in hexadecimal
	Notes       map[string]string
	Rows        []Judgement
}

// Encode writes the judgements as an Arrow file.
func (j *Judgements) Encode(w io.Writer) error {
	return encodeRows(w, KindJudgements, j.Notes, func(f facts) error {
		f["judge"], f["generations"] = j.Model, j.Generations
		return j.validate()
	}, j.Rows)
}

func (j *Judgements) validate() error {
	for i, row := range j.Rows {
		missing := row.Score != row.Score
		if row.Batch < 0 || row.Row < 0 || row.Measure == "" || missing != (row.Status != "") || !missing && !(row.Score >= 1 && row.Score <= 5) {
			return fmt.Errorf("judgement %d is of row %d of batch %d, measure %.40q, score %v, status %.40q", i, row.Row, row.Batch, row.Measure, row.Score, row.Status)
		}
	}
	return nil
}

// DecodeJudgements reads what Encode wrote. Errors wrap [ErrFormat] or are the reader's own.
func DecodeJudgements(r io.Reader) (*Judgements, error) {
	j := new(Judgements)
	err := decodeRows(r, KindJudgements, &j.Notes, func(f facts) (err error) {
		if j.Model, err = f.text("judge"); err == nil {
			j.Generations, err = f.text("generations")
		}
		return err
	}, &j.Rows)
	if err == nil {
		if err = j.validate(); err != nil {
			err = fmt.Errorf("read judgements: %w: %w", ErrFormat, err)
		}
	}
	if err != nil {
		return nil, err
	}
	return j, nil
}
