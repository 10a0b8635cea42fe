package tokenizer

// mustEncode is Encode for vocabularies that can read every text.
func mustEncode(t *Tokenizer, text string) []int32 {
	ids, err := t.Encode(text)
	if err != nil {
		panic(err)
	}
	return ids
}

func mustPlain(t *Tokenizer, text string) []int32 {
	ids, err := t.EncodePlain(text)
	if err != nil {
		panic(err)
	}
	return ids
}

func mustEnds(t *Tokenizer, text string) ([]int32, []int) {
	ids, ends, err := t.EncodeEnds(text)
	if err != nil {
		panic(err)
	}
	return ids, ends
}
