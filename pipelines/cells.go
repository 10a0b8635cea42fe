package pipelines

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/persona-transfer/runpipeline/format/strictjson"
)

// A Cell is one experiment of a sweep, as it is configured.
type Cell struct {
	Name     string // of its folder; empty if the configuration has no sweep
	Settings []Setting
	Config   Config
}

// A Setting is the value that a cell gives one key.
type Setting struct {
	Key   string          `json:"key"`   // dotted, as in -set
	Value json.RawMessage `json:"value"` // without spaces
}

// Text is the value as people read it: a string without its quotes.
func (s Setting) Text() string {
	var text string
	if json.Unmarshal(s.Value, &text) == nil {
		return text
	}
	return string(s.Value)
}

// String is "key=value".
func (s Setting) String() string { return s.Key + "=" + s.Text() }

// maxCells is more than a slip of the keyboard should begin.
const maxCells = 10_000

// unswept are the keys on which no result depends, so that cells with different values of them would be the same.
var unswept = []string{"output_dir", "device_plugin", "judge.endpoint", "judge.key_env", "judge.concurrency", "judge.requests_per_minute", "judge.max_requests",
	"judge.max_tokens", "judge.timeout"}

// LoadSweep reads a configuration file and applies overrides of the form dotted.key=JSON. It gives one cell for each
// combination of the values that "sweep" lists, the keys in alphabetical order, the values of the last changing
// fastest; without a sweep, one cell. An empty path is the embedded experiment. Relative paths in a file start at the
// file's folder. All that is wrong in any cell is reported at once.
func LoadSweep(ctx context.Context, path string, overrides []string) ([]Cell, error) {
	file := []byte("{}")
	folder := ""
	if path != "" {
		b, err := readPlain(path, maxConfigFile)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%w: configuration file %s: %v", ErrMissing, path, reason(err))
		}
		if err != nil {
			return nil, Problems{fmt.Sprintf("configuration file %s: %v", path, reason(err))}
		}
		file, folder = b, filepath.Dir(path)
	}
	raw, err := override(file, overrides)
	if err != nil {
		return nil, err
	}
	return parseCells(ctx, file, raw, folder)
}

// LoadConfig is LoadSweep for what is about one experiment.
func LoadConfig(ctx context.Context, path string, overrides []string) (Config, error) {
	cells, err := LoadSweep(ctx, path, overrides)
	if err != nil {
		return Config{}, err
	}
	if n := len(cells); n > 1 {
		return Config{}, Problems{fmt.Sprintf("sweep: it has %d experiments, and this is about one: choose it by one value a key, for instance -set sweep.%s=[%s]", n, cells[0].Settings[0].Key, cells[0].Settings[0].Value)}
	}
	return cells[0].Config, nil
}

// parseCells reads raw, which is the file with the overrides in it, once for each cell.
func parseCells(ctx context.Context, file, raw []byte, folder string) ([]Cell, error) {
	l := loader{folder: folder}
	var root map[string]json.RawMessage
	if strictjson.Unmarshal(raw, &root) != nil || root["sweep"] == nil {
		c, err := l.parse(ctx, file, raw)
		return []Cell{{Config: c}}, err
	}
	settings, err := expand(root["sweep"])
	if err != nil {
		return nil, err
	}
	delete(root, "sweep")
	cells := make([]Cell, len(settings))
	for i := range cells {
		cells[i].Settings = settings[i]
	}
	wrong := troubles{cells: cells}
	for i := range cells {
		own := maps.Clone(root)
		var problems Problems
		for _, s := range cells[i].Settings {
			if err := assign(own, strings.Split(s.Key, "."), s.Value); err != nil {
				problems = append(problems, fmt.Sprintf("sweep.%s: %v", s.Key, err))
			}
		}
		if problems != nil {
			wrong.add(i, problems)
			continue
		}
		text, err := json.Marshal(own)
		if err != nil {
			return nil, Problems{"not a JSON object: " + err.Error()}
		}
		cells[i].Config, err = l.parse(ctx, file, text)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		wrong.add(i, err)
	}
	nameCells(cells)
	return cells, wrong.err()
}

