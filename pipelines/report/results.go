package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/pipelines"
	"github.com/persona-transfer/runpipeline/transforms"
)

// Results are everything that a report is made of: what a run leaves in its folder, and nothing else.
type Results struct {
	Report transforms.Report
	Texts  []artifacts.Sample
	Run    *Run // nil: there is no run.json

	ReportDigest, RowsDigest cache.Digest // of report.json and rows.jsonl, as sha256sum prints them
}

// A Run is what a report takes from run.json: what was configured and where the store keeps it. Times,
// machines and folders are not in it, so that the same results make the same report.
type Run struct {
	Experiment string           `json:"experiment"`
	Config     pipelines.Config `json:"config"`
	Stages     []struct {
		Stage string `json:"stage"`
		Key   string `json:"key"`
	} `json:"stages"`
}

// Bounds of files that anybody may have written.
const (
	maxReportFile = 256 << 20
	maxRowsFile   = 2 << 30
	maxRunFile    = 64 << 20 // a configuration with all its texts
)

// Read reads the folder of a finished run. A folder without results wraps [pipelines.ErrMissing], a file that
// is none of ours, or was cut, [cache.ErrCorrupt].
func Read(dir string) (*Results, error) {
	report, err := readFile(dir, "report.json", maxReportFile)
	if err != nil {
		return nil, err
	}
	rows, err := readFile(dir, "rows.jsonl", maxRowsFile)
	if err != nil {
		return nil, err
	}
	run, err := readFile(dir, "run.json", maxRunFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	r, err := Decode(report, rows, run)
	if err != nil {
		return nil, fmt.Errorf("results in %s: %w", dir, err)
	}
	return r, nil
}

func readFile(dir, name string, most int64) ([]byte, error) {
	path := filepath.Join(dir, name)
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%w: %w; a run leaves report.json and rows.jsonl in its output_dir", pipelines.ErrMissing, notThere{path})
	case err != nil:
		return nil, fmt.Errorf("%w: %w", pipelines.ErrMissing, err)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%w: %s is no file", pipelines.ErrMissing, path)
	case info.Size() > most:
		return nil, fmt.Errorf("read %s: %d bytes, more than any run writes: %w", path, info.Size(), cache.ErrCorrupt)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", pipelines.ErrMissing, err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, most))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return b, nil
}

// A notThere is a file that does not exist.
type notThere struct{ path string }

func (n notThere) Error() string        { return n.path + ": no such file" }
func (n notThere) Is(target error) bool { return target == fs.ErrNotExist }

// Decode makes results of the contents of report.json, rows.jsonl and run.json, the last of which may be
// nil. Errors wrap [cache.ErrCorrupt].
func Decode(report, rows, run []byte) (*Results, error) {
	r := &Results{ReportDigest: cache.Sum(report), RowsDigest: cache.Sum(rows)}
	var err error
	if r.Report, err = decodeReport(report); err != nil {
		return nil, damaged(err)
	}
	texts, err := artifacts.ReadJSONL(bytes.NewReader(rows))
	if err != nil {
		return nil, damaged(fmt.Errorf("read rows.jsonl: %w", err))
	}
	r.Texts = texts.Rows
	if n := r.Report.Evaluation.Rows; n != len(r.Texts) {
		return nil, damaged(fmt.Errorf("read rows.jsonl: it has %d rows, and report.json was computed from %d", len(r.Texts), n))
	}
	if run != nil {
		r.Run = new(Run)
		if err := json.Unmarshal(run, r.Run); err != nil {
			return nil, damaged(fmt.Errorf("read run.json: %w", err))
		}
	}
	return r, nil
}

func damaged(err error) error { return fmt.Errorf("%w: %w", err, cache.ErrCorrupt) }

// decodeReport reads a report.json that is whole.
func decodeReport(text []byte) (r transforms.Report, err error) {
	if err := json.Unmarshal(text, &r); err != nil {
		return r, fmt.Errorf("read report.json: %w", err)
	}
	if r.Fit.CV == nil || r.Evaluation == nil || len(r.Evaluation.Scorers) != len(r.Evaluation.Personas) {
		return r, errors.New("read report.json: it is not a whole report")
	}
	return r, nil
}
