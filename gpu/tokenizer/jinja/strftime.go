package jinja

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A Now handed to a template is a function that writes this time by a format, as the strftime_now of Hugging
// Face's library writes the present one: Python's datetime.strftime on Linux with English names.
type Now time.Time

// call implements the function.
func (n Now) call(r *run, a args) (value, error) {
	p, err := a.bind("strftime_now", "format")
	if err == nil {
		err = need("strftime_now", p, 1)
	}
	if err != nil {
		return nil, err
	}
	format, ok := p[0].(string)
	if !ok {
		return nil, fmt.Errorf("strftime_now: the format is no text")
	}
	const longest = 32 // of what two bytes of a format become
	if err := r.take(longest * len(format)); err != nil {
		return nil, err
	}
	return strftime(time.Time(n), format)
}

// strftime writes t by a format of C.
func strftime(t time.Time, format string) (string, error) {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(format, "%")
		b.WriteString(before)
		if !found {
			return b.String(), nil
		}
		var flag byte
		if rest != "" && strings.IndexByte("-_0^", rest[0]) >= 0 {
			flag, rest = rest[0], rest[1:]
		}
		if rest == "" {
			return "", unsupported("a date format that ends in %%")
		}
		text, ok := directive(t, rest[0], flag)
		if !ok {
			return "", unsupported("%%%c in a date format", rest[0])
		}
		b.WriteString(text)
		format = rest[1:]
	}
}

// layouts are the directives that are layouts of package time.
var layouts = map[byte]string{'a': "Mon", 'A': "Monday", 'b': "Jan", 'h': "Jan", 'B': "January", 'p': "PM", 'c': "Mon Jan _2 15:04:05 2006",
	'x': "01/02/06", 'D': "01/02/06", 'X': "15:04:05", 'T': "15:04:05", 'R': "15:04", 'F': "2006-01-02", 'r': "03:04:05 PM"}

// directive writes what one letter of a format stands for.
func directive(t time.Time, letter, flag byte) (string, bool) {
	if layout, ok := layouts[letter]; ok {
		text := t.Format(layout)
		if flag == '^' {
			text = strings.ToUpper(text)
		}
		return text, true
	}
	switch letter {
	case '%':
		return "%", true
	case 'n':
		return "\n", true
	case 't':
		return "\t", true
	case 'z', 'Z': // the time has no zone
		return "", true
	case 'f':
		return fmt.Sprintf("%06d", t.Nanosecond()/1000), true
	}
	n, width, pad := number(t, letter)
	if width == 0 {
		return "", false
	}
	switch flag {
	case '-':
		width = 0
	case '_':
		pad = " "
	case '0':
		pad = "0"
	}
	text := strconv.Itoa(n)
	return strings.Repeat(pad, max(width-len(text), 0)) + text, true
}

// number gives the directives that are numbers, with their width; 0: there is no such directive.
func number(t time.Time, letter byte) (n, width int, pad string) {
	isoYear, isoWeek := t.ISOWeek()
	weekday, day := int(t.Weekday()), t.YearDay()-1
	switch letter {
	case 'd':
		return t.Day(), 2, "0"
	case 'e':
		return t.Day(), 2, " "
	case 'm':
		return int(t.Month()), 2, "0"
	case 'Y':
		return t.Year(), 1, "0"
	case 'y':
		return t.Year() % 100, 2, "0"
	case 'C':
		return t.Year() / 100, 2, "0"
	case 'H':
		return t.Hour(), 2, "0"
	case 'k':
		return t.Hour(), 2, " "
	case 'I':
		return (t.Hour()+11)%12 + 1, 2, "0"
	case 'l':
		return (t.Hour()+11)%12 + 1, 2, " "
	case 'M':
		return t.Minute(), 2, "0"
	case 'S':
		return t.Second(), 2, "0"
	case 'j':
		return t.YearDay(), 3, "0"
	case 'w':
		return weekday, 1, "0"
	case 'u':
		return (weekday+6)%7 + 1, 1, "0"
	case 'U': // weeks that begin on Sunday
		return (day + 7 - weekday) / 7, 2, "0"
	case 'W': // weeks that begin on Monday
		return (day + 7 - (weekday+6)%7) / 7, 2, "0"
	case 'V':
		return isoWeek, 2, "0"
	case 'G':
		return isoYear, 1, "0"
	case 'g':
		return isoYear % 100, 2, "0"
	}
	return 0, 0, ""
}
