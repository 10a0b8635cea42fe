package artifacts

import (
	"fmt"
	"io"
)

// A Sample is everything known about one generation: the row that people load into a
// notebook. Numbers that are missing are NaN here and null in JSON.
type Sample struct {
	Persona       string   `json:"persona"`
	Condition     string   `json:"condition"`
	Draw          int32    `json:"draw"`
	Layer         int32    `json:"layer"` // of the target
	Alpha         float64  `json:"alpha"` // relative, in AlphaUnit
	AlphaUnit     string   `json:"alpha_unit"`
	AlphaAbsolute float64  `json:"alpha_absolute"`
	Prompt        int32    `json:"prompt_id"`
	PromptText    string   `json:"prompt"`
	Seed          uint64   `json:"seed"`
	Text          string   `json:"text"`
	Tokens        int32    `json:"tokens"`
	Ended         bool     `json:"ended"`
	Trait         float64  `json:"trait" missing:"ok"`     // 1-5
	Coherence     float64  `json:"coherence" missing:"ok"` // 1-5
	Perplexity    float64  `json:"perplexity" missing:"ok"`
	NLL           float64  `json:"nll" missing:"ok"`          // nats per token
	Shuffled      float64  `json:"shuffled_nll" missing:"ok"` // the same, of its words in a drawn order
	Collapse      []string `json:"collapse"`                  // flags with reasons
	Vector        string   `json:"vector_digest"`             // of the artifact that holds the vector
	Generations   string   `json:"generations_digest"`        // of the artifact that holds the text
	Status        string   `json:"status"`                    // empty, or why the trait is missing
	Measures      Further  `json:"measures"`                  // what further measures gave the text
}

// Evaluation is all samples of an experiment, in the driver's order.
type Evaluation struct {
	Notes map[string]string
	Rows  []Sample
}

// Encode writes the samples as an Arrow file.
func (e *Evaluation) Encode(w io.Writer) error {
	return encodeRows(w, KindEvaluation, e.Notes, func(facts) error { return e.validate() }, e.Rows)
}

func (e *Evaluation) validate() error {
	for i, row := range e.Rows {
		if err := row.Measures.validate(); err != nil {
			return fmt.Errorf("sample %d: %w", i, err)
		}
	}
	return nil
}

// DecodeEvaluation reads what Encode wrote. Errors wrap [ErrFormat] or are the reader's own.
func DecodeEvaluation(r io.Reader) (*Evaluation, error) {
	e := new(Evaluation)
	if err := decodeRows(r, KindEvaluation, &e.Notes, nil, &e.Rows); err != nil {
		return nil, err
	}
	if err := e.validate(); err != nil {
		return nil, fmt.Errorf("read evaluation: %w: %w", ErrFormat, err)
	}
	return e, nil
}

// WriteJSONL writes one JSON object per sample and line, keys in the order of the fields.
// Numbers that are missing are null; an empty list is [].
func (e *Evaluation) WriteJSONL(w io.Writer) error { return writeJSONL(w, e.Rows) }

// ReadJSONL reads what WriteJSONL wrote. A row belongs to a persona and a condition. Errors wrap [ErrFormat] or are the reader's own.
func ReadJSONL(r io.Reader) (*Evaluation, error) {
	rows, err := readJSONL[Sample](r)
	if err != nil {
		return nil, err
	}
	for i, row := range rows {
		if row.Persona == "" || row.Condition == "" {
			return nil, fmt.Errorf("line %d has no persona or no condition: %w", i+1, ErrFormat)
		}
	}
	return &Evaluation{Rows: rows}, nil
}
