package jinja

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A spec says how a value is written in a format of % or of str.format.
type spec struct {
	fill      string
	align     byte // '<', '>', '^', '=', 0 for the type's own
	sign      byte // '+', ' ', 0
	alternate bool
	zero      bool
	width     int
	grouping  byte // ',', '_', 0
	precision int  // -1: none
	verb      byte // 0 if there is none
}

// percent is Python's format % v.
func (r *run) percent(format string, v value) (value, error) {
	p := &percent{run: r, all: v}
	switch v := v.(type) {
	case *tuple:
		p.args = v.items
	default:
		p.args = []value{v}
	}
	switch v.(type) {
	case *dict, *list, span, *undefined: // Python asks these for names
		p.mapping = true
	}
	for format != "" {
		k := strings.IndexByte(format, '%')
		if k < 0 {
			k = len(format)
		}
		if err := p.write(format[:k]); err != nil {
			return nil, err
		}
		if format = format[k:]; format == "" {
			break
		}
		n, err := p.one(format)
		if err != nil {
			return nil, err
		}
		format = format[n:]
	}
	if len(p.args) > 0 && !p.mapping {
		return nil, errors.New("not all arguments converted during string formatting")
	}
	return p.String(), nil
}

// A percent is the state of a format of %.
type percent struct {
	*run
	strings.Builder
	all     value
	args    []value // not used yet
	mapping bool
}

func (p *percent) write(s string) error {
	p.WriteString(s)
	return p.take(len(s))
}

func (p *percent) arg() (value, error) {
	if len(p.args) == 0 {
		return nil, errors.New("not enough arguments for format string")
	}
	v := p.args[0]
	p.args = p.args[1:]
	return v, nil
}

// number reads a number of a format, or * for one of the arguments.
func (p *percent) number(s string) (n, length int, err error) {
	if strings.HasPrefix(s, "*") {
		v, err := p.arg()
		if err != nil {
			return 0, 0, err
		}
		n, err := integerArg("*", v)
		return n, 1, err
	}
	for length < len(s) && '0' <= s[length] && s[length] <= '9' {
		if n = 10*n + int(s[length]-'0'); n > math.MaxInt32 {
			return 0, 0, errBytes
		}
		length++
	}
	return n, length, nil
}

// one writes what the conversion at the start of format stands for and returns its length.
func (p *percent) one(format string) (int, error) {
	s := spec{fill: " ", align: '>', precision: -1}
	i := 1
	var named value
	hasName := false
	if strings.HasPrefix(format[i:], "(") {
		depth, end := 0, -1
		for k := i; k < len(format) && end < 0; k++ {
			switch format[k] {
			case '(':
				depth++
			case ')':
				if depth--; depth == 0 {
					end = k
				}
			}
		}
		if end < 0 {
			return 0, errors.New("incomplete format key")
		}
		d, ok := p.all.(*dict)
		if !ok {
			return 0, errors.New("format requires a mapping")
		}
		v, ok := d.text(format[i+1 : end])
		if !ok {
			return 0, fmt.Errorf("no key %q", brief(format[i+1:end]))
		}
		named, hasName = v, true
		p.args = nil
		i = end + 1
	}
	for ; i < len(format) && strings.IndexByte("-+ #0", format[i]) >= 0; i++ {
		switch format[i] {
		case '-':
			s.align = '<'
		case '+':
			s.sign = '+'
		case ' ':
			if s.sign == 0 {
				s.sign = ' '
			}
		case '#':
			s.alternate = true
		case '0':
			s.zero = true
		}
	}
	width, n, err := p.number(format[i:])
	if err != nil {
		return 0, err
	}
	i += n
	if s.width = width; width < 0 {
		s.align, s.width = '<', -width
	}
	if strings.HasPrefix(format[i:], ".") {
		precision, n, err := p.number(format[i+1:])
		if err != nil {
			return 0, err
		}
		s.precision = max(precision, 0)
		i += 1 + n
	}
	for i < len(format) && strings.IndexByte("hlL", format[i]) >= 0 {
		i++
	}
	if i >= len(format) {
		return 0, errors.New("incomplete format")
	}
	s.verb = format[i]
	i++
	if s.verb == '%' {
		if i != 2 {
			return 0, unsupported("a conversion %%%% with flags")
		}
		return i, p.write("%")
	}
	v := named
	if !hasName {
		if v, err = p.arg(); err != nil {
			return 0, err
		}
	}
	text, err := p.convert(s, v)
	if err != nil {
		return 0, err
	}
	return i, p.write(text)
}

