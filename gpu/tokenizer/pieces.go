package tokenizer

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Types of tokens, the same numbers in sentencepiece_model.proto and in GGUF.
const (
	normalToken  = 1
	unknownToken = 2
	controlToken = 3
	userToken    = 4
	unusedToken  = 5
	byteTokens   = 6
)

// A pieceModel is what matters of SentencePiece's ModelProto, with the defaults of
// https://github.com/google/sentencepiece/blob/master/src/sentencepiece_model.proto.
type pieceModel struct {
	tokens       []string
	scores       []float64
	types        []int32
	kind         int64 // 1 Unigram, 2 BPE, 3 words, 4 characters
	unk          int64
	bos, eos     int64
	byteFallback bool
	suffix       bool // white space is a suffix of words
	charsmap     []byte
	dummyPrefix  bool
	squeeze      bool // remove_extra_whitespaces
	escape       bool
}

// parsePieces reads a ModelProto.
func parsePieces(data []byte) (*pieceModel, error) {
	p := &pieceModel{kind: 1, bos: 1, eos: 2, dummyPrefix: true, squeeze: true, escape: true}
	err := fields(data, func(field int, v uint64, sub []byte) error {
		switch field {
		case 1:
			return p.piece(sub)
		case 2:
			return fields(sub, func(field int, v uint64, _ []byte) error {
				switch field {
				case 3:
					p.kind = int64(v)
				case 24:
					p.suffix = v != 0
				case 35:
					p.byteFallback = v != 0
				case 40:
					p.unk = int64(int32(v))
				case 41:
					p.bos = int64(int32(v))
				case 42:
					p.eos = int64(int32(v))
				}
				return nil
			})
		case 3:
			return fields(sub, func(field int, v uint64, sub []byte) error {
				switch field {
				case 2:
					p.charsmap = sub
				case 3:
					p.dummyPrefix = v != 0
				case 4:
					p.squeeze = v != 0
				case 5:
					p.escape = v != 0
				}
				return nil
			})
		}
		return nil
	})
	if err == nil && len(p.tokens) == 0 {
		err = fmt.Errorf("no pieces")
	}
	return p, err
}

// users returns a matcher of the user-defined tokens.
func (p *pieceModel) users() (*matcher, error) {
	var texts []string
	for i, token := range p.tokens {
		if p.types[i] == userToken {
			texts = append(texts, token)
		}
	}
	return newMatcher(nil, texts)
}

// piece reads one SentencePiece message.
func (p *pieceModel) piece(data []byte) error {
	token, score, kind := "", 0.0, int32(normalToken)
	err := fields(data, func(field int, v uint64, sub []byte) error {
		switch field {
		case 1:
			token = string(sub)
		case 2:
			score = float64(math.Float32frombits(uint32(v)))
		case 3:
			kind = int32(v)
		}
		return nil
	})
	if err == nil && math.IsNaN(score) {
		err = fmt.Errorf("the score of %.40q is no number", token)
	}
	p.tokens, p.scores, p.types = append(p.tokens, token), append(p.scores, score), append(p.types, kind)
	return err
}

// fields calls each for every field of a protocol buffer message: v is the value of a number, sub
// that of a text or message. See https://protobuf.dev/programming-guides/encoding/.
func fields(data []byte, each func(field int, v uint64, sub []byte) error) error {
	for len(data) > 0 {
		tag, n := binary.Uvarint(data)
		if n <= 0 || tag>>3 == 0 || tag>>3 > 1<<29-1 {
			return fmt.Errorf("damaged protocol buffer")
		}
		data = data[n:]
		var v uint64
		var sub []byte
		switch size := 0; tag & 7 {
		case 0:
			if v, n = binary.Uvarint(data); n <= 0 {
				return fmt.Errorf("damaged number in a protocol buffer")
			}
			data = data[n:]
		case 1, 5:
			if size = 8; tag&7 == 5 {
				size = 4
			}
			if len(data) < size {
				return fmt.Errorf("protocol buffer ends inside a number")
			}
			var number [8]byte
			copy(number[:], data[:size])
			v, data = binary.LittleEndian.Uint64(number[:]), data[size:]
		case 2:
			length, n := binary.Uvarint(data)
			if n <= 0 || length > uint64(len(data)-n) {
				return fmt.Errorf("protocol buffer ends inside a field")
			}
			sub, data = data[n:n+int(length)], data[n+int(length):]
		default:
			return fmt.Errorf("protocol buffer with wire type %d", tag&7)
		}
		if err := each(int(tag>>3), v, sub); err != nil {
			return err
		}
	}
	return nil
}
