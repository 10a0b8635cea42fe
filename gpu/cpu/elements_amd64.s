#include "textflag.h"

// Operations by elements and sums of 16 lanes on registers of 8 values. n is a multiple of 16. They do
// what generic.go does, rounding by rounding. Constants are in ·constants, see kernels_amd64.go.

#define MOST ·constants+0(SB)
#define LEAST ·constants+32(SB)
#define LOG2 ·constants+64(SB)
#define HIGH ·constants+96(SB)
#define LOW ·constants+128(SB)
#define P5 ·constants+160(SB)
#define P4 ·constants+192(SB)
#define P3 ·constants+224(SB)
#define P2 ·constants+256(SB)
#define P1 ·constants+288(SB)
#define P0 ·constants+320(SB)
#define ONE ·constants+352(SB)
#define BIAS ·constants+384(SB)
#define SIGN ·constants+416(SB)
#define CUBIC ·constants+448(SB)
#define INNER ·constants+480(SB)
#define SMALL ·constants+512(SB)
#define T4 ·constants+544(SB)
#define T3 ·constants+576(SB)
#define T2 ·constants+608(SB)
#define T1 ·constants+640(SB)
#define T0 ·constants+672(SB)
#define TWO ·constants+704(SB)
#define SIZE ·constants+736(SB)
#define NONE ·constants+768(SB)

// EXP is x = exp(x); n, p, t and m are overwritten. The minimum is its first operand, as Go writes them,
// where one is not a number; m is all ones unless x is below the least exponent.
#define EXP(x, n, p, t, m) \
	VCMPPS   $5, LEAST, x, m \
	VMOVUPS  MOST, t      \
	VMINPS   x, t, x      \
	VMULPS   LOG2, x, n   \
	VROUNDPS $8, n, n     \
	VMULPS   HIGH, n, t   \
	VSUBPS   t, x, x      \
	VMULPS   LOW, n, t    \
	VADDPS   t, x, x      \
	VMULPS   P5, x, p     \
	VADDPS   P4, p, p     \
	VMULPS   x, p, p      \
	VADDPS   P3, p, p     \
	VMULPS   x, p, p      \
	VADDPS   P2, p, p     \
	VMULPS   x, p, p      \
	VADDPS   P1, p, p     \
	VMULPS   x, p, p      \
	VADDPS   P0, p, p     \
	VMULPS   x, x, t      \
	VMULPS   t, p, p      \
	VADDPS   x, p, p      \
	VADDPS   ONE, p, p    \
	VCVTPS2DQ n, n        \
	VPADDD   BIAS, n, n   \
	VPSLLD   $23, n, n    \
	VMULPS   n, p, x      \
	VANDPS   m, x, x

// func squaresAVX2(sum *[16]float32, x *float32, n uintptr)
TEXT ·squaresAVX2(SB), NOSPLIT, $0-24
	MOVQ sum+0(FP), DI
	MOVQ x+8(FP), SI
	MOVQ n+16(FP), CX
	VMOVUPS (DI), Y0
	VMOVUPS 32(DI), Y1
loop:
	VMOVUPS (SI), Y2
	VMOVUPS 32(SI), Y3
	VMULPS Y2, Y2, Y2
	VMULPS Y3, Y3, Y3
	VADDPS Y2, Y0, Y0
	VADDPS Y3, Y1, Y1
	ADDQ $64, SI
	SUBQ $16, CX
	JNZ  loop
	VMOVUPS Y0, (DI)
	VMOVUPS Y1, 32(DI)
	VZEROUPPER
	RET

// func mostAVX2(top *[16]float32, x *float32, n uintptr)
TEXT ·mostAVX2(SB), NOSPLIT, $0-24
	MOVQ top+0(FP), DI
	MOVQ x+8(FP), SI
	MOVQ n+16(FP), CX
	VMOVUPS (DI), Y0
	VMOVUPS 32(DI), Y1
loop:
	VMOVUPS (SI), Y2
	VMOVUPS 32(SI), Y3
	VMAXPS Y0, Y2, Y0
	VMAXPS Y1, Y3, Y1
	ADDQ $64, SI
	SUBQ $16, CX
	JNZ  loop
	VMOVUPS Y0, (DI)
	VMOVUPS Y1, 32(DI)
	VZEROUPPER
	RET

// func expsAVX2(sum *[16]float32, x *float32, n uintptr, top, s float32)
TEXT ·expsAVX2(SB), NOSPLIT, $0-32
	MOVQ sum+0(FP), DI
	MOVQ x+8(FP), SI
	MOVQ n+16(FP), CX
	VBROADCASTSS top+24(FP), Y15
	VBROADCASTSS s+28(FP), Y14
	VMOVUPS (DI), Y0
	VMOVUPS 32(DI), Y1
