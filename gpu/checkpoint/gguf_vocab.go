package checkpoint

// GGUFVocab is the tokenizer inside a GGUF file, as llama.cpp would use it: settings that
// the file leaves out have llama.cpp's defaults.
type GGUFVocab struct {
	Model  string    // kind: "gpt2" (byte-level BPE) or "llama" (SentencePiece)
	Pre    string    // name of the split pattern of a "gpt2" vocabulary, such as "smollm"
	Tokens []string  // text of each token
	Scores []float32 // SentencePiece scores; nil if the file has none
	Types  []int32   // 1 normal, 2 unknown, 3 control, 4 user defined, 5 unused, 6 byte; nil if the file has none
	Merges []string  // BPE merges, "left right", best first

	BOS, EOS, UNK, PAD int // token ids, -1 if there is none
	EOT                int // end of a turn, -1 if there is none

	AddBOS, AddEOS bool // whether encoding adds them
	AddSpacePrefix bool // whether encoding puts a space before the text
	ChatTemplate   string
}
