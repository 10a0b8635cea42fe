package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/persona-transfer/runpipeline/"

// layers lists, for each folder, what its files may import besides the standard library. Paths
// without a dot are folders of this module. A folder may always import its own subfolders. Test
// files are not checked. A folder without a row fails the test.
var layers = map[string][]string{
	"cache":               {"github.com/klauspost/compress/"},
	"cache/cachetest":     {"cache"},
	"cache/bucket":        {"cache", "gocloud.dev/", "cloud.google.com/go/storage", "github.com/Azure/azure-sdk-for-go/sdk/azcore", "google.golang.org/api/googleapi", "golang.org/x/sync/"},
	"cache/bucket/s3test": {},
	"artifacts":           {"cache", "github.com/apache/arrow/go/v17/"},
	"artifacts/export":    {"artifacts", "format"},
	"format/boundedjson":  {},
	"format/files":        {},
	"format/gguf":         {},
	"format/half":         {},
	"format/npy":          {},
	"format/safetensors":  {"format"},
	"format/strictjson":   {},
	"format/text":         {},
	"gpu":                 {},
	"gpu/arch":            {"gpu/checkpoint"},
	"gpu/engine":          {"gpu/arch"},
	"gpu/cpu":             {"gpu/arch", "gpu/checkpoint", "gpu/engine", "vigil", "golang.org/x/sys/"},
	"gpu/xla":             {"format/half", "gpu/arch", "gpu/engine", "github.com/gomlx/", "golang.org/x/sync/"},
	"gpu/xla/pjrt":        {"format/files", "golang.org/x/sys/"},
	"gpu/gputest":         {"format", "gpu"},
	"gpu/gputest/cputime": {},
	"gpu/checkpoint":      {"format", "golang.org/x/"},
	"gpu/tokenizer":       {"github.com/dlclark/regexp2", "golang.org/x/text/", "google.golang.org/protobuf/"},
	"gpu/tiny":            {},
	"gpu/tiny/train":      {"format", "gpu", "github.com/dlclark/regexp2"},
	"transforms/linear":   {"gonum.org/"},
	"transforms/steer":    {"artifacts", "gpu"},
	"transforms/judge":    {"cache", "golang.org/x/sync/", "golang.org/x/time/"},
	"transforms/trial":    {"format/strictjson", "gonum.org/"},
	"transforms":          {"cache", "artifacts", "gpu", "github.com/apache/beam/", "golang.org/x/sync/"},
	"pipelines/pool":      {"github.com/apache/beam/", "google.golang.org/grpc"},
	"pipelines/report":    {"artifacts", "cache", "pipelines", "transforms", "gonum.org/v1/plot"},
	"pipelines/rows":      {"artifacts", "cache", "format", "transforms/linear"},
	"pipelines/sheet":     {"artifacts", "cache", "format/strictjson", "pipelines", "transforms"},
	"pipelines":           {"cache", "artifacts", "format", "gpu", "transforms", "github.com/apache/beam/"},
	"vigil":               {},
	"scripts/growth":      {"format", "gpu", "pipelines", "transforms"},
	"scripts/mutate":      {},
	"scripts/randommodel": {"format", "gpu"},
	"cmd/runpipeline":     {"cache", "artifacts", "pipelines", "golang.org/x/term"},

	"gpu/engine/enginetest":      {"gpu"},
	"gpu/tokenizer/jinja":        {"golang.org/x/text/"},
	"transforms/judge/judgetest": {},
	"transforms/linear/kernel":   {"gonum.org/", "golang.org/x/sys/"},
	"transforms/linear/eigen":    {"vigil", "gonum.org/", "golang.org/x/sys/"},
}

// reserved lists folders that only the folders beside them may import: the engine of graphs is behind a device's
// name, and what engines must pass is for tests.
var reserved = map[string][]string{
	"gpu/xla":               {"gpu", "gpu/tiny/train"},
	"gpu/engine/enginetest": {},
}

// TestLayers keeps every import where the plan of the house puts it.
func TestLayers(t *testing.T) {
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || d.Name() != ".." && strings.HasPrefix(d.Name(), ".")) {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		checkImports(t, path, filepath.ToSlash(filepath.Dir(rel)))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func checkImports(t *testing.T, path, folder string) {
	allowed, ok := layers[folder]
	if !ok {
		t.Errorf("%s: folder %s has no row in layers", path, folder)
		return
	}
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	for _, spec := range file.Imports {
		name, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		if !mayImport(folder, allowed, name) {
			t.Errorf("%s imports %s; folder %s may not", path, name, folder)
		}
	}
}

func mayImport(folder string, allowed []string, name string) bool {
	own, ours := strings.CutPrefix(name, module)
	if !ours && !strings.Contains(strings.Split(name, "/")[0], ".") {
		return true // standard library
	}
	if users, ok := reserved[own]; ours && ok {
		return slices.Contains(users, folder)
	}
	if ours && strings.HasPrefix(own, folder+"/") {
		return true
	}
	for _, a := range allowed {
		if !ours && strings.HasPrefix(name, a) || ours && (own == a || strings.HasPrefix(own, a+"/")) {
			return true
		}
	}
	return false
}

// TestLayersRefuse shows that the rule bites.
func TestLayersRefuse(t *testing.T) {
	for _, c := range []struct {
		folder, name string
		want         bool
	}{
		{"cache", module + "artifacts", false},
		{"gpu", module + "gpu/tokenizer", true},
		{"gpu", module + "cache", false},
		{"gpu", "github.com/gomlx/gomlx/core/graph", false},
		{"gpu", module + "gpu/xla", true},
		{"pipelines", module + "gpu/xla", false},
		{"gpu/cpu", module + "gpu/engine", true},
		{"gpu/cpu", module + "gpu/engine/enginetest", false},
		{"gpu/tiny/train", module + "gpu/xla", true},
		{"transforms/linear", "github.com/apache/beam/sdks/v2/go/pkg/beam", false},
		{"transforms", "github.com/apache/beam/sdks/v2/go/pkg/beam", true},
		{"cache", "encoding/json", true},
	} {
		if got := mayImport(c.folder, layers[c.folder], c.name); got != c.want {
			t.Errorf("%s may import %s: %t, want %t", c.folder, c.name, got, c.want)
		}
	}
}
