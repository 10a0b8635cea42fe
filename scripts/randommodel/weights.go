package main

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/persona-transfer/runpipeline/format/half"
	"github.com/persona-transfer/runpipeline/format/safetensors"
	"github.com/persona-transfer/runpipeline/gpu/arch"
)

const (
	maxShard = 5e9     // bytes of a file's weights, as Hugging Face cuts them
	piece    = 1 << 20 // weights that a thread makes at a time
)

// write writes the folder, with files of weights of at most so many bytes where tensors allow it, and says how many
// bytes the weights are. config.json comes last: a folder that was not finished is not opened by anyone.
func write(folder string, s shape, most int) (size int, err error) {
	c, err := arch.ParseConfig([]byte(s.config()))
	if err != nil {
		return 0, err
	}
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return 0, err
	}
	if there, err := os.ReadDir(folder); err != nil || len(there) > 0 {
		return 0, errors.Join(errors.New("the folder is not empty"), err)
	}
	files, err := tokenizerFiles(s)
	if err != nil {
		return 0, err
	}
	shards := cut(c.Tensors(), most)
	index := map[string]string{}
	for i, names := range shards {
		file := "model.safetensors"
		if len(shards) > 1 {
			file = fmt.Sprintf("model-%05d-of-%05d.safetensors", i+1, len(shards))
		}
		n, err := writeShard(filepath.Join(folder, file), names, c.Tensors())
		if err != nil {
			return 0, fmt.Errorf("%s: %w", file, err)
		}
		size += n
		for _, name := range names {
			index[name] = file
		}
	}
	if len(shards) > 1 {
		files["model.safetensors.index.json"], err = json.Marshal(map[string]any{"metadata": map[string]any{"total_size": size}, "weight_map": index})
		if err != nil {
			return 0, err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := os.WriteFile(filepath.Join(folder, name), files[name], 0o666); err != nil {
			return 0, err
		}
	}
	return size, os.WriteFile(filepath.Join(folder, "config.json"), []byte(s.config()+"\n"), 0o666)
}

func bytesOf(shape []int) int {
	n := 2 // of a value
	for _, d := range shape {
		n *= d
	}
	return n
}

// cut puts tensors, in the order of their names, into as few files as come of filling one after the other.
func cut(tensors map[string][]int, most int) (shards [][]string) {
	room := 0
	for _, name := range slices.Sorted(maps.Keys(tensors)) {
		n := bytesOf(tensors[name])
		if shards == nil || n > room {
			shards, room = append(shards, nil), most
		}
		shards[len(shards)-1] = append(shards[len(shards)-1], name)
		room -= n
	}
	return shards
}

// A beginning keeps the first bytes that are written to it.
type beginning struct{ kept []byte }

func (b *beginning) Write(p []byte) (int, error) {
	b.kept = append(b.kept, p[:min(len(p), cap(b.kept)-len(b.kept))]...)
	return len(p), nil
}

// writeShard writes a file of weights, on all processors: first the file's head, as it is for zeros, then each piece
// at its place.
func writeShard(path string, names []string, shapes map[string][]int) (size int, err error) {
	largest := 0
	for _, name := range names {
		largest = max(largest, bytesOf(shapes[name]))
		size += bytesOf(shapes[name])
	}
	zeros := make([]byte, largest) // nobody looks at them, so they are not in memory
	var tensors []safetensors.Tensor
	for _, name := range names {
		tensors = append(tensors, safetensors.Tensor{Name: name, DType: "BF16", Shape: shapes[name], Data: zeros[:bytesOf(shapes[name])]})
	}
	head := beginning{make([]byte, 0, 1<<20)}
	if err := safetensors.Write(&head, tensors, map[string]string{"format": "pt"}); err != nil {
		return 0, err
	}
	whole := int64(8 + int(binary.LittleEndian.Uint64(head.kept)) + size)
	f, err := os.Create(path)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := f.Truncate(whole); err != nil {
		return 0, err
	}
	if _, err := f.WriteAt(head.kept[:min(int64(len(head.kept)), whole)], 0); err != nil {
		return 0, err
	}
	read, err := safetensors.Read(f, whole)
	if err != nil {
		return 0, err
	}
	return size, fill(f, read.Entries)
}

// fill writes all weights.
func fill(f io.WriterAt, entries []safetensors.Entry) error {
	type task struct {
		seed   uint64
		gain   bool
		at     int64 // in the file
		from   int   // in the tensor
		values int
	}
	tasks := make(chan task)
	errs := make(chan error, runtime.GOMAXPROCS(0))
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			room := make([]byte, 2*piece)
			var failed error
			for t := range tasks {
				if failed == nil {
					draw(room[:2*t.values], t.seed, t.from, t.gain)
					_, failed = f.WriteAt(room[:2*t.values], t.at)
				}
			}
			errs <- failed
		})
	}
	for _, e := range entries {
		hash := fnv.New64a()
		hash.Write([]byte(e.Name))
		for from := 0; from < int(e.Size)/2; from += piece {
			tasks <- task{hash.Sum64(), strings.HasSuffix(e.Name, "norm.weight"), e.Offset + 2*int64(from), from, min(piece, int(e.Size)/2-from)}
		}
	}
	close(tasks)
	wg.Wait()
	close(errs)
	var all []error
	for err := range errs {
		all = append(all, err)
	}
	return errors.Join(all...)
}

// step makes the standard deviation of the sum of four uniform numbers below 2¹⁶, √(4/12)·2¹⁶, one of 0.02.
const step = 0.02 / (0.5773502691896258 * (1 << 16))

// draw writes values of a tensor from number from on. A sum of four uniform numbers is near a normal one and takes
// one hash.
func draw(out []byte, seed uint64, from int, gain bool) {
	for i := range len(out) / 2 {
		x := float32(1)
		if !gain {
			h := mix(seed + uint64(from+i)*0x9e3779b97f4a7c15)
			x = float32(int32(h&0xffff+h>>16&0xffff+h>>32&0xffff+h>>48)-2*0xffff) * step
		}
		binary.LittleEndian.PutUint16(out[2*i:], half.BRound(x))
	}
}

// mix is SplitMix64's.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
