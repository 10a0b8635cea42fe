package main

import (
	"bytes"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/persona-transfer/runpipeline/gpu/arch"
	"github.com/persona-transfer/runpipeline/gpu/checkpoint"
	"github.com/persona-transfer/runpipeline/gpu/tokenizer"
)

// written is a folder of the small shape.
func written(t *testing.T, most int) string {
	t.Helper()
	s, err := shapeOf("tiny")
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(t.TempDir(), "model")
	if _, err := write(folder, s, most); err != nil {
		t.Fatal(err)
	}
	return folder
}

// TestFoldersHaveWhatTheySay opens one, in one file and in several, and looks at every weight: matrices have a
// standard deviation of 0.02 around 0, gains are 1, no two tensors are alike, and files do not matter.
func TestFoldersHaveWhatTheySay(t *testing.T) {
	var first map[string][]float32
	for _, most := range []int{maxShard, 300_000} {
		folder := written(t, most)
		c, err := checkpoint.OpenFS(os.DirFS(folder), folder)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		config, err := arch.ParseConfig(c.Config())
		if err != nil {
			t.Fatal(err)
		}
		if config.Vocab != 4096 || config.Hidden != 64 || config.Layers != 4 || !config.Tied {
			t.Errorf("configuration %+v", config)
		}
		if unused, err := config.CheckTensors(c.Tensors()); err != nil || len(unused) > 0 {
			t.Errorf("tensors: %v, unused %q", err, unused)
		}
		files, err := filepath.Glob(filepath.Join(folder, "*.safetensors"))
		if several := most < maxShard; err != nil || several != (len(files) > 1) {
			t.Errorf("files %q (%v), several: %t", files, err, several)
		}
		all := map[string][]float32{}
		for _, x := range c.Tensors() {
			values := make([]float32, bytesOf(x.Shape)/2)
			if err := c.ReadRows(x.Name, 0, x.Shape[0], values); err != nil {
				t.Fatal(err)
			}
			all[x.Name] = values
			var sum, squares float64
			for _, v := range values {
				sum, squares = sum+float64(v), squares+float64(v)*float64(v)
			}
			n := float64(len(values))
			mean, deviation := sum/n, math.Sqrt(squares/n)
			if strings.HasSuffix(x.Name, "norm.weight") {
				if slices.ContainsFunc(values, func(v float32) bool { return v != 1 }) {
					t.Errorf("%s: a gain is not 1", x.Name)
				}
				continue
			}
			// Five standard errors: σ/√n of the mean, less than σ/√(2n) of the deviation.
			if x.DType != "BF16" || math.Abs(mean) > 5*.02/math.Sqrt(n) || math.Abs(deviation-.02) > 5*.02/math.Sqrt(2*n) {
				t.Errorf("%s in %s: mean %g, deviation %g", x.Name, x.DType, mean, deviation)
			}
			for other, w := range all {
				if other != x.Name && slices.Equal(w[:64], values[:64]) && !strings.HasSuffix(other, "norm.weight") {
					t.Errorf("%s is %s", x.Name, other)
				}
			}
		}
		if first == nil {
			first = all
		}
		for name, values := range all {
			if !slices.Equal(values, first[name]) {
				t.Errorf("%s depends on how files are cut", name)
			}
		}
	}
}

// TestValuesDependOnTheirPlaceAlone: pieces begin anywhere, and no two values of a row are alike for long.
func TestValuesDependOnTheirPlaceAlone(t *testing.T) {
	all, part := make([]byte, 2000), make([]byte, 600)
	draw(all, 7, 0, false)
	if draw(part, 7, 500, false); !bytes.Equal(part, all[1000:1600]) {
		t.Error("the piece from value 500 on is another one")
	}
	if draw(part, 8, 500, false); bytes.Equal(part, all[1000:1600]) {
		t.Error("another tensor has the same values")
	}
	if bytes.Equal(all[:200], all[200:400]) {
		t.Error("values repeat")
	}
}

// TestTheSameShapeIsTheSameBytes whatever wrote it before.
func TestTheSameShapeIsTheSameBytes(t *testing.T) {
	a, b := written(t, maxShard), written(t, maxShard)
	names := 0
	if err := fs.WalkDir(os.DirFS(a), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		names++
		x, err1 := os.ReadFile(filepath.Join(a, name))
		y, err2 := os.ReadFile(filepath.Join(b, name))
		if err1 != nil || err2 != nil || !bytes.Equal(x, y) {
			t.Errorf("%s differs (%v, %v)", name, err1, err2)
		}
		return nil
	}); err != nil || names != 4 {
		t.Errorf("%d files: %v", names, err)
	}
}

// TestTokenizersReadWhatModelsWrite: each shape has a token for every row of its embedding; whatever words a model
// writes are read as the same tokens, and English has more than two characters a token.
func TestTokenizersReadWhatModelsWrite(t *testing.T) {
	for _, s := range shapes {
		files, err := tokenizerFiles(s)
		if err != nil {
			t.Fatal(err)
		}
		tok, err := tokenizer.FromJSON(files["tokenizer.json"], files["tokenizer_config.json"])
		if err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		if tok.Size() != s.vocab {
			t.Errorf("%s: %d tokens, want %d", s.name, tok.Size(), s.vocab)
		}
		var words []int32
		for id := 2048 + len([]rune(letters)); id < s.vocab; id += 1 + s.vocab/3000 {
			words = append(words, int32(id))
		}
		if got, err := tok.EncodePlain(tok.Decode(words, false)); err != nil || !slices.Equal(got, words) {
			t.Errorf("%s: %d words are read as %d tokens (%v)", s.name, len(words), len(got), err)
		}
		const text = "The first thing I noticed about the hotel was that nobody expected visitors"
		if ids, err := tok.EncodePlain(text); err != nil || len(ids) > len(text)/2 {
			t.Errorf("%s: %q has %d tokens (%v)", s.name, text, len(ids), err)
		}
	}
}

// TestShapesAreThoseOfTheirNames by their numbers of parameters.
func TestShapesAreThoseOfTheirNames(t *testing.T) {
	for name, want := range map[string]int{"135m": 134_515_008, "0.5b": 494_032_768, "7b": 6_738_415_616} {
		s, err := shapeOf(name)
		if err != nil {
			t.Fatal(err)
		}
		c, err := arch.ParseConfig([]byte(s.config()))
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Parameters(); got != want {
			t.Errorf("%s has %d parameters, want %d", name, got, want)
		}
	}
}

// TestFilesAreCut in the order of names, each as full as it can be; a tensor is never cut.
func TestFilesAreCut(t *testing.T) {
	tensors := map[string][]int{"a": {4}, "b": {2, 2}, "c": {9}, "d": {1}, "e": {1}}
	got := cut(tensors, 16)
	if want := [][]string{{"a", "b"}, {"c"}, {"d", "e"}}; !slices.EqualFunc(got, want, slices.Equal) {
		t.Errorf("files %q, want %q", got, want)
	}
}

// TestCommandRefuses what it cannot do: a folder with something in it is somebody's.
func TestCommandRefuses(t *testing.T) {
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "x"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		`-shape "8b": want one of tiny, 135m, 0.5b, 7b`: {"-shape", "8b", "x"},
		"0 arguments":             {"-shape", "tiny"},
		"the folder is not empty": {"-shape", "tiny", full},
	} {
		if err := command(args, io.Discard); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", args, err, want)
		}
	}
	var out bytes.Buffer
	if err := command([]string{"-list"}, &out); err != nil || !strings.Contains(out.String(), `"vocab_size": 151936`) {
		t.Errorf("-list: %v\n%s", err, &out)
	}
}
