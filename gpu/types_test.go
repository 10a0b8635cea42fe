package gpu_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/persona-transfer/runpipeline/format/safetensors"
	"github.com/persona-transfer/runpipeline/gpu"
	"github.com/persona-transfer/runpipeline/gpu/arch"
	"github.com/persona-transfer/runpipeline/gpu/checkpoint"
	"github.com/persona-transfer/runpipeline/gpu/gputest"
)

// bits are those of a value of every type of safetensors.
var bits = map[string]int{
	"F64": 64, "F32": 32, "F16": 16, "BF16": 16,
	"I64": 64, "I32": 32, "I16": 16, "I8": 8, "U64": 64, "U32": 32, "U16": 16, "U8": 8, "BOOL": 8, "C64": 64,
	"F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "F8_E5M2FNUZ": 8, "F8_E4M3FNUZ": 8, "F6_E2M3": 6, "F6_E3M2": 6, "F4": 4,
}

// TestEveryTypeOfAWeightIsReadOrRefusedByName stores weights of a model as each type: what is not decoded is
// refused with file, tensors and type before any tensor is read, by what only looks as by what opens.
func TestEveryTypeOfAWeightIsReadOrRefusedByName(t *testing.T) {
	const up, down = "model.layers.1.mlp.up_proj.weight", "model.layers.2.mlp.down_proj.weight"
	for dtype, bits := range bits {
		c, r := folder(t, "llama", func(all []safetensors.Tensor) []safetensors.Tensor {
			for i := range all {
				if all[i].Name == up || all[i].Name == down {
					n := all[i].Shape[0] * all[i].Shape[1]
					all[i].DType, all[i].Data = dtype, make([]byte, n*bits/8)
				}
			}
			// What the model does not have may be of any type.
			return append(all, safetensors.Tensor{Name: "a.scale", DType: "F8_E8M0", Shape: []int{1}, Data: []byte{1}})
		})
		_, err := gpu.Examine(c)
		_, openErr := gpu.Open(c, gputest.Tokenizer(t, r.Config.Vocab), "cpu")
		if slices.Contains([]string{"F64", "F32", "F16", "BF16"}, dtype) {
			if err != nil || openErr != nil {
				t.Errorf("%s: %v, %v", dtype, err, openErr)
			}
			continue
		}
		want := "open model folder: model.safetensors: weights of stored types that are not supported: " + dtype + " (" + up + ", " + down + "); supported: F64, F32, F16, BF16"
		for _, err := range []error{err, openErr} {
			if !errors.Is(err, checkpoint.ErrFormat) || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("%s: %v\nwant %s", dtype, err, want)
			}
		}
	}
}

// TestAQuantisedModelIsRefusedAsSuch stores a matrix as GPTQ does, in integers under other names.
func TestAQuantisedModelIsRefusedAsSuch(t *testing.T) {
	config := strings.Replace(gputest.Configs["llama"], "{", `{"quantization_config": {"quant_method": "gptq", "bits": 4}, `, 1)
	parsed, err := arch.ParseConfig([]byte(config))
	if err != nil {
		t.Fatal(err)
	}
	files := gputest.Model(parsed, 5).Folder([]byte(config), func(all []safetensors.Tensor) []safetensors.Tensor {
		for i := range all {
			if name, ok := strings.CutSuffix(all[i].Name, "layers.1.mlp.up_proj.weight"); ok {
				all[i] = safetensors.Tensor{Name: name + "layers.1.mlp.up_proj.qweight", DType: "I32", Shape: []int{6, 80}, Data: make([]byte, 4*6*80)}
			}
		}
		return all
	})
	c, err := checkpoint.OpenFS(files, "folder")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, err = gpu.Examine(c)
	const want = `1 missing: model.layers.1.mlp.up_proj.weight; 1 unused: model.layers.1.mlp.up_proj.qweight (its configuration says that its weights are quantised by "gptq", which is not read)`
	if err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}
