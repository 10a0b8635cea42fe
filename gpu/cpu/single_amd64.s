#include "textflag.h"

// Products of one row with a panel of turned blocks (see stored.go), whose weights are widened in registers:
// one chain along K for each of 32 outputs, as in product_avx512_amd64.s. A permutation of a table makes a
// float32 of four bits; d·q is exact, so that adding m to it with one rounding is what the decoder does.

#define LOWS(off, x) \
	VPMOVZXBD off(SI), Z2    \
	VPMOVZXBD off+16(SI), Z3 \
	WEIGH(x)

#define HIGHS(off, x) \
	VPMOVZXBD off(SI), Z2    \
	VPMOVZXBD off+16(SI), Z3 \
	VPSRLD    $4, Z2, Z2     \
	VPSRLD    $4, Z3, Z3     \
	WEIGH(x)

#define WEIGH(x) \
	VPERMPS      Z31, Z2, Z2 \
	VPERMPS      Z31, Z3, Z3 \
	VFMADD213PS  Z10, Z8, Z2 \
	VFMADD213PS  Z11, Z9, Z3 \
	VBROADCASTSS x(BX), Z4   \
	VFMADD231PS  Z2, Z4, Z0  \
	VFMADD231PS  Z3, Z4, Z1

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
	VCVTPH2PS (SI), Z8
	VCVTPH2PS 32(SI), Z9
	VCVTPH2PS 64(SI), Z10
	VCVTPH2PS 96(SI), Z11
	LOWS(128, 0)
	LOWS(160, 4)
	LOWS(192, 8)
	LOWS(224, 12)
	LOWS(256, 16)
	LOWS(288, 20)
	LOWS(320, 24)
	LOWS(352, 28)
	LOWS(384, 32)
	LOWS(416, 36)
	LOWS(448, 40)
	LOWS(480, 44)
	LOWS(512, 48)
	LOWS(544, 52)
	LOWS(576, 56)
	LOWS(608, 60)
	HIGHS(128, 64)
	HIGHS(160, 68)
	HIGHS(192, 72)
	HIGHS(224, 76)
	HIGHS(256, 80)
	HIGHS(288, 84)
	HIGHS(320, 88)
	HIGHS(352, 92)
	HIGHS(384, 96)
	HIGHS(416, 100)
	HIGHS(448, 104)
	HIGHS(480, 108)
	HIGHS(512, 112)
	HIGHS(544, 116)
	HIGHS(576, 120)
	HIGHS(608, 124)
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
