#include "textflag.h"

// Widening of turned blocks (see stored.go): every row of 32 bytes is one number of each of 32 outputs.
// Rounding by rounding they do what gpu/checkpoint's decoders do: y = scale·q − low.

#define SCALES \
	MOVQ scale+0(FP), AX    \
	VMOVUPS (AX), Y8        \
	VMOVUPS 32(AX), Y9      \
	VMOVUPS 64(AX), Y10     \
	VMOVUPS 96(AX), Y11

#define LOWS \
	MOVQ low+8(FP), AX      \
	VMOVUPS (AX), Y12       \
	VMOVUPS 32(AX), Y13     \
	VMOVUPS 64(AX), Y14     \
	VMOVUPS 96(AX), Y15

#define BYTES(off, t, s, o) \
	VPMOVSXBD off(SI), t    \
	VCVTDQ2PS t, t          \
	VMULPS    s, t, t       \
	VMOVUPS   t, o(DI)

#define NIBBLES(off, t, s, m, o) \
	VPMOVZXBD off(SI), t  \
	VPSRLD    X6, t, t    \
	VPAND     Y7, t, t    \
	VCVTDQ2PS t, t        \
	VMULPS    s, t, t     \
	VSUBPS    m, t, t     \
	VMOVUPS   t, o(DI)

#define WITHHIGH(off, s, moff, o) \
	VPMOVZXBD off(SI), Y0  \
	VPSRLD    X6, Y0, Y0   \
	VPAND     Y7, Y0, Y0   \
	VPMOVZXBD off(DX), Y1  \
	VPSRLD    X4, Y1, Y1   \
	VPAND     Y3, Y1, Y1   \
	VPSLLD    $4, Y1, Y1   \
	VPOR      Y1, Y0, Y0   \
	VPSUBD    Y5, Y0, Y0   \
	VCVTDQ2PS Y0, Y0       \
	VMULPS    s, Y0, Y0    \
	VSUBPS    moff, Y0, Y0 \
	VMOVUPS   Y0, o(DI)

// func widenHalf(dst *float32, src *byte, n uintptr)
// n float16, a multiple of 8.
TEXT ·widenHalf(SB), NOSPLIT, $0-24
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ n+16(FP), CX
loop:
	VCVTPH2PS (SI), Y0
	VMOVUPS Y0, (DI)
	ADDQ $16, SI
	ADDQ $32, DI
	SUBQ $8, CX
	JNZ  loop
	VZEROUPPER
	RET

// func widenBrain(dst *float32, src *byte, n uintptr)
// n bfloat16, a multiple of 8.
TEXT ·widenBrain(SB), NOSPLIT, $0-24
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ n+16(FP), CX
loop:
	VPMOVZXWD (SI), Y0
	VPSLLD $16, Y0, Y0
	VMOVUPS Y0, (DI)
	ADDQ $16, SI
	ADDQ $32, DI
	SUBQ $8, CX
	JNZ  loop
	VZEROUPPER
	RET

// func widenBytes(scale *[32]float32, dst *float32, src *byte, n uintptr)
// n rows of int8.
TEXT ·widenBytes(SB), NOSPLIT, $0-32
	SCALES
	MOVQ dst+8(FP), DI
	MOVQ src+16(FP), SI
	MOVQ n+24(FP), CX
loop:
	BYTES(0, Y0, Y8, 0)
	BYTES(8, Y1, Y9, 32)
	BYTES(16, Y2, Y10, 64)
	BYTES(24, Y3, Y11, 96)
	ADDQ $32, SI
	ADDQ $128, DI
	DECQ CX
	JNZ  loop
	VZEROUPPER
	RET

// func widenNibbles(scale, low *[32]float32, dst *float32, src *byte, n, shift uintptr)
// n rows of bytes, of which four bits from shift count.
TEXT ·widenNibbles(SB), NOSPLIT, $0-48
	SCALES
	LOWS
	MOVQ dst+16(FP), DI
	MOVQ src+24(FP), SI
	MOVQ n+32(FP), CX
	VMOVQ shift+40(FP), X6
	MOVL $15, AX
	VMOVD AX, X7
	VPBROADCASTD X7, Y7
loop:
	NIBBLES(0, Y0, Y8, Y12, 0)
	NIBBLES(8, Y1, Y9, Y13, 32)
	NIBBLES(16, Y2, Y10, Y14, 64)
	NIBBLES(24, Y3, Y11, Y15, 96)
	ADDQ $32, SI
	ADDQ $128, DI
	DECQ CX
	JNZ  loop
	VZEROUPPER
	RET

