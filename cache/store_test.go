package cache_test

import (
	"testing"

	"github.com/persona-transfer/runpipeline/cache"
	"github.com/persona-transfer/runpipeline/cache/cachetest"
)

func TestLocalKeepsThePromises(t *testing.T) {
	cachetest.Run(t, func(t *testing.T) cache.Store {
		s, err := cache.Open(t.Context(), t.TempDir()+"/made/on/demand")
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}

func TestMemoryKeepsThePromises(t *testing.T) {
	cachetest.Run(t, func(*testing.T) cache.Store { return cache.NewMemory() })
}
