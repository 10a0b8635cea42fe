package checkpoint

import (
	"github.com/persona-transfer/runpipeline/format/gguf"
	"github.com/persona-transfer/runpipeline/format/safetensors"
)

// A codec says how values of one stored type become float32. Values are stored in blocks:
// block values take bytes bytes. decode fills dst with len(dst)/block whole blocks of src; it is nil
// for types that are no weight's here: a file may hold them as long as nobody reads them.
type codec struct {
	block  int
	bytes  int
	decode func(dst []float32, src []byte)
}

// plainCodec returns the codec of a type of safetensors. Integers have none: what looks like a weight
// of them is quantised in a way that this package does not know.
func plainCodec(dtype string) codec {
	bytes, decode := safetensors.Floats(dtype)
	return codec{1, bytes, decode}
}

// quantised are the quantised types of GGUF that are read, by their names.
var quantised = map[string]func(dst []float32, src []byte){
	"Q4_0": decodeQ4_0, "Q4_1": decodeQ4_1, "Q5_0": decodeQ5_0, "Q5_1": decodeQ5_1, "Q8_0": decodeQ8_0,
	"Q2_K": decodeQ2_K, "Q3_K": decodeQ3_K, "Q4_K": decodeQ4_K, "Q5_K": decodeQ5_K, "Q6_K": decodeQ6_K,
}

// ggufCodec returns the codec of a type of GGUF; decode is nil if it is not read.
func ggufCodec(t gguf.Type) codec {
	switch t {
	case gguf.F32, gguf.F16, gguf.BF16:
		return plainCodec(t.String()) // safetensors has the same names for them
	}
	block, bytes := t.Block()
	return codec{block, bytes, quantised[t.String()]}
}
