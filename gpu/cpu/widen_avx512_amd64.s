#include "textflag.h"

// Widening as in widen_amd64.s with registers of 16 values.

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
