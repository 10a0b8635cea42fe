package trial

import (
	"encoding/json"
	"math"
)

// A Number is a float64 that may be missing: NaN (or an infinity, which no quantity here can have)
// is null in JSON.
type Number float64

// MarshalJSON writes the shortest decimal that reads back as n, or null.
func (n Number) MarshalJSON() ([]byte, error) {
	if n.Missing() {
		return []byte("null"), nil
	}
	return json.Marshal(float64(n))
}

// UnmarshalJSON reads a number or null.
func (n *Number) UnmarshalJSON(data []byte) error {
	v := math.NaN()
	if string(data) != "null" {
		if err := json.Unmarshal(data, &v); err != nil {
			return err
		}
	}
	*n = Number(v)
	return nil
}

// Missing reports whether there is no number.
func (n Number) Missing() bool { return math.IsNaN(float64(n)) || math.IsInf(float64(n), 0) }

// missing is the value of what could not be computed.
var missing = Number(math.NaN())
