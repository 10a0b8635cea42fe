package jinja

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// A dict is a dict of Python: it keeps the order of its keys.
type dict struct {
	keys, values []value
	index        map[any]int // by hashed key
}

func newDict(n int) *dict {
	return &dict{make([]value, 0, n), make([]value, 0, n), make(map[any]int, n)}
}

// set stores a value under a key whose hash is h. A key that is there keeps its place.
func (d *dict) set(key value, h any, v value) {
	if i, ok := d.index[h]; ok {
		d.values[i] = v
		return
	}
	d.index[h] = len(d.keys)
	d.keys, d.values = append(d.keys, key), append(d.values, v)
}

// text returns what is stored under a text.
func (d *dict) text(key string) (value, bool) {
	i, ok := d.index[key]
	if !ok {
		return nil, false
	}
	return d.values[i], true
}

// get returns what is stored under key.
func (r *run) get(d *dict, key value) (value, bool, error) {
	h, err := r.hash(key)
	if err != nil {
		return nil, false, err
	}
	i, ok := d.index[h]
	if !ok {
		return nil, false, nil
	}
	return d.values[i], true, nil
}

// put pays for an entry and stores it.
func (r *run) put(d *dict, key, v value) error {
	h, err := r.hash(key)
	if err != nil {
		return err
	}
	if _, ok := d.index[h]; !ok {
		if err := r.take(entrySize); err != nil {
			return err
		}
	}
	d.set(key, h, v)
	return nil
}

// Hashes of the values that cannot be their own.
type (
	noneHash      struct{}
	undefinedHash struct{}
	tupleHash     string
)

// hash returns a key for a map that is equal for equal values. Lists and dicts have none.
func (r *run) hash(v value) (any, error) {
	switch v := v.(type) {
	case nil:
		return noneHash{}, nil
	case bool, int64:
		n, _ := asInt(v)
		return n, nil
	case float64:
		if n := int64(v); math.Abs(v) < 1<<62 && float64(n) == v {
			return n, nil
		}
		return v, nil
	case string:
		return v, r.scan(len(v))
	case markup:
		return string(v), r.scan(len(v))
	case *undefined:
		return undefinedHash{}, nil
	case *tuple:
		if err := r.nest(); err != nil {
			return nil, err
		}
		defer r.unnest()
		var b strings.Builder
		for _, item := range v.items {
			h, err := r.hash(item)
			if err != nil {
				return nil, err
			}
			switch h.(type) {
			case int64, float64, string, noneHash, undefinedHash, tupleHash:
			default:
				return nil, unsupported("a key with a %s", typeName(item))
			}
			text := fmt.Sprintf("%T %v", h, h)
			if err := r.take(len(text) + elementSize); err != nil {
				return nil, err
			}
			b.WriteString(strconv.Itoa(len(text)) + ":" + text)
		}
		return tupleHash(b.String()), nil
	case span:
		return nil, unsupported("a range as a key")
	case *list, *dict, *view:
		return nil, fmt.Errorf("unhashable type: '%s'", typeName(v))
	}
	return v, nil // compared by identity
}

// A view is keys(), values() or items() of a dict.
type view struct {
	of   *dict
	what string
}

func (v *view) at(i int) value {
	switch v.what {
	case "keys":
		return v.of.keys[i]
	case "values":
		return v.of.values[i]
	}
	return &tuple{items: []value{v.of.keys[i], v.of.values[i]}}
}
