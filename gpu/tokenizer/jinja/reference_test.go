package jinja

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
)

// render reads and renders a template.
func render(source string, variables Pairs) (string, error) {
	t, err := Parse(source)
	if err != nil {
		return "", err
	}
	return t.Render(context.Background(), variables)
}

// A reference is testdata/expressions.json.gz.
type reference struct {
	Variables ordered
	Cases     []struct {
		Template    string
		Text, Error *string
	}
}

func readReference(t testing.TB) (r reference) {
	t.Helper()
	f, err := os.Open("testdata/expressions.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// ordered reads JSON into what Render takes, objects in their order.
type ordered struct{ value any }

func (o *ordered) UnmarshalJSON(data []byte) error {
	d := json.NewDecoder(strings.NewReader(string(data)))
	d.UseNumber()
	var err error
	o.value, err = readOrdered(d)
	return err
}

func readOrdered(d *json.Decoder) (any, error) {
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t := t.(type) {
	case json.Number:
		if n, err := t.Int64(); err == nil {
			return n, nil
		}
		return t.Float64()
	case json.Delim:
		list, pairs := []any{}, Pairs{}
		for d.More() {
			key := ""
			if t == '{' {
				k, err := d.Token()
				if err != nil {
					return nil, err
				}
				key = k.(string)
			}
			v, err := readOrdered(d)
			if err != nil {
				return nil, err
			}
			list, pairs = append(list, v), append(pairs, Pair{key, v})
		}
		_, err := d.Token()
		if t == '{' {
			return pairs, err
		}
		return list, err
	}
	return t, nil
}

// TestTemplatesRenderAsJinja2 renders every case of testdata/expressions.py: the same text as Jinja2 (J1),
// an error where Jinja2 has one, or a refusal that says what is not supported.
func TestTemplatesRenderAsJinja2(t *testing.T) {
	ref := readReference(t)
	if len(ref.Cases) < 10000 {
		t.Fatalf("%d cases", len(ref.Cases))
	}
	refused := map[string]int{}
	for _, c := range ref.Cases {
		got, err := render(c.Template, ref.Variables.value.(Pairs))
		switch {
		case c.Text == nil && err == nil:
			t.Errorf("%q = %q; Jinja2 says %s", c.Template, got, *c.Error)
		case c.Text != nil && err != nil && strings.Contains(err.Error(), "not supported"):
			refused[err.Error()]++
		case c.Text != nil && (err != nil || got != *c.Text):
			t.Errorf("%q = %q, %v; want %q", c.Template, got, err, *c.Text)
		}
	}
	if os.Getenv("SHOW") != "" {
		for r, n := range refused {
			fmt.Println(n, r)
		}
	}
}
