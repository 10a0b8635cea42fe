package cpu

import (
	"sync/atomic"
	"testing"

	"github.com/persona-transfer/runpipeline/gpu/checkpoint"
)

// A counted is a source of zeros that counts the values read since it was last told to forget them.
type counted struct{ since, most atomic.Int64 }

func (*counted) Tensors() []checkpoint.TensorInfo { return nil }

func (c *counted) ReadRows(_ string, _, _ int, dst []float32) error {
	now := c.since.Add(int64(len(dst)))
	for most := c.most.Load(); now > most && !c.most.CompareAndSwap(most, now); most = c.most.Load() {
	}
	return nil
}

func (c *counted) Forget() { c.since.Store(0) }

// TestAFileIsNotThereBesideItsCopy: while a large matrix is read, its source is told again and again to forget
// what has been copied, and at the end too.
func TestAFileIsNotThereBesideItsCopy(t *testing.T) {
	const in, out = 1024, readTogether/1024*5/4 + 7
	src, rooms := &counted{}, make([]scratch, 2)
	crew := newCrew(len(rooms), rooms)
	defer crew.dismiss()
	if _, err := newMatrix(crew, src, in, []rows{{"w", 0, out}}); err != nil {
		t.Fatal(err)
	}
	if most := src.most.Load(); most > readTogether || most < readTogether/2 || src.since.Load() != 0 {
		t.Errorf("%d values at most, and %d at the end, were read and not forgotten; at most %d and none are to be", most, src.since.Load(), readTogether)
	}
}
