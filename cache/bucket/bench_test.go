package bucket

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/cache/bucket/s3test"
	"github.com/persona-transfer/runpipeline/cache/cachetest"
)

// stores opens a fresh store of each kind: in a folder, in a bucket in memory, on a server that speaks S3.
func stores(b *testing.B, run func(b *testing.B, s cache.Store)) {
	b.Run("folder", func(b *testing.B) { run(b, mustOpen(b, b.TempDir())) })
	b.Run("memory", func(b *testing.B) { run(b, mustOpen(b, memoryAt(""))) })
	b.Run("s3", func(b *testing.B) {
		server := s3test.Start(b)
		for _, e := range server.Environment {
			name, value, _ := strings.Cut(e, "=")
			b.Setenv(name, value)
		}
		run(b, mustOpen(b, server.Location("bench")))
	})
}

// BenchmarkBlob stores and reads back 200 MiB that do not compress, a little different each time.
func BenchmarkBlob(b *testing.B) {
	content := noise(200 << 20)
	stores(b, func(b *testing.B, s cache.Store) {
		b.SetBytes(2 * int64(len(content)))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		n := 0
		for b.Loop() {
			n++
			content[0], content[1] = byte(n), byte(n>>8)
			d, _, err := s.Create(b.Context(), func(w io.Writer) error { _, err := w.Write(content); return err })
			if err != nil {
				b.Fatal(err)
			}
			r, err := s.Open(b.Context(), d)
			if err != nil {
				b.Fatal(err)
			}
			if got, err := io.Copy(io.Discard, r); err != nil || got != int64(len(content)) {
				b.Fatal(got, err)
			}
			r.Close()
		}
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/float64(n)/(1<<20), "MiB-alloc/op")
		b.ReportMetric(peak(b), "MiB-peak")
	})
}

// peak is the most memory that this process has held so far, in MiB; 0 where that is not known.
func peak(b *testing.B) float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	var kib float64
	for line := range strings.Lines(string(status)) {
		if _, err := fmt.Sscanf(line, "VmHWM: %f kB", &kib); err == nil {
			return kib / 1024
		}
	}
	return 0
}

// BenchmarkLookup looks a finished stage up: a record and its blobs.
func BenchmarkLookup(b *testing.B) {
	for _, blobs := range []int{1, 50} {
		b.Run(fmt.Sprintf("blobs=%d", blobs), func(b *testing.B) {
			stores(b, func(b *testing.B, s cache.Store) {
				var outputs []cache.Output
				for i := range blobs {
					d := cachetest.Put(b, s, []byte{byte(i)})
					outputs = append(outputs, cache.Output{Name: fmt.Sprint(i), Kind: "k", Digest: d, Bytes: 1})
				}
				if err := s.Commit(b.Context(), recipe, outputs); err != nil {
					b.Fatal(err)
				}
				for b.Loop() {
					if _, ok, err := s.Lookup(b.Context(), recipe.Key()); !ok || err != nil {
						b.Fatal(ok, err)
					}
				}
			})
		})
	}
}
