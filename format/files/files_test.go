package files

import (
	"io/fs"
	"strings"
	"testing"
)

// TestRegularNamesWhatIsThereInstead has a device of characters, which has the bits of a device as well.
func TestRegularNamesWhatIsThereInstead(t *testing.T) {
	for mode, want := range map[fs.FileMode]string{
		0o644: "", fs.ModeDir | 0o755: "a folder", fs.ModeNamedPipe: "a pipe", fs.ModeSocket: "a socket",
		fs.ModeDevice: "a device", fs.ModeDevice | fs.ModeCharDevice: "a device", fs.ModeIrregular: "not a regular file",
	} {
		err := Regular(mode)
		if want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)) {
			t.Errorf("%v: %v, want %q", mode, err, want)
		}
	}
}
