package pipelines

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"github.com/persona-transfer/runpipeline/artifacts"
	"github.com/persona-transfer/runpipeline/artifacts/export"
	"github.com/persona-transfer/runpipeline/format/strictjson"
	"github.com/persona-transfer/runpipeline/pipelines/rows"
	"github.com/persona-transfer/runpipeline/transforms"
	"github.com/persona-transfer/runpipeline/transforms/linear"
)

// FitOptions say which files of activations a map is fitted to, and how.
type FitOptions struct {
	Source, Target string // files of rows; row i of both is a pair
	Groups         string // file of the group of each row; empty: what the files say themselves
	Set            []string
	Layers         Layers // of the activations, −1 where the files say them or nobody does
}

// A FitResult is a map of files, and what is known of it.
type FitResult struct {
	transforms.FitReport
	Folding string     `json:"folding"` // how rows were put into folds
	Notes   []string   `json:"notes,omitempty"`
	Map     export.Map `json:"-"`
}

// WriteJSON writes the report, the same bytes for the same rows and settings.
func (r *FitResult) WriteJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", " ")
	return enc.Encode(r)
}

// fitSettings are the keys of an experiment's configuration that mean the same for files.
type fitSettings struct {
	LambdaValues []float64 `json:"lambda_values"`
	LambdaUnit   string    `json:"lambda_unit"`
	Folds        int       `json:"folds"`
	Fit          Fit       `json:"fit"`
	Seed         uint64    `json:"seed"` // draws the order of groups of the same size
}

var fitKeys = []string{"lambda_values", "lambda_unit", "folds", "fit.method", "fit.centre", "fit.rank", "seed"}

// readFitSettings applies overrides to the defaults of any pair of models.
func readFitSettings(set []string) (s fitSettings, problems Problems) {
	c := general()
	s = fitSettings{LambdaValues: c.LambdaValues, LambdaUnit: c.LambdaUnit, Folds: c.Folds, Fit: c.Fit, Seed: c.Seed}
	var known []string
	for _, one := range set {
		if key, _, _ := strings.Cut(one, "="); slices.Contains(fitKeys, key) || key == "fit" {
			known = append(known, one)
		} else {
			problems = append(problems, fmt.Sprintf("-set %s: no key of fit; there are %s", one, strings.Join(fitKeys, ", ")))
		}
	}
	raw, err := override([]byte("{}"), known)
	if err == nil {
		err = strictjson.Unmarshal(raw, &s)
	}
	var own Problems
	switch {
	case errors.As(err, &own):
		return s, append(problems, own...)
	case err != nil && problemsOf(err) != nil:
		return s, append(problems, problemsOf(err)...)
	case err != nil:
		return s, append(problems, err.Error())
	}
	k := &check{}
	k.fit(s.LambdaValues, s.LambdaUnit, s.Folds, s.Fit)
	return s, append(problems, k.problems...)
}

func (s fitSettings) spec() linear.Spec {
	return linear.Spec{Method: linear.Method(s.Fit.Method), Centre: s.Fit.Centre, Unit: linear.LambdaUnit(s.LambdaUnit), Rank: s.Fit.Rank}
}

// A fitting is what fit has found out about its files so far. What a user named wrongly is collected.
type fitting struct {
	FitOptions
	fitSettings
	source, target    *rows.File
	problems, missing Problems
	notes             []string
}

// problem notes what is wrong with the file of a flag.
func (f *fitting) problem(flag, file string, err error) {
	switch {
	case err == nil:
	case errors.Is(err, fs.ErrNotExist):
		f.missing = append(f.missing, fmt.Sprintf("%s %s: no such file", flag, file))
	default:
		f.problems = append(f.problems, fmt.Sprintf("%s %s: %v", flag, file, reason(err)))
	}
}

// err is everything that is wrong so far.
func (f *fitting) err() error {
	if len(f.problems) > 0 {
		return append(f.problems, f.missing...)
	}
	if len(f.missing) > 0 {
		return fmt.Errorf("%w: %s", ErrMissing, strings.Join(f.missing, "\n  "))
	}
	return nil
}

