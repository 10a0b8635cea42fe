package cache

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// An Opener opens the store at a location with a scheme, "s3://bucket/folder".
type Opener func(ctx context.Context, location string) (Store, error)

// openers are those of the schemes that are known.
var openers = map[string]Opener{}

// Register makes a scheme known to [Open]. It is called from init functions, once for each scheme, and
// panics at the second time.
func Register(scheme string, open Opener) {
	if openers[scheme] != nil {
		panic("cache: scheme " + scheme + " is registered twice")
	}
	openers[scheme] = open
}

// Open opens the store at a location. A location is a folder of the local file system, which is made if
// there is none, or begins with a scheme that was registered, "s3://…"; there the store is made with the
// first thing that is stored, and opening it leaves nothing.
func Open(ctx context.Context, location string) (Store, error) {
	place, err := Location(location)
	if err != nil {
		return nil, err
	}
	if name := Scheme(place); name != "" {
		return openers[name](ctx, place)
	}
	l, err := openLocal(place)
	if err != nil {
		return nil, err
	}
	return l, nil
}

var scheme = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9+.-]*)://`)

// Scheme is that of a location, "" for a folder.
func Scheme(location string) string {
	if m := scheme.FindStringSubmatch(location); m != nil {
		return m[1]
	}
	return ""
}

// Location checks what a person calls a store's location and gives the form that means the same in
// every process: of this machine, for an absolute path. It touches nothing.
func Location(name string) (string, error) {
	if s := Scheme(name); s != "" {
		if openers[s] == nil {
			return "", fmt.Errorf("open cache %s: stores of the kind %s are not known; name a folder%s", Shown(name), s, known())
		}
		return name, nil
	}
	dir, err := filepath.Abs(name)
	if err != nil {
		return "", fmt.Errorf("open cache: %w", err)
	}
	return dir, nil
}

// known lists the schemes that there are.
func known() string {
	if len(openers) == 0 {
		return ""
	}
	return " or one of " + strings.Join(slices.Sorted(maps.Keys(openers)), "://, ") + "://"
}

// Shown is a location as messages and records may have it: without a user, a password, a port and what
// follows a question mark or a hash sign.
func Shown(location string) string {
	name := Scheme(location)
	if name == "" {
		return location
	}
	rest := location[len(name)+len("://"):]
	at := strings.LastIndexByte(authority(rest), '@')
	if at < 0 && strings.Contains(authority(rest), ":") { // a password with a slash in it, or a port
		at = strings.LastIndexByte(rest, '@')
	}
	rest = rest[at+1:]
	host, _, _ := strings.Cut(authority(rest), ":")
	return name + "://" + host + before(rest[len(authority(rest)):], "?#")
}

func authority(rest string) string { return before(rest, "/?#") }

// before is the part of text before the first of some characters.
func before(text, characters string) string {
	if i := strings.IndexAny(text, characters); i >= 0 {
		return text[:i]
	}
	return text
}
