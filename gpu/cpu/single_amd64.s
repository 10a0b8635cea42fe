#include "textflag.h"

// Products of one row with a panel of turned blocks (see stored.go), whose weights are widened in registers:
// one chain along K for each of 32 outputs, as in product_avx512_amd64.s. A permutation of a table makes a
// float32 of four bits; d·q is exact, so that adding m to it with one rounding is what the decoder does.

// AHEAD fetches what is needed soon: with several threads each sees so little of a matrix in one go that
// the processor does not foresee it.
#define AHEAD(off) PREFETCHT0 off(SI)

// NIBBLE is the k-th of 32 inputs: p and q hold its four bits of 16 outputs each, from bit shift.
#define NIBBLE(p, q, shift, x) \
	VPSRLD       $shift, p, Z2 \
	VPSRLD       $shift, q, Z3 \
	VPERMPS      Z31, Z2, Z2   \
	VPERMPS      Z31, Z3, Z3   \
	VFMADD213PS  Z10, Z8, Z2   \
	VFMADD213PS  Z11, Z9, Z3   \
	VBROADCASTSS x(BX), Z4     \
	VFMADD231PS  Z2, Z4, Z0    \
	VFMADD231PS  Z3, Z4, Z1

#define FOUR(p, q, first, x) \
	NIBBLE(p, q, first, x)       \
	NIBBLE(p, q, first+8, x+4)   \
	NIBBLE(p, q, first+16, x+8)  \
	NIBBLE(p, q, first+24, x+12)

#define BYTES(off, x) \
	VPMOVSXBD    off(SI), Z2    \
	VPMOVSXBD    off+16(SI), Z3 \
	VCVTDQ2PS    Z2, Z2         \
	VCVTDQ2PS    Z3, Z3         \
	VMULPS       Z8, Z2, Z2     \
	VMULPS       Z9, Z3, Z3     \
	VBROADCASTSS x(BX), Z4      \
	VFMADD231PS  Z2, Z4, Z0     \
	VFMADD231PS  Z3, Z4, Z1

// func singleQ4_1AVX512(c, a *float32, src *byte, blocks uintptr, table *[16]float32)
TEXT ·singleQ4_1AVX512(SB), NOSPLIT, $0-40
	MOVQ c+0(FP), DI
	MOVQ a+8(FP), BX
	MOVQ src+16(FP), SI
	MOVQ blocks+24(FP), CX
	MOVQ table+32(FP), AX
	VMOVUPS (AX), Z31
	VPXORD Z0, Z0, Z0
	VPXORD Z1, Z1, Z1
loop:
	AHEAD(2048)
	AHEAD(2112)
	AHEAD(2176)
	AHEAD(2240)
	AHEAD(2304)
	AHEAD(2368)
	AHEAD(2432)
	AHEAD(2496)
	AHEAD(2560)
	AHEAD(2624)
	VCVTPH2PS (SI), Z8
	VCVTPH2PS 32(SI), Z9
	VCVTPH2PS 64(SI), Z10
	VCVTPH2PS 96(SI), Z11
	VMOVDQU32 128(SI), Z12
	VMOVDQU32 192(SI), Z13
	VMOVDQU32 256(SI), Z14
	VMOVDQU32 320(SI), Z15
	VMOVDQU32 384(SI), Z16
	VMOVDQU32 448(SI), Z17
	VMOVDQU32 512(SI), Z18
	VMOVDQU32 576(SI), Z19
	FOUR(Z12, Z13, 0, 0)
	FOUR(Z14, Z15, 0, 16)
	FOUR(Z16, Z17, 0, 32)
	FOUR(Z18, Z19, 0, 48)
	FOUR(Z12, Z13, 4, 64)
	FOUR(Z14, Z15, 4, 80)
	FOUR(Z16, Z17, 4, 96)
	FOUR(Z18, Z19, 4, 112)
	ADDQ $640, SI
	ADDQ $128, BX
	DECQ CX
	JNZ  loop
	VMOVUPS Z0, (DI)
	VMOVUPS Z1, 64(DI)
	VZEROUPPER
	RET

// func singleQ8_0AVX512(c, a *float32, src *byte, blocks uintptr)
TEXT ·singleQ8_0AVX512(SB), NOSPLIT, $0-32
	MOVQ c+0(FP), DI
	MOVQ a+8(FP), BX
	MOVQ src+16(FP), SI
	MOVQ blocks+24(FP), CX
	VPXORD Z0, Z0, Z0
	VPXORD Z1, Z1, Z1
block:
	VCVTPH2PS (SI), Z8
	VCVTPH2PS 32(SI), Z9
	ADDQ $64, SI
	MOVQ $8, DX
four:
	AHEAD(2048)
	AHEAD(2112)
	BYTES(0, 0)
	BYTES(32, 4)
	BYTES(64, 8)
	BYTES(96, 12)
	ADDQ $128, SI
	ADDQ $16, BX
	DECQ DX
	JNZ  four
	DECQ CX
	JNZ  block
	VMOVUPS Z0, (DI)
	VMOVUPS Z1, 64(DI)
	VZEROUPPER
	RET
