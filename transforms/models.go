package transforms

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/gpu"
	"github.com/persona-transfer/runpipeline/gpu/checkpoint"
	"github.com/persona-transfer/runpipeline/gpu/tiny"
	"github.com/persona-transfer/runpipeline/gpu/tokenizer"
)

// A Model says which model a stage runs. The contents of its files and the device that computes with them
// are part of a recipe; where the files are is not.
type Model struct {
	Ref      string `json:"ref" key:"-"`  // "tiny:qwen2", a folder, a .gguf file or a hub id
	Digest   string `json:"digest"`       // of configuration, weights and tokenizer
	Open     string `json:"open" key:"-"` // the device as gpu.Open takes it
	Device   string `json:"device"`       // the device with its number type and instruction set
	Template bool   `json:"template"`     // wrap texts in the model's chat template
	Date     string `json:"date"`         // that templates are told, YYYY-MM-DD; empty: none
	Shape    Shape  `json:"shape" key:"-"`
}

// A TextModel is a Model without a device, for stages that only tokenise.
type TextModel struct {
	Ref      string `json:"ref" key:"-"`
	Digest   string `json:"digest"`
	Template bool   `json:"template"`
	Date     string `json:"date"`
}

// Text drops the device.
func (m Model) Text() TextModel {
	return TextModel{Ref: m.Ref, Digest: m.Digest, Template: m.Template, Date: m.Date}
}

// OpenFiles opens a model's files without its weights being read.
func OpenFiles(ctx context.Context, ref string, metadataOnly bool) (*checkpoint.Checkpoint, error) {
	if name, ok := strings.CutPrefix(ref, "tiny:"); ok {
		folder, ok := tiny.Folder(name)
		if !ok {
			return nil, fmt.Errorf("open model %s: no such embedded model; there are tiny:qwen2 and tiny:llama: %w", ref, checkpoint.ErrNotFound)
		}
		return checkpoint.OpenFS(folder, ref)
	}
	o := checkpoint.Options{MetadataOnly: metadataOnly}
	if told, ok := ctx.Value(downloadsKey{}).(func(string, string, int64, int64)); ok {
		o.Progress = func(file string, done, total int64) { told(ref, file, done, total) }
	}
	return checkpoint.Open(ctx, ref, o)
}

// downloadsKey is the key of a context's function that is told of downloads.
type downloadsKey struct{}

// WithDownloads gives a context whose downloads of models tell told how many bytes of a file have arrived;
// a total of less than 0 is not known. Other goroutines may call it.
func WithDownloads(ctx context.Context, told func(model, file string, done, total int64)) context.Context {
	return context.WithValue(ctx, downloadsKey{}, told)
}

// lazy opens a thing once per process, on first use; a failure is not remembered.
type lazy[T any] struct {
	mu   sync.Mutex
	open map[string]T
}

func (l *lazy[T]) get(key string, open func() (T, error)) (T, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if v, ok := l.open[key]; ok {
		return v, nil
	}
	v, err := open()
	if err != nil {
		return v, err
	}
	if l.open == nil {
		l.open = map[string]T{}
	}
	l.open[key] = v
	return v, nil
}

var (
	stores     lazy[cache.Store]
	tokenizers lazy[*tokenizer.Tokenizer]
)

// Tokenizer opens a model's tokenizer.
func (m TextModel) Tokenizer(ctx context.Context) (*tokenizer.Tokenizer, error) {
	return tokenizers.get(m.Digest+m.Ref+m.Date, func() (*tokenizer.Tokenizer, error) {
		c, moved, err := openHere(ctx, m.Ref, true)
		if err != nil {
			return nil, err
		}
		defer c.Close()
		if moved { // a name alone is no proof
			if digest, err := c.Digest(); err != nil {
				return nil, err
			} else if digest != m.Digest {
				return nil, othersThan(m.Ref, m.Digest, digest)
			}
		}
		return openTokenizer(c, m.Date)
	})
}

// openTokenizer opens a checkpoint's tokenizer whose chat template is told a date.
func openTokenizer(c *checkpoint.Checkpoint, date string) (*tokenizer.Tokenizer, error) {
	t, err := gpu.OpenTokenizer(c)
	if err != nil || date == "" {
		return t, err
	}
	day, err := time.Parse(time.DateOnly, date)
	if err != nil {
		return nil, err
	}
	return t.At(day), nil
}

// infrastructure reports an error that is not the unit's own: the next unit would meet it too, or be
// computed for nothing.
func infrastructure(err error) bool {
	var path *fs.PathError
	return errors.As(err, &path) || errors.As(err, new(storeTrouble)) || errors.Is(err, cache.ErrCorrupt) || errors.Is(err, checkpoint.ErrNotFound) ||
		errors.Is(err, checkpoint.ErrFormat) || errors.Is(err, gpu.ErrMemory) || errors.Is(err, ErrRoom) || errors.Is(err, gpu.ErrNoDevice) || stopped(err)
}

// hopeless reports an error that follows from the settings: the same stage will have it again, others need not.
func hopeless(err error) bool { return errors.Is(err, ErrTexts) || errors.Is(err, ErrNoScale) }

// guard turns a panic of a unit, which is a bug, into an error that says where.
func guard(f func() (cache.ActionKey, error)) (key cache.ActionKey, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("internal error: %v\n%s", r, debug.Stack())
		}
	}()
	return f()
}
