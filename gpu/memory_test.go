package gpu_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/persona-transfer/runpipeline/gpu"
	"github.com/persona-transfer/runpipeline/gpu/checkpoint"
	"github.com/persona-transfer/runpipeline/gpu/gputest"
)

var sevenB = flag.Bool("sevenb", false, "load and run a model of seven billion parameters too: 4.7 GB in the temporary folder, a minute or two")

// modelToMeasure, in the environment, makes the test binary a process that runs the model of that name and
// tells what it took.
const modelToMeasure = "GPU_TEST_MODEL_TO_MEASURE"

func TestMain(m *testing.M) {
	if path := os.Getenv(modelToMeasure); path != "" {
		if err := measure(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// Measured is what a process takes that opens a model and uses it.
type Measured struct {
	Before  int // bytes resident before
	Loaded  int // the most until the model was open
	Peak    int // the most of all
	Open    float64
	First   float64 // seconds from the beginning to the first new token
	Token   float64 // seconds for each token after it
	Capture float64 // seconds for 64 tokens up to the middle block
}

// measure does what a run does with a model: it reads the digest of the files, opens them, continues a text by
// some tokens and captures another at the middle block.
func measure(path string) (err error) {
	m := Measured{Before: resident("VmRSS:")}
	begun := time.Now()
	c, err := checkpoint.Open(context.Background(), path, checkpoint.Options{})
	if err != nil {
		return err
	}
	if _, err := c.Digest(); err != nil {
		return err
	}
	d, err := gpu.Open(c, nil, "cpu")
	if err != nil {
		return err
	}
	if err := c.Close(); err != nil {
		return err
	}
	m.Loaded, m.Open = resident("VmHWM:"), time.Since(begun).Seconds()
	const tokens = 4
	prompt, n := []int32{84, 104, 101, 32, 98, 111, 97, 116}, 0
	out, err := d.Generate(context.Background(), []gpu.Row{{Prompt: prompt, OnToken: func(int32) {
		if n++; n == 1 {
			m.First = time.Since(begun).Seconds()
		}
	}}}, gpu.Sampling{MaxNewTokens: tokens})
	if err != nil {
		return err
	}
	if len(out[0].Tokens) != tokens {
		return fmt.Errorf("%d new tokens", len(out[0].Tokens))
	}
	m.Token = (time.Since(begun).Seconds() - m.First) / (tokens - 1)
	text := bytes.Repeat([]byte("The boat left. "), 5)[:64]
	ids := make([]int32, len(text))
	for i, b := range text {
		ids[i] = int32(b)
	}
	at := time.Now()
	if _, err := d.Capture(context.Background(), [][]int32{ids}, [][]int{{63}}, []gpu.Site{{Layer: d.Config().Layers / 2}}); err != nil {
		return err
	}
	m.Capture = time.Since(at).Seconds()
	m.Peak = resident("VmHWM:")
	return json.NewEncoder(os.Stdout).Encode(m)
}

// resident is a figure of Linux about this process, in bytes.
func resident(name string) int {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		panic(err)
	}
	_, rest, _ := strings.Cut(string(b), name)
	kib, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		panic(err)
	}
	return kib << 10
}

// measured writes a model of random weights and has another process run it.
func measured(t *testing.T, q gputest.Quantised) (m Measured, size int) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux says how much memory a process had at most")
	}
	path := filepath.Join(t.TempDir(), "random.Q4_K_M.gguf")
	f, err := os.Create(path)
	if err == nil {
		err = q.Write(f, 1)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), modelToMeasure+"="+path, "GOGC=", "GOMEMLIMIT=")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err == nil {
		err = json.Unmarshal(out, &m)
	}
	if err != nil {
		t.Fatalf("run a model of %d bytes: %v\n%s%s", info.Size(), err, out, &stderr)
	}
	const mib = 1 << 20
	t.Logf("file %d MiB; resident: %d MiB before, %d MiB at most until it was open, %d MiB in all; open after %.2f s, the first token after %.2f s, %.2f s for each one after it, %.2f s for 64 tokens up to the middle",
		info.Size()/mib, m.Before/mib, m.Loaded/mib, m.Peak/mib, m.Open, m.First, m.Token, m.Capture)
	return m, int(info.Size())
}

// TestAModelTakesTheMemoryOfItsFile: from opening a quantised file to running it, a process needs its size, a
// fifth of it for what the collector leaves, and something for the work. Neither a second copy nor the mapping of the
// file may be resident beside the weights.
func TestAModelTakesTheMemoryOfItsFile(t *testing.T) {
	if testing.Short() {
		t.Skip("short runs are also those under the race detector, which takes memory of its own")
	}
	m, size := measured(t, gputest.Quantised{Hidden: 1024, Inner: 2816, Layers: 12, Heads: 16, KVHeads: 4, Vocab: 32768})
	if most := size + size/5 + 48<<20; m.Peak-m.Before > most {
		t.Errorf("a file of %d bytes took %d, at most %d are to be", size, m.Peak-m.Before, most)
	}
}

// TestSevenBillionParametersTakeSixGiB is the same of a model as large as those that people want to steer.
func TestSevenBillionParametersTakeSixGiB(t *testing.T) {
	if !*sevenB {
		t.Skip("writes and reads 4.7 GB: go test ./gpu -run SevenBillion -sevenb -v")
	}
	m, size := measured(t, gputest.SevenB)
	if m.Peak > 6<<30 || m.Peak-m.Before > size+size/5+48<<20 {
		t.Errorf("a file of %d bytes took %d", size, m.Peak)
	}
}
