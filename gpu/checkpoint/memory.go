package checkpoint

import (
	"encoding/json"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// memory is what is known about big files from earlier: a JSON object in the file
// persona-transfer/digests.json in the user's cache folder ([os.UserCacheDir]), from a
// file's full path to its size, time of change and SHA-256. An entry counts only if size
// and time are still the same to the nanosecond. The file may be deleted at any time;
// whatever is wrong with it only costs time.
type memory map[string]memoryEntry

type memoryEntry struct {
	Size    int64  `json:"size"`
	ModTime int64  `json:"mtime_ns"`
	SHA256  string `json:"sha256"`
}

const (
	// bigFile is the size from which a digest is worth remembering: about 10 ms of work.
	bigFile = 8 << 20

	// settled is how old a change must be. A file changed twice within one tick of the
	// file system's clock keeps its time, so a fresh one is not trusted.
	settled = 2 * time.Second

	// maxMemory bounds the number of entries; past it, memory starts anew.
	maxMemory = 4096
)

// memoryMu guards the memory file within this process. Two processes may lose each other's
// entries, never write a wrong one.
var memoryMu sync.Mutex

// memoryFile returns where memory lies, "" if the user has no cache folder. Tests change it.
var memoryFile = func() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "persona-transfer", "digests.json")
}

// key returns the name of b in memory, "" if it has none.
func (b *blob) key() string {
	if b.size < bigFile {
		return ""
	}
	return b.realPath()
}

// realPath returns the full path of b with all links followed, "" if it is no file on disk.
func (b *blob) realPath() string {
	if b.path == "" {
		return ""
	}
	full, err := filepath.Abs(b.path)
	if err == nil {
		full, err = filepath.EvalSymlinks(full)
	}
	if err != nil {
		return ""
	}
	return full
}

// recallDigest returns the digest of b if it is known and b has not changed since.
func recallDigest(b *blob) (string, bool) {
	key := b.key()
	if key == "" {
		return "", false
	}
	memoryMu.Lock()
	defer memoryMu.Unlock()
	e, ok := loadMemory()[key]
	if !ok || e.Size != b.size || e.ModTime != b.modTime.UnixNano() || len(e.SHA256) != 64 {
		return "", false
	}
	return e.SHA256, true
}

// rememberDigest notes the digest of b, if b is big and has not just been changed.
func rememberDigest(b *blob, sum string) {
	key := b.key()
	if key == "" || time.Since(b.modTime) < settled {
		return
	}
	// The digest belongs to the state that was opened: a file changed since has another.
	info, err := os.Stat(key)
	if err != nil || info.Size() != b.size || !info.ModTime().Equal(b.modTime) {
		return
	}
	memoryMu.Lock()
	defer memoryMu.Unlock()
	m := loadMemory()
	if len(m) >= maxMemory {
		m = make(memory)
	}
	m[key] = memoryEntry{Size: b.size, ModTime: b.modTime.UnixNano(), SHA256: sum}
	m.save()
}

func loadMemory() memory {
	m := make(memory)
	raw, err := readLocal(memoryFile())
	if err != nil || json.Unmarshal(raw, &m) != nil || m == nil {
		return make(memory)
	}
	return m
}

// save replaces the memory file in one step, so that no reader sees half of it.
func (m memory) save() {
	name := memoryFile()
	raw, err := json.MarshalIndent(m, "", "\t")
	if err != nil || name == "" || os.MkdirAll(filepath.Dir(name), 0o755) != nil {
		return
	}
	tmp, err := os.CreateTemp(filepath.Dir(name), "digests-*.tmp")
	if err != nil {
		return
	}
	_, err = tmp.Write(append(raw, '\n'))
	if closed := tmp.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(tmp.Name(), name)
	}
	if err != nil {
		os.Remove(tmp.Name())
	}
}
