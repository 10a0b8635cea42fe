package checkpoint

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// raw returns a safetensors file with this header text and n bytes of values.
func raw(header string, n int) []byte {
	out := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(out, header...), make([]byte, n)...)
}

// Weights read as PyTorch converts them; integers are none.
func TestEveryTypeReadsAsPyTorchDoes(t *testing.T) {
	var want struct {
		Tensors map[string]struct {
			Shape []int
			Bits  []int32
		}
	}
	readJSON(t, "testdata/dtypes.json", &want)
	got := readFixture(t, "dtypes.safetensors")
	if len(got) != len(want.Tensors) {
		t.Errorf("%d tensors, want %d", len(got), len(want.Tensors))
	}
	for name, w := range want.Tensors {
		info := got[name].TensorInfo
		if !slices.Equal(info.Shape, w.Shape) {
			t.Errorf("%v, want %v", info, w.Shape)
		}
		integers := slices.Contains([]string{"I64", "I32", "I16", "I8", "U8", "BOOL"}, info.DType)
		if got[name].foreign() != integers {
			t.Errorf("%v: foreign is %t", info, !integers)
		} else if integers {
			continue
		}
		values := got.values(t, name)
		if len(values) != len(w.Bits) {
			t.Errorf("%v: %d values, want %d", info, len(values), len(w.Bits))
			continue
		}
		for i, x := range values {
			if int32(math.Float32bits(x)) != w.Bits[i] {
				t.Errorf("%s[%d] = %g, want %g", name, i, x, math.Float32frombits(uint32(w.Bits[i])))
			}
		}
	}
}

// What the format's reader refuses is told with the file's name.
func TestDamagedWeightsAreRefusedByName(t *testing.T) {
	for want, data := range map[string][]byte{
		"too few":                           nil,
		"header of 1000":                    binary.LittleEndian.AppendUint64(nil, 1000),
		"after the last tensor":             raw(`{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 9),
		`not known: "v" ("F8"), "w" ("F9")`: raw(`{"w":{"dtype":"F9","shape":[8],"data_offsets":[0,8]},"v":{"dtype":"F8","shape":[8],"data_offsets":[8,16]}}`, 16),
	} {
		_, err := OpenFS(fstest.MapFS{configFile: {Data: []byte(`{}`)}, weightsFile: {Data: data}}, "folder")
		if !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), weightsFile+": ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %q, wrapping ErrFormat", err, want)
		}
	}
}