// expand gives the settings of each cell of a sweep.
func expand(raw json.RawMessage) ([][]Setting, error) {
	var sweep map[string]json.RawMessage
	if err := strictjson.Unmarshal(raw, &sweep); err != nil || sweep == nil {
		return nil, Problems{`sweep: want an object of lists, for instance {"layer_idx": [8, 12]}`}
	}
	keys := slices.Sorted(maps.Keys(sweep))
	k := &check{}
	k.want(len(keys) > 0, "sweep: no key in it")
	all, cells := [][]Setting{nil}, 1
	for i, key := range keys {
		k.want(!slices.ContainsFunc(unswept, func(u string) bool { return within(u, key) }) && !within("sweep", key),
			"sweep.%s: no result depends on it, so it cannot be swept", key)
		for _, other := range keys[i+1:] {
			k.want(!within(key, other), "sweep.%s: %s is swept as well, which is a part of it", key, other)
		}
		values, err := listed(sweep[key])
		if err != nil {
			k.want(false, "sweep.%s: %v", key, err)
			continue
		}
		if cells *= len(values); cells > maxCells {
			k.want(false, "sweep: %d cells or more; want at most %d", cells, maxCells)
			break
		}
		var more [][]Setting
		for _, cell := range all {
			for _, v := range values {
				more = append(more, append(slices.Clip(cell), Setting{key, v}))
			}
		}
		all = more
	}
	if len(k.problems) > 0 {
		return nil, k.problems
	}
	return all, nil
}

// within reports a key that is the other or a part of it.
func within(whole, key string) bool { return key == whole || strings.HasPrefix(key, whole+".") }

// listed gives the values of a list, none of which may come twice.
func listed(raw json.RawMessage) ([]json.RawMessage, error) {
	var values []json.RawMessage
	if err := json.Unmarshal(raw, &values); err != nil || values == nil {
		return nil, errors.New("want a list of values")
	}
	if len(values) == 0 {
		return nil, errors.New("no value in it")
	}
	for i, v := range values {
		var b bytes.Buffer
		if err := json.Compact(&b, v); err != nil {
			return nil, err
		}
		values[i] = b.Bytes()
		if slices.ContainsFunc(values[:i], func(w json.RawMessage) bool { return bytes.Equal(w, values[i]) }) {
			return nil, fmt.Errorf("%.100s appears twice", values[i])
		}
	}
	return values, nil
}

// maxName is how long a folder's name may become: file systems allow 255 bytes, people read fewer.
const maxName = 100

// nameCells gives each cell a name that a folder can have on any system: its settings, and where these do not fit into
// such a name, or not two of them apart, a digest of them.
func nameCells(cells []Cell) {
	count := map[string]int{}
	names := make([]string, len(cells))
	whole := make([]bool, len(cells))
	for i, c := range cells {
		names[i], whole[i] = folderName(c.Settings)
		count[strings.ToLower(names[i])]++
	}
	for i := range cells {
		cells[i].Name = names[i]
		if !whole[i] || count[strings.ToLower(names[i])] > 1 { // some systems do not tell Ridge from ridge
			text, _ := json.Marshal(cells[i].Settings) // keys and JSON always encode
			sum := sha256.Sum256(text)
			cells[i].Name += "-" + hex.EncodeToString(sum[:8])
		}
	}
}

// folderName writes settings as a name, and says whether all of them are in it as they are.
func folderName(settings []Setting) (name string, whole bool) {
	var parts []string
	for _, s := range settings {
		parts = append(parts, s.String())
	}
	text := strings.Join(parts, ",")
	name = strings.Map(func(r rune) rune {
		if r < 0x80 && (r == '.' || r == '_' || r == '-' || r == '=' || r == ',' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z') {
			return r
		}
		return '_'
	}, text)
	name = strings.TrimRight(name[:min(len(name), maxName)], ".")
	return name, name == text
}

