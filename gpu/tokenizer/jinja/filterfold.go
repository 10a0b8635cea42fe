package jinja

import "errors"

// extreme makes the filters min (sign -1) and max (sign 1).
func extreme(sign int) filterFunc {
	return func(r *run, of value, a args) (value, error) {
		get, err := r.compared("min", a)
		if err != nil {
			return nil, err
		}
		var best, bestKey value
		found := false
		err = r.each(of, func(e value) error {
			key, err := get(e)
			if err != nil {
				return err
			}
			if found {
				op := map[int]string{-1: "<", 1: ">"}[sign]
				c, err := r.order(op, key, bestKey)
				if err != nil || c != sign {
					return err
				}
			}
			best, bestKey, found = e, key, true
			return nil
		})
		if err == nil && !found {
			return &undefined{why: "No aggregated item, sequence was empty."}, nil
		}
		return best, err
	}
}

func sum(r *run, of value, a args) (value, error) {
	p, err := a.bind("sum", "attribute", "start")
	if err != nil {
		return nil, err
	}
	get, err := r.getter(or(p[0], nil), nil, false)
	if err != nil {
		return nil, err
	}
	total := or(p[1], int64(0))
	if isText(total) {
		return nil, errors.New("texts cannot be summed, use join")
	}
	err = r.each(of, func(e value) error {
		v, err := get(e)
		if err != nil {
			return err
		}
		total, err = r.binary("+", total, v)
		return err
	})
	return total, err
}
