package checkpoint

import (
	"errors"
	"net/url"
	"slices"
	"strings"
)

// publicPart returns an address without user, password, query and fragment, any of which may be
// a secret, even where the address cannot be read.
func publicPart(address string) string {
	scheme, rest, ok := strings.Cut(address, "//")
	if !ok {
		scheme, rest = "", address
	} else {
		scheme += "//"
	}
	end := len(rest)
	if i := strings.IndexAny(rest, "?#"); i >= 0 {
		end = i
	}
	at := strings.LastIndexByte(rest, '@')
	if at >= end { // a password with a ? in it, or a query with an @
		return scheme + "***"
	}
	return scheme + rest[at+1:end]
}

// secrets are the texts that no error may show: the token, and what the endpoint has of a
// user's name, password and query, as it is written and as it is meant.
func (h *hub) secrets() []string {
	all := []string{h.token}
	if u, err := url.Parse(h.endpoint); err == nil {
		password, _ := u.User.Password()
		all = append(all, u.User.Username(), password, url.QueryEscape(password), u.RawQuery)
		_, written, _ := strings.Cut(u.User.String(), ":")
		all = append(all, written)
		for _, values := range u.Query() {
			all = append(all, values...)
		}
	}
	// The longest first: one may be part of another.
	slices.SortFunc(all, func(a, b string) int { return len(b) - len(a) })
	return slices.DeleteFunc(all, func(s string) bool { return len(s) < minSecret })
}

// minSecret is the shortest text that is taken for a secret: hiding a user called "a" would make
// messages unreadable.
const minSecret = 4

// hide makes sure that err shows no secret, whatever a hub answered: some echo the request.
func (h *hub) hide(err error) error {
	text := err.Error()
	shown := text
	for _, secret := range h.secrets() {
		shown = strings.ReplaceAll(shown, secret, "***")
	}
	if shown == text {
		return err
	}
	return &hiddenError{shown, err}
}

// A hiddenError is an error that shows another text.
type hiddenError struct {
	text string
	err  error
}

func (e *hiddenError) Error() string { return e.text }

// Is keeps what kind of error it is; there is no Unwrap, which would show the text again.
func (e *hiddenError) Is(target error) bool { return errors.Is(e.err, target) }