// convert writes a value by a conversion of %.
func (p *percent) convert(s spec, v value) (string, error) {
	switch s.verb {
	case 's', 'r', 'a', 'c':
		text, err := p.textual(s.verb, v)
		if err != nil {
			return "", err
		}
		if s.precision >= 0 && s.verb != 'c' {
			text = sliceText(text, 0, min(s.precision, utf8.RuneCountInString(text)), 1)
		}
		return p.pad(text, s.width, " ", map[byte]int{'<': 0, '>': 2}[s.align])
	case 'd', 'i', 'u', 'o', 'x', 'X':
		n, ok := asInt(v)
		if f, isFloat := v.(float64); isFloat && strings.IndexByte("diu", s.verb) >= 0 {
			if math.IsNaN(f) || math.IsInf(f, 0) {
				return "", fmt.Errorf("cannot convert float %s to integer", floatText(f))
			}
			var err error
			if n, err = truncated(f); err != nil {
				return "", err
			}
			ok = true
		}
		if !ok {
			return "", fmt.Errorf("%%%c format: a number is required, not %s", s.verb, typeName(v))
		}
		return p.percentInt(s, n)
	case 'e', 'E', 'f', 'F', 'g', 'G':
		f, ok := asFloat(v)
		if !ok {
			return "", fmt.Errorf("must be real number, not %s", typeName(v))
		}
		if s.zero && s.align == '>' {
			s.fill, s.align = "0", '='
		}
		return p.formatFloat(s, f)
	}
	return "", fmt.Errorf("unsupported format character %q", s.verb)
}

// textual returns a value as the conversions s, r, a and c write it.
func (p *percent) textual(verb byte, v value) (string, error) {
	switch verb {
	case 's':
		if _, ok := v.(markup); ok {
			return "", unsupported("%% of a text that was made safe")
		}
		return p.str(v)
	case 'c':
		if s, ok := asText(v); ok && utf8.RuneCountInString(s) == 1 {
			return s, nil
		}
		n, ok := asInt(v)
		if !ok || n < 0 || n > utf8.MaxRune {
			return "", errors.New("%c requires int or char")
		}
		return string(rune(n)), nil
	}
	text, err := p.repr(v)
	if err != nil || verb == 'r' {
		return text, err
	}
	return p.ascii(text)
}

// percentInt writes a whole number: at least as many digits as the precision says.
func (p *percent) percentInt(s spec, n int64) (string, error) {
	digits, prefix := digitsOf(s, n)
	if s.precision > len(digits) {
		padded, err := p.pad(digits, s.precision, "0", 2)
		if err != nil {
			return "", err
		}
		digits = padded
	}
	if s.zero && s.align == '>' {
		s.fill, s.align = "0", '='
	}
	return p.signed(s, prefix, digits)
}

// digitsOf returns the digits of a number and what stands before them.
func digitsOf(s spec, n int64) (digits, prefix string) {
	base := map[byte]int{'o': 8, 'x': 16, 'X': 16, 'b': 2}[s.verb]
	if base == 0 {
		base = 10
	}
	digits = strconv.FormatInt(n, base)
	prefix = signOf(s, strings.HasPrefix(digits, "-"))
	digits = strings.TrimPrefix(digits, "-")
	if s.alternate && base != 10 {
		prefix += "0" + string(s.verb)
	}
	if s.verb == 'X' {
		digits = strings.ToUpper(digits)
	}
	return digits, prefix
}

