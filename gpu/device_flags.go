package gpu

import (
	"crypto/sha256"
	"fmt"
	"os"
	"regexp"
	"strings"
)

// compilerVariables are the variables of the environment by which people tell a compiler, or the libraries of a card,
// how to compute: XLA reads the first, the library that opens plugins the second.
var compilerVariables = map[string][]string{
	hostPlatform: {"XLA_FLAGS", "XLA_DEBUG_OPTIONS"},
	cudaPlatform: {"XLA_FLAGS", "XLA_DEBUG_OPTIONS", "NVIDIA_TF32_OVERRIDE", "CUBLAS_WORKSPACE_CONFIG"},
}

// placeFlag is a flag that says where something lies or is to be written, and nothing of how to compute. The library
// that opens plugins adds one of them to XLA_FLAGS by itself.
var placeFlag = regexp.MustCompile(`^--xla_(gpu_cuda_data_dir|dump_[a-z_]+)=`)

// compilerFlags gives a short digest of what the environment tells a device's compiler, and the variables that are
// set; nothing if none is. XLA reads them once, when the first plugin opens.
func compilerFlags(platform string) (digest string, variables []string) {
	h := sha256.New()
	for _, name := range compilerVariables[platform] {
		value := os.Getenv(name)
		if file := strings.TrimSpace(value); name == "XLA_FLAGS" && file != "" && !strings.HasPrefix(file, "-") {
			if b, err := os.ReadFile(file); err == nil { // XLA takes it for the name of a file that has the flags
				value = string(b)
			}
		}
		words := strings.Fields(value)
		kept := words[:0]
		for _, w := range words {
			if !placeFlag.MatchString(w) {
				kept = append(kept, w)
			}
		}
		if len(kept) > 0 {
			fmt.Fprintf(h, "%s %q\n", name, kept)
			variables = append(variables, name)
		}
	}
	if variables == nil {
		return "", nil
	}
	return fmt.Sprintf("flags-%x", h.Sum(nil)[:4]), variables
}
