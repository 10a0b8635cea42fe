package pjrt

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// FuzzUnpack: whatever a wheel holds, nothing is written outside of the folder, and of what is inside only a plugin
// and what describes the wheel.
func FuzzUnpack(f *testing.F) {
	f.Add(wheel(f, good, licence, other))
	f.Add(wheel(f, member{name: "../x/pjrt_c_api_cpu_plugin.so", content: good.content}))
	f.Add(wheel(f, member{name: "a_wheel-1.0.dist-info/licenses/../../../../x", content: []byte("x")}))
	f.Fuzz(func(t *testing.T, content []byte) {
		above := t.TempDir()
		folder := filepath.Join(above, "a", "b")
		in, err := os.Open(put(t, content, above, "in.whl"))
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		err = unpack(in, folder, CPU)
		for _, name := range contents(t, above) {
			rel, outside := filepath.Rel(filepath.Join("a", "b"), name)
			if name != "in.whl" && (outside != nil || !filepath.IsLocal(rel) || !CPU.fits(filepath.Base(rel)) && !describes(filepath.ToSlash(rel))) {
				t.Errorf("it wrote %s (%v)", name, err)
			}
		}
	})
}

// FuzzRecorded: a wheel's list of files names a file only with its own digest.
func FuzzRecorded(f *testing.F) {
	sum := digestOf(plugin())
	f.Add([]byte("a.so,sha256=" + "AAAA" + ",1\n"))
	f.Add([]byte("\"a.so\",sha256=,\n\xff"))
	f.Fuzz(func(t *testing.T, list []byte) {
		path := put(t, list, t.TempDir(), "RECORD")
		if recorded(path, "a.so", sum) && !bytes.Contains(list, []byte("sha256=")) {
			t.Errorf("%q has the file", list)
		}
	})
}
