package checkpoint

import (
	"cmp"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/persona-transfer/runpipeline/format/files"
	"github.com/persona-transfer/runpipeline/format/text"
)

// maxText bounds the small files, which are read into memory as a whole. The largest in use is
// a tokenizer.json of 33 MB (Gemma 3).
const maxText = 64 << 20

// regular reports a name of fsys that is no regular file. The error wraps [fs.ErrNotExist] if there is
// nothing of that name, [ErrNotFound] if it is a link to nothing, else [ErrFormat].
func regular(fsys fs.FS, name string) (fs.FileInfo, error) {
	info, err := fs.Stat(fsys, name)
	if err == nil {
		err = checkMode(name, info.Mode())
	}
	if err != nil {
		err = cmp.Or(linkToNowhere(fsys, name), err)
	}
	return info, err
}

// linkToNowhere reports a name that is there as a link whose target is not: a file that somebody
// moved or lost, not one that the model never had. It is nil for any other name.
func linkToNowhere(fsys fs.FS, name string) error {
	info, err := fs.Lstat(fsys, name)
	if err != nil || info.Mode()&fs.ModeSymlink == 0 {
		return nil
	}
	if _, err := fs.Stat(fsys, name); err == nil {
		return nil
	}
	target, _ := fs.ReadLink(fsys, name)
	return fmt.Errorf("%s: a link to %.200s, which is not there: %w", name, target, ErrNotFound)
}

// checkMode reports what lies where a file should. The error wraps [ErrFormat].
func checkMode(name string, mode fs.FileMode) error {
	if other := files.Regular(mode); other != nil {
		return fmt.Errorf("%s: %w: %w", name, other, ErrFormat)
	}
	return nil
}

// readText reads one of the small files of fsys as a whole.
func readText(fsys fs.FS, name string) ([]byte, error) {
	info, err := regular(fsys, name)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxText {
		return nil, tooLarge(name, info.Size())
	}
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxText+1))
	if err == nil && len(data) > maxText {
		err = tooLarge(name, int64(len(data)))
	}
	if standin := text.Standin(data); err == nil && standin != nil {
		err = fmt.Errorf("%s: %w: %w", name, standin, ErrFormat)
	}
	if err != nil {
		return nil, err
	}
	return data, nil
}

func tooLarge(name string, size int64) error {
	return fmt.Errorf("%s: %d bytes, at most %d are read: %w", name, size, maxText, ErrFormat)
}

// readLocal is readPlain for a path.
func readLocal(path string) ([]byte, error) {
	return readPlain(os.DirFS(filepath.Dir(path)), filepath.Base(path))
}
