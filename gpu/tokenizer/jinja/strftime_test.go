package jinja

import (
	"strings"
	"testing"
	"time"
)

// TestStrftime compares with Python's datetime.strftime on Linux.
func TestStrftime(t *testing.T) {
	for _, c := range []struct {
		year, month, day, hour, minute, second, micro int
		format, want                                  string
	}{
		{2026, 11, 27, 0, 0, 0, 0, "%d %b %Y", "27 Nov 2026"},
		{2026, 11, 27, 0, 0, 0, 0, "%Y-%m-%d", "2026-11-27"},
		{2026, 11, 27, 0, 0, 0, 0, "%B %-d, %Y", "November 27, 2026"},
		{2026, 11, 27, 0, 0, 0, 0, "%A, %e %B %Y %H:%M:%S", "Friday, 27 November 2026 00:00:00"},
		{2026, 11, 27, 0, 0, 0, 0, "%a %h %_d %0e %^a %^B|%-m/%-d/%y", "Fri Nov 27 27 FRI NOVEMBER|11/27/26"},
		{2026, 11, 27, 0, 0, 0, 0, "%c|%x|%X|%D|%T|%R|%F|%r", "Fri Nov 27 00:00:00 2026|11/27/26|00:00:00|11/27/26|00:00:00|00:00|2026-11-27|12:00:00 AM"},
		{2026, 11, 27, 0, 0, 0, 0, "%I:%M %p|%l|%k|%-I", "12:00 AM|12| 0|12"},
		{2026, 11, 27, 0, 0, 0, 0, "%j %U %W %V %G %g %u %w %C", "331 47 47 48 2026 26 5 5 20"},
		{2026, 11, 27, 0, 0, 0, 0, "100%% %n%t|%Z|%z|%f|é", "100% \n\t|||000000|é"},
		{2026, 11, 27, 0, 0, 0, 0, "", ""},
		{2024, 1, 1, 9, 5, 7, 0, "%d %b %Y", "01 Jan 2024"},
		{2024, 1, 1, 9, 5, 7, 0, "%Y-%m-%d", "2024-01-01"},
		{2024, 1, 1, 9, 5, 7, 0, "%B %-d, %Y", "January 1, 2024"},
		{2024, 1, 1, 9, 5, 7, 0, "%A, %e %B %Y %H:%M:%S", "Monday,  1 January 2024 09:05:07"},
		{2024, 1, 1, 9, 5, 7, 0, "%a %h %_d %0e %^a %^B|%-m/%-d/%y", "Mon Jan  1 01 MON JANUARY|1/1/24"},
		{2024, 1, 1, 9, 5, 7, 0, "%c|%x|%X|%D|%T|%R|%F|%r", "Mon Jan  1 09:05:07 2024|01/01/24|09:05:07|01/01/24|09:05:07|09:05|2024-01-01|09:05:07 AM"},
		{2024, 1, 1, 9, 5, 7, 0, "%I:%M %p|%l|%k|%-I", "09:05 AM| 9| 9|9"},
		{2024, 1, 1, 9, 5, 7, 0, "%j %U %W %V %G %g %u %w %C", "001 00 01 01 2024 24 1 1 20"},
		{2024, 1, 1, 9, 5, 7, 0, "100%% %n%t|%Z|%z|%f|é", "100% \n\t|||000000|é"},
		{2024, 1, 1, 9, 5, 7, 0, "", ""},
		{2023, 1, 1, 23, 59, 59, 120, "%d %b %Y", "01 Jan 2023"},
		{2023, 1, 1, 23, 59, 59, 120, "%Y-%m-%d", "2023-01-01"},
		{2023, 1, 1, 23, 59, 59, 120, "%B %-d, %Y", "January 1, 2023"},
		{2023, 1, 1, 23, 59, 59, 120, "%A, %e %B %Y %H:%M:%S", "Sunday,  1 January 2023 23:59:59"},
		{2023, 1, 1, 23, 59, 59, 120, "%a %h %_d %0e %^a %^B|%-m/%-d/%y", "Sun Jan  1 01 SUN JANUARY|1/1/23"},
		{2023, 1, 1, 23, 59, 59, 120, "%c|%x|%X|%D|%T|%R|%F|%r", "Sun Jan  1 23:59:59 2023|01/01/23|23:59:59|01/01/23|23:59:59|23:59|2023-01-01|11:59:59 PM"},
		{2023, 1, 1, 23, 59, 59, 120, "%I:%M %p|%l|%k|%-I", "11:59 PM|11|23|11"},
		{2023, 1, 1, 23, 59, 59, 120, "%j %U %W %V %G %g %u %w %C", "001 01 00 52 2022 22 7 0 20"},
		{2023, 1, 1, 23, 59, 59, 120, "100%% %n%t|%Z|%z|%f|é", "100% \n\t|||000120|é"},
		{2023, 1, 1, 23, 59, 59, 120, "", ""},
		{2027, 7, 4, 12, 0, 0, 0, "%d %b %Y", "04 Jul 2027"},
		{2027, 7, 4, 12, 0, 0, 0, "%Y-%m-%d", "2027-07-04"},
		{2027, 7, 4, 12, 0, 0, 0, "%B %-d, %Y", "July 4, 2027"},
		{2027, 7, 4, 12, 0, 0, 0, "%A, %e %B %Y %H:%M:%S", "Sunday,  4 July 2027 12:00:00"},
		{2027, 7, 4, 12, 0, 0, 0, "%a %h %_d %0e %^a %^B|%-m/%-d/%y", "Sun Jul  4 04 SUN JULY|7/4/27"},
		{2027, 7, 4, 12, 0, 0, 0, "%c|%x|%X|%D|%T|%R|%F|%r", "Sun Jul  4 12:00:00 2027|07/04/27|12:00:00|07/04/27|12:00:00|12:00|2027-07-04|12:00:00 PM"},
		{2027, 7, 4, 12, 0, 0, 0, "%I:%M %p|%l|%k|%-I", "12:00 PM|12|12|12"},
		{2027, 7, 4, 12, 0, 0, 0, "%j %U %W %V %G %g %u %w %C", "185 27 26 26 2027 27 7 0 20"},
		{2027, 7, 4, 12, 0, 0, 0, "100%% %n%t|%Z|%z|%f|é", "100% \n\t|||000000|é"},
		{2027, 7, 4, 12, 0, 0, 0, "", ""},
	} {
		now := time.Date(c.year, time.Month(c.month), c.day, c.hour, c.minute, c.second, 1000*c.micro, time.UTC)
		got, err := render("{{ strftime_now(f) }}", Pairs{{"f", c.format}, {"strftime_now", Now(now)}})
		if err != nil || got != c.want {
			t.Errorf("%v by %q: %q, %v, want %q", now, c.format, got, err, c.want)
		}
	}
}

