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

// func widenNibblesAVX512(scale, low *[32]float32, dst *float32, src *byte, n, shift uintptr, table *[16]float32)
// As widenNibbles; table has q − offset.
TEXT ·widenNibblesAVX512(SB), NOSPLIT, $0-56
	MOVQ scale+0(FP), AX
	VMOVUPS (AX), Z8
	VMOVUPS 64(AX), Z9
	MOVQ low+8(FP), AX
	VMOVUPS (AX), Z10
	VMOVUPS 64(AX), Z11
	MOVQ dst+16(FP), DI
	MOVQ src+24(FP), SI
	MOVQ n+32(FP), CX
	VMOVQ shift+40(FP), X6
	MOVQ table+48(FP), AX
	VMOVUPS (AX), Z31
loop:
	VPMOVZXBD (SI), Z2
	VPMOVZXBD 16(SI), Z3
	VPSRLD X6, Z2, Z2
	VPSRLD X6, Z3, Z3
	VPERMPS Z31, Z2, Z2
	VPERMPS Z31, Z3, Z3
	VFMSUB213PS Z10, Z8, Z2
	VFMSUB213PS Z11, Z9, Z3
	VMOVUPS Z2, (DI)
	VMOVUPS Z3, 64(DI)
	ADDQ $32, SI
	ADDQ $128, DI
	DECQ CX
	JNZ  loop
	VZEROUPPER
	RET

#define WIDEN4(shift, o) \
	VPSRLD      $shift, Z12, Z2 \
	VPSRLD      $shift, Z13, Z3 \
	VPERMPS     Z31, Z2, Z2     \
	VPERMPS     Z31, Z3, Z3     \
	VFMSUB213PS Z10, Z8, Z2     \
	VFMSUB213PS Z11, Z9, Z3     \
	VMOVUPS     Z2, o(DI)       \
	VMOVUPS     Z3, o+64(DI)

// func widenFoursAVX512(scale, low *[32]float32, dst *float32, src *byte, table *[16]float32)
// 32 rows of dst from 16 bytes of each output, by fours.
TEXT ·widenFoursAVX512(SB), NOSPLIT, $0-40
	MOVQ scale+0(FP), AX
	VMOVUPS (AX), Z8
	VMOVUPS 64(AX), Z9
	MOVQ low+8(FP), AX
	VMOVUPS (AX), Z10
	VMOVUPS 64(AX), Z11
	MOVQ dst+16(FP), DI
	MOVQ src+24(FP), SI
	MOVQ table+32(FP), AX
	VMOVUPS (AX), Z31
	MOVQ $4, CX
loop:
	VMOVDQU32 (SI), Z12
	VMOVDQU32 64(SI), Z13
	WIDEN4(0, 0)
	WIDEN4(8, 128)
	WIDEN4(16, 256)
	WIDEN4(24, 384)
	WIDEN4(4, 2048)
	WIDEN4(12, 2176)
	WIDEN4(20, 2304)
	WIDEN4(28, 2432)
	ADDQ $128, SI
	ADDQ $512, DI
	DECQ CX
	JNZ  loop
	VZEROUPPER
	RET

// func widenBytesAVX512(scale *[32]float32, dst *float32, src *byte, n uintptr)
TEXT ·widenBytesAVX512(SB), NOSPLIT, $0-32
	MOVQ scale+0(FP), AX
	VMOVUPS (AX), Z8
	VMOVUPS 64(AX), Z9
	MOVQ dst+8(FP), DI
	MOVQ src+16(FP), SI
	MOVQ n+24(FP), CX
loop:
	VPMOVSXBD (SI), Z2
	VPMOVSXBD 16(SI), Z3
	VCVTDQ2PS Z2, Z2
	VCVTDQ2PS Z3, Z3
	VMULPS    Z8, Z2, Z2
	VMULPS    Z9, Z3, Z3
	VMOVUPS   Z2, (DI)
	VMOVUPS   Z3, 64(DI)
	ADDQ $32, SI
	ADDQ $128, DI
	DECQ CX
	JNZ  loop
	VZEROUPPER
	RET

#define FIFTH(off, o, tops, scale, low, t) \
	VPMOVZXBD off(SI), Z0     \
	VPSRLD    X6, Z0, Z0      \
	VPANDD    Z7, Z0, Z0      \
	VPSLLD    $4, tops, t     \
	VPANDD    Z4, t, t        \
	VPSRLD    $1, tops, tops  \
	VPORD     t, Z0, Z0       \
	VPSUBD    Z5, Z0, Z0      \
	VCVTDQ2PS Z0, Z0          \
	VMULPS    scale, Z0, Z0   \
	VSUBPS    low, Z0, Z0     \
	VMOVUPS   Z0, o(DI)

// func widenFifthAVX512(scale, low *[32]float32, dst *float32, src, tops *byte, n, shift, first, offset uintptr)
// As widenFifth.
TEXT ·widenFifthAVX512(SB), NOSPLIT, $0-72
	MOVQ scale+0(FP), AX
	VMOVUPS (AX), Z8
	VMOVUPS 64(AX), Z9
	MOVQ low+8(FP), AX
	VMOVUPS (AX), Z10
	VMOVUPS 64(AX), Z11
	MOVQ dst+16(FP), DI
	MOVQ src+24(FP), SI
	MOVQ tops+32(FP), R12
	MOVQ n+40(FP), CX
	VMOVQ shift+48(FP), X6
	VMOVQ first+56(FP), X2
	VPBROADCASTD offset+64(FP), Z5
	MOVL $15, AX
	VPBROADCASTD AX, Z7
	MOVL $16, AX
	VPBROADCASTD AX, Z4
	VMOVDQU32 (R12), Z12
	VMOVDQU32 64(R12), Z13
	VPSRLD X2, Z12, Z12
	VPSRLD X2, Z13, Z13
loop:
	FIFTH(0, 0, Z12, Z8, Z10, Z1)
	FIFTH(16, 64, Z13, Z9, Z11, Z3)
	ADDQ $32, SI
	ADDQ $128, DI
	DECQ CX
	JNZ  loop
	VZEROUPPER
	RET
