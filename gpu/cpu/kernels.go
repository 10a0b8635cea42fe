package cpu

// panel is the number of columns of a product that are computed together. Weights are stored in
// panels [K][32].
const panel = 32

// kernels are the inner loops for one instruction set. Where they read or write several slices
// by elements, all are as long as the first.
type kernels struct {
	name string

	// product computes m rows of one panel of a product: c = a·b, or c += a·b if more.
	//
	//	a [m, k], a row every lda   b [k, 32]   c [m, 32], a row every ldc
	product func(c []float32, ldc int, a []float32, lda int, b []float32, m, k int, more bool)

	squares func(x []float32) (sum float32)                 // Σ x[i]² (B2)
	largest func(x []float32) (top float32)                 // of x, −∞ if it is empty; what is no number is passed over
	exps    func(x []float32, top, s float32) (sum float32) // x = exp((x−top)·s), and Σ x[i] (B2)

	// distances returns the largest of some values and the sum of exp of their distances to it, which take
	// their place.
	distances func(x []float32) (top, sum float32)

	add      func(y, x []float32)                  // y += x
	scale    func(y []float32, s float32)          // y *= s
	norm     func(y, x, gain []float32, s float32) // y = (x·s)·gain
	silu     func(gate, up []float32)              // gate = gate·σ(gate)·up
	geluTanh func(gate, up []float32)              // gate = gate·Φ(gate)·up, with the tanh approximation of Φ
	softcap  func(x []float32, limit float32)      // x = limit·tanh(x/limit)
	rotate   func(a, b, cos, sin []float32)        // a, b = a·cos − b·sin, b·cos + a·sin

	// widen makes float32 of turned blocks (see format), by the name of their type; types that are not
	// in it are widened one output after the other.
	widen map[string]func(dst []float32, src []byte)

	// single multiplies one row a with a panel of turned blocks, by the name of their type: c = a·b for
	// all of K, with the bits of widen and product.
	single map[string]func(c, a []float32, src []byte)
}

// available lists the kernels that this processor can run, the best first. The generic ones come last
// and are always there.
var available = append(vectorKernels(), &genericKernels)

// best are the kernels that are used unless a test says otherwise.
func best() *kernels { return available[0] }

// Kernels names the instruction set that is used. It does not change the bits.
func Kernels() string { return best().name }
