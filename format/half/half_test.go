package half

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"math"
	"os"
	"testing"
)

func TestHalfPrecisionIsExactAndRoundsAsNumPyAndPyTorchDo(t *testing.T) {
	var want struct {
		Half    string `json:"half_sha256"`
		Rounded [][3]uint32
	}
	text, err := os.ReadFile("testdata/half.json")
	if err == nil {
		err = json.Unmarshal(text, &want)
	}
	if err != nil || len(want.Rounded) < 400 {
		t.Fatalf("%d values to round, %v", len(want.Rounded), err)
	}
	var all []byte
	for h := range 1 << 16 {
		x := Float32(uint16(h))
		if x != x {
			if h&0x7c00 != 0x7c00 || h&0x3ff == 0 {
				t.Fatalf("Float32(%#x) is NaN", h)
			}
			continue
		}
		all = binary.LittleEndian.AppendUint32(all, math.Float32bits(x))
		if got := Round(x); got != uint16(h) {
			t.Fatalf("Round(Float32(%#x)) = %#x", h, got)
		}
	}
	if sum := sha256.Sum256(all); hex.EncodeToString(sum[:]) != want.Half {
		t.Error("binary16 numbers differ from NumPy's")
	}
	for _, w := range want.Rounded {
		x := math.Float32frombits(w[0])
		if h, b := Round(x), BRound(x); uint32(h) != w[1] || uint32(b) != w[2] {
			t.Errorf("%g (%#x) rounds to %#x and %#x, want %#x and %#x", x, w[0], h, b, w[1], w[2])
		}
		if back := BFloat32(BRound(BFloat32(uint16(w[2])))); back != BFloat32(uint16(w[2])) {
			t.Errorf("bfloat16 %#x came back as %g", w[2], back)
		}
	}
}

func TestNaNStaysNaN(t *testing.T) {
	nan := float32(math.NaN())
	if x := Float32(Round(nan)); x == x {
		t.Error("NaN is a number in binary16")
	}
	if b := BRound(math.Float32frombits(0x7f800001)); b&0x7fff <= 0x7f80 {
		t.Errorf("NaN became %#x in bfloat16", b)
	}
}