// FitFiles fits a map to the rows of two files, with the fit of the experiment. Whatever is wrong with the
// files and settings is told at once, before anything is fitted.
func FitFiles(ctx context.Context, o FitOptions) (*FitResult, error) {
	f := &fitting{FitOptions: o}
	f.fitSettings, f.problems = readFitSettings(o.Set)
	for _, side := range f.sides() {
		var err error
		if *side.into, err = rows.Open(side.file); err == nil {
			defer (*side.into).Close()
		}
		f.problem(side.flag, side.file, err)
	}
	fold, folding := f.fold()
	if f.source != nil && f.target != nil {
		f.compare()
	}
	if err := f.err(); err != nil {
		return nil, err
	}
	d, e := f.source.Width, f.target.Width
	bytes := transforms.FitBytes(d, e)
	if err := (Need{For: fmt.Sprintf("a map of %d × %d", d, e), Work: bytes, Held: bytes}).fits(ctx); err != nil {
		return nil, err
	}
	source, target := f.check(ctx)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err := f.err(); err != nil {
		return nil, err
	}
	pairs, err := rows.Pair(ctx, f.source, f.target, fold, f.Folds)
	if err != nil {
		return nil, err
	}
	m, report, err := transforms.FitFolds(pairs, f.LambdaValues, f.spec(), f.source.Meta, f.target.Meta)
	if err != nil {
		return nil, err
	}
	m.Notes = map[string]string{"fitted": fmt.Sprintf("on %d pairs of rows of files", report.Pairs)}
	r := &FitResult{FitReport: report, Folding: folding, Notes: f.notes}
	r.Map = export.Map{Map: *m, Scales: artifacts.Scales{Residual: target.MeanNorm}, SourceResidual: source.MeanNorm}
	return r, nil
}

// A fitSide is one of the two files.
type fitSide struct {
	flag, file string
	into       **rows.File
	layerFlag  string
	layer      int
}

func (f *fitting) sides() []fitSide {
	return []fitSide{{"-source", f.Source, &f.source, "-source_layer", f.Layers.Source}, {"-target", f.Target, &f.target, "-layer", f.Layers.Target}}
}

// compare holds the two files, and what flags say of them, against each other.
func (f *fitting) compare() {
	if f.source.Rows != f.target.Rows {
		f.problems = append(f.problems, fmt.Sprintf("-source %s has %d rows, -target %s has %d; row i of both must be a pair", f.Source, f.source.Rows, f.Target, f.target.Rows))
	} else if err := rows.SamePlaces(f.source, f.target); err != nil {
		f.problems = append(f.problems, fmt.Sprintf("-source %s and -target %s: %v", f.Source, f.Target, err))
	}
	for _, side := range f.sides() {
		known := &(*side.into).Meta.Layer
		switch {
		case side.layer >= 0 && *known != artifacts.UnknownLayer && *known != side.layer:
			f.problems = append(f.problems, fmt.Sprintf("%s %d: %s says that it is layer %d", side.layerFlag, side.layer, side.file, *known))
		case side.layer >= 0:
			*known = side.layer
		}
	}
}

// fold puts each row into a fold and says how.
func (f *fitting) fold() (fold []int, how string) {
	if f.source == nil || f.Folds < 2 {
		return nil, ""
	}
	n := f.source.Rows
	if n < f.Folds {
		f.problems = append(f.problems, fmt.Sprintf("-source %s has %d rows, fewer than the %d folds", f.Source, n, f.Folds))
		return nil, ""
	}
	var groups []int
	var err error
	switch {
	case f.Groups != "":
		if groups, err = rows.ReadGroups(f.Groups, n); err != nil {
			f.problem("-groups", f.Groups, err)
			return nil, ""
		}
		how = "whole groups of -groups"
	case f.source.Places != nil:
		groups, how = f.source.Documents(), "whole documents of -source"
	case f.target != nil && f.target.Places != nil && f.target.Rows == n:
		groups, how = f.target.Documents(), "whole documents of -target"
	default:
		if slices.ContainsFunc(f.Set, func(s string) bool { return strings.HasPrefix(s, "seed=") }) {
			f.notes = append(f.notes, "seed has nothing to draw: the folds are blocks")
		}
		f.notes = append(f.notes, "the folds are blocks of neighbouring rows, since nothing says which rows come from one text; -groups does")
		return rows.Blocks(n, f.Folds), "blocks of neighbouring rows"
	}
	if fold, err = rows.Deal(groups, f.Folds, f.Seed); err != nil {
		f.problems = append(f.problems, fmt.Sprintf("%s: %v; -set folds=N asks for fewer", how, err))
	}
	return fold, how
}

// check reads all values of both files once.
func (f *fitting) check(ctx context.Context) (source, target rows.Summary) {
	sides := f.sides()
	found, errs := make([]rows.Summary, len(sides)), make([]error, len(sides))
	var both sync.WaitGroup
	for i, side := range sides {
		both.Go(func() { found[i], errs[i] = (*side.into).Check(ctx) })
	}
	both.Wait()
	for i, side := range sides {
		if found[i].Rounded {
			f.notes = append(f.notes, fmt.Sprintf("%s %s: float64 values were rounded to float32, in which rows are fitted", side.flag, side.file))
		}
		f.problem(side.flag, side.file, errs[i])
	}
	return found[0], found[1]
}
