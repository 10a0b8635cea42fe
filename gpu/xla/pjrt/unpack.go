package pjrt

import (
	"archive/zip"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
)

const (
	maxLibrary = 2 << 30 // bytes of a library
	maxText    = 4 << 20 // bytes of each other file that is kept
	maxMembers = 10_000  // files of a wheel
)

// unpack takes from a wheel the only library that is called like a plugin for the platform, and what says what the
// wheel is and under which licence. Nothing else is written, and nothing outside the folder.
func unpack(wheel *os.File, folder string, p Platform) error {
	info, err := wheel.Stat()
	if err != nil {
		return err
	}
	z, err := zip.NewReader(wheel, info.Size())
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) { // such members are not wanted, see below
		return fmt.Errorf("%w: it is no wheel: %w", ErrRefused, err)
	}
	if len(z.File) > maxMembers {
		return fmt.Errorf("%w: it has %d files", ErrRefused, len(z.File))
	}
	libraries := 0
	for _, m := range z.File {
		library := strings.HasSuffix(m.Name, ".so") && p.fits(path.Base(m.Name))
		if !library && !describes(m.Name) || m.FileInfo().IsDir() {
			continue
		}
		if !m.Mode().IsRegular() || !filepath.IsLocal(m.Name) || strings.Contains(m.Name, `\`) {
			return fmt.Errorf("%w: its member %.200q is no plain file inside it", ErrRefused, m.Name)
		}
		most := int64(maxText)
		if library {
			most = maxLibrary
			libraries++
		}
		if err := extract(m, filepath.Join(folder, filepath.FromSlash(m.Name)), most); err != nil {
			return fmt.Errorf("unpack %.200q: %w", m.Name, err)
		}
	}
	if libraries != 1 {
		return fmt.Errorf("%w: it has %d plugins for %s, want one", ErrRefused, libraries, p.device())
	}
	return nil
}

// describes tells whether a member says what a wheel is: its list of files, its description, its licences.
func describes(name string) bool {
	folder, rest, ok := strings.Cut(name, "/")
	if !ok || !distInfo.MatchString(folder) {
		return false
	}
	return rest == "RECORD" || rest == "METADATA" || strings.HasPrefix(rest, "licenses/") || strings.HasPrefix(rest, "LICENSE")
}

func extract(m *zip.File, to string, most int64) error {
	r, err := m.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	return write(to, r, most)
}