loop:
	VMOVUPS (SI), Y2
	VMOVUPS 32(SI), Y3
	VSUBPS Y15, Y2, Y2
	VSUBPS Y15, Y3, Y3
	VMULPS Y14, Y2, Y2
	VMULPS Y14, Y3, Y3
	EXP(Y2, Y4, Y5, Y6, Y10)
	EXP(Y3, Y7, Y8, Y9, Y11)
	VMOVUPS Y2, (SI)
	VMOVUPS Y3, 32(SI)
	VADDPS Y2, Y0, Y0
	VADDPS Y3, Y1, Y1
	ADDQ $64, SI
	SUBQ $16, CX
	JNZ  loop
	VMOVUPS Y0, (DI)
	VMOVUPS Y1, 32(DI)
	VZEROUPPER
	RET

// func distancesAVX2(x *float32, n uintptr) (top, sum float32)
// What mostAVX2 and expsAVX2 do one after the other, with the trees of B2.
TEXT ·distancesAVX2(SB), NOSPLIT, $0-24
	MOVQ x+0(FP), SI
	MOVQ n+8(FP), DX
	MOVQ SI, DI
	MOVQ DX, CX
	VMOVUPS NONE, Y0
	VMOVAPS Y0, Y1
largest:
	VMOVUPS (DI), Y2
	VMOVUPS 32(DI), Y3
	VMAXPS Y0, Y2, Y0
	VMAXPS Y1, Y3, Y1
	ADDQ $64, DI
	SUBQ $16, CX
	JNZ  largest
	VMAXPS Y0, Y1, Y0
	VEXTRACTF128 $1, Y0, X1
	VMAXPS X0, X1, X0
	VPERMILPS $0x4e, X0, X1
	VMAXPS X0, X1, X0
	VPERMILPS $0xb1, X0, X1
	VMAXPS X0, X1, X0
	VMOVSS X0, top+16(FP)
	VBROADCASTSS X0, Y15
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	MOVQ DX, CX
weigh:
	VMOVUPS (SI), Y2
	VMOVUPS 32(SI), Y3
	VSUBPS Y15, Y2, Y2
	VSUBPS Y15, Y3, Y3
	EXP(Y2, Y4, Y5, Y6, Y10)
	EXP(Y3, Y7, Y8, Y9, Y11)
	VMOVUPS Y2, (SI)
	VMOVUPS Y3, 32(SI)
	VADDPS Y2, Y0, Y0
	VADDPS Y3, Y1, Y1
	ADDQ $64, SI
	SUBQ $16, CX
	JNZ  weigh
	VADDPS Y1, Y0, Y0
	VEXTRACTF128 $1, Y0, X1
	VADDPS X1, X0, X0
	VPERMILPS $0x4e, X0, X1
	VADDPS X1, X0, X0
	VPERMILPS $0xb1, X0, X1
	VADDPS X1, X0, X0
	VMOVSS X0, sum+20(FP)
	VZEROUPPER
	RET

// func addAVX2(y, x *float32, n uintptr)
TEXT ·addAVX2(SB), NOSPLIT, $0-24
	MOVQ y+0(FP), DI
	MOVQ x+8(FP), SI
	MOVQ n+16(FP), CX
loop:
	VMOVUPS (DI), Y0
	VMOVUPS 32(DI), Y1
	VADDPS (SI), Y0, Y0
	VADDPS 32(SI), Y1, Y1
	VMOVUPS Y0, (DI)
	VMOVUPS Y1, 32(DI)
	ADDQ $64, SI
	ADDQ $64, DI
	SUBQ $16, CX
	JNZ  loop
	VZEROUPPER
	RET

// func scaleAVX2(y *float32, n uintptr, s float32)
TEXT ·scaleAVX2(SB), NOSPLIT, $0-20
	MOVQ y+0(FP), DI
	MOVQ n+8(FP), CX
	VBROADCASTSS s+16(FP), Y15
loop:
	VMULPS (DI), Y15, Y0
	VMULPS 32(DI), Y15, Y1
	VMOVUPS Y0, (DI)
	VMOVUPS Y1, 32(DI)
	ADDQ $64, DI
	SUBQ $16, CX
	JNZ  loop
	VZEROUPPER
	RET

// func normAVX2(y, x, gain *float32, n uintptr, s float32)
TEXT ·normAVX2(SB), NOSPLIT, $0-36
	MOVQ y+0(FP), DI
	MOVQ x+8(FP), SI
	MOVQ gain+16(FP), DX
	MOVQ n+24(FP), CX
	VBROADCASTSS s+32(FP), Y15
loop:
	VMULPS (SI), Y15, Y0
	VMULPS 32(SI), Y15, Y1
	VMULPS (DX), Y0, Y0
	VMULPS 32(DX), Y1, Y1
	VMOVUPS Y0, (DI)
	VMOVUPS Y1, 32(DI)
	ADDQ $64, SI
	ADDQ $64, DX
	ADDQ $64, DI
	SUBQ $16, CX
	JNZ  loop
	VZEROUPPER
	RET

// func siluAVX2(gate, up *float32, n uintptr)
TEXT ·siluAVX2(SB), NOSPLIT, $0-24
	MOVQ gate+0(FP), DI
	MOVQ up+8(FP), SI
	MOVQ n+16(FP), CX
