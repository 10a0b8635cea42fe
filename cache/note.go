package cache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path"
	"regexp"
)

// NoteFolders are the first words that names of notes may have.
var NoteFolders = []string{"recent", "runs"}

var noteName = regexp.MustCompile(`^(recent|runs)(/[A-Za-z0-9_][A-Za-z0-9._-]{0,127}){1,4}$`)

// ValidNote reports whether a note may have that name: two to five words of letters, digits, ".", "_"
// and "-" with slashes between them, the first "recent" or "runs", the others not beginning with "."
// or "-". The name is also that of a file or an object.
func ValidNote(name string) bool { return noteName.MatchString(name) }

// CheckNote refuses a name that is none.
func CheckNote(name string) error {
	if !ValidNote(name) {
		return fmt.Errorf("note %.80q: want recent/… or runs/… of letters, digits, dots, underscores and dashes", name)
	}
	return nil
}

// EncodeNote gives the bytes under which a store keeps a note: its text and, as the last line, the
// SHA-256 of it, without which damage would go unseen.
func EncodeNote(text []byte) []byte { return fmt.Appendf(bytes.Clone(text), "sum %s\n", Sum(text)) }

// DecodeNote reads what [EncodeNote] wrote. An error means that it is damaged.
func DecodeNote(stored []byte) ([]byte, error) {
	const sumLine = len("sum \n") + 64
	if len(stored) < sumLine {
		return nil, errors.New("note is cut short")
	}
	text, last := stored[:len(stored)-sumLine], string(stored[len(stored)-sumLine:])
	if last != fmt.Sprintf("sum %s\n", Sum(text)) {
		return nil, errors.New("note does not match its sum")
	}
	return text, nil
}

// recent is the note of a name that a person knows, which may hold slashes and be of any length and case.
func recent(name string) string { return path.Join("recent", Sum([]byte(name)).String()[:32]) }

// Remember notes key as the last one committed under a name that a person knows, for instance
// "fit/resid_post.1". Advisory: it serves to explain the next miss.
func Remember(ctx context.Context, s Store, name string, key ActionKey) error {
	if err := s.SetNote(ctx, recent(name), fmt.Appendf(nil, "%s\n%s\n", key, name)); err != nil {
		return fmt.Errorf("remember %s: %w", name, err)
	}
	return nil
}

// Recall returns the recipe last remembered under name. ok is false if there is none, or one that
// cannot be read: it only serves to explain.
func Recall(ctx context.Context, s Store, name string) (recipe string, ok bool, err error) {
	note, ok, err := s.Note(ctx, recent(name))
	if err != nil || !ok {
		return "", false, ctx.Err()
	}
	digits, rest, _ := bytes.Cut(note, []byte("\n"))
	key, err := ParseActionKey(string(digits))
	if err != nil || string(rest) != name+"\n" {
		return "", false, nil
	}
	return s.Recipe(ctx, key)
}
