package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/persona-transfer/runpipeline/pipelines"
	"github.com/persona-transfer/runpipeline/pipelines/sheet"
)

const sheetKey = "sheet-key.json"

func sheetCommand(ctx context.Context, a *app, args []string) error {
	var x experimentFlags
	f := newFlags("sheet", a.stderr)
	x.register(f)
	n := f.Int("n", sheet.Size, "how many texts")
	out := f.String("out", "", "`folder` for sheet.csv, sheet.html and "+sheetKey+" (default: the configuration's output_dir)")
	filled := f.String("score", "", "a filled `file` that came back: print how far the person and each scorer agree")
	key := f.String("key", "", "`file` with the key of that sheet (default: "+sheetKey+" beside it)")
	if err := parse(f, args, 0); err != nil {
		return err
	}
	var problems pipelines.Problems
	if *n < 1 || *n > sheet.MaxSize {
		problems = append(problems, fmt.Sprintf("-n %d: want 1 to %d", *n, sheet.MaxSize))
	}
	if *key != "" && *filled == "" {
		problems = append(problems, "-key: only a filled sheet needs one; name it with -score")
	}
	if *out != "" && *filled != "" {
		problems = append(problems, "-out: nothing is written with -score")
	}
	if len(problems) > 0 {
		return problems
	}
	if *filled != "" {
		if *key == "" {
			*key = filepath.Join(filepath.Dir(*filled), sheetKey)
		}
		return a.scoreSheet(ctx, x, *filled, *key)
	}
	return a.makeSheet(ctx, x, *n, *out)
}

// makeSheet draws a sheet and writes its three files.
func (a *app) makeSheet(ctx context.Context, x experimentFlags, n int, out string) error {
	e, store, err := x.stored(ctx, a)
	if err != nil {
		return err
	}
	if out == "" {
		out = e.OutputDir
	}
	texts, _, err := e.Evaluated(ctx, store)
	if err != nil {
		return err
	}
	s := sheet.Draw(texts, n, e.Seed, e.Describe)
	if err := os.MkdirAll(out, 0o755); err != nil {
		return pipelines.Problems{fmt.Sprintf("-out: cannot write to %s: %v", out, unwrapPath(err))}
	}
	var files []replacement
	var problems pipelines.Problems
	for _, one := range []replacement{{"sheet.csv", s.WriteCSV}, {"sheet.html", s.WriteHTML}, {sheetKey, s.WriteKey}} {
		var b bytes.Buffer
		if err := one.write(&b); err != nil {
			return err
		}
		there, err := os.ReadFile(filepath.Join(out, one.name))
		switch {
		case err == nil && bytes.Equal(there, b.Bytes()):
		case err == nil: // somebody may have filled it in
			problems = append(problems, fmt.Sprintf("-out: %s is there already and is of another sheet, or filled in; move it away or name another folder", filepath.Join(out, one.name)))
		case !errors.Is(err, fs.ErrNotExist):
			problems = append(problems, fmt.Sprintf("-out: %s: %v", filepath.Join(out, one.name), unwrapPath(err)))
		default:
			files = append(files, replacement{one.name, func(w io.Writer) error { _, err := w.Write(b.Bytes()); return err }})
		}
	}
	if len(problems) > 0 {
		return problems
	}
	if err := replaceFiles(out, files); err != nil {
		return err
	}
	a.stdout.line("sheet %s: %d texts to rate in sheet.csv, or in sheet.html with a browser; %s says which is which and is not for the rater", s.Code, len(s.Rows), sheetKey)
	return nil
}

// scoreSheet prints how far a person agrees with the scorers.
func (a *app) scoreSheet(ctx context.Context, x experimentFlags, filled, key string) error {
	var content [2][]byte
	for i, file := range []struct{ flag, path string }{{"-score", filled}, {"-key", key}} {
		b, err := pipelines.ReadText(file.path, sheet.MaxFile)
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%w: %s: no file %s", pipelines.ErrMissing, file.flag, file.path)
		}
		if err != nil {
			return pipelines.Problems{fmt.Sprintf("%s %s: %v", file.flag, file.path, unwrapPath(err))}
		}
		content[i] = b
	}
	rated, err := sheet.Read(content[0], content[1])
	if err != nil {
		return err
	}
	e, store, err := x.stored(ctx, a)
	if err != nil {
		return err
	}
	texts, scorers, err := e.Evaluated(ctx, store)
	if err != nil {
		return err
	}
	lines, err := sheet.Compare(rated, texts, scorers, e.Seed)
	if err != nil {
		return err
	}
	return sheet.WriteTable(a.stdout, rated, lines)
}