// func widenHigh(scale, low *[32]float32, dst *float32, src, high *byte, n, shift, highShift, mask, offset uintptr)
// As widenNibbles; offset is taken from q, and mask says how many bits of high, from highShift, stand above the four.
TEXT ·widenHigh(SB), NOSPLIT, $0-80
	SCALES
	LOWS
	MOVQ dst+16(FP), DI
	MOVQ src+24(FP), SI
	MOVQ high+32(FP), DX
	MOVQ n+40(FP), CX
	VMOVQ shift+48(FP), X6
	VMOVQ highShift+56(FP), X4
	VPBROADCASTD mask+64(FP), Y3
	VPBROADCASTD offset+72(FP), Y5
	MOVL $15, AX
	VMOVD AX, X7
	VPBROADCASTD X7, Y7
loop:
	WITHHIGH(0, Y8, Y12, 0)
	WITHHIGH(8, Y9, Y13, 32)
	WITHHIGH(16, Y10, Y14, 64)
	WITHHIGH(24, Y11, Y15, 96)
	ADDQ $32, SI
	ADDQ $32, DX
	ADDQ $128, DI
	DECQ CX
	JNZ  loop
	VZEROUPPER
	RET

// func widenFifth(scale, low *[32]float32, dst *float32, src, tops *byte, n, shift, first, offset uintptr)
// As widenNibbles; row i has bit first + i of the output's 32-bit number of tops above the four bits.
TEXT ·widenFifth(SB), NOSPLIT, $0-72
	MOVQ scale+0(FP), R8
	MOVQ low+8(FP), R9
	MOVQ dst+16(FP), R10
	MOVQ src+24(FP), R11
	MOVQ tops+32(FP), R12
	VMOVQ shift+48(FP), X6
	VMOVQ first+56(FP), X2
	VPBROADCASTD offset+64(FP), Y5
	MOVL $15, AX
	VMOVD AX, X7
	VPBROADCASTD X7, Y7
	MOVL $16, AX
	VMOVD AX, X4
	VPBROADCASTD X4, Y4
	MOVQ $4, BX
group:
	VMOVUPS (R8), Y8
	VMOVUPS (R9), Y12
	VMOVDQU (R12), Y3
	VPSRLD  X2, Y3, Y3
	MOVQ R10, DI
	MOVQ R11, SI
	MOVQ n+40(FP), CX
loop:
	VPMOVZXBD (SI), Y0
	VPSRLD    X6, Y0, Y0
	VPAND     Y7, Y0, Y0
	VPSLLD    $4, Y3, Y1
	VPAND     Y4, Y1, Y1
	VPSRLD    $1, Y3, Y3
	VPOR      Y1, Y0, Y0
	VPSUBD    Y5, Y0, Y0
	VCVTDQ2PS Y0, Y0
	VMULPS    Y8, Y0, Y0
	VSUBPS    Y12, Y0, Y0
	VMOVUPS   Y0, (DI)
	ADDQ $32, SI
	ADDQ $128, DI
	DECQ CX
	JNZ  loop
	ADDQ $32, R8
	ADDQ $32, R9
	ADDQ $32, R10
	ADDQ $8, R11
	ADDQ $32, R12
	DECQ BX
	JNZ  group
	VZEROUPPER
	RET

#define WIDEN4(shift, o) \
	VPSRLD    $shift, Y0, Y1 \
	VPAND     Y7, Y1, Y1     \
	VPSUBD    Y5, Y1, Y1     \
	VCVTDQ2PS Y1, Y1         \
	VMULPS    Y8, Y1, Y1     \
	VSUBPS    Y12, Y1, Y1    \
	VMOVUPS   Y1, o(DI)

// func widenFours(scale, low *[32]float32, dst *float32, src *byte, offset uintptr)
// 32 rows of dst from 16 bytes of each output, by fours: the lower halves of the bytes, then the upper ones.
TEXT ·widenFours(SB), NOSPLIT, $0-40
	MOVQ scale+0(FP), R8
	MOVQ low+8(FP), R9
	MOVQ dst+16(FP), R10
	MOVQ src+24(FP), R11
	VPBROADCASTD offset+32(FP), Y5
	MOVL $15, AX
	VMOVD AX, X7
	VPBROADCASTD X7, Y7
	MOVQ $4, BX
group:
	VMOVUPS (R8), Y8
	VMOVUPS (R9), Y12
	MOVQ R10, DI
	MOVQ R11, SI
	MOVQ $4, CX
loop:
	VMOVDQU (SI), Y0
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
	ADDQ $32, R8
	ADDQ $32, R9
	ADDQ $32, R10
	ADDQ $32, R11
	DECQ BX
	JNZ  group
	VZEROUPPER
	RET