func signOf(s spec, negative bool) string {
	switch {
	case negative:
		return "-"
	case s.sign == '+' || s.sign == ' ':
		return string(s.sign)
	}
	return ""
}

// signed pads a number whose sign stands before its digits.
func (r *run) signed(s spec, prefix, digits string) (string, error) {
	if s.align == '=' {
		digits, err := r.pad(digits, s.width-utf8.RuneCountInString(prefix), s.fill, 2)
		return prefix + digits, err
	}
	side := map[byte]int{'<': 0, '^': 1, '>': 2}[s.align]
	return r.padSpec(prefix+digits, s.width, s.fill, side)
}

// padSpec is pad with the rule of format specifications: of an odd number of blanks the last goes behind.
func (r *run) padSpec(text string, width int, fill string, side int) (string, error) {
	if space := width - utf8.RuneCountInString(text); side == 1 && space > 0 {
		var err error
		if text, err = r.pad(text, width-(space-space/2), fill, 2); err != nil {
			return "", err
		}
		side = 0
	}
	return r.pad(text, width, fill, side)
}

// formatFloat writes a float by one of the verbs e, f, g, %, or as str does (0).
func (r *run) formatFloat(s spec, f float64) (string, error) {
	precision := s.precision
	if precision < 0 {
		precision = 6
	}
	if s.alternate {
		return "", unsupported("the flag # with a float")
	}
	if precision > 1100 { // beyond all digits of a float64, so that strconv's work is bounded too
		return "", errBytes
	}
	lowerVerb := s.verb | 0x20
	var digits string
	switch {
	case math.IsNaN(f) || math.IsInf(f, 0):
		digits = strings.TrimPrefix(floatText(f), "-")
	case s.verb == '%':
		digits = strconv.FormatFloat(math.Abs(f*100), 'f', precision, 64)
	case s.verb == 0:
		digits = reprDigits(math.Abs(f), s.precision)
	case lowerVerb == 'g':
		digits = generalDigits(math.Abs(f), max(precision, 1))
	default:
		digits = strconv.FormatFloat(math.Abs(f), lowerVerb, precision, 64)
	}
	if s.verb == '%' {
		digits += "%"
	}
	if s.verb == 'E' || s.verb == 'F' || s.verb == 'G' {
		digits = strings.ToUpper(digits)
	}
	negative := math.Signbit(f) && !math.IsNaN(f)
	return r.grouped(s, signOf(s, negative), digits)
}

// generalDigits is Python's format g: the shorter of e and f, without zeros at the end.
func generalDigits(f float64, precision int) string {
	exponent := 0
	if f != 0 {
		text := strconv.FormatFloat(f, 'e', precision-1, 64)
		exponent, _ = strconv.Atoi(text[strings.IndexByte(text, 'e')+1:])
	}
	mantissa, tail := "", ""
	if exponent < -4 || exponent >= precision {
		text := strconv.FormatFloat(f, 'e', precision-1, 64)
		k := strings.IndexByte(text, 'e')
		mantissa, tail = text[:k], text[k:]
	} else {
		mantissa = strconv.FormatFloat(f, 'f', precision-1-exponent, 64)
	}
	if strings.Contains(mantissa, ".") {
		mantissa = strings.TrimSuffix(strings.TrimRight(mantissa, "0"), ".")
	}
	return mantissa + tail
}

// reprDigits is the format of a float without a verb: repr, or g with at least one decimal.
func reprDigits(f float64, precision int) string {
	if precision < 0 {
		return floatText(f)
	}
	precision = max(precision, 1)
	text := generalDigits(f, precision)
	if strings.ContainsAny(text, ".e") {
		return text
	}
	// Python counts the decimal that it adds: at the limit it goes to the other notation.
	if len(text) >= precision {
		e := strconv.FormatFloat(f, 'e', precision-1, 64)
		k := strings.IndexByte(e, 'e')
		m := e[:k]
		if strings.Contains(m, ".") {
			m = strings.TrimSuffix(strings.TrimRight(m, "0"), ".")
		}
		return m + e[k:]
	}
	return text + ".0"
}