loop:
	VMOVUPS (DI), Y0
	VMOVUPS 32(DI), Y1
	VXORPS SIGN, Y0, Y2
	VXORPS SIGN, Y1, Y3
	EXP(Y2, Y4, Y5, Y6, Y10)
	EXP(Y3, Y7, Y8, Y9, Y11)
	VADDPS ONE, Y2, Y2
	VADDPS ONE, Y3, Y3
	VDIVPS Y2, Y0, Y0
	VDIVPS Y3, Y1, Y1
	VMULPS (SI), Y0, Y0
	VMULPS 32(SI), Y1, Y1
	VMOVUPS Y0, (DI)
	VMOVUPS Y1, 32(DI)
	ADDQ $64, SI
	ADDQ $64, DI
	SUBQ $16, CX
	JNZ  loop
	VZEROUPPER
	RET

#define GELU(x, u) \
	VMULPS x, x, u     \
	VMULPS x, u, u     \
	VMULPS CUBIC, u, u \
	VADDPS x, u, u     \
	VMULPS INNER, u, u

// func geluTanhAVX2(gate, up *float32, n uintptr)
TEXT ·geluTanhAVX2(SB), NOSPLIT, $0-24
	MOVQ gate+0(FP), DI
	MOVQ up+8(FP), SI
	MOVQ n+16(FP), CX
loop:
	VMOVUPS (DI), Y0
	VMOVUPS 32(DI), Y1
	GELU(Y0, Y2)
	GELU(Y1, Y3)
	EXP(Y2, Y4, Y5, Y6, Y10)
	EXP(Y3, Y7, Y8, Y9, Y11)
	VADDPS ONE, Y2, Y2
	VADDPS ONE, Y3, Y3
	VDIVPS Y2, Y0, Y0
	VDIVPS Y3, Y1, Y1
	VMULPS (SI), Y0, Y0
	VMULPS 32(SI), Y1, Y1
	VMOVUPS Y0, (DI)
	VMOVUPS Y1, 32(DI)
	ADDQ $64, SI
	ADDQ $64, DI
	SUBQ $16, CX
	JNZ  loop
	VZEROUPPER
	RET

// func softcapAVX2(x *float32, n uintptr, limit, inverse float32)
TEXT ·softcapAVX2(SB), NOSPLIT, $0-24
	MOVQ x+0(FP), DI
	MOVQ n+8(FP), CX
	VBROADCASTSS limit+16(FP), Y15
	VBROADCASTSS inverse+20(FP), Y14
loop:
	VMULPS (DI), Y14, Y0
	VANDPS SIZE, Y0, Y1 // |x|
	VANDPS SIGN, Y0, Y2
	VADDPS Y1, Y1, Y3
	EXP(Y3, Y4, Y5, Y6, Y7)
	VADDPS ONE, Y3, Y3
	VMOVUPS TWO, Y4
	VDIVPS Y3, Y4, Y3
	VMOVUPS ONE, Y4
	VSUBPS Y3, Y4, Y3
	VANDPS SIZE, Y3, Y3
	VORPS Y2, Y3, Y3    // where |x| is large
	VMULPS Y0, Y0, Y4
	VMULPS T4, Y4, Y5
	VADDPS T3, Y5, Y5
	VMULPS Y4, Y5, Y5
	VADDPS T2, Y5, Y5
	VMULPS Y4, Y5, Y5
	VADDPS T1, Y5, Y5
	VMULPS Y4, Y5, Y5
	VADDPS T0, Y5, Y5
	VMULPS Y4, Y5, Y5
	VMULPS Y0, Y5, Y5
	VADDPS Y0, Y5, Y5   // where it is small
	VCMPPS $2, SMALL, Y1, Y6
	VBLENDVPS Y6, Y5, Y3, Y3
	VMULPS Y15, Y3, Y3
	VMOVUPS Y3, (DI)
	ADDQ $32, DI
	SUBQ $8, CX
	JNZ  loop
	VZEROUPPER
	RET

// func rotateAVX2(a, b, cos, sin *float32, n uintptr)
TEXT ·rotateAVX2(SB), NOSPLIT, $0-40
	MOVQ a+0(FP), DI
	MOVQ b+8(FP), SI
	MOVQ cos+16(FP), R8
	MOVQ sin+24(FP), R9
	MOVQ n+32(FP), CX
loop:
	VMOVUPS (DI), Y0
	VMOVUPS (SI), Y1
	VMOVUPS (R8), Y2
	VMOVUPS (R9), Y3
	VMULPS Y2, Y0, Y4
	VMULPS Y3, Y1, Y5
	VMULPS Y2, Y1, Y6
	VMULPS Y3, Y0, Y7
	VSUBPS Y5, Y4, Y4
	VADDPS Y7, Y6, Y6
	VMOVUPS Y4, (DI)
	VMOVUPS Y6, (SI)
	ADDQ $32, DI
	ADDQ $32, SI
	ADDQ $32, R8
	ADDQ $32, R9
	SUBQ $8, CX
	JNZ  loop
	VZEROUPPER
	RET
