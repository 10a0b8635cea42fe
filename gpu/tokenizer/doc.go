// Package tokenizer turns text into a model's tokens and back, exactly as Hugging Face's
// tokenizers library does, for vocabularies that come as tokenizer.json, SentencePiece
// tokenizer.model, qwen.tiktoken or inside a GGUF file.
//
// Every vocabulary runs through the same pipeline, whose parts are chosen when it is opened:
//
//	text ─► added tokens ─► normaliser ─► pre-tokeniser ─► model ─► post-processor ─► ids
//	        (<s>, <|im_end|>)  NFC, ▁…      words          BPE, Unigram   BOS, EOS
//	ids ─► token texts ─► decoders (bytes, ▁ → space, …) ─► text
//
// A part that the package does not know is refused by name when the vocabulary is opened, all
// such parts in one error, because a tokenizer that is nearly right is silently wrong.
//
// # Promises
//
//	T1  The same vocabulary and text give the same ids, whatever was encoded before: the cache
//	    of words changes the speed only.
//	T2  EncodeEnds reports byte offsets into the text that was given, whatever normalisers and
//	    prefixes did to it in between; where a token ends inside one of the text's characters
//	    there is no such offset and it says -1.
//	T3  No text and no vocabulary makes a tokenizer panic, and none takes more than n·log n time:
//	    where the vocabulary's patterns, replacements and tokens would take more steps or bytes
//	    for a text than a multiple of its length, encoding it is an error. The bounds count
//	    work, not time, so that a text is read on every machine or on none. Damaged or hostile
//	    vocabulary files are errors, and reading one allocates a small multiple of its size.
//	T4  A Tokenizer is safe for concurrent use.
//
// Text that is not UTF-8 is read as if every maximal invalid part were U+FFFD, as decoders of
// the web platform do; Hugging Face's library cannot be given such text.
//
// What is a letter, a number or any other kind of character to a split pattern is as in Unicode 16, like in
// the regular expressions of Hugging Face's library, and normal forms are those of Unicode 9, as there.
// What Lowercase, StripAccents and Punctuation do goes by Go's tables (Unicode 15): no family named here
// uses them.
//
// Sources: https://github.com/huggingface/tokenizers (Apache-2.0; the behaviour, not the code),
// https://github.com/google/sentencepiece, https://github.com/openai/tiktoken and
// https://github.com/ggml-org/llama.cpp (the meaning of a GGUF's pre-tokeniser names).
package tokenizer
