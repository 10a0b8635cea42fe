package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/persona-transfer/runpipeline/format/safetensors"
	"github.com/persona-transfer/runpipeline/gpu"
	"github.com/persona-transfer/runpipeline/gpu/arch"
	"github.com/persona-transfer/runpipeline/gpu/checkpoint"
	"github.com/persona-transfer/runpipeline/gpu/tiny"
	"github.com/persona-transfer/runpipeline/gpu/tokenizer"
	"github.com/persona-transfer/runpipeline/gpu/xla"
)

func main() {
	out := flag.String("out", filepath.Join("gpu", "tiny"), "folder to write to")
	tokens := flag.Int("tokens", 2_400_000, "training tokens of each model")
	only := flag.String("model", "", "make only this model: qwen2 or llama")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *out, *tokens, *only); err != nil {
		fmt.Fprintln(os.Stderr, "train:", err)
		os.Exit(1)
	}
}

// run makes the models that were asked for, and writes the log of it.
func run(ctx context.Context, out string, tokens int, only string) error {
	if least := xla.DefaultTrain().Rows * rowTokens; tokens < least {
		return fmt.Errorf("-tokens %d: fewer than %d make no step", tokens, least)
	}
	var texts []string
	for _, d := range tiny.Documents(tokenizerSeed, min(tokenizerDocuments, tokens)) {
		texts = append(texts, d.Text)
	}
	var log []record
	for _, f := range families {
		if only != "" && only != f.name {
			continue
		}
		r, err := f.make(ctx, filepath.Join(out, f.name), texts, tokens)
		if err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
		log = append(log, r)
	}
	if len(log) == 0 {
		return fmt.Errorf("-model %s: there is no such model (there are qwen2 and llama)", only)
	}
	return write(out, "TRAINING.md", markdown(log))
}

// make trains a tokenizer and a model and writes their folder.
func (f family) make(ctx context.Context, folder string, texts []string, tokens int) (record, error) {
	start := time.Now()
	tok, config, err := f.writeTokenizer(folder, texts)
	if err != nil {
		return record{}, err
	}
	training, err := rows(tok.Encode, int32(f.eos), trainSeed, tokens)
	if err != nil {
		return record{}, err
	}
	shuffle(training)
	o := xla.DefaultTrain()
	o.Seed, o.Length, o.Steps = f.seed, rowTokens-1, len(training)/o.Rows
	r := record{family: f, parameters: config.Parameters(), tokens: o.Steps * o.Rows * o.Length}
	weights, err := xla.Train(ctx, config, o,
		func(step int) []int32 { return slices.Concat(training[step*o.Rows : (step+1)*o.Rows]...) },
		func(step int, loss float64) {
			if r.add(step+1, o.Steps, loss) {
				fmt.Fprintf(os.Stderr, "%s: step %d of %d, loss %.3f, %s\n", f.name, step+1, o.Steps, r.lines[len(r.lines)-1].loss, time.Since(start).Round(time.Second))
			}
		})
	if err != nil {
		return record{}, err
	}
	if r.digest, err = f.writeWeights(folder, weights); err != nil {
		return record{}, err
	}
	r.device = xla.TrainedOn()
	if r.validation, err = f.validate(ctx, folder, min(tokens, validationTokens)); err != nil {
		return record{}, fmt.Errorf("validate: %w", err)
	}
	r.took = time.Since(start)
	fmt.Fprintf(os.Stderr, "%s: validation loss %.4f, %s\n", f.name, r.validation, r.took.Round(time.Second))
	return r, nil
}

// writeTokenizer trains the tokenizer, writes all files but the weights, and returns
// tokenizer and configuration as a reader of those files sees them.
func (f family) writeTokenizer(folder string, texts []string) (*tokenizer.Tokenizer, *arch.Config, error) {
	tokenizerJSON, tokenizerConfig, err := f.tokenizer(texts)
	if err != nil {
		return nil, nil, fmt.Errorf("train tokenizer: %w", err)
	}
	configJSON, err := f.config()
	if err != nil {
		return nil, nil, fmt.Errorf("write config.json: %w", err)
	}
	generation, err := f.generationConfig()
	if err != nil {
		return nil, nil, fmt.Errorf("write generation_config.json: %w", err)
	}
	err = errors.Join(
		write(folder, "tokenizer.json", tokenizerJSON),
		write(folder, "tokenizer_config.json", tokenizerConfig),
		write(folder, "config.json", configJSON),
		write(folder, "generation_config.json", generation))
	if err != nil {
		return nil, nil, err
	}
	tok, err := tokenizer.FromJSON(tokenizerJSON, tokenizerConfig)
	if err != nil {
		return nil, nil, fmt.Errorf("open the tokenizer just trained: %w", err)
	}
	config, err := arch.ParseConfig(configJSON)
	if err != nil {
		return nil, nil, fmt.Errorf("open the configuration just written: %w", err)
	}
	return tok, config, nil
}

// writeWeights writes model.safetensors, in bfloat16: half the size, and no difference that
// the experiment could show. It returns the file's SHA-256.
func (f family) writeWeights(folder string, weights map[string][]float32) (digest string, err error) {
	var list []safetensors.Tensor
	for _, name := range slices.Sorted(maps.Keys(weights)) {
		shape, err := f.shape(name, len(weights[name]))
		if err != nil {
			return "", err
		}
		list = append(list, safetensors.Tensor{Name: name, DType: "BF16", Shape: shape, Data: weights[name]})
	}
	var b bytes.Buffer
	if err := safetensors.Write(&b, list, map[string]string{"format": "pt"}); err != nil {
		return "", err
	}
	return fmt.Sprintf("%x", sha256.Sum256(b.Bytes())), write(folder, "model.safetensors", b.Bytes())
}

// shape returns the shape of a tensor of n values: matrices, [out, in], read the residual
// stream, except for the one that reads the feed-forward part.
func (f family) shape(name string, n int) ([]int, error) {
	in := f.hidden
	switch {
	case strings.HasSuffix(name, "norm.weight"), strings.HasSuffix(name, ".bias"):
		return []int{n}, nil
	case strings.HasSuffix(name, "down_proj.weight"):
		in = f.inner
	}
	if n%in != 0 {
		return nil, fmt.Errorf("tensor %s: %d values make no rows of %d", name, n, in)
	}
	return []int{n / in, in}, nil
}

// validate returns the mean loss, in nats per token, of a model as it is stored, on rows of
// documents that it was not trained on.
func (f family) validate(ctx context.Context, folder string, tokens int) (float64, error) {
	c, err := checkpoint.Open(ctx, folder, checkpoint.Options{Offline: true})
	if err != nil {
		return 0, err
	}
	defer c.Close()
	d, err := gpu.Open(c, nil, "cpu")
	if err != nil {
		return 0, err
	}
	defer d.Close()
	texts, err := rows(d.Tokenizer().Encode, int32(f.eos), validationSeed, tokens)
	if err != nil {
		return 0, err
	}
	var first, rest [][]int32
	for _, t := range texts {
		first, rest = append(first, t[:1]), append(rest, t[1:])
	}
	losses, err := d.NLL(ctx, first, rest)
	if err != nil {
		return 0, err
	}
	sum := 0.0
	for _, text := range losses {
		for _, loss := range text {
			sum += float64(loss)
		}
	}
	return sum / float64(len(texts)*(rowTokens-1)), nil
}

// write writes a file of a folder, which it makes if it must.
func write(folder, name string, content []byte) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := os.WriteFile(filepath.Join(folder, name), content, 0o644); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}