// TestTheDateIsAVariable: templates ask whether there is one.
func TestTheDateIsAVariable(t *testing.T) {
	const asks = "{% if strftime_now is defined %}{{ strftime_now('%Y') }}{% else %}none{% endif %}"
	now := Pairs{{"strftime_now", Now(time.Date(2026, 11, 27, 0, 0, 0, 0, time.UTC))}}
	for _, c := range []struct {
		source    string
		variables Pairs
		want      string
		problem   string
	}{
		{asks, now, "2026", ""},
		{asks, nil, "none", ""},
		{"{{ strftime_now(format='%y') ~ strftime_now('%Y')[2:] }}", now, "2626", ""},
		{"{% set date = strftime_now('%d') | int + 1 %}{{ date }}", now, "28", ""},
		{"{{ strftime_now() }}", now, "", "strftime_now"},
		{"{{ strftime_now(1) }}", now, "", "no text"},
		{"{{ strftime_now('%Q') }}", now, "", "%Q in a date format"},
		{"{{ strftime_now('x%') }}", now, "", "ends in %"},
		{"{{ strftime_now('%Y') }}", nil, "", "'strftime_now' is undefined"},
		{"{{ strftime_now('%A' * 100000000) }}", now, "", "too much memory"},
	} {
		got, err := render(c.source, c.variables)
		if got != c.want || (err == nil) != (c.problem == "") || err != nil && !strings.Contains(err.Error(), c.problem) {
			t.Errorf("%s: %q, %v, want %q or %q", c.source, got, err, c.want, c.problem)
		}
	}
}