// where says which cells of a sweep are meant, by what it names; nothing if all are.
func where(cells []Cell, members []int) string {
	if len(members) == len(cells) || len(members) == 0 {
		return ""
	}
	telling := func(settings []Setting) string { // what is the same in all cells tells nothing
		return settingsText(slices.DeleteFunc(slices.Clone(settings), func(s Setting) bool {
			return !slices.ContainsFunc(cells, func(c Cell) bool { return !slices.ContainsFunc(c.Settings, s.equal) })
		}))
	}
	first := cells[members[0]].Settings
	if len(members) == 1 {
		return telling(first)
	}
	agreed := slices.Clone(first)
	for _, i := range members[1:] {
		agreed = slices.DeleteFunc(agreed, func(s Setting) bool { return !slices.ContainsFunc(cells[i].Settings, s.equal) })
	}
	alike := 0
	for _, c := range cells {
		if !slices.ContainsFunc(agreed, func(s Setting) bool { return !slices.ContainsFunc(c.Settings, s.equal) }) {
			alike++
		}
	}
	text := telling(agreed)
	if alike == len(members) {
		return text
	}
	if text != "" {
		text = " with " + text
	}
	return fmt.Sprintf("%d of the %d cells%s, the first %s", len(members), alike, text, telling(first))
}

func (s Setting) equal(t Setting) bool { return s.Key == t.Key && bytes.Equal(s.Value, t.Value) }

func settingsText(settings []Setting) string {
	var parts []string
	for _, s := range settings {
		parts = append(parts, s.String())
	}
	return strings.Join(parts, ", ")
}

// Text says which cell it is.
func (c Cell) Text() string { return settingsText(c.Settings) }

// Troubles are what is wrong with cells: each once, with the cells that have it.
type troubles struct {
	cells []Cell
	order []string
	of    map[string]*trouble
	alone error // of the only cell, as it is
}

type trouble struct {
	err     error // nil: a problem of the configuration
	members []int
}

// add takes an error of a cell. It is false for one that is of no cell.
func (t *troubles) add(cell int, err error) bool {
	if err == nil {
		return true
	}
	if len(t.cells) == 1 {
		t.alone = err
		return true
	}
	var problems Problems
	switch {
	case errors.As(err, &problems):
		for _, p := range problems {
			t.note(p, nil, cell)
		}
	case errors.Is(err, ErrMissing), errors.Is(err, ErrConfig):
		t.note(err.Error(), err, cell)
	default:
		t.note(err.Error(), err, cell)
		return false
	}
	return true
}

func (t *troubles) note(text string, err error, cell int) {
	if t.of == nil {
		t.of = map[string]*trouble{}
	}
	one := t.of[text]
	if one == nil {
		one = &trouble{err: err}
		t.of[text] = one
		t.order = append(t.order, text)
	}
	if n := len(one.members); n == 0 || one.members[n-1] != cell {
		one.members = append(one.members, cell)
	}
}

// err is everything that is wrong: [Problems] if any of it is, else what is missing.
func (t *troubles) err() error {
	if t.alone != nil {
		return t.alone
	}
	var problems Problems
	var missing []error
	bad := false
	for _, text := range t.order {
		one := t.of[text]
		at := where(t.cells, one.members)
		if at != "" {
			at = " (" + at + ")"
		}
		bad = bad || one.err == nil || errors.Is(one.err, ErrConfig)
		problems = append(problems, text+at)
		if one.err != nil {
			missing = append(missing, fmt.Errorf("%w%s", one.err, at))
		}
	}
	if bad {
		slices.Sort(problems)
		return slices.Compact(problems)
	}
	return errors.Join(missing...)
}
