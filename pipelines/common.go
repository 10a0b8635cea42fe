package pipelines

import (
	"context"
	"strings"

	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/gpu/tiny"
	"github.com/persona-transfer/runpipeline/transforms"
)

// A common is what the cells of a sweep have in common, read and computed once: files, models, corpora. It is used by one
// goroutine at a time.
type common struct {
	texts    once[string, []Text]
	personas once[string, map[string]Persona]
	rubrics  once[string, string]

	devices  once[[2]string, Device]
	models   once[modelKey, foundModel]
	corpora  once[corpusKey, corpus]
	shards   once[shardKey, transforms.ReadingSize]
	encoded  once[personaKey, encoded]
	powers   once[powerKey, string]
	readable once[readKey, struct{}]
}

// A once remembers what was found under a key, if only an error.
type once[K comparable, V any] struct{ found map[K]answer[V] }

type answer[V any] struct {
	value V
	err   error
}

func (o *once[K, V]) get(key K, find func() (V, error)) (V, error) {
	if had, ok := o.found[key]; ok {
		return had.value, had.err
	}
	v, err := find()
	if o.found == nil {
		o.found = map[K]answer[V]{}
	}
	o.found[key] = answer[V]{v, err}
	return v, err
}

// A modelKey is what a model's files and size follow from.
type modelKey struct {
	ref, configured, device string
	metadataOnly            bool
}

// A corpusKey tells calibration texts apart: a list that was read by where it lies, those of the embedded pair by their
// number, and the shipped ones by neither.
type corpusKey struct {
	first *Text
	n     int
}

// A corpus is calibration texts in the form that the pairs stage reads.
type corpus struct {
	texts []transforms.Text
	encoded
}

// An encoded is bytes that a stage reads from the store.
type encoded struct {
	bytes  []byte
	digest cache.Digest
}

func encode(v any) encoded {
	b := transforms.EncodeJSON(v)
	return encoded{b, cache.Sum(b)}
}

type shardKey struct {
	corpus    corpusKey
	positions string
	pairs     int
}

// A personaKey tells the texts of personas apart by where they lie.
type personaKey struct {
	positive, negative *string
	n, m               int
}

// A powerKey is what an experiment of some size can show follows from.
type powerKey struct {
	prompts, seeds, personas int
	margin                   float64
}

// A readKey is one text as a model reads it.
type readKey struct {
	model transforms.TextModel
	text  string
}

// calibration is the corpus of an experiment.
func (e *Experiment) calibration() corpus {
	c, _ := e.common.corpora.get(e.corpusKey(), func() (corpus, error) { // nothing fails
		texts := e.calibrationTexts()
		return corpus{texts, encode(texts)}, nil
	})
	return c
}

func (e *Experiment) corpusKey() corpusKey {
	switch list := e.CalibrationTexts.List; {
	case len(list) > 0:
		return corpusKey{&list[0], len(list)}
	case isTinyPair(&e.Config):
		return corpusKey{n: e.NTraining}
	}
	return corpusKey{}
}

func (e *Experiment) calibrationTexts() []transforms.Text {
	var texts []transforms.Text
	for _, t := range e.CalibrationTexts.List {
		texts = append(texts, transforms.Text(t))
	}
	switch {
	case texts != nil:
	case isTinyPair(&e.Config):
		for _, text := range tiny.CalibrationTexts(tinyCalibrationSeed, e.NTraining) {
			texts = append(texts, transforms.Text{Text: text})
		}
	default:
		for line := range strings.Lines(wordnet) {
			texts = append(texts, transforms.Text{Text: strings.TrimSpace(line)})
		}
	}
	return texts
}

// personaTexts are the texts of a persona as its stages read them.
func (e *Experiment) personaTexts(p Persona) cache.Digest {
	key := personaKey{&p.Positive[0], &p.Negative[0], len(p.Positive), len(p.Negative)}
	text, _ := e.common.encoded.get(key, func() (encoded, error) { // nothing fails
		return encode(transforms.PersonaTexts{Positive: p.Positive, Negative: p.Negative}), nil
	})
	return e.input(text)
}

// input registers bytes that a stage will read, and gives their digest.
func (e *Experiment) input(text encoded) cache.Digest {
	e.inputs[text.digest] = text.bytes
	return text.digest
}

// device finds a device once.
func (c *common) device(name, plugin string) (Device, error) {
	return c.devices.get([2]string{name, plugin}, func() (Device, error) { return openExperimentDevice(name, plugin) })
}

// readTexts reads a file of texts once.
func (c *common) readTexts(ctx context.Context, path string) ([]Text, error) {
	return c.texts.get(path, func() ([]Text, error) { return readTexts(ctx, path) })
}
