package cache

import (
	"encoding/binary"
	"errors"
	"hash"
	"hash/crc32"
	"io"
)

// A blob at rest is one zstd frame and its seal: a skippable frame, which every zstd passes over, with the CRC-32C of
// all that stands before it. Frames have bits on which the content does not depend, an unused one of the header and
// the size of the window among them, so the digest of the content alone cannot vouch for every stored byte. A blob
// without a seal is one of an earlier version, and whole if its content is.
const (
	sealMagic = 0x184D2A5C // of the sixteen magic numbers of skippable frames
	sealBytes = 12         // magic, length of what follows, checksum; little endian
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sealer passes bytes on and counts them into the checksum.
type sealer struct {
	to  io.Writer
	sum hash.Hash32
}

func newSealer(to io.Writer) *sealer { return &sealer{to, crc32.New(castagnoli)} }

func (s *sealer) Write(p []byte) (int, error) {
	n, err := s.to.Write(p)
	s.sum.Write(p[:n])
	return n, err
}

// seal writes the seal of what was written.
func (s *sealer) seal() error {
	_, err := s.to.Write(sealOf(s.sum.Sum32()))
	return err
}

func sealOf(sum uint32) []byte {
	seal := binary.LittleEndian.AppendUint32(nil, sealMagic)
	seal = binary.LittleEndian.AppendUint32(seal, sealBytes-8)
	return binary.LittleEndian.AppendUint32(seal, sum)
}

// unsealer sees the stored bytes as they are read. The last of them may be the seal.
type unsealer struct {
	sum  uint32 // of all that came before last
	last []byte // at most sealBytes
}

func (u *unsealer) add(p []byte) {
	if cut := len(p) - sealBytes; cut >= 0 {
		u.sum = crc32.Update(crc32.Update(u.sum, castagnoli, u.last), castagnoli, p[:cut])
		u.last = append(u.last[:0], p[cut:]...)
		return
	}
	u.last = append(u.last, p...)
	if cut := len(u.last) - sealBytes; cut > 0 {
		u.sum = crc32.Update(u.sum, castagnoli, u.last[:cut])
		u.last = append(u.last[:0], u.last[cut:]...)
	}
}

// check is called when all has been read and the content is right. What looks like any skippable frame of a seal's
// length must be the seal.
func (u *unsealer) check() error {
	if len(u.last) < sealBytes {
		return nil
	}
	looks := binary.LittleEndian.Uint32(u.last)&^0xF == sealMagic&^0xF && binary.LittleEndian.Uint32(u.last[4:]) == sealBytes-8
	if looks && string(u.last) != string(sealOf(u.sum)) {
		return errors.New("its seal does not match")
	}
	return nil
}
