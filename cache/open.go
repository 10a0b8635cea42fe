package cache

import (
	"fmt"
	"path/filepath"
	"regexp"
)

// Open opens the store at a location, making it if there is none. A location is a folder of the
// local file system, or begins with a scheme, "s3://…", of which this program knows none.
func Open(location string) (Store, error) {
	dir, err := Location(location)
	if err != nil {
		return nil, err
	}
	l, err := openLocal(dir)
	if err != nil {
		return nil, err
	}
	return l, nil
}

var scheme = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9+.-]*)://`)

// Location checks what a person calls a store's location and gives the form that means the same in
// every process of this machine: an absolute path. It touches nothing.
func Location(name string) (string, error) {
	if m := scheme.FindStringSubmatch(name); m != nil {
		return "", fmt.Errorf("open cache %s: stores of the kind %s are not known; name a folder", name, m[1])
	}
	dir, err := filepath.Abs(name)
	if err != nil {
		return "", fmt.Errorf("open cache: %w", err)
	}
	return dir, nil
}
