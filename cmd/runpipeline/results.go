package main

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/persona-transfer/runpipeline/pipelines"
	"github.com/persona-transfer/runpipeline/pipelines/report"
)

// A runRecord is run.json: what a run did to come to its results. The experiment is the key of the last
// stage, which is the same for the same results.
type runRecord struct {
	Version    string                  `json:"version"`
	Experiment string                  `json:"experiment"`
	Seconds    float64                 `json:"seconds"` // of the whole run
	Device     string                  `json:"device"`  // that ran models, as recipes have it
	Config     pipelines.Config        `json:"config"`  // complete: what was not given has its default
	Stages     []pipelines.StageRecord `json:"stages"`
}

// runFile is the name of the record of a run.
const runFile = "run.json"

// writeResults puts the results where the configuration says: report.json and rows.jsonl, which are
// the same for the same experiment, and run.json, which tells of this run. A run that had nothing to
// do leaves the run.json of the run that made the results: kept says so.
//
// The report for people is made of the same bytes, as the command "report" makes it again. If it cannot be
// made, the results are written without it, and the error is returned.
func writeResults(dir string, r *pipelines.Result, run runRecord) (kept bool, err error) {
	var rows, record bytes.Buffer
	enc := json.NewEncoder(&record)
	enc.SetIndent("", "  ")
	if err := cmp.Or(r.Rows(&rows), enc.Encode(run)); err != nil {
		return false, fmt.Errorf("write rows.jsonl: %w", err)
	}
	files := []replacement{bytesOf("report.json", r.Report), bytesOf("rows.jsonl", rows.Bytes())}
	if kept = !r.Computed() && recorded(dir).Experiment == run.Experiment; !kept {
		files = append(files, bytesOf(runFile, record.Bytes()))
	}
	pages, broken := reportFiles(r.Report, rows.Bytes(), record.Bytes())
	return kept, cmp.Or(replaceFiles(dir, append(files, pages...)), broken)
}

// reportFiles makes the files of the report for people.
func reportFiles(reportJSON, rows, run []byte) ([]replacement, error) {
	results, err := report.Decode(reportJSON, rows, run)
	if err != nil {
		return nil, fmt.Errorf("make the report: %w", err)
	}
	return replacements(results)
}

func replacements(results *report.Results) ([]replacement, error) {
	files, err := report.Files(results)
	if err != nil {
		return nil, fmt.Errorf("make the report: %w", err)
	}
	var out []replacement
	for _, f := range files {
		if f.Content == nil {
			out = append(out, replacement{name: f.Name})
		} else {
			out = append(out, bytesOf(f.Name, f.Content))
		}
	}
	return out, nil
}

func bytesOf(name string, content []byte) replacement {
	return replacement{name, func(w io.Writer) error { _, err := w.Write(content); return err }}
}

// A made is what run.json says of how the results of its folder came about.
type made struct {
	Experiment string `json:"experiment"`
	Device     string `json:"device"`
}

// recorded reads it from the folder's run.json, if there is one.
func recorded(dir string) (m made) {
	f, err := os.Open(filepath.Join(dir, runFile))
	if err != nil {
		return made{}
	}
	defer f.Close()
	const most = 64 << 20 // a configuration with all its texts
	if json.NewDecoder(io.LimitReader(f, most)).Decode(&m) != nil {
		return made{}
	}
	return m
}

// A replacement is a file's new content, by its path in the folder; without any, the file is removed.
type replacement struct {
	name  string
	write func(io.Writer) error
}

// replaceFile writes a file so that it is never seen half.
func replaceFile(path string, write func(io.Writer) error) error {
	return replaceFiles(filepath.Dir(path), []replacement{{filepath.Base(path), write}})
}

// replaceFiles replaces files of a folder that belong together. All of them are on the disk before the
// first takes its name, so a full disk, or a name that is taken by something else, leaves every old
// one as it was. A file that has its content already is left alone: a sweep that is run again has thousands of them, and
// bringing each to the disk takes longer than anything else.
func replaceFiles(dir string, files []replacement) (err error) {
	temporary := make([]string, len(files))
	defer func() {
		for _, name := range temporary {
			if name != "" {
				os.Remove(name)
			}
		}
	}()
	for i, f := range files {
		if f.write == nil || has(filepath.Join(dir, f.name), f.write) {
			continue
		}
		if temporary[i], err = writeBeside(dir, f); err != nil {
			return fmt.Errorf("write %s: %w; the files that were there are left as they were", f.name, unwrapPath(err))
		}
	}
	folders := map[string]bool{dir: true}
	for i, f := range files {
		if f.write == nil {
			if err := os.Remove(filepath.Join(dir, f.name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("remove %s, which is of other results: %w", f.name, unwrapPath(err))
			}
			continue
		}
		if temporary[i] == "" { // it has its content
			continue
		}
		folders[filepath.Dir(filepath.Join(dir, f.name))] = true
		if err := os.Rename(temporary[i], filepath.Join(dir, f.name)); err != nil {
			return fmt.Errorf("write %s: %w", f.name, err)
		}
		temporary[i] = ""
	}
	for folder := range folders {
		err = cmp.Or(err, syncFolder(folder))
	}
	return err
}

// has reports a file whose content is what would be written.
func has(path string, write func(io.Writer) error) bool {
	if replaceable(path) != nil {
		return false
	}
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	there := bufio.NewReader(f)
	if write(comparison{there}) != nil {
		return false
	}
	_, err = there.ReadByte()
	return err == io.EOF
}

// A comparison is a writer that fails at the first byte that is not the next of a reader.
type comparison struct{ with io.Reader }

func (c comparison) Write(b []byte) (int, error) {
	there := make([]byte, len(b))
	if _, err := io.ReadFull(c.with, there); err != nil || !bytes.Equal(b, there) {
		return 0, errors.New("another content")
	}
	return len(b), nil
}

// writeBeside writes a file's content under a name of its own, as far as the disk.
func writeBeside(dir string, r replacement) (name string, err error) {
	path := filepath.Join(dir, r.name)
	if err := replaceable(path); err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return "", err
	}
	if err = r.write(f); err == nil {
		err = errors.Join(f.Chmod(0o644), f.Sync())
	}
	if err2 := f.Close(); err == nil {
		err = err2
	}
	return f.Name(), err
}

// syncFolder makes the names as lasting as the contents. Not every file system can.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return nil // it can be written to and not be read
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, fs.ErrInvalid) {
		return fmt.Errorf("write %s: %w", dir, unwrapPath(err))
	}
	return nil
}

// replaceable reports a path that is taken by something else than a file: renaming a file to it would
// fail, or put it in the place of a device.
func replaceable(path string) error {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		return errors.New("there is something of that name that is no file")
	}
	return nil
}

// cannotReplace says why a file of a flag cannot be written, or nothing.
func cannotReplace(flag, file string) string {
	dir := filepath.Dir(file)
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return fmt.Sprintf("%s: no folder %s", flag, dir)
	}
	if err := replaceable(file); err != nil {
		return fmt.Sprintf("%s %s: %v", flag, file, err)
	}
	return ""
}
